// Reviews, trust, the weekly sample, knowledge, the desk, people.
import { api, get, post, el, button, toast, when, percent, number, words, count, outcome, facts, table, empty, meter, head, callLink, onLeave, onKey, ask, confirmed, key, may, me } from "./kit.js";
import { riskCoverage, whisker, stack } from "./charts.js";

// The review queue, as it is now. Kept up whether or not it is shown: the count stands in the menu.
const waiting = new Map();
let redraw = () => {};
let onDuty = localStorage.getItem("duty") === "on";
export const waitingCount = () => waiting.size;

export function happened(kind, data) {
  if (kind === "review") waiting.set(data.id, { ...data, until: Date.now() + data.left_ms });
  else if (kind === "review_over") waiting.delete(data.id);
  else return;
  redraw(kind);
}

async function duty() {
  if (!me.name || !may("reviewer")) return;
  if (onDuty) await post("/api/duty", { on: true }).catch(() => {});
}
let beat;
export function start() {
  clearInterval(beat);
  if (!may("reviewer")) return;
  duty();
  beat = setInterval(duty, 10000);
}

const say = async (review, verdict, text = "") => {
  await post("/api/reviews/" + encodeURIComponent(review.id), { verdict, text });
  waiting.delete(review.id);
  toast({ approved: "Said as drafted.", edited: "Said in your words.", rejected: "A human takes it." }[verdict]);
  redraw("mine");
};

function reviewCard(review, first, shadow) {
  const d = review.decision;
  const editor = el("textarea", { "aria-label": "Your wording", value: review.draft, hidden: true });
  const draft = el("p", { class: "draft" }, review.draft);
  const left = el("span", { class: "clock", "aria-hidden": "true" });
  const card = el("article", { class: "card review", "data-review": review.id, "aria-label": "Reply on " + words(review.intent) },
    el("div", { class: "head" }, el("h2", {}, words(review.intent)), callLink(review.call_id, "the call", review.turn), shadow ? el("span", { class: "soft small" }, when(review.created_at)) : left),
    el("p", { class: "say caller" }, el("time", {}, "caller"), el("span", {}, review.words)),
    shadow && review.human ? el("p", { class: "say" }, el("time", {}, "human"), el("span", {}, review.human)) : null,
    draft, editor,
    d ? el("p", { class: "why" }, el("span", {}, d.route), el("span", {}, meter(d.confidence), " ", percent(d.confidence)), d.sources?.[0] && el("span", {}, d.sources[0].id), el("span", {}, d.reason)) : null);
  const approve = () => say(review, "approved");
  const edit = async () => {
    if (editor.hidden) { editor.hidden = false; draft.hidden = true; editor.focus(); editor.select(); return; }
    await say(review, editor.value.trim() === review.draft.trim() ? "approved" : "edited", editor.value);
  };
  const reject = async () => say(review, "rejected", shadow ? (await ask("What is wrong with it?", { rows: 2 })) || "" : "");
  editor.addEventListener("keydown", (e) => { if (e.key === "Enter" && !e.shiftKey) { e.preventDefault(); edit().catch((x) => toast(x.message)); } });
  card.append(el("div", { class: "row" }, button([shadow ? "Right" : "Approve", first && key("a")], approve, { class: "primary" }), button([shadow ? "Right, reworded" : "Edit", first && key("e")], edit), button([shadow ? "Wrong" : "Reject", first && key("x")], reject, { class: "danger" })));
  if (first) {
    const run = (f) => () => f().catch((e) => toast(e.message));
    onKey("a", run(approve)); onKey("e", run(edit)); onKey("x", run(reject));
  }
  card.tick = () => { const s = Math.max(0, Math.ceil((review.until - Date.now()) / 1000)); left.textContent = s + " s"; card.classList.toggle("late", s <= 3); };
  if (!shadow) card.tick();
  return card;
}

