// The console: who is logged in, which page is shown, what happens meanwhile.
import { api, get, post, el, me, may, token, toast, leave, pageKeys, head, Refused } from "./kit.js";
import * as live from "./live.js";
import { showCall } from "./call.js";
import * as playbook from "./playbook.js";
import { hangUp } from "./voice.js";

const main = document.getElementById("main");
const state = document.getElementById("state");

// Path, title, key after `g`, least role, how it is shown.
const pages = [
  ["today", "Today", "t", "agent", live.showToday],
  ["live", "Live", "l", "agent", live.showLive],
  ["calls", "Calls", "c", "agent", live.showCalls],
  ["callbacks", "Callbacks", "b", "agent", live.showCallbacks],
  ["reviews", "Reviews", "r", "reviewer", playbook.showReviews],
  ["pilot", "Pilot", "p", "reviewer", playbook.showPilot],
  ["sample", "Weekly sample", "w", "reviewer", playbook.showSample],
  ["gaps", "Knowledge gaps", "k", "reviewer", playbook.showGaps],
  ["articles", "Articles", "a", "agent", playbook.showArticles],
  ["desk", "Desk", "d", "agent", playbook.showDesk],
  ["report", "Report", "o", "reviewer", playbook.showReport],
  ["people", "People", "u", "admin", playbook.showPeople],
];

function frame() {
  document.getElementById("door").hidden = true;
  document.getElementById("shell").hidden = false;
  document.getElementById("whoami").textContent = me.name + " · " + me.role;
  document.getElementById("logout").hidden = !(me.csrf || token());
  document.getElementById("nav").replaceChildren(...pages.filter((p) => may(p[3])).map(([path, title]) =>
    el("a", { href: "#" + path, id: "nav-" + path }, title, el("span", { class: "count" }))));
}

function door(message = "") {
  hangUp();
  document.getElementById("shell").hidden = true;
  document.getElementById("door").hidden = false;
  document.getElementById("login-wrong").textContent = message;
  document.getElementById("name").focus();
}

export function badge(page, text, tone = "") {
  const node = document.querySelector("#nav-" + page + " .count");
  if (!node) return;
  node.className = "count " + (text ? "chip " + tone : "");
  node.textContent = text || "";
}

let turn = 0;
async function show() {
  if (!me.name) return;
  const mine = ++turn;
  const [path, query] = (location.hash.slice(1) || "today").split("?");
  const [name, ...rest] = path.split("/").map(decodeURIComponent);
  for (const [other] of pages) {
    const link = document.getElementById("nav-" + other);
    if (other === name || (name === "call" && other === "calls")) link?.setAttribute("aria-current", "page");
    else link?.removeAttribute("aria-current");
  }
  const page = pages.find((p) => p[0] === name && may(p[3]));
  document.title = (name === "call" ? "Call" : page ? page[1] : "?") + " · firstline";
  leave();
  let parts;
  try {
    const params = new URLSearchParams(query);
    if (name === "call") parts = await showCall(rest[0] || "", rest[1]);
    else if (page) parts = await page[4](params, ...rest);
    else parts = [head("Not here"), el("p", {}, "There is no such page, or it takes another role.")];
  } catch (error) {
    if (error.status === 401) return;
    parts = [head("This could not be shown"), el("p", { role: "alert" }, error.message)];
  }
  // A page asked for later may have come first.
  if (mine === turn) main.replaceChildren(...parts.flat(Infinity).filter(Boolean));
}

