// Calls as they happen, today at a glance, the list of calls, callbacks.
import { api, get, post, el, button, toast, when, clock, length, percent, number, words, outcome, outcomeWords, facts, table, empty, meter, head, callLink, quality, onLeave, onKey, confirmed, key, me } from "./kit.js";
import { stack, bars } from "./charts.js";
import { listenIn, takeOver, hangUp, watch, current } from "./voice.js";

const calls = new Map();
let changed = () => {};
export const count = () => calls.size;
export const liveCall = (id) => calls.get(id);

export function happened(kind, data) {
  if (kind === "calls") { calls.clear(); for (const call of data) calls.set(call.id, call); }
  else if (kind === "call") calls.set(data.id, data);
  else if (kind === "ended") { calls.delete(data.id); if (current()?.id === data.id) hangUp(); }
  else return;
  changed(kind, data);
}

// One turn of a conversation. `seek`: called with milliseconds since answer.
export function turnView(t, { seek, pick } = {}) {
  const d = t.decision;
  const at = (ms) => (seek ? el("button", { type: "button", class: "seek", onclick: (e) => { e.stopPropagation(); if (e.detail) e.currentTarget.blur(); seek(ms); }, "aria-label": "Play from " + clock(ms) }, clock(ms)) : clock(ms));
  const parts = [];
  if (t.caller && (t.caller.text || t.caller.keyed)) {
    const keyed = t.caller.keyed ? " ⌨ " + t.caller.keyed : "";
    parts.push(el("div", { class: "say caller" }, el("time", {}, at(t.caller.start_ms)), el("p", {}, (t.caller.by === "colleague" ? "(colleague) " : "") + (t.caller.text || "") + keyed)));
  }
  if (t.agent) {
    const cut = t.interrupted && t.agent.text.startsWith(t.agent.heard);
    const rest = cut ? el("span", { class: "unheard", title: "not heard by the caller" }, t.agent.text.slice(t.agent.heard.length)) : null;
    parts.push(el("div", { class: "say" }, el("time", {}, at(t.agent.start_ms)), el("p", {}, cut ? t.agent.heard : t.agent.text, rest)));
  }
  if (d && t.caller) {
    parts.push(el("p", { class: "why" },
      el("span", {}, d.pending ? d.route + ", waits for " + ({ verify: "proof of identity", slot: "a detail", confirm: "a yes" }[d.pending] || d.pending) : d.route),
      d.intent && el("span", {}, words(d.intent)), el("span", {}, meter(d.confidence), " ", percent(d.confidence)),
      d.sources?.length ? el("span", {}, d.sources[0].id) : null,
      t.gap_ms !== null && t.gap_ms !== undefined ? el("span", { class: t.gap_ms > 1500 ? "warn" : "" }, t.gap_ms + " ms") : null,
      t.interrupted && el("span", { class: "warn" }, "interrupted"),
      pick && el("button", { type: "button", class: "quiet small", onclick: pick }, "why?")));
  }
  return parts;
}

const controls = (call) => el("div", { class: "row" },
  button("Listen in", async () => { if (current()?.id === call.id) hangUp(); else await listenIn(call.id); }, { "data-listen": call.id, "aria-pressed": String(current()?.id === call.id && !current().talks) }),
  button("Take over", async () => { if (await confirmed("Take this call? The caller is told who is joining, and you speak through this computer's microphone.", "Take it")) await takeOver(call.id); }),
  button("Send to a human", async () => { await post("/api/calls/" + encodeURIComponent(call.id) + "/transfer"); toast("A colleague is being rung."); }),
  button("End", async () => { if (await confirmed("End this call? The caller hears a goodbye.", "End it")) await post("/api/calls/" + encodeURIComponent(call.id) + "/end"); }, { class: "danger" }));

function stage(call) {
  const h = call.handoff;
  if (h && h.result === "accepted") return el("span", { class: "chip info" }, "with " + (h.accepted_by || "a human").replace(/^console:/, ""));
  if (h && !h.result) return el("span", { class: "chip warn" }, "being handed over: " + words(h.reason));
  return el("span", { class: "chip good" }, "with the assistant");
}

function liveCard(call) {
  const turns = el("div", { class: "turns" }, (call.turns || []).map((t) => el("div", { class: "turn" }, turnView(t))));
  const card = el("article", { class: "card live", "data-call": call.id, "aria-label": "Call from " + (call.from || "a withheld number") },
    el("div", { class: "head" }, el("h2", {}, el("span", { class: "pulse", "aria-hidden": "true" }), " ", callLink(call.id, call.from || "number withheld")), stage(call),
      el("span", { class: "soft small" }, call.channel + " · ", el("span", { class: "since", "data-since": call.started_at }, length(call.started_at)), " ", quality(call.line)), controls(call)),
    turns);
  queueMicrotask(() => { turns.scrollTop = turns.scrollHeight; });
  return card;
}