export async function showReviews() {
  const known = await get("/api/reviews?all=true");
  waiting.clear();
  for (const r of known.waiting) waiting.set(r.id, { ...r, until: Date.now() + r.left_ms });
  const queue = el("div", { class: "grid" });
  const news = el("p", { class: "soft small", role: "status", "aria-live": "polite" });
  const draw = (kind) => {
    // What somebody is typing stays.
    const kept = queue.querySelector("textarea:not([hidden])")?.closest("[data-review]");
    const all = [...waiting.values()];
    queue.replaceChildren(...(all.length ? all.map((r, n) => (kept?.dataset.review === r.id ? kept : reviewCard(r, n === 0, false))) : [empty("Nothing waits.", onDuty ? "Replies of supervised intents come here; the caller hears a word and waits " + known.review_ms / 1000 + " seconds." : "You are not on duty: replies of supervised intents go to a human at once.")]));
    if (kind === "review") news.textContent = all.length + (all.length === 1 ? " reply waits" : " replies wait");
  };
  redraw = draw;
  const tick = setInterval(() => { for (const card of queue.children) card.tick?.(); }, 250);
  onLeave(() => { clearInterval(tick); redraw = () => {}; });
  draw();
  const toggle = button(onDuty ? "On duty" : "Go on duty", async () => {
    onDuty = !onDuty;
    localStorage.setItem("duty", onDuty ? "on" : "off");
    await post("/api/duty", { on: onDuty });
    toggle.textContent = onDuty ? "On duty" : "Go on duty";
    toggle.setAttribute("aria-pressed", String(onDuty));
    draw();
  }, { "aria-pressed": String(onDuty), id: "duty" });
  const drafts = known.drafts;
  return [head("Reviews", news, toggle), queue,
    drafts.length ? [el("h2", {}, "Drafts beside what a human said (" + drafts.length + ")"), el("div", { class: "grid" }, drafts.slice(0, 20).map((r) => reviewCard(r, false, true)))] : null,
    el("details", { class: "card" }, el("summary", {}, "Looked at (" + known.past.length + ")"), table(["When", "Matter", "Caller", "Draft", "Verdict", "By"], known.past.map((r) => el("tr", {}, el("td", {}, callLink(r.call_id, when(r.created_at), r.turn)), el("td", {}, words(r.intent)), el("td", { class: "wide" }, r.words), el("td", { class: "wide" }, r.draft, r.said && el("p", { class: "soft small" }, r.verdict === "edited" ? "→ " + r.said : r.said)), el("td", {}, el("span", { class: "chip " + ({ approved: "good", edited: "warn", rejected: "bad", timeout: "warn" }[r.verdict] || "") }, r.verdict || "waits")), el("td", {}, r.by)))))];
}

const modes = ["human", "shadow", "supervised", "autonomous"];
const modeTone = { human: "", shadow: "info", supervised: "warn", autonomous: "good" };

