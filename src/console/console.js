// The console: live calls, the list of calls, one call, callbacks. Everything that came from a caller is put in as text
// (append of strings), never as HTML, and the page's policy runs no script but this file.
"use strict";

const page = document.getElementById("page");
const state = document.getElementById("state");
const live = new Map();
let shownAudio = null;

// `el("p", {class: "x"}, "text", child)`: text stays text.
function el(name, attributes, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value !== null && value !== undefined && value !== false) node.setAttribute(key, value);
  }
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined) node.append(child instanceof Node ? child : String(child));
  }
  return node;
}

async function api(path, options) {
  const token = sessionStorage.getItem("token");
  const headers = token ? { Authorization: "Bearer " + token } : {};
  const response = await fetch(path, { ...options, headers });
  if (response.status === 401) {
    document.getElementById("ask-token").hidden = false;
    document.getElementById("token-wrong").textContent = token ? "That token is not the one." : "";
    throw new Error("a token is needed");
  }
  if (!response.ok) {
    const body = await response.json().catch(() => ({}));
    throw new Error(body.error || "the line answered " + response.status);
  }
  return response;
}

const getJson = async (path) => (await api(path)).json();
const when = (text) => (text ? new Date(text).toLocaleString() : "");
const percent = (p) => Math.round(p * 100) + " %";
const toneOf = { resolved: "good", transferred: "good", callback: "warn", abandoned: "warn", failed: "bad" };

function outcome(call) {
  const word = call.outcome || (call.ended_at ? "ended" : "in progress");
  return el("span", { class: toneOf[word] || "soft" }, word);
}

function turn(t) {
  const d = t.decision;
  const parts = [];
  if (t.caller) {
    const keyed = t.caller.keyed ? " [keys " + t.caller.keyed + "]" : "";
    parts.push(el("p", { class: "said caller" }, (t.caller.text || "") + keyed));
  }
  if (d) {
    const bits = [d.route + (d.pending ? " (waits: " + d.pending + ")" : ""), d.intent, d.action, "confidence " + percent(d.confidence)];
    if (d.sources && d.sources.length) bits.push("source " + d.sources[0].id);
    if (t.gap_ms !== null && t.gap_ms !== undefined) bits.push("gap " + t.gap_ms + " ms");
    if (t.interrupted) bits.push("interrupted");
    parts.push(el("p", { class: "why soft" }, bits.filter(Boolean).join(" · ")));
    if (d.reason) parts.push(el("p", { class: "why soft" }, d.reason));
  }
  if (t.agent) {
    const cut = t.interrupted && t.agent.text.startsWith(t.agent.heard);
    const unheard = cut ? el("span", { class: "unheard", title: "not heard by the caller" }, t.agent.text.slice(t.agent.heard.length)) : null;
    parts.push(el("p", { class: "said agent" }, cut ? t.agent.heard : t.agent.text, unheard));
  }
  return el("li", {}, parts);
}

const turns = (call) => el("ol", { class: "turns" }, (call.turns || []).map(turn));