export async function showLive() {
  const box = el("div", { id: "live" });
  const draw = (kind, data) => {
    if (kind === "call" && box.querySelector('[data-call="' + CSS.escape(data.id) + '"]')) {
      const old = box.querySelector('[data-call="' + CSS.escape(data.id) + '"]');
      // Whoever has a button of this card in focus keeps it.
      const at = [...old.querySelectorAll("button")].indexOf(document.activeElement);
      const fresh = liveCard(data);
      old.replaceWith(fresh);
      if (at >= 0) fresh.querySelectorAll("button")[at]?.focus();
      return;
    }
    const all = [...calls.values()].sort((a, b) => (a.started_at < b.started_at ? 1 : -1));
    box.replaceChildren(...(all.length ? all.map(liveCard) : [empty("Nobody is on the line.", "Calls show up here as they come, word by word.")]));
  };
  changed = draw;
  draw();
  const tick = setInterval(() => { for (const node of box.querySelectorAll("[data-since]")) node.textContent = length(node.dataset.since); }, 1000);
  const unwatch = watch((open) => { for (const node of box.querySelectorAll("[data-listen]")) node.setAttribute("aria-pressed", String(open?.id === node.dataset.listen && !open.talks)); });
  onLeave(() => { clearInterval(tick); unwatch(); changed = () => {}; });
  return [head("Live calls", listening()), box];
}

// Whom one is listening to, or talking to.
export function listening() {
  const box = el("div", { class: "row", role: "status" });
  const unwatch = watch((open) => {
    box.replaceChildren(...(open ? [el("span", { class: "chip " + (open.talks ? "bad" : "info") }, open.talks ? "You are talking to the caller" : "Listening in"), button(open.talks ? "Hang up" : "Stop", () => hangUp())] : []));
  });
  onLeave(unwatch);
  return box;
}

const tile = (value, name, link) => el(link ? "a" : "div", { class: "tile", href: link }, el("b", {}, value), el("span", {}, name));

export async function showToday() {
  const t = await get("/api/today");
  const handed = Object.entries(t.transfers).map(([reason, results]) => [reason, Object.values(results).reduce((a, b) => a + b, 0)]).sort((a, b) => b[1] - a[1]).slice(0, 8);
  const matters = Object.entries(t.intents).map(([intent, by]) => [intent, Object.values(by).reduce((a, b) => a + b, 0)]).sort((a, b) => b[1] - a[1]).slice(0, 8);
  const money = t.savings.cost_per_resolved_call;
  const recent = await get("/api/calls?limit=8");
  const owed = t.actions_unknown.length + t.writes_never_settled.length;
  return [
    head("Today", el("p", { class: "soft" }, t.company, " · ", t.line.active + " of " + t.line.capacity + " lines in use", t.line.draining ? el("span", { class: "chip warn" }, "draining") : null)),
    owed ? el("p", { class: "card warn", role: "status" }, owed + " write" + (owed > 1 ? "s" : "") + " may or may not have gone through: look them up in your system. ", el("a", { href: "#report" }, "Which ones")) : null,
    el("div", { class: "tiles" },
      tile(number(t.calls), "calls ended", "#calls"), tile(percent(t.automation_rate), "resolved without a person"),
      tile(number(t.outcomes.transferred), "handed over"), tile(number(t.outcomes.callback), "callbacks promised", "#callbacks"),
      tile(t.gap_ms.p50 === null ? "–" : t.gap_ms.p50 + " ms", "reply gap, median"), tile(t.gap_ms.p95 === null ? "–" : t.gap_ms.p95 + " ms", "reply gap, 95th percentile"),
      tile(number(t.wrong_found), "wrong answers found", "#gaps"), tile(money === null ? "–" : money.toLocaleString(undefined, t.currency ? { style: "currency", currency: t.currency } : {}), "a resolved call costs"),
      tile(t.survey_mean === null ? "–" : t.survey_mean.toFixed(1), "satisfaction, 1 to 5")),
    el("div", { class: "grid two" },
      el("div", { class: "grid" },
        el("section", { class: "card" }, el("h2", {}, "How calls ended"), t.calls ? stack(t.outcomes) : el("p", { class: "soft" }, "No call has ended today.")),
        el("section", { class: "card" }, el("h2", {}, "Latest calls"), recent.length ? callsTable(recent) : el("p", { class: "soft" }, "No call has come yet. ", el("code", {}, "firstline call sip:127.0.0.1:5060 --say question.wav"), " makes one."))),
      el("div", { class: "grid" },
        el("section", { class: "card" }, el("h2", {}, "Handed over, and why"), handed.length ? bars(handed, "Hand-overs by reason") : el("p", { class: "soft" }, "None today.")),
        el("section", { class: "card" }, el("h2", {}, "What callers want"), matters.length ? bars(matters, "Calls by matter") : el("p", { class: "soft" }, "Nothing yet.")))),
  ];
}