export async function showPilot() {
  const [data, acts] = await Promise.all([get("/api/pilot"), may("admin") ? get("/api/acts") : []]);
  const proposed = data.intents.filter((i) => i.proposed);
  const change = async (i, mode) => {
    const why = await ask("Why " + words(i.intent) + (mode ? " becomes " + mode : " goes by the desk's file again"), { rows: 2, ok: "Change it", hint: "Kept in the audit trail, with the figures as they are now." });
    if (!why) return;
    await post("/api/pilot/" + encodeURIComponent(i.intent), { mode, why });
    toast(words(i.intent) + ": " + (mode || "as in the file") + " for calls from now on.");
    window.dispatchEvent(new Event("again"));
  };
  const row = (i) => el("tr", {}, el("td", {}, words(i.intent), i.high_risk && [" ", el("span", { class: "chip bad" }, "high risk")]),
    el("td", {}, el("span", { class: "chip " + modeTone[i.mode] }, i.mode), i.set && el("p", { class: "soft small" }, "set by " + i.set.by + ", " + when(i.set.at) + "; file: " + i.in_file)),
    el("td", {}, whisker(i.reviews)), el("td", { class: "n" }, percent(i.floor)),
    el("td", {}, may("admin") ? el("div", { class: "row" }, el("select", { class: "auto", "aria-label": "Mode of " + words(i.intent), onchange: (e) => change(i, e.target.value).catch((x) => toast(x.message)).finally(() => { e.target.value = i.mode; }) }, modes.map((m) => el("option", { value: m, selected: m === i.mode }, m))),
      i.set && button("As in the file", () => change(i, null), { class: "quiet" })) : null));
  return [head("Pilot", el("p", { class: "soft" }, data.reviewers.length ? "On duty: " + data.reviewers.join(", ") : "No reviewer is on duty: supervised matters go to a human at once")),
    proposed.length ? el("section", { class: "card" }, el("h2", {}, "Ready for more trust"), el("p", { class: "soft small" }, "Fewer than 5 % of enough reviewed replies were changed or stopped. You decide."), proposed.map((i) => el("p", { class: "row" }, el("b", {}, words(i.intent)), i.mode + " → " + i.proposed, whisker(i.reviews), may("admin") && button("Promote", () => change(i, i.proposed), { class: "primary" })))) : null,
    el("section", { class: "card" }, el("h2", {}, "How far each matter is trusted"), el("p", { class: "soft small" }, "Human: always a person. Shadow: a person, while the line drafts what it would have said. Supervised: the line, each reply looked at first. Autonomous: the line. The dot is the share of reviewed replies that were changed or stopped, with its 95 % interval; the dashed line is 5 %."),
      table(["Matter", "Mode", "Changed or stopped", { n: "Floor" }, ""], data.intents.map(row))),
    may("admin") ? el("details", { class: "card" }, el("summary", {}, "Audit trail"), table(["When", "Who", "What", "On", "Detail"], acts.map((a) => el("tr", {}, el("td", {}, when(a.at)), el("td", {}, a.by), el("td", {}, a.act), el("td", {}, a.subject), el("td", { class: "mono" }, a.detail))))) : null];
}

export async function showSample(params) {
  const week = params.get("week") || "";
  const s = await get("/api/sample" + (week ? "?week=" + encodeURIComponent(week) : ""));
  const left = s.calls.filter((c) => !c.grade);
  const box = el("input", { type: "week", class: "auto", value: s.week, "aria-label": "Week", onchange: (e) => { location.hash = "sample?week=" + e.target.value; } });
  return [head("Weekly sample", box),
    el("div", { class: "tiles" }, el("div", { class: "tile" }, el("b", {}, s.graded + " of " + s.calls.length), el("span", {}, "graded")), el("div", { class: "tile" }, el("b", {}, percent(s.rate, 1)), el("span", {}, "quality of the week's " + s.of_calls + " calls, " + (s.graded ? percent(s.low) + " to " + percent(s.high) : "nothing graded yet")))),
    left.length ? el("p", {}, el("a", { class: "button", href: "#call/" + encodeURIComponent(left[0].id), "data-pick": "" }, "Grade the next one")) : null,
    s.calls.length ? el("div", { class: "card" }, table(["Call", "Kind", "First words", "Ended", "Grade"], s.calls.map((c) => el("tr", { class: "pick" }, el("td", {}, el("a", { href: "#call/" + encodeURIComponent(c.id), "data-pick": "" }, when(c.started_at))), el("td", {}, c.stratum), el("td", { class: "wide" }, c.words), el("td", {}, outcome(c)), el("td", {}, c.grade ? el("span", { class: "chip " + (c.grade.grade === "good" ? "good" : "bad"), title: c.grade.note }, c.grade.grade) : el("span", { class: "soft" }, "open")))))) : empty("No call ended in this week.", "A hundred are drawn, some of every kind, once there are.")];
}

