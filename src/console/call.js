// One call: waveform and transcript in step, what was decided and on what evidence, what was done, where the time went.
import { api, get, post, el, button, toast, when, clock, length, percent, words, outcome, facts, table, meter, head, quality, onKey, onLeave, ask, may, key, token } from "./kit.js";
import { waterfall, stages } from "./charts.js";
import { turnView, handoffFacts, liveCall, listening } from "./live.js";

const grades = [["good", "Good", "1"], ["wrong", "Wrong", "2"], ["unhelpful", "Unhelpful", "3"]];

export async function showCall(id, wantedTurn) {
  const path = "/api/calls/" + encodeURIComponent(id);
  const [call, events, wave, given] = await Promise.all([
    get(path), get(path + "/events").catch(() => []), get(path + "/peaks").catch(() => null), get(path + "/grades").catch(() => [])]);
  const live = !call.outcome && liveCall(id);
  // The recording begins with the call, turns are counted from the answer.
  const offset = events.find((e) => e.event === "answered")?.at_ms ?? 0;
  const audio = el("audio", { preload: "none" });
  onLeave(() => { audio.pause(); if (audio.src.startsWith("blob:")) URL.revokeObjectURL(audio.src); });
  const load = async () => {
    if (audio.src) return;
    // An element cannot carry a token; with a session's cookie it streams.
    audio.src = token() ? URL.createObjectURL(await (await api(path + "/audio")).blob()) : path + "/audio";
  };
  const player = wave && wave.ms ? playerOf(wave, audio, load, call.turns, offset) : null;

  // Turns, in step with the sound, and the one whose evidence is shown.
  const inspector = el("section", { class: "card", id: "why", "aria-label": "Evidence of the chosen turn" });
  const views = new Map();
  const seek = player ? (ms) => player.seek(ms + offset, true) : null;
  const pickTurn = (t) => {
    for (const [turn, view] of views) view.classList.toggle("picked", turn === t);
    inspector.replaceChildren(...evidence(call, t, given));
  };
  const turns = el("div", { class: "turns" }, call.turns.map((t) => {
    const view = el("div", { class: "turn", id: "turn-" + t.index }, turnView(t, { seek, pick: () => { pickTurn(t); inspector.scrollIntoView({ block: "nearest" }); } }));
    view.addEventListener("click", (e) => { if (!e.target.closest("button") && !String(getSelection())) pickTurn(t); });
    views.set(t, view);
    return view;
  }));
  player?.onTime((ms) => {
    const now = ms - offset;
    for (const [t, view] of views) {
      const from = t.caller ? t.caller.start_ms : t.agent?.start_ms ?? Infinity;
      const next = call.turns[t.index + 1];
      const until = next ? (next.caller ? next.caller.start_ms : next.agent?.start_ms ?? Infinity) : Infinity;
      const on = !audio.paused && now >= from && now < until;
      if (on && !view.classList.contains("on")) view.scrollIntoView({ block: "nearest" });
      view.classList.toggle("on", on);
    }
  });
  const chosen = call.turns.find((t) => String(t.index) === wantedTurn) || call.turns.find((t) => t.decision && t.caller) || call.turns[0];
  if (chosen) pickTurn(chosen);
  if (wantedTurn) queueMicrotask(() => views.get(chosen)?.scrollIntoView({ block: "center" }));

  const whole = given.find((g) => g.turn < 0);
  const notes = call.handoff?.notes || [];
  return [
    head(call.from || "Number withheld", outcome(call), live ? listening() : null,
      may("reviewer") ? gradeRow(call, null, whole, true) : null),
    player ? el("div", { class: "card player" }, player.node, audio) : el("p", { class: "card soft" }, live ? "The recording can be heard once a second of it is written." : "There is no recording of this call."),
    el("div", { class: "card" }, facts([
      ["When", when(call.started_at) + (call.ended_at ? ", " + length(call.started_at, call.ended_at) + " long" : ", going on")], ["To", call.to], ["Over", [call.channel, " ", quality(call.line)]],
      ["Ended by", call.termination && [call.termination.cause, call.termination.reason].filter(Boolean).join(": ")], ["Proved who they are", call.verified === "none" ? "no" : call.verified],
      ["Told it is automated", call.disclosed ? "yes, and heard" : el("span", { class: "bad" }, "not heard whole")], ["Mood", call.mood], ["Satisfaction", call.survey && call.survey + " of 5"],
      ["Rang before", call.history?.length ? el("ul", { class: "plain" }, call.history.slice(0, 3).map((h) => el("li", {}, el("a", { href: "#call/" + encodeURIComponent(h.id) }, when(h.started_at)), " " + words(h.intent) + ", " + h.outcome))) : null],
      ["Id", el("span", { class: "mono" }, call.id)]], "wide")),
    el("div", { class: "grid two" },
      el("div", { class: "grid" },
        el("section", { class: "card", "aria-label": "Transcript" }, el("h2", {}, "What was said, and heard"), turns,
          notes.length ? [el("h3", {}, "With the human"), el("div", { class: "turns" }, notes.map((n) => el("div", { class: "say " + (n.by === "caller" ? "caller" : "") }, el("time", {}, clock(n.at_ms)), el("p", {}, n.text))))] : null),
        call.actions?.length ? el("section", { class: "card" }, el("h2", {}, "Done for the caller"), call.actions.map(actionView)) : null,
        call.handoff ? el("section", { class: "card" }, el("h2", {}, "Handed over"), handoffFacts(call.handoff)) : null,
        latency(call), log(events)),
      el("div", { class: "grid" }, inspector)),
  ];
}