function callsTable(list) {
  return table(["When", "From", "Ended", "Matter", "In short", { n: "Length" }], list.map((c) => el("tr", { class: "pick" },
    el("td", {}, el("a", { href: "#call/" + encodeURIComponent(c.id), "data-pick": "" }, when(c.started_at))), el("td", {}, c.from || "withheld"), el("td", {}, outcome(c)),
    el("td", {}, words(c.intent)), el("td", { class: "wide" }, c.summary), el("td", { class: "n" }, c.ended_at ? length(c.started_at, c.ended_at) : ""))));
}

export async function showCalls(params) {
  const found = el("div", { class: "card" });
  const box = el("input", { type: "search", id: "search", class: "search", placeholder: "Words, a number, an id", "aria-label": "Search calls", value: params.get("q") || "" });
  const pick = el("select", { class: "auto", "aria-label": "Outcome" }, el("option", { value: "" }, "any outcome"), Object.keys(outcomeWords).map((o) => el("option", { value: o }, outcomeWords[o])));
  pick.value = params.get("outcome") || "";
  let waiting, newest = 0;
  const search = async () => {
    const mine = ++newest;
    const query = new URLSearchParams({ q: box.value, outcome: pick.value, limit: "200" });
    try {
      const { calls: list, looked_at } = await get("/api/search?" + query);
      if (mine !== newest) return;
      const some = looked_at === null ? "" : ". Calls are encrypted: only the latest " + number(looked_at) + " were looked at; choose an outcome to look further back";
      found.replaceChildren(el("p", { class: "soft small", role: "status" }, list.length + (list.length === 1 ? " call" : " calls") + some), list.length ? callsTable(list) : empty("No call fits.", "Try fewer words, or another outcome."));
    } catch (error) { found.replaceChildren(el("p", { role: "alert" }, error.message)); }
    history.replaceState(null, "", "#calls?" + new URLSearchParams({ q: box.value, outcome: pick.value }));
  };
  box.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(search, 180); });
  pick.addEventListener("change", search);
  onLeave(() => clearTimeout(waiting));
  await search();
  if (params.has("focus")) queueMicrotask(() => box.focus());
  return [head("Calls", el("div", { class: "row search" }, box, pick)), found];
}

export const handoffFacts = (h) => facts([
  ["Why", words(h.reason)], ["Matter", words(h.intent)], ["Summary", h.summary], ["Said to the human", h.spoken_brief], ["Not said", h.draft],
  ["Tried", h.tried?.length ? el("ul", { class: "plain" }, h.tried.map((t) => el("li", {}, t))) : null], ["Open question", h.open_question],
  ["Proved who they are", h.verified === "none" ? "no" : h.verified], ["Mood", h.sentiment], ["Queue", h.queue],
  ["Rung", h.targets?.length ? el("ul", { class: "plain" }, h.targets.map((t) => el("li", {}, t.uri + ": " + words(t.outcome) + ", " + (t.ms / 1000).toFixed(1) + " s"))) : null],
  ["Result", words(h.result)], ["Taken by", h.accepted_by?.replace(/^console:/, "")], ["Asked", h.questions?.length ? el("ul", { class: "plain" }, h.questions.map((q) => el("li", {}, "“" + q.question + "” " + q.answer))) : null],
  ["Note", h.note], ["Handed back for", h.handed_back], ["Left as", h.closing && words(h.closing.status) + " (" + h.closing.said + ")"],
]);

export async function showCallbacks() {
  const list = await get("/api/callbacks");
  if (!list.length) return [head("Callbacks"), empty("No callback is owed.", "What the line promises to callers waits here until it is kept.")];
  return [head("Callbacks"), ...list.map((c) => el("article", { class: "card" },
    el("div", { class: "head" }, el("h2", {}, c.number), c.when && el("span", { class: "chip" }, c.when), c.status === "calling" && el("span", { class: "chip info" }, "being called"),
      button("Done", async () => { await post("/api/callbacks/" + encodeURIComponent(c.id) + "/done"); toast("Kept. Thank you."); window.dispatchEvent(new Event("again")); }, { class: "primary" })),
    facts([["Promised", when(c.created_at)], ["Tries", c.tries || null], ["Last try", c.last_error], ["The call", callLink(c.call_id, "open")]]), handoffFacts(c.handoff)))];
}