export async function showGaps() {
  const groups = await get("/api/gaps");
  if (!groups.length) return [head("Knowledge gaps"), empty("No gap was found in the last 30 days.", "Questions that no article answers, and answers that were graded wrong, come here.")];
  return [head("Knowledge gaps", el("p", { class: "soft" }, "Mend the article, not the wording of the question.")), ...groups.map((g) => el("section", { class: "card" },
    el("div", { class: "head" }, el("h2", {}, words(g.intent)), el("span", { class: "chip " + (g.why === "answered wrongly" ? "bad" : "warn") }, g.why), el("span", { class: "soft" }, g.count + (g.count === 1 ? " question" : " questions")),
      may("reviewer") ? el("div", { class: "row" }, g.articles.map((a) => el("a", { class: "button", href: "#articles/" + encodeURIComponent(a) }, a)), el("a", { class: "button", href: "#articles/new?" + new URLSearchParams({ intent: g.intent === "unknown" ? "" : g.intent, q: g.questions.map((q) => q.text).join("\n") }) }, "New article")) : null),
    el("ul", { class: "plain" }, g.questions.map((q) => el("li", {}, "“" + q.text + "” ", callLink(q.call_id, when(q.at), q.turn), el("span", { class: "soft small" }, " sure " + percent(q.confidence) + (q.source ? ", nearest " + q.source : "")), g.why === "answered wrongly" && el("p", { class: "soft small" }, "said: " + q.reply))))))];
}

export async function showArticles(params, id) {
  const articles = await get("/api/articles");
  if (!id) {
    const list = el("div", { class: "card" });
    const box = el("input", { type: "search", class: "search", placeholder: "Find an article", "aria-label": "Find an article" });
    const draw = () => {
      const q = box.value.toLowerCase();
      const found = articles.filter((a) => (a.title + " " + a.id + " " + a.text).toLowerCase().includes(q));
      list.replaceChildren(table(["Title", "Matters", "Said aloud", "Updated"], found.map((a) => el("tr", { class: "pick" }, el("td", {}, el("a", { href: "#articles/" + encodeURIComponent(a.id), "data-pick": "" }, a.title)), el("td", {}, a.intents.map(words).join(", ")), el("td", { class: "wide" }, a.spoken), el("td", {}, a.updated)))));
    };
    box.addEventListener("input", draw);
    draw();
    return [head("Articles", box, may("reviewer") && el("a", { class: "button", href: "#articles/new" }, "New article")), list];
  }
  const article = articles.find((a) => a.id === id) || { id: null, title: "", intents: [params.get("intent") || ""].filter(Boolean), spoken: "", text: "", writable: true };
  if (id !== "new" && !article.id) return [head("No such article"), el("p", {}, el("a", { href: "#articles" }, "All articles"))];
  const editable = article.writable && may("reviewer");
  const field = (name, label, node) => [el("label", { for: name }, label), node];
  const title = el("input", { id: "a-title", value: article.title, readonly: !editable, required: true });
  const intents = el("input", { id: "a-intents", value: article.intents.join(", "), readonly: !editable });
  const spoken = el("textarea", { id: "a-spoken", rows: 3, value: article.spoken || "", readonly: !editable });
  const text = el("textarea", { id: "a-text", rows: 16, value: article.text, readonly: !editable, required: true });
  const asked = params.get("q");
  return [head(article.id ? article.title : "New article", el("a", { href: "#articles" }, "All articles")),
    asked ? el("section", { class: "card" }, el("h2", {}, "What callers asked"), el("ul", { class: "plain" }, asked.split("\n").map((q) => el("li", {}, "“" + q + "”")))) : null,
    el("form", { class: "card", onsubmit: (e) => e.preventDefault() }, field("a-title", "Title: what the article is about", title), field("a-intents", "Matters it answers, by comma", intents),
      field("a-spoken", "Said aloud: a short answer for the ear (may be left empty)", spoken), field("a-text", "Text", text),
      editable ? el("p", { class: "row" }, button("Save, and let the line learn it", async () => {
        const saved = await post("/api/articles", { id: article.id, title: title.value, text: text.value, spoken: spoken.value.trim() || null, intents: intents.value.split(",").map((s) => s.trim()).filter(Boolean) });
        toast("Saved as " + saved.id + ". Calls from now on know it.");
        location.hash = "articles/" + encodeURIComponent(saved.id);
      }, { class: "primary" })) : el("p", { class: "soft" }, article.writable ? "Writing articles takes the role reviewer." : "This article is a line of " + article.file + " and is changed there."))];
}