// Events, read with fetch, because an EventSource cannot carry a token.
let listening = 0;
async function listen() {
  const mine = ++listening;
  for (let wait = 500; mine === listening && me.name; wait = Math.min(wait * 2, 8000)) {
    try {
      const response = await api("/api/events");
      wait = 500;
      state.textContent = "Connected";
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      let text = "";
      for (;;) {
        const { value, done } = await reader.read();
        if (done || mine !== listening) throw new Error("the line closed the connection");
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
      if (error.status === 401) return;
      state.textContent = "Not connected";
    }
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
}

function happened(kind, data) {
  if (kind === "lost") throw new Error("fell behind");
  live.happened(kind, data);
  playbook.happened(kind, data);
  const calls = live.count();
  badge("live", calls ? String(calls) : "", "good");
  if (may("reviewer")) {
    const waiting = playbook.waitingCount();
    badge("reviews", waiting ? String(waiting) : "", "bad");
  }
  if (kind === "ended" && /^#(today|calls)?$/.test(location.hash) && !document.querySelector("main :is(input,textarea):focus")) show();
}

async function enter() {
  try {
    Object.assign(me, await get("/api/me"));
  } catch (error) {
    if (error.status !== 401) {
      document.getElementById("shell").hidden = false;
      main.replaceChildren(head("Not reached"), el("p", { role: "alert" }, error.message));
      setTimeout(enter, 3000);
    }
    return;
  }
  frame();
  listen();
  playbook.start();
  await show();
}

window.addEventListener("logged-out", () => {
  const was = me.name || token();
  Object.assign(me, { name: "", role: "", csrf: null });
  sessionStorage.removeItem("token");
  listening++;
  door(was ? "Please log in again." : "");
});

document.getElementById("login").addEventListener("submit", async (event) => {
  event.preventDefault();
  const name = document.getElementById("name").value.trim();
  const password = document.getElementById("password");
  try {
    if (name.toLowerCase() === "token") {
      sessionStorage.setItem("token", password.value.trim());
    } else {
      await post("/api/login", { name, password: password.value });
    }
    password.value = "";
    await enter();
    main.focus();
  } catch (error) {
    document.getElementById("login-wrong").textContent = error.message[0].toUpperCase() + error.message.slice(1) + ".";
    password.select();
  }
});

document.getElementById("logout").addEventListener("click", async () => {
  if (!token()) await post("/api/logout").catch(() => {});
  sessionStorage.removeItem("token");
  Object.assign(me, { name: "", role: "", csrf: null });
  listening++;
  door();
});

// Keys. None while somebody types.
let waitsForGoal = 0;
function help() {
  const dialog = document.getElementById("help");
  const rows = [["/", "Search calls"], ["?", "This list"], ...pages.filter((p) => may(p[3])).map((p) => ["g " + p[2], p[1]]),
    ["j, k", "Next and previous in a list"], ["space", "On a call: play and pause"], ["left, right", "On a call: five seconds back and forth"],
    ["a, e, x", "On a review: approve, edit, reject"], ["1, 2, 3", "On a call: grade it good, wrong, unhelpful"]];
  dialog.replaceChildren(el("h2", { id: "help-title" }, "Keys"),
    el("dl", {}, rows.map(([k, what]) => [el("dt", {}, el("kbd", {}, k)), el("dd", {}, what)])),
    el("p", {}, el("button", { type: "button", class: "primary", onclick: () => dialog.close() }, "Close")));
  dialog.showModal();
}
document.getElementById("help-open").addEventListener("click", help);
document.getElementById("skip").addEventListener("click", (event) => { event.preventDefault(); main.focus(); });
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || !me.name || document.querySelector("dialog[open]")) return;
  if (event.target.closest("input, textarea, select")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (Date.now() - waitsForGoal < 1500) {
    waitsForGoal = 0;
    const page = pages.find((p) => p[2] === event.key && may(p[3]));
    if (page) { event.preventDefault(); location.hash = page[0]; return; }
  }
  // Space and Enter belong to a button that has the focus.
  if ([" ", "Enter"].includes(event.key) && event.target.closest("button, a, summary, [role=slider]")) return;
  const act = pageKeys.get(event.key);
  if (act) { event.preventDefault(); act(event); }
  else if (event.key === "g") waitsForGoal = Date.now();
  else if (event.key === "?") help();
  else if (event.key === "/") {
    event.preventDefault();
    const box = document.getElementById("search");
    if (box) box.focus(); else location.hash = "calls?focus";
  } else if (event.key === "j" || event.key === "k") {
    const links = [...main.querySelectorAll("[data-pick]")];
    const at = links.indexOf(document.activeElement);
    links[Math.min(links.length - 1, Math.max(0, at + (event.key === "j" ? 1 : -1)))]?.focus();
  }
});
window.addEventListener("hashchange", () => show().then(() => { if (!main.contains(document.activeElement)) main.focus(); }));
window.addEventListener("again", show);
enter();