const actionView = (a) => el("div", {}, el("h3", {}, words(a.name), " ", el("span", { class: "chip " + (a.status === "done" ? "good" : "bad") }, a.status === "unknown" ? "nobody knows" : a.status)),
  facts([["With", el("span", { class: "mono" }, JSON.stringify(a.slots))], ["Caller said yes", a.confirmed ? "yes" : "not asked"], ["Key", a.idempotency_key && el("span", { class: "mono" }, a.idempotency_key)], ["Answer", a.result && el("span", { class: "mono" }, JSON.stringify(a.result))]]));

function gradeRow(call, turn, given, keys) {
  const row = el("div", { class: "row", role: "group", "aria-label": turn === null ? "Grade of the call" : "Grade of this reply" });
  const draw = (now) => row.replaceChildren(...grades.map(([grade, name, k]) => {
    const node = button([name, keys ? key(k) : null], () => set(grade), { "aria-pressed": String(now?.grade === grade), "data-grade": grade });
    return node;
  }), now?.note ? el("span", { class: "soft small" }, now.note) : "");
  const set = async (grade) => {
    let note = "";
    if (grade !== "good") {
      note = await ask("What was " + grade + "?", { hint: "One sentence. It goes to whoever mends the article.", rows: 2 });
      if (note === null) return;
    }
    const all = await post("/api/grades", { call_id: call.id, turn, grade, note });
    draw(all.find((g) => (turn === null ? g.turn < 0 : g.turn === turn)));
    toast("Graded " + grade + ".");
  };
  draw(given);
  if (keys) for (const [grade, , k] of grades) onKey(k, () => set(grade).catch((e) => toast(e.message)));
  return row;
}