export async function showDesk() {
  const d = await get("/api/desk");
  const floors = d.intents.filter((i) => i.mode === "autonomous").map((i) => i.floor);
  const common = [...new Set(floors)].sort();
  const c = d.curve;
  return [head(d.company, el("p", { class: "soft" }, d.language + " · " + count(d.articles, "article") + " · " + count(d.intents.length, "matter"))),
    el("div", { class: "grid two" },
      el("section", { class: "card" }, el("h2", {}, "Matters and how sure the line has to be"), table(["Matter", "Mode", "Floor", { n: "Articles" }, "Does", "Queue"], d.intents.map((i) => el("tr", {}, el("td", {}, words(i.intent)), el("td", {}, el("span", { class: "chip " + modeTone[i.mode] }, i.mode)), el("td", {}, meter(i.floor), " ", percent(i.floor)), el("td", { class: "n" }, i.articles), el("td", {}, words(i.action)), el("td", {}, i.queue))))),
      el("section", { class: "card" }, el("h2", {}, "What a floor costs and buys"), c.points.length ? [riskCoverage(c.points, common),
        el("p", { class: "soft small" }, "From the desk's " + c.questions + " labelled questions (questions.jsonl), of which " + c.answerable + " have an answer to weigh. Raise a floor, and fewer are answered, and fewer of those wrongly."),
        table([{ n: "Floor" }, { n: "Answered" }, { n: "Wrong, of those" }], [0.5, 0.6, 0.7, 0.8, 0.9].map((f) => [f, c.points.filter((p) => p.floor >= f).at(-1)]).filter(([, p]) => p).map(([f, p]) => el("tr", {}, el("td", { class: "n" }, percent(f)), el("td", { class: "n" }, percent(p.coverage)), el("td", { class: "n" }, percent(p.risk, 1)))))]
        : el("p", { class: "soft" }, "Label questions in questions.jsonl ({\"text\",\"intent\",\"route\",\"source\"}) to see it.")))];
}