function facts(pairs) {
  const kept = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return el("dl", {}, kept.map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
}

function handoffFacts(h) {
  const targets = (h.targets || []).map((t) => t.uri + ": " + t.outcome + " (" + t.ms + " ms)").join("; ");
  return facts([
    ["Why", h.reason], ["Matter", h.intent], ["Summary", h.summary], ["Said to the human", h.spoken_brief],
    ["Tried", (h.tried || []).join("; ")], ["Open question", h.open_question], ["Proved who they are", h.verified],
    ["Mood", h.sentiment], ["Humans called", targets], ["Result", h.result], ["Taken by", h.accepted_by],
  ]);
}

const callLink = (id, text) => el("a", { href: "#call/" + encodeURIComponent(id) }, text);

// Pages

function showLive() {
  const calls = [...live.values()].sort((a, b) => (a.started_at < b.started_at ? 1 : -1));
  if (!calls.length) return [el("h2", {}, "Live calls"), el("p", {}, "No call is in progress.")];
  const articles = calls.map((call) =>
    el("article", {},
      el("h2", {}, callLink(call.id, call.from || "number withheld"), " ",
        el("span", { class: "soft" }, call.channel + ", since " + when(call.started_at))),
      turns(call), call.handoff ? handoffFacts(call.handoff) : null));
  return [el("h2", {}, "Live calls"), ...articles];
}

async function showCalls() {
  const calls = await getJson("/api/calls?limit=200");
  if (!calls.length) return [el("h2", {}, "Calls"), el("p", {}, "No call has come yet.")];
  const rows = calls.map((c) => el("tr", {},
    el("td", {}, callLink(c.id, when(c.started_at))),
    el("td", {}, c.from || "withheld"), el("td", {}, outcome(c)), el("td", {}, c.intent), el("td", {}, c.summary)));
  const head = ["Started", "From", "Outcome", "Matter", "In short"].map((h) => el("th", { scope: "col" }, h));
  const table = el("table", {}, el("thead", {}, el("tr", {}, head)), el("tbody", {}, rows));
  return [el("h2", {}, "Calls"), el("div", { class: "scroll" }, table)];
}

async function showCall(id) {
  const path = "/api/calls/" + encodeURIComponent(id);
  const call = await getJson(path);
  const listenButton = el("button", { type: "button" }, "Listen");
  const player = el("div", {}, listenButton);
  listenButton.addEventListener("click", async () => {
    try {
      const blob = await (await api(path + "/audio")).blob();
      if (shownAudio) URL.revokeObjectURL(shownAudio);
      shownAudio = URL.createObjectURL(blob);
      player.replaceChildren(el("audio", { controls: "", autoplay: "", src: shownAudio }));
    } catch (error) {
      player.replaceChildren(el("p", { role: "alert" }, error.message));
    }
  });
  const parts = [
    el("h2", {}, "Call of " + when(call.started_at)),
    facts([["From", call.from], ["To", call.to], ["Channel", call.channel], ["Outcome", outcome(call)],
      ["Ended by", call.termination && [call.termination.cause, call.termination.reason].filter(Boolean).join(": ")],
      ["Proved who they are", call.verified], ["Told it is automated", call.disclosed ? "yes" : "no"], ["Id", call.id]]),
    player, turns(call),
  ];
  if ((call.actions || []).length) {
    parts.push(el("h2", {}, "Actions"), el("ul", {}, call.actions.map((a) =>
      el("li", {}, a.name + ": ", el("strong", { class: a.status === "done" ? "good" : "bad" }, a.status), " " + JSON.stringify(a.slots)))));
  }
  if (call.handoff) parts.push(el("h2", {}, "Handed over"), handoffFacts(call.handoff));
  return parts;
}

async function showCallbacks() {
  const list = await getJson("/api/callbacks");
  document.getElementById("open-callbacks").textContent = list.length ? "(" + list.length + ")" : "";
  if (!list.length) return [el("h2", {}, "Callbacks"), el("p", {}, "No callback is open.")];
  const articles = list.map((c) => {
    const done = el("button", { type: "button" }, "Done");
    done.addEventListener("click", async () => {
      done.disabled = true;
      try {
        await api("/api/callbacks/" + encodeURIComponent(c.id) + "/done", { method: "POST" });
        await show();
      } catch (error) {
        done.disabled = false;
        done.textContent = "Done (" + error.message + ")";
      }
    });
    return el("article", {},
      el("h2", {}, c.number + (c.when ? ", " + c.when : "")),
      facts([["Promised", when(c.created_at)], ["Why", c.reason]]), handoffFacts(c.handoff),
      el("p", {}, callLink(c.call_id, "The call"), " ", done));
  });
  return [el("h2", {}, "Callbacks"), ...articles];
}

let turnOfPage = 0;
async function show() {
  const mine = ++turnOfPage;
  const [name, id] = (location.hash.slice(1) || "live").split("/");
  for (const link of document.querySelectorAll("nav a")) {
    if (link.getAttribute("href") === "#" + name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  let parts;
  try {
    if (name === "calls") parts = await showCalls();
    else if (name === "call") parts = await showCall(decodeURIComponent(id || ""));
    else if (name === "callbacks") parts = await showCallbacks();
    else parts = showLive();
  } catch (error) {
    parts = [el("p", { role: "alert" }, "This could not be shown: " + error.message)];
  }
  // A page asked for later may have come first.
  if (mine === turnOfPage) page.replaceChildren(...parts);
}

// Events. Read with fetch, because EventSource cannot carry a token.

function happened(kind, data) {
  if (kind === "calls") {
    live.clear();
    for (const call of data) live.set(call.id, call);
  } else if (kind === "call") live.set(data.id, data);
  else if (kind === "ended") live.delete(data.id);
  else if (kind === "lost") throw new Error("fell behind");
  const name = location.hash.slice(1) || "live";
  const thisCall = (kind === "call" || kind === "ended") && name === "call/" + encodeURIComponent(data.id) && !shownAudio;
  if (name === "live" || thisCall || (kind === "ended" && name === "calls")) show();
}

async function listen() {
  for (;;) {
    try {
      const response = await api("/api/events");
      state.textContent = "Connected";
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      let text = "";
      for (;;) {
        const { value, done } = await reader.read();
        if (done) throw new Error("the line closed the connection");
        text += value;
        let end;
        while ((end = text.indexOf("\n\n")) >= 0) {
          const lines = text.slice(0, end).split("\n");
          text = text.slice(end + 2);
          const field = (name) => lines.filter((l) => l.startsWith(name + ": ")).map((l) => l.slice(name.length + 2)).join("\n");
          if (field("event")) happened(field("event"), JSON.parse(field("data")));
        }
      }
    } catch (error) {
      state.textContent = "Not connected: " + error.message;
    }
    if (!document.getElementById("ask-token").hidden) return;
    await new Promise((resolve) => setTimeout(resolve, 2000));
  }
}

document.getElementById("ask-token").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem("token", document.getElementById("token").value.trim());
  document.getElementById("ask-token").hidden = true;
  listen();
  show();
});
window.addEventListener("hashchange", () => {
  if (shownAudio) URL.revokeObjectURL(shownAudio);
  shownAudio = null;
  show().then(() => page.focus());
});
listen();
show();