function evidence(call, t, given) {
  const d = t.decision;
  const parts = [el("h2", {}, "Turn " + (t.index + 1))];
  if (d) {
    parts.push(facts([
      ["Decided", [el("b", {}, d.route), d.pending ? ", waits for " + d.pending : ""]], ["Because", words(d.reason)], ["Matter", words(d.intent)], ["Action", words(d.action)],
      ["Sure", [meter(d.confidence, null, true), el("span", { class: "small" }, " " + percent(d.confidence))]],
      ["In scope", [meter(d.in_scope, null, true), el("span", { class: "small" }, " " + percent(d.in_scope))]],
      ["Worded by", d.model && d.model.model + ", " + words(d.model.result) + (d.model.error ? ": " + d.model.error : "")],
      ["Heard", t.caller && t.caller.avg_logprob !== null && t.caller.avg_logprob !== undefined ? "with " + percent(Math.exp(t.caller.avg_logprob)) + " a word" : null]]));
    if (d.sources?.length) {
      parts.push(el("h3", {}, "Sources"), el("ul", { class: "plain" }, d.sources.slice(0, 5).map((s) => el("li", {}, meter(s.score), " ", el("a", { href: "#articles/" + encodeURIComponent(s.id) }, s.id), " ", el("span", { class: "soft small" }, s.score.toFixed(2))))));
    }
  }
  if (t.agent) {
    parts.push(el("h3", {}, "Heard by the caller"), el("p", { class: t.agent.heard === t.agent.text ? "" : "warn" }, t.agent.heard || "nothing of it"));
  }
  const chart = waterfall(t);
  if (chart) parts.push(el("h3", {}, "Where the time went"), chart);
  if (may("reviewer") && d && t.caller) {
    parts.push(el("h3", {}, "This reply"), gradeRow(call, t.index, given.find((g) => g.turn === t.index), false),
      el("p", { class: "row" },
        button("Add to the regression set", async () => {
          await post("/api/questions", { text: t.caller.text, route: d.route, intent: d.intent, source: d.route === "answer" ? d.sources?.[0]?.id : null });
          toast("In questions.jsonl: firstline eval scores it from now on.");
        }),
        el("a", { class: "button", href: "#articles/new?" + new URLSearchParams({ intent: d.intent || "", q: t.caller.text }) }, "Write an article")));
  }
  return parts;
}

function latency(call) {
  const rows = call.turns.filter((t) => t.gap_ms !== null && t.gap_ms !== undefined);
  if (!rows.length) return null;
  const most = Math.max(...rows.map((t) => t.gap_ms));
  return el("section", { class: "card" }, el("h2", {}, "Reply gaps"), table(["Turn", { n: "Gap" }, ...stages.map(([, name]) => ({ n: name })), ""],
    rows.map((t) => el("tr", {}, el("td", {}, t.index + 1), el("td", { class: "n" }, t.gap_ms + " ms"), stages.map(([s]) => el("td", { class: "n soft" }, t.stages_ms[s])), el("td", {}, meter(t.gap_ms / most))))));
}

const log = (events) => (events.length ? el("details", { class: "card" }, el("summary", {}, "Everything that happened (" + events.length + ")"),
  el("div", { class: "scroll" }, el("table", {}, el("tbody", {}, events.map((e) => {
    const { at_ms, event, ...rest } = e;
    return el("tr", {}, el("td", { class: "n soft" }, at_ms !== undefined ? (at_ms / 1000).toFixed(2) : ""), el("td", {}, words(event || "")), el("td", { class: "mono" }, JSON.stringify(rest)));
  }))))) : null);

