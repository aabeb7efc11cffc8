// What every page uses: elements whose text stays text, requests, words for figures. Whatever came from a caller goes through `el` as a
// string and is never HTML; the page's policy runs no script but our own files.

const SVG = "http://www.w3.org/2000/svg";
const svgNames = new Set(["svg", "g", "path", "rect", "line", "circle", "text", "title", "polyline"]);

// `el("p", {class: "x", onclick: f}, "text", child)`.
export function el(name, attributes, ...children) {
  const node = svgNames.has(name) ? document.createElementNS(SVG, name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (key === "value") node.value = value;
    else node.setAttribute(key, value === true ? "" : value);
  }
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined && child !== false) node.append(child instanceof Node ? child : String(child));
  }
  return node;
}

// Who is logged in, as the line says.
export const me = { name: "", role: "", csrf: null };
const ranks = { agent: 0, reviewer: 1, admin: 2 };
export const may = (role) => (ranks[me.role] ?? -1) >= ranks[role];

export class Refused extends Error {
  constructor(message, status) { super(message); this.status = status; }
}

export const token = () => sessionStorage.getItem("token");

export async function api(path, { method = "GET", body, signal } = {}) {
  const headers = {};
  if (token()) headers.Authorization = "Bearer " + token();
  if (me.csrf) headers["X-CSRF-Token"] = me.csrf;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body), signal });
  } catch (error) {
    throw new Refused(signal?.aborted ? "stopped" : "the line does not answer", 0);
  }
  if (response.status === 401 && path !== "/api/login") window.dispatchEvent(new Event("logged-out"));
  if (!response.ok) {
    const said = await response.json().catch(() => ({}));
    throw new Refused(said.error || "the line answered " + response.status, response.status);
  }
  return response;
}
export const get = async (path) => (await api(path)).json();
export const post = async (path, body = {}) => {
  const response = await api(path, { method: "POST", body });
  return response.status === 204 ? null : response.json();
};

let toastTimer;
export function toast(text) {
  const node = document.getElementById("toast");
  node.textContent = text;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => { node.textContent = ""; }, 5000);
}

// A button that does something that may fail.
export function button(label, act, attributes = {}) {
  const node = el("button", { type: "button", ...attributes }, label);
  node.addEventListener("click", async () => {
    node.disabled = true;
    try { await act(node); } catch (error) { toast(error.message); }
    node.disabled = false;
  });
  return node;
}
export const key = (k) => el("kbd", { "aria-hidden": "true" }, k);

const clockFormat = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const dayFormat = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" });
export function when(text) {
  if (!text) return "";
  const at = new Date(text);
  return (at.toDateString() === new Date().toDateString() ? clockFormat : dayFormat).format(at);
}
export const percent = (p, digits = 0) => (p === null || p === undefined ? "–" : (p * 100).toFixed(digits) + " %");
export const number = (n) => (n === null || n === undefined ? "–" : typeof n === "number" ? n.toLocaleString() : String(n));
export const count = (n, thing) => n + " " + thing + (n === 1 ? "" : "s");
export const words = (name) => (name ? name.replaceAll("_", " ") : "");
export function clock(ms) {
  const s = Math.max(0, Math.round(ms / 1000));
  return Math.floor(s / 60) + ":" + String(s % 60).padStart(2, "0");
}
export const length = (from, to) => clock((to ? new Date(to) : new Date()) - new Date(from));

export const tones = { resolved: "good", transferred: "info", callback: "warn", abandoned: "warn", failed: "bad" };
export const outcomeWords = { resolved: "resolved", transferred: "handed over", callback: "callback", abandoned: "abandoned", failed: "failed" };
export function outcome(call) {
  const word = call.outcome || (call.ended_at ? "ended" : "live");
  return el("span", { class: "chip " + (tones[word] || "") }, outcomeWords[word] || word);
}
export function facts(pairs, kind) {
  const kept = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "" && value !== false);
  return el("dl", { class: kind }, kept.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));
}
export const table = (heads, rows, caption) =>
  el("div", { class: "scroll" }, el("table", {}, caption && el("caption", { class: "soft small" }, caption),
    el("thead", {}, el("tr", {}, heads.map((h) => el("th", { scope: "col", class: h.n ? "n" : null }, h.n || h)))), el("tbody", {}, rows)));