export async function showReport(params) {
  const days = params.get("days") || "7";
  const since = days === "all" ? "" : new Date(Date.now() - Number(days) * 86400000).toISOString();
  const r = await get("/api/report" + (since ? "?since=" + encodeURIComponent(since) : ""));
  const pick = el("select", { class: "auto", "aria-label": "Since", onchange: () => { location.hash = "report?days=" + pick.value; } }, [["1", "the last day"], ["7", "the last week"], ["28", "the last four weeks"], ["all", "everything"]].map(([v, t]) => el("option", { value: v, selected: v === days }, t)));
  const range = (x) => (x && x.rate !== null && x.rate !== undefined ? percent(x.rate) : "–");
  const span = (x) => (x && x.rate !== null && x.rate !== undefined ? ", " + percent(x.low) + " to " + percent(x.high) : "");
  const split = (name, by) => Object.entries(by || {}).map(([k, v]) => el("tr", {}, el("td", {}, name), el("td", {}, words(k)), el("td", { class: "n" }, number(v.mean)), el("td", { class: "n" }, v.answers), el("td", { class: "n" }, v.unhappy)));
  const s = r.savings;
  const owed = [...r.actions_unknown, ...r.writes_never_settled];
  return [head("Report", pick),
    el("div", { class: "tiles" }, [[number(r.calls), "calls"], [range(r.automation), "resolved without a person" + span(r.automation)], [range(r.quality.automation_with_quality), "resolved, and graded good" + span(r.quality.automation_with_quality)], [range(r.quality), "quality of graded calls" + span(r.quality)], [number(r.survey_mean), "satisfaction, " + r.survey.answers + " answers"], [number(s.saved), "saved"]].map(([v, n]) => el("div", { class: "tile" }, el("b", {}, v), el("span", {}, n)))),
    r.calls ? el("section", { class: "card" }, el("h2", {}, "How calls ended"), stack(r.outcomes)) : null,
    owed.length ? el("section", { class: "card" }, el("h2", { class: "bad" }, "Look up by hand"), table(["Call", "Action", "Key"], owed.map((a) => el("tr", {}, el("td", {}, callLink(a.call_id, a.call_id)), el("td", {}, words(a.action)), el("td", { class: "mono" }, a.idempotency_key))))) : null,
    r.survey.answers ? el("section", { class: "card" }, el("h2", {}, "Satisfaction, split"), table(["By", "", { n: "Mean" }, { n: "Answers" }, { n: "1 or 2" }], [...split("who had the call", r.survey.by_who), ...split("matter", r.survey.by_intent), ...split("mood", r.survey.by_mood)])) : null,
    el("section", { class: "card" }, el("h2", {}, "Hand-overs"), facts([["Accepted", number(r.handover.accepted)], ["Ringing, median", r.handover.wait_ms.p50 === null ? null : (r.handover.wait_ms.p50 / 1000).toFixed(1) + " s"], ["Caller had to say it again", r.handover.repeated.of ? r.handover.repeated.count + " of " + r.handover.repeated.of : "not known: no notes were taken"], ["Rang again within a week", r.quality.resolved.rang_again]])),
    el("section", { class: "card" }, el("h2", {}, "Savings"), el("p", { class: "soft small" }, s.formula), facts([["Resolved calls", s.resolved_calls], ["Rang again", s.rang_again], ["Minutes of calls", s.minutes], ["Gained", s.gained], ["Spent: the line", s.line], ["Spent: reviews and grades", s.people], ["Saved", s.saved], ["", s.missing]]))];
}

export async function showPeople() {
  const draw = (data) => {
    const name = el("input", { id: "u-name", autocomplete: "off", autocapitalize: "none" });
    const password = el("input", { id: "u-password", type: "password", autocomplete: "new-password" });
    const role = el("select", { id: "u-role" }, ["agent", "reviewer", "admin"].map((r) => el("option", { value: r }, r)));
    box.replaceChildren(el("section", { class: "card" }, table(["Name", "Role", "Since", ""], data.users.map((u) => el("tr", {}, el("td", {}, u.name), el("td", {}, u.role), el("td", {}, when(u.since)), el("td", {}, button("Remove", async () => { if (await confirmed("Remove " + u.name + "? Their sessions end now.", "Remove")) draw(await (await api("/api/users/" + encodeURIComponent(u.name), { method: "DELETE" })).json()); }, { class: "quiet" }))))),
      data.tokens.length ? el("p", { class: "soft small" }, "Tokens: " + data.tokens.map((t) => t.name + " (" + t.role + ")").join(", ")) : null),
    el("form", { class: "card", onsubmit: (e) => e.preventDefault() }, el("h2", {}, "Add somebody, or give them another password"), el("label", { for: "u-name" }, "Name"), name, el("label", { for: "u-role" }, "Role"), role, el("label", { for: "u-password" }, "Password, ten characters at least"), password,
      el("p", { class: "row" }, button("Save", async () => { draw(await post("/api/users", { name: name.value, role: role.value, password: password.value })); toast("Saved."); }, { class: "primary" }))));
  };
  const box = el("div", {});
  draw(await get("/api/users"));
  return [head("People"), box];
}
