"use strict";
// The console only reads. Everything shown is set as text, never as markup: it comes from people and vendors.

const content = document.getElementById("content");
const pulse = document.getElementById("pulse");
const signIn = document.getElementById("sign-in");
let shown = ""; // what is on the page now, so that an unchanged answer changes nothing under the reader

function token() { return sessionStorage.getItem("token") || ""; }

// A link may carry the token behind the #, which a browser sends to nobody.
function takeTokenFromLink() {
  const given = location.hash.match(/^#token=(.+)$/);
  if (!given) return;
  sessionStorage.setItem("token", decodeURIComponent(given[1]));
  history.replaceState(null, "", location.pathname + "#/");
}

async function read(path) {
  const answer = await fetch("/api/v1" + path, { headers: { Authorization: "Bearer " + token() } });
  if (answer.status === 401) throw new SignInNeeded();
  if (!answer.ok) {
    const problem = await answer.json().catch(() => ({}));
    throw new Error(problem.detail || "the server answered " + answer.status);
  }
  return answer.json();
}
class SignInNeeded extends Error {}

function el(name, text, className) {
  const e = document.createElement(name);
  if (text !== undefined && text !== null) e.textContent = text;
  if (className) e.className = className;
  return e;
}
function clock(at) { return new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" }); }
function moment(at) { return new Date(at).toLocaleString([], { dateStyle: "medium", timeStyle: "short" }); }
function who(person) { return person.name || person.mail || person.account || "unknown"; }

const tone = { open: "wait", decided: "wait", closed: "", approved: "good", denied: "bad", delivered: "good", dead: "bad", pending: "wait", running: "wait", posted: "good", refused: "bad" };
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
  const page = document.getElementById("t-cases").content.cloneNode(true);
  const rows = page.querySelector("tbody");
  for (const c of list.cases) {
    const row = el("tr");
    row.append(el("td", moment(c.opened_at), "time"), el("td", who(c.requester)));
    const what = el("td");
    const a = el("a", c.subject || c.request_id);
    a.href = "#/cases/" + encodeURIComponent(c.id);
    what.append(a);
    const state = el("td", null, "word");
    state.append(word(c.state));
    row.append(what, el("td", c.connection), state);
    rows.append(row);
  }
  page.querySelector("[data-empty]").hidden = list.cases.length > 0;
  return page;
}

function showCase(c) {
  const page = document.getElementById("t-case").content.cloneNode(true);
  page.querySelector("[data-title]").textContent = who(c.requester) + ": " + (c.subject || c.request_id);
  const facts = page.querySelector("[data-facts]");
  const fact = (name, value) => { const dd = el("dd"); dd.append(value); facts.append(el("dt", name), dd); };
  fact("State", word(c.state));
  fact("From", c.connection + (c.tenant ? " (tenant " + c.tenant + ")" : ""));
  fact("Request", c.request_id);
  fact("Opened", moment(c.opened_at));
  for (const t of c.tickets) {
    const line = el("span");
    line.append(t.desk + ": ", t.ticket ? link(t.ticket, t.url) : "not opened yet", " · rule " + t.rule + " v" + t.rule_version + (t.policy ? " · policy " + t.policy + " v" + t.policy_version : "") + (t.state === "twin" ? " · second ticket, closed" : ""));
    fact("Ticket", line);
  }
  if (c.decision) {
    const d = c.decision, box = page.querySelector("[data-outcome]");
    box.append(word(d.outcome), " by " + d.by_name + (d.origin === "source" ? " in the tool itself" : "") + ", " + moment(d.at) +
      (d.once ? ", for one use" : d.seconds ? ", for " + d.seconds + " s" : "") + " · ", word({ owed: "being posted", posted: "accepted by the tool", refused: "not taken by the tool", told: "told by the tool" }[d.state] || d.state));
  }
  const timeline = page.querySelector("[data-timeline]");
  for (const entry of c.timeline) timeline.append(showEntry(entry));
  const owed = page.querySelector("[data-deliveries]");
  for (const d of c.deliveries) {
    const row = el("tr"), state = el("td", null, "word"), body = el("td");
    state.append(word(d.state + (d.in_doubt && d.state !== "delivered" ? ", in doubt" : "")));
    body.append(fold("show", JSON.stringify(d.content, null, 2)));
    if (d.error) body.prepend(el("div", d.error, "bad"));
    row.append(el("td", d.action, "word"), el("td", d.to), el("td", d.purpose), state, el("td", String(d.attempts)), body);
    owed.append(row);
  }
  for (const e of c.events) page.querySelector("[data-events]").append(fold(e.kind + " · " + moment(e.received_at), e.body));
  return page;
}

function fold(title, text) {
  const d = el("details");
  d.append(el("summary", title), el("pre", text));
  return d;
}

const sentences = {
  "event.accepted": (s, c) => "Event accepted: " + (c.kind || s),
  "rule.evaluated": (s, c) => "Rule " + s + (c.error ? " failed: " + c.error : c.matched ? " matched" : " did not match") + (c.note ? " (" + c.note + ")" : ""),
  "delivery.owed": (s, c) => "To do at " + s + ": " + c.action + " (" + c.purpose + ")",
  "delivery.dead": (s, c) => "Dead letter for " + s + ": " + c.action + ", " + c.error,
  "delivery.attempted": (s, c) => s + ": " + c.action + " " + c.outcome + (c.ticket ? " " + (c.ticket.key || c.ticket.id) + (c.found ? " (found, not opened again)" : "") : "") + (c.error ? ": " + c.error : "") + " · " + c.ms + " ms",
  "delivery.taken_back": (s, c) => "Taken back from a worker that ended: " + c.action + (c.in_doubt ? ", in doubt" : ""),
  "delivery.settled": (s, c) => s + " told of the ticket itself: " + (c.ticket.key || c.ticket.id),
  "claim.refused": (s, c) => c.ticket + " was moved to " + c.status + ", and that was refused: " + c.verdict.text,
  "decision.recorded": (s, c) => "Decision: " + c.outcome + " by " + (c.by_name || c.by),
  "decision.posted": (s, c) => s + " has accepted the decision",
  "decision.refused": (s, c) => s + " did not take the decision",
  "decision.echoed": () => "The tool reports our own decision back",
  "decision.contradicted": (s, c) => "The tool reports another decision: " + c.outcome,
  "twin.found": (s, c) => "A second ticket was found: " + (c.ticket.key || c.ticket.id) + "; it is closed and cannot decide",
  "ticket.gone": (s, c) => "Ticket " + c.ticket + " is gone from the desk",
};

function showEntry(entry) {
  const li = el("li"), what = el("div"), c = entry.content || {};
  const sentence = sentences[entry.kind];
  const failed = c.error || entry.kind === "claim.refused" || entry.kind === "decision.refused";
  what.append(el("span", sentence ? sentence(entry.subject, c) : entry.kind + " " + (entry.subject || ""), failed ? "bad" : ""));
  if (c.terms) {
    const list = el("ul", null, "terms");
    for (const t of c.terms) {
      const item = el("li");
      item.append(el("code", t.text), " ", el("span", t.true ? "true" : "false", t.true ? "good" : "quiet"));
      list.append(item);
    }
    what.append(list);
  }
  const time = el("time", clock(entry.at));
  time.dateTime = entry.at;
  li.append(time, what);
  return li;
}

async function refresh() {
  const one = location.hash.match(/^#\/cases\/(.+)$/);
  const data = await read(one ? "/cases/" + one[1] : "/cases");
  const text = location.hash + JSON.stringify(data);
  if (text !== shown) {
    const open = [...content.querySelectorAll("details")].map((d) => d.open);
    const same = shown.startsWith(location.hash + "{");
    shown = text;
    content.replaceChildren(one ? showCase(data) : showCases(data));
    if (same) content.querySelectorAll("details").forEach((d, i) => { d.open = Boolean(open[i]); });
  }
}

async function tick() {
  try {
    await refresh();
    signIn.hidden = true;
    content.hidden = false;
    pulse.textContent = "live";
  } catch (fault) {
    if (fault instanceof SignInNeeded) {
      signIn.hidden = false;
      content.hidden = true;
      pulse.textContent = "";
      document.getElementById("sign-in-fault").textContent = token() ? "That token is not the right one." : "";
    } else {
      pulse.textContent = "not up to date: " + fault.message;
    }
  }
}

signIn.addEventListener("submit", (submitted) => {
  submitted.preventDefault();
  sessionStorage.setItem("token", document.getElementById("token").value.trim());
  tick();
});
addEventListener("hashchange", () => { takeTokenFromLink(); tick(); content.focus(); });
takeTokenFromLink();
tick();
setInterval(() => { if (!document.hidden) tick(); }, 1000);