// Both sides in one drawing: the caller above the middle, what the caller hears below. A slider, for keys and for ears.
function playerOf(wave, audio, load, turns, offset) {
  const width = wave.caller.length, mid = 60;
  const shape = (peaks, sign) => {
    const loud = Math.max(12, ...wave.caller, ...wave.line);
    return "M0," + mid + peaks.map((p, i) => "L" + i + "," + (mid - sign * Math.max(0.6, (p / loud) * 54)).toFixed(1)).join("") + "L" + width + "," + mid + "Z";
  };
  const x = (ms) => (ms / wave.ms) * width;
  const cursor = el("line", { class: "head", x1: 0, x2: 0, y1: 0, y2: 120, "vector-effect": "non-scaling-stroke" });
  const gaps = turns.filter((t) => t.gap_ms && t.caller).map((t) => el("rect", { class: "gap", x: x(t.caller.end_ms + offset), width: Math.max(1, x(t.gap_ms)), y: 0, height: 120 }, el("title", {}, "gap " + t.gap_ms + " ms")));
  const svg = el("svg", { class: "wave", viewBox: "0 0 " + width + " 120", preserveAspectRatio: "none", tabindex: "0", role: "slider", "aria-label": "Position in the recording", "aria-valuemin": 0, "aria-valuemax": Math.round(wave.ms / 1000), "aria-valuenow": 0, "aria-valuetext": clock(0) },
    gaps, el("line", { class: "mid", x1: 0, x2: width, y1: mid, y2: mid }), el("path", { class: "c", d: shape(wave.caller, 1) }), el("path", { class: "a", d: shape(wave.line, -1) }), cursor);
  const time = el("span", { class: "mono" }, clock(0) + " / " + clock(wave.ms));
  const play = button(["Play", key("space")], () => toggle(), { class: "primary", id: "play" });
  const speed = el("select", { class: "auto", "aria-label": "Speed", onchange: () => { audio.playbackRate = Number(speed.value); } }, ["1", "1.25", "1.5", "2"].map((s) => el("option", { value: s }, s + "×")));
  const watchers = [];
  const shown = () => {
    const ms = audio.currentTime * 1000;
    const at = x(ms).toFixed(1);
    cursor.setAttribute("x1", at); cursor.setAttribute("x2", at);
    svg.setAttribute("aria-valuenow", Math.round(ms / 1000)); svg.setAttribute("aria-valuetext", clock(ms));
    time.textContent = clock(ms) + " / " + clock(wave.ms);
    for (const f of watchers) f(ms);
  };
  let frame;
  const follow = () => { shown(); if (!audio.paused) frame = requestAnimationFrame(follow); };
  audio.addEventListener("play", () => { play.firstChild.textContent = "Pause"; follow(); });
  audio.addEventListener("pause", () => { play.firstChild.textContent = "Play"; shown(); });
  audio.addEventListener("seeked", shown);
  onLeave(() => cancelAnimationFrame(frame));
  async function toggle() {
    await load();
    audio.playbackRate = Number(speed.value);
    if (audio.paused) await audio.play(); else audio.pause();
  }
  async function seek(ms, andPlay) {
    await load();
    if (audio.readyState < 1) await new Promise((done) => { audio.addEventListener("loadedmetadata", done, { once: true }); audio.load(); });
    audio.currentTime = Math.max(0, Math.min(wave.ms, ms)) / 1000;
    shown();
    if (andPlay && audio.paused) await audio.play();
  }
  const fail = (error) => toast(error.message);
  const to = (event) => { const box = svg.getBoundingClientRect(); return ((event.clientX - box.left) / box.width) * wave.ms; };
  svg.addEventListener("pointerdown", (event) => { svg.setPointerCapture(event.pointerId); seek(to(event)).catch(fail); });
  svg.addEventListener("pointermove", (event) => { if (event.buttons & 1) seek(to(event)).catch(fail); });
  const step = (by) => seek(audio.currentTime * 1000 + by).catch(fail);
  svg.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -5000, ArrowRight: 5000, PageDown: 30000, PageUp: -30000, Home: -Infinity, End: Infinity }[event.key];
    if (by !== undefined) { event.preventDefault(); event.stopPropagation(); step(by); }
    else if (event.key === " " || event.key === "Enter") { event.preventDefault(); event.stopPropagation(); toggle().catch(fail); }
  });
  onKey(" ", () => toggle().catch(fail));
  onKey("ArrowLeft", () => step(-5000));
  onKey("ArrowRight", () => step(5000));
  return {
    node: [svg, el("div", { class: "row" }, play, speed, time, el("span", { class: "legend" }, el("span", {}, el("i", { class: "c" }), "caller"), el("span", {}, el("i", {}), "what the caller heard")))],
    seek: (ms, andPlay) => seek(ms, andPlay).catch(fail),
    onTime: (f) => watchers.push(f),
  };
}
