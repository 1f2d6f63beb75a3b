"use strict";
// The console only reads. Everything shown is set as text, never as markup: it comes from people and vendors.

const content = document.getElementById("content");
const pulse = document.getElementById("pulse");
const signIn = document.getElementById("sign-in");
const tokenField = document.getElementById("token");
let shown = ""; // what is on the page now, so that an unchanged answer changes nothing under the reader

function token() { return sessionStorage.getItem("token") || ""; }

// A link may carry the token behind the #, which a browser sends to nobody.
function takeTokenFromLink() {
  const given = location.hash.match(/^#token=(.+)$/);
  if (!given) return;
  sessionStorage.setItem("token", decodeURIComponent(given[1]));
  history.replaceState(null, "", location.pathname + "#/");
}

class SignInNeeded extends Error {}

async function read(path) {
  const answer = await fetch("/api/v1" + path, { headers: { Authorization: "Bearer " + token() } });
  if (answer.status === 401) throw new SignInNeeded();
  if (!answer.ok) {
    const problem = await answer.json().catch(() => ({}));
    throw new Error(problem.detail || "the server answered " + answer.status);
  }
  return answer.json();
}

function el(name, text, className) {
  const e = document.createElement(name);
  if (text !== undefined && text !== null) e.textContent = text;
  if (className) e.className = className;
  return e;
}
function fold(title, text) {
  const d = el("details");
  d.append(el("summary", title), el("pre", text));
  return d;
}
function template(id) { return document.getElementById(id).content.cloneNode(true); }
function clock(at) { return new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" }); }
function moment(at) { return new Date(at).toLocaleString([], { dateStyle: "medium", timeStyle: "short" }); }
function who(person) { return person.name || person.mail || person.account || "unknown"; }

// Tables are looked up by words of others, so they inherit nothing.
const tone = {
  __proto__: null,
  open: "wait", decided: "wait", approved: "good", denied: "bad", delivered: "good", dead: "bad", pending: "wait", running: "wait",
  "being posted": "wait", "accepted by the tool": "good", "not taken by the tool": "bad",
};
function word(text) { return el("span", text, tone[text] || ""); }

// Only addresses of the web become links; anything else a vendor might send stays text.
function link(text, url) {
  if (!/^https?:\/\//.test(url || "")) return el("span", text);
  const a = el("a", text);
  a.href = url;
  a.rel = "noreferrer";
  return a;
}

function showCases(list) {
  const page = template("t-cases");
  const notices = list.notices || [];
  page.querySelector("[data-notices]").hidden = notices.length === 0;
  for (const n of notices) {
    const li = el("li", n.text + " "), since = el("time", "since " + moment(n.first), "quiet");
    since.dateTime = since.title = n.first;
    li.append(since);
    page.querySelector("[data-notice-list]").append(li);
  }
  const rows = page.querySelector("tbody");
  for (const c of list.cases) {
    const row = el("tr"), what = el("td"), state = el("td", null, "word");
    const a = el("a", c.subject || c.request_id);
    a.href = "#/cases/" + encodeURIComponent(c.id);
    what.append(a);
    state.append(word(c.state));
    row.append(el("td", moment(c.opened_at), "time"), el("td", who(c.requester)), what, el("td", c.connection), state);
    rows.append(row);
  }
  page.querySelector("[data-table]").hidden = list.cases.length === 0;
  page.querySelector("[data-empty]").hidden = list.cases.length > 0;
  const older = page.querySelector("[data-older]");
  older.hidden = !list.next;
  older.href = "#/before/" + encodeURIComponent(list.next || "");
  return page;
}

function showCase(c) {
  const page = template("t-case");
  page.querySelector("[data-title]").textContent = who(c.requester) + ": " + (c.subject || c.request_id);
  const facts = page.querySelector("[data-facts]");
  const fact = (name, value) => { const dd = el("dd"); dd.append(value); facts.append(el("dt", name), dd); };
  fact("State", word(c.state));
  if (c.edited) fact("Edited", "An operator wrote what its approvers read; one person alone cannot approve it");
  fact("From", c.connection + (c.tenant ? " (tenant " + c.tenant + ")" : ""));
  fact("Request", c.request_id);
  fact("Opened", moment(c.opened_at));
  if (c.expires) fact("Ends", moment(c.expires.at) + (c.expires.by === "source" ? ", when the tool stops waiting" : ", by the policy"));
  if (c.events.some((e) => e.test)) fact("Test", "yes: a sample that was sent by an admin; no decision is told to the tool");
  for (const t of c.tickets) fact("Ticket", showTicket(t));
  if (c.decision) page.querySelector("[data-outcome]").append(...showDecision(c.decision));
  const timeline = page.querySelector("[data-timeline]");
  const day = new Date(c.opened_at).toDateString();
  for (const entry of c.timeline) timeline.append(showEntry(entry, day));
  page.querySelector("[data-owed]").hidden = c.deliveries.length === 0;
  for (const d of c.deliveries) page.querySelector("[data-deliveries]").append(showDelivery(d));
  for (const e of c.events) page.querySelector("[data-events]").append(fold(e.kind + " · " + moment(e.received_at), e.body));
  return page;
}

function showTicket(t) {
  const line = el("span");
  line.append(t.desk + ": ", t.ticket ? link(t.ticket, t.url) : "not opened yet");
  line.append(" · rule " + t.rule + " v" + t.rule_version + (t.policy ? " · policy " + t.policy + " v" + t.policy_version : ""));
  line.append({ __proto__: null, twin: " · second ticket, closed", gone: " · gone from the desk" }[t.state] || "");
  return line;
}

function showDecision(d) {
  const length = d.once ? ", for one use" : d.seconds ? ", for " + span(d.seconds) : "";
  const state = { __proto__: null, owed: "being posted", posted: "accepted by the tool", refused: "not taken by the tool", told: "told by the tool", test: "a test, told to nobody" }[d.state] || d.state;
  return [word(d.outcome), " by " + d.by_name + (d.origin === "source" ? " in the tool itself" : "") + (d.at ? ", " + moment(d.at) : "") + length + " · ", word(state)];
}

function span(seconds) {
  const parts = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]].map(([size, unit]) => {
    const n = Math.floor(seconds / size);
    seconds -= n * size;
    return n ? n + " " + unit : "";
  });
  return parts.filter(Boolean).join(" ");
}

function showDelivery(d) {
  const row = el("tr"), state = el("td", null, "word"), body = el("td");
  state.append(word(d.state), d.in_doubt && d.state !== "delivered" ? ", in doubt" : "");
  if (d.error) body.append(el("div", d.error, "bad"));
  body.append(fold("show", JSON.stringify(d.content, null, 2)));
  row.append(el("td", d.action, "word"), el("td", d.to, "word"), el("td", d.purpose, "word"), state, el("td", String(d.attempts)), body);
  return row;
}

// What is done at a vendor, as it is owed and as it was done.
const deeds = {
  __proto__: null,
  create: ["open a ticket", "ticket opened"], update: ["change the ticket", "ticket changed"], comment: ["comment on the ticket", "comment written"],
  transition: ["move the ticket", "ticket moved"], attach: ["attach a file", "file attached"], send: ["send a record", "record taken"],
  decide: ["post the decision", "decision taken"], revoke: ["post the revocation", "revocation taken"],
};
const reasons = { __proto__: null, refusal: ", to say why a move was refused", outcome: ", to say what became of the decision", settle: ", because it was decided elsewhere", twin: ", because it is a second one" };
function named(ticket) { return ticket ? ticket.key || ticket.id || "" : ""; }

function attempted(desk, c) {
  const [todo, done] = deeds[c.action] || [c.action, c.action];
  const took = " (" + c.ms + " ms)";
  if (c.outcome === "delivered") return desk + ": " + (c.found ? "ticket found, not opened again" : done) + (c.ticket ? ", " + named(c.ticket) : "") + took;
  return desk + ": could not " + todo + ", " + c.outcome + (c.error ? ": " + c.error : "") + took;
}

const sentences = {
  __proto__: null,
  "event.accepted": (s, c) => "Event accepted: " + (c.kind || s),
  "rule.evaluated": (s, c) => "Rule " + s + (c.error ? " failed: " + c.error : c.matched ? " matched" : " did not match") + (c.note ? " (" + c.note + ")" : ""),
  "rules.unmatched": (s, c) => c.rules.length + " rules did not match: " + c.rules.map((r) => r.rule).join(", "),
  "delivery.owed": (s, c) => "To do at " + s + ": " + (deeds[c.action] || [c.action])[0] + (reasons[c.purpose] || ""),
  "delivery.dead": (s, c) => "Dead letter for " + s + ": " + (deeds[c.action] || [c.action])[0] + ": " + c.error,
  "delivery.attempted": attempted,
  "delivery.taken_back": (s, c) => "Taken back from a worker that ended: " + (deeds[c.action] || [c.action])[0] + (c.in_doubt ? ", in doubt" : ""),
  "delivery.settled": (s, c) => s + " told of the ticket itself: " + named(c.ticket),
  "delivery.replayed": (s, c) => "Put back to work by " + c.who + ": " + (deeds[c.action] || [c.action])[0] + because(c),
  "delivery.replanned": (s, c) => "Rendered anew by " + c.who + because(c),
  "delivery.edited": (s, c) => "Edited by " + c.who + because(c),
  "delivery.canceled": (s, c) => "Given up by " + c.who + because(c),
  "quarantine.replayed": (s, c) => "Taken out of quarantine by " + c.who + because(c),
  "answer.received": (s, c) => (c.by_name || c.mail || c.account) + " answered at " + s + ": " + c.outcome,
  "answer.ignored": (s, c) => "An answer at " + s + " was ignored: " + c.why,
  "vote.counted": (s, c) => "Counted, and more is needed: " + c.verdict.text,
  "claim.refused": (s, c) => c.ticket + (c.answer ? " was answered: " : " was moved to ") + c.status + ", and that was refused: " + c.verdict.text,
  "decision.recorded": (s, c) => "Decision: " + c.outcome + " by " + (c.by_name || c.by),
  "decision.posted": (s) => s + " has accepted the decision",
  "receipt.issued": () => "A signed receipt was given",
  "decision.refused": (s) => s + " did not take the decision",
  "decision.echoed": () => "The tool reports our own decision back",
  "decision.contradicted": (s, c) => "The tool reports another decision: " + c.outcome,
  "revocation.recorded": (s, c) => "Revoked by " + (c.by_name || c.by),
  "revocation.posted": (s) => s + " has accepted the revocation",
  "revocation.refused": (s) => s + " did not take the revocation",
  "timer.fired": (s, c) => "Time is up: " + c.timer,
  "timer.failed": (s, c) => "A timer could do nothing: " + c.error,
  "sample.sent": (s, c) => "Sample " + c.sample + " sent by " + c.who,
  "decision.kept": () => "This is a test: the decision is told to nobody",
  "case.canceled": (s, c) => "Ended by " + c.who + " when the connection " + s + " was deleted" + because(c),
  "case.moved": (s, c) => "Moved to other versions of its documents" + because(c),
  "twin.found": (s, c) => "A second ticket was found: " + named(c.ticket) + "; it is closed and cannot decide",
  "ticket.gone": (s, c) => "Ticket " + c.ticket + " is gone from the desk",
};
function because(c) { return c.why ? ", because: " + c.why : ""; }

function sentence(entry) {
  const c = entry.content || {}, s = entry.subject || "", say = sentences[entry.kind];
  try {
    if (say) return say(s, c);
  } catch (_) { /* a step of another version: its name will do */ }
  return (entry.kind + " " + s).trim();
}

function showEntry(entry, day) {
  const li = el("li"), what = el("div"), c = entry.content || {};
  const failed = c.error || ["claim.refused", "decision.refused", "revocation.refused", "decision.contradicted"].includes(entry.kind);
  what.append(el("span", sentence(entry), failed ? "bad" : ""));
  if (Array.isArray(c.terms) && c.terms.length > 0) {
    const list = el("ul", null, "terms");
    for (const t of c.terms) {
      const item = el("li");
      item.append(el("code", t.text), " ", el("span", t.true ? "true" : "false", t.true ? "good" : "quiet"));
      list.append(item);
    }
    what.append(list);
  }
  const time = el("time", new Date(entry.at).toDateString() === day ? clock(entry.at) : moment(entry.at));
  time.dateTime = time.title = entry.at;
  li.append(time, what);
  return li;
}

// refresh reads what the address names and shows it. An answer that comes after the reader has gone on is dropped.
async function refresh() {
  const hash = location.hash;
  const one = hash.match(/^#\/cases\/(.+)$/), before = hash.match(/^#\/before\/(.+)$/);
  const data = await read(one ? "/cases/" + one[1] : "/cases" + (before ? "?before=" + before[1] : ""));
  if (!one && !before) data.notices = (await read("/notices")).notices;
  const text = hash + JSON.stringify(data);
  if (location.hash !== hash || text === shown) return;
  const same = shown.startsWith(hash + "{");
  const open = same ? [...content.querySelectorAll("details")].map((d) => d.open) : [];
  const place = same ? focused() : -1;
  shown = text;
  content.replaceChildren(one ? showCase(data) : showCases(data));
  document.title = one ? content.querySelector("h2").textContent + " · Drawbridge" : "Drawbridge";
  content.querySelectorAll("details").forEach((d, i) => { d.open = Boolean(open[i]); });
  if (place >= 0) focusable()[place]?.focus();
}

// Where the keyboard is survives a refresh.
function focusable() { return [...content.querySelectorAll("a, summary")]; }
function focused() { return focusable().indexOf(document.activeElement); }

function askForToken(fault) {
  sessionStorage.removeItem("token");
  shown = "";
  content.replaceChildren();
  content.hidden = true;
  pulse.textContent = "";
  signIn.hidden = false;
  document.getElementById("sign-in-fault").textContent = fault;
  tokenField.focus();
}

async function tick() {
  if (!token()) {
    if (signIn.hidden) askForToken("");
    return;
  }
  try {
    await refresh();
    signIn.hidden = true;
    content.hidden = false;
    pulse.textContent = "live";
  } catch (fault) {
    if (fault instanceof SignInNeeded) return askForToken("That token is not the right one.");
    pulse.textContent = "not up to date: " + fault.message;
    if (!shown.startsWith(location.hash + "{")) {
      shown = "";
      content.replaceChildren(el("p", "This cannot be shown: " + fault.message + ".", "bad"));
    }
  }
}

signIn.addEventListener("submit", (submitted) => {
  submitted.preventDefault();
  sessionStorage.setItem("token", tokenField.value.trim());
  tokenField.value = "";
  tick().then(() => { if (!content.hidden) content.focus(); });
});
addEventListener("hashchange", () => {
  takeTokenFromLink();
  tick();
  content.focus();
});
takeTokenFromLink();
tick();
setInterval(() => { if (!document.hidden) tick(); }, 1000);