export const empty = (title, text) => el("div", { class: "empty" }, el("b", {}, title), text);
export const meter = (value, floor, wide) => {
  const bar = el("i");
  bar.style.width = Math.round((value || 0) * 100) + "%";
  const mark = floor === undefined || floor === null ? null : el("u", { title: "needs " + percent(floor) });
  if (mark) mark.style.left = Math.round(floor * 100) + "%";
  return el("span", { class: "meter" + (wide ? " wide" : ""), role: "img", "aria-label": percent(value) + (mark ? ", needs " + percent(floor) : "") }, bar, mark);
};
export const head = (title, ...more) => el("div", { class: "head" }, el("h1", {}, title), ...more);
export const callLink = (id, text, turn) => el("a", { href: "#call/" + encodeURIComponent(id) + (turn === undefined || turn === null ? "" : "/" + turn) }, text);

// Line quality as bars, by the estimated opinion score.
export function quality(line) {
  if (!line) return null;
  const mos = line.mos ?? (line.packets_in ? 4.4 - Math.min(3, (line.packets_lost / line.packets_in) * 30) : null);
  if (mos === null) return null;
  const n = mos >= 4 ? 4 : mos >= 3.6 ? 3 : mos >= 3.1 ? 2 : 1;
  const loss = line.packets_in ? percent(line.packets_lost / (line.packets_in + line.packets_lost), 1) : "–";
  const text = line.codec + ", quality " + mos.toFixed(1) + " of 4.5, lost " + loss + ", jitter " + Math.round(line.jitter_ms) + " ms";
  const bars = [1, 2, 3, 4].map((i) => { const bar = el("i", { class: i <= n ? "on" : "" }); bar.style.height = i * 25 + "%"; return bar; });
  return el("span", { class: "bars " + (n >= 3 ? "" : n === 2 ? "mid" : "low"), role: "img", "aria-label": text, title: text }, bars);
}

// Keys of the page that is shown; a page sets its own, and they go with it.
export const pageKeys = new Map();
export const onKey = (k, act) => pageKeys.set(k, act);
// What is to end when another page is shown.
const endings = [];
export const onLeave = (act) => endings.push(act);
export function leave() {
  pageKeys.clear();
  for (const act of endings.splice(0)) act();
}

// A dialog that asks for words; null where it was closed.
export function ask(title, { label, value = "", hint = "", ok = "Save", rows = 4 } = {}) {
  return new Promise((resolve) => {
    const input = el("textarea", { id: "ask-text", rows, value });
    const dialog = el("dialog", { "aria-labelledby": "ask-title" },
      el("h2", { id: "ask-title" }, title), el("label", { for: "ask-text" }, label || title), input,
      hint && el("p", { class: "soft small" }, hint),
      el("p", { class: "row" }, el("button", { type: "button", class: "primary", onclick: () => dialog.close("ok") }, ok),
        el("button", { type: "button", onclick: () => dialog.close() }, "Cancel")));
    dialog.addEventListener("close", () => { dialog.remove(); resolve(dialog.returnValue === "ok" ? input.value.trim() : null); });
    input.addEventListener("keydown", (e) => { if (e.key === "Enter" && (e.ctrlKey || e.metaKey)) dialog.close("ok"); });
    document.body.append(dialog);
    dialog.showModal();
    input.select();
  });
}
export function confirmed(title, ok) {
  return new Promise((resolve) => {
    const dialog = el("dialog", { "aria-labelledby": "sure-title" }, el("h2", { id: "sure-title" }, title),
      el("p", { class: "row" }, el("button", { type: "button", class: "primary", onclick: () => dialog.close("ok") }, ok),
        el("button", { type: "button", onclick: () => dialog.close() }, "Cancel")));
    dialog.addEventListener("close", () => { dialog.remove(); resolve(dialog.returnValue === "ok"); });
    document.body.append(dialog);
    dialog.showModal();
  });
}
