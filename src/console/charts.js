// Charts, drawn by hand: few shapes, no library.
import { el, percent, words } from "./kit.js";

export const outcomes = ["resolved", "transferred", "callback", "abandoned", "failed"];
const shown = { transferred: "handed over" };

// One bar in parts, with its key.
export function stack(counts) {
  const total = outcomes.reduce((sum, o) => sum + (counts[o] || 0), 0);
  const bar = el("div", { class: "stack", role: "img", "aria-label": outcomes.map((o) => (shown[o] || o) + " " + (counts[o] || 0)).join(", ") },
    outcomes.filter((o) => counts[o]).map((o) => { const part = el("span", { class: "o-" + o, title: (shown[o] || o) + " " + counts[o] }); part.style.width = (counts[o] / total) * 100 + "%"; return part; }));
  const key = el("p", { class: "key" }, outcomes.filter((o) => counts[o]).map((o) => el("span", {}, el("i", { class: "o-" + o }), (shown[o] || o) + " " + counts[o])));
  return [bar, key];
}

export const stages = [["endpoint", "sure they are done"], ["stt", "hearing"], ["decide", "deciding"], ["tts", "voice"]];

// Where a turn's gap went. The stages overlap (hearing starts before it is sure that the caller is done), so each has its own row, laid
// from the end of the caller's speech.
export function waterfall(turn) {
  const s = turn.stages_ms || {};
  const gap = turn.gap_ms;
  if (gap === null || gap === undefined) return null;
  // Hearing begins with the first sign of an end; what is decided and said follows it. The last row is what is left.
  const rows = [];
  const heardAt = s.stt || 0, decidedAt = heardAt + (s.decide || 0), voicedAt = decidedAt + (s.tts || 0);
  rows.push(["endpoint", "sure they are done", 0, s.endpoint || 0]);
  rows.push(["stt", "hearing", 0, heardAt]);
  rows.push(["decide", "deciding", heardAt, decidedAt]);
  rows.push(["tts", "voice of the first clause", decidedAt, voicedAt]);
  const ready = Math.max(s.endpoint || 0, voicedAt);
  if (gap > ready) rows.push(["rest", "waiting, sending", ready, gap]);
  const most = Math.max(gap, ...rows.map((r) => r[3]), 1);
  const x = (ms) => 145 + (ms / most) * 190;
  return el("svg", { class: "chart", viewBox: "0 0 390 " + (rows.length * 22 + 24), role: "img", "aria-label": "Gap " + gap + " ms: " + rows.map((r) => r[1] + " " + (r[3] - r[2]) + " ms").join(", ") },
    rows.map(([kind, name, from, to], n) => [
      el("text", { x: 0, y: n * 22 + 15 }, name),
      el("rect", { class: "s-" + kind, x: x(from), y: n * 22 + 4, width: Math.max(1.5, x(to) - x(from)), height: 14, rx: 3 }),
      el("text", { x: x(to) + 5, y: n * 22 + 15 }, to - from + " ms")]),
    el("line", { class: "limit", x1: x(gap), x2: x(gap), y1: 0, y2: rows.length * 22 + 4 }),
    el("text", { class: "t", x: Math.min(x(gap), 330), y: rows.length * 22 + 18, "text-anchor": "middle" }, "first sound, " + gap + " ms"));
}

// Risk over coverage: how many of the labelled questions would be answered at a floor, and how many of those wrongly.
export function riskCoverage(points, floors) {
  if (!points.length) return null;
  const most = Math.max(0.1, ...points.map((p) => p.risk)) * 1.1;
  const x = (c) => 46 + c * 320, y = (r) => 210 - (r / most) * 190;
  const at = (floor) => points.filter((p) => p.floor >= floor).at(-1);
  const marks = [...new Set(floors)].map((f) => [f, at(f)]).filter(([, p]) => p);
  return el("svg", { class: "chart", viewBox: "0 0 400 250", role: "img", "aria-label": "Risk over coverage. " + marks.map(([f, p]) => "Floor " + f + ": answers " + percent(p.coverage) + ", wrong " + percent(p.risk, 1)).join(". ") },
    [0, 0.25, 0.5, 0.75, 1].map((c) => [el("line", { class: "axis", x1: x(c), x2: x(c), y1: 20, y2: 210 }), el("text", { x: x(c), y: 228, "text-anchor": "middle" }, percent(c))]),
    [0, most / 2, most].map((r) => [el("line", { class: "axis", x1: 46, x2: 366, y1: y(r), y2: y(r) }), el("text", { x: 40, y: y(r) + 4, "text-anchor": "end" }, percent(r))]),
    el("polyline", { class: "l1", points: points.map((p) => x(p.coverage).toFixed(1) + "," + y(p.risk).toFixed(1)).join(" ") }),
    marks.map(([f, p], n) => [el("circle", { class: "d1", cx: x(p.coverage), cy: y(p.risk), r: 5 }, el("title", {}, "floor " + percent(f) + ": " + percent(p.coverage) + " answered, " + percent(p.risk, 1) + " of them wrong")),
      el("text", { class: "t", x: Math.max(80, x(p.coverage) - 8), y: y(p.risk) - 10 - (n % 2) * 14, "text-anchor": "end" }, "floor " + percent(f))]),
    el("text", { x: 206, y: 246, "text-anchor": "middle" }, "share of the questions that is answered"),
    el("text", { x: 46, y: 12 }, "of those, wrong"));
}

// A dot with its interval, and the line under which more trust is proposed.
export function whisker(rate) {
  if (!rate || !rate.of) return el("span", { class: "soft" }, "none yet");
  const x = (p) => 4 + p * 132;
  return el("span", {}, el("svg", { width: 140, height: 16, role: "img", class: "chart tiny", "aria-label": percent(rate.rate, 1) + ", 95 % interval " + percent(rate.low, 1) + " to " + percent(rate.high, 1) },
    el("line", { class: "axis", x1: 4, x2: 136, y1: 8, y2: 8 }), el("line", { class: "limit", x1: x(0.05), x2: x(0.05), y1: 1, y2: 15 }),
    el("line", { class: "l1", x1: x(rate.low), x2: x(rate.high), y1: 8, y2: 8 }), el("circle", { class: "d1", cx: x(rate.rate), cy: 8, r: 4 })),
  el("span", { class: "small soft" }, " " + percent(rate.rate, 1) + " of " + rate.of));
}

// Calls by hour of the day.
export function bars(rows, label) {
  const most = Math.max(1, ...rows.map((r) => r[1]));
  return el("svg", { class: "chart", viewBox: "0 0 360 " + rows.length * 24, role: "img", "aria-label": label + ": " + rows.map((r) => words(r[0]) + " " + r[1]).join(", ") },
    rows.map(([name, n, kind], i) => [el("text", { class: "t", x: 0, y: i * 24 + 16 }, words(name)),
      el("rect", { class: kind || "d1", x: 150, y: i * 24 + 5, width: Math.max(2, (n / most) * 170), height: 13, rx: 3 }), el("text", { x: 156 + (n / most) * 170, y: i * 24 + 16 }, n)]));
}
