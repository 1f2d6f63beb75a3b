package console_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/gateway"
	"github.com/drawbridge-itsm/drawbridge/gateway/api"
	"github.com/drawbridge-itsm/drawbridge/gateway/console"
	"github.com/drawbridge-itsm/drawbridge/store"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

const token = "db_of-the-test"

// hostile is text that would do something if it were ever taken for markup or script.
const hostile = `<img src=x onerror="window.hit=1"><script>window.hit=1</script>"'${hit}&lt;`

var opened = time.Now().Add(-time.Minute).Truncate(time.Second)

// site is the console with its API on a database to be filled by hand.
type site struct {
	*testing.T
	url   string
	store *store.Store
}

func newSite(t *testing.T) *site {
	t.Helper()
	db := storetest.New(t, storetest.SQLite)
	log := slog.New(slog.DiscardHandler)
	g, err := gateway.New(t.Context(), gateway.Options{Store: db, Log: log, Vault: &connectors.Vault{}})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(api.New(api.Options{Gateway: g, Store: db, Log: log, Page: console.Page(), Token: sha256.Sum256([]byte(token))}))
	t.Cleanup(server.Close)
	return &site{t, server.URL, db}
}

func (s *site) write(f func(tx *store.Tx) error) {
	s.Helper()
	if err := s.store.InTx(s.Context(), f); err != nil {
		s.Fatal(err)
	}
}

// open opens a case as an event does, and returns its id.
func (s *site) open(request, name, subject string) (id string) {
	s.Helper()
	requester, err := json.Marshal(connectors.Person{Name: name, Account: `CORP\ana`})
	if err != nil {
		s.Fatal(err)
	}
	s.write(func(tx *store.Tx) error {
		receipts, err := tx.Accept(s.Context(), []store.Arrival{{
			Event: store.Event{Connection: "epm", Dedupe: request, Kind: connectors.AccessRequested, Tenant: "t-100", RequestID: request, ReceivedAt: opened, Body: []byte(`{"Reason":"` + subject + `"}`), Normal: []byte("{}")},
			Case:  store.Case{Connection: "epm", Tenant: "t-100", RequestID: request, Kind: connectors.AccessRequested, Requester: string(requester), Subject: subject, OpenedAt: opened},
		}})
		id = receipts[0].CaseID
		return err
	})
	return id
}

// step adds a line to a case's record.
func (s *site) step(id, kind, subject, content string) {
	s.Helper()
	s.write(func(tx *store.Tx) error {
		return tx.Record(s.Context(), store.Entry{At: opened.Add(time.Second), CaseID: id, Kind: kind, Subject: subject, Content: json.RawMessage(content)})
	})
}

// decided fills a case with what happens from its event to its decision, a refusal on the way.
func (s *site) decided(id string) {
	s.Helper()
	s.step(id, "rule.evaluated", "epm-app-requests", `{"rule":"epm-app-requests","matched":true,"terms":[{"text":"event.kind == \"access.requested\"","true":true},{"text":"event.severity == \"high\"","true":false}]}`)
	s.step(id, "delivery.owed", "jira", `{"action":"create","purpose":"ticket"}`)
	s.step(id, "delivery.attempted", "jira", `{"action":"create","outcome":"delivered","ms":12,"ticket":{"id":"10001","key":"ITSEC-1"}}`)
	s.step(id, "claim.refused", "jira", `{"ticket":"ITSEC-1","status":"Approved","verdict":{"text":"Max Lindqvist is not among those who may decide"}}`)
	s.step(id, "decision.recorded", "jira", `{"outcome":"approved","by":"kim","by_name":"Kim Okafor","terms":"endpoint-approvers"}`)
	s.step(id, "delivery.attempted", "epm", `{"action":"decide","outcome":"temporary","error":"the vendor answered 503","ms":7}`)
	s.step(id, "decision.posted", "epm", `{"outcome":"approved"}`)
	s.write(func(tx *store.Tx) error {
		link, _, err := tx.AddLink(s.Context(), store.Link{CaseID: id, Desk: "jira", Rule: "epm-app-requests", RuleVersion: 2, Policy: "endpoint-approvers", PolicyVersion: 1, Opening: "e", State: store.LinkLinked,
			RefID: "10001", RefKey: "ITSEC-1", RefURL: "https://jira.example/browse/ITSEC-1", CreatedAt: opened, LinkedAt: opened})
		if err != nil {
			return err
		}
		if _, err := tx.AddDelivery(s.Context(), store.Delivery{CaseID: id, Connection: "epm", Kind: "decide", Purpose: "decision", State: store.Dead, Mode: "live", Error: "the vendor answered 403", Action: json.RawMessage(`{"kind":"decide"}`), CreatedAt: opened, UpdatedAt: opened}); err != nil {
			return err
		}
		return tx.AddDecision(s.Context(), store.Decision{ID: store.NewID(), CaseID: id, LinkID: link.ID, Outcome: "approved", By: "kim", ByName: "Kim Okafor", Origin: "desk", At: opened, RecordedAt: opened, Length: 90 * time.Minute, State: "posted"})
	})
}

func TestPageHoldsNoCodeOfItsOwn(t *testing.T) {
	t.Parallel()
	page := console.Page()
	index, err := fs.ReadFile(page, "index.html")
	if err != nil {
		t.Fatal(err)
	}
	for name, pattern := range map[string]string{
		"script":        `(?i)<script(?:\s[^>]*)?>\s*[^\s<]`,
		"event handler": `(?i)\son[a-z]+\s*=`,
		"style":         `(?i)<style|\sstyle\s*=`,
		"address":       `(?i)(?:src|href|action)\s*=\s*["']?(?:https?:|//|javascript:|data:)`,
	} {
		if found := regexp.MustCompile(pattern).Find(index); found != nil {
			t.Errorf("the page holds its own %s: %s", name, found)
		}
	}
	script, err := fs.ReadFile(page, "app.js")
	if err != nil {
		t.Fatal(err)
	}
	for _, sink := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "DOMParser"} {
		if bytes.Contains(script, []byte(sink)) {
			t.Errorf("the script uses %s, which takes text for markup or code", sink)
		}
	}
	for _, m := range regexp.MustCompile(`(?:src|href)="([a-z.]+)"`).FindAllSubmatch(index, -1) {
		if _, err := fs.Stat(page, string(m[1])); err != nil {
			t.Errorf("the page names %s: %v", m[1], err)
		}
	}
}

func TestCasesAndTheirStory(t *testing.T) {
	t.Parallel()
	p, s := newTab(t), newSite(t)
	id := s.open("r-1", "Ana Moreau", "ACME Tool")
	s.decided(id)
	p.open(s.url + "/#token=" + token)
	p.until("main", "ACME Tool")
	list := p.text("main tbody")
	for _, want := range []string{"Ana Moreau", "ACME Tool", "epm", "open"} {
		if !strings.Contains(list, want) {
			t.Errorf("the list lacks %q: %s", want, list)
		}
	}
	var address string
	p.must(p.eval("location.href", &address))
	if strings.Contains(address, token) {
		t.Errorf("the token stays in the address: %s", address)
	}
	p.picture("list", 1200, 500)
	p.must(p.eval(`document.querySelector("main tbody a").click()`, nil))
	p.until("main", "What happened")
	story := p.text("main")
	for _, want := range []string{
		"Ana Moreau: ACME Tool", "epm (tenant t-100)", "jira: ITSEC-1 · rule epm-app-requests v2 · policy endpoint-approvers v1",
		"approved by Kim Okafor", "for 1 h 30 min", "accepted by the tool",
		"Event accepted: access.requested",
		"Rule epm-app-requests matched", `event.kind == "access.requested" true`, `event.severity == "high" false`,
		"To do at jira: open a ticket", "jira: ticket opened, ITSEC-1 (12 ms)",
		"ITSEC-1 was moved to Approved, and that was refused: Max Lindqvist is not among those who may decide",
		"Decision: approved by Kim Okafor", "epm: could not post the decision, temporary: the vendor answered 503 (7 ms)", "epm has accepted the decision",
		"the vendor answered 403",
	} {
		if !strings.Contains(story, want) {
			t.Errorf("the story lacks %q:\n%s", want, story)
		}
	}
	if title := p.title(); title != "Ana Moreau: ACME Tool · Drawbridge" {
		t.Errorf("the title is %q", title)
	}
	var target string
	p.must(p.eval(`document.querySelector("dl a").href`, &target))
	if target != "https://jira.example/browse/ITSEC-1" {
		t.Errorf("the ticket links to %s", target)
	}
	p.picture("case", 1200, 1300)
	p.picture("case-narrow", 420, 1300)
	p.do("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": "dark"}}}, nil)
	p.picture("case-dark", 1200, 1300)
	if faults := p.complaints(); len(faults) > 0 {
		t.Errorf("the browser complains: %v", faults)
	}
}

func (p *tab) title() (title string) {
	p.Helper()
	p.must(p.eval("document.title", &title))
	return title
}

func TestPageFollowsWhatHappens(t *testing.T) {
	t.Parallel()
	p, s := newTab(t), newSite(t)
	p.open(s.url + "/#token=" + token)
	p.until("main", "No case yet")
	p.until("#pulse", "live")
	id := s.open("r-1", "Ana", "ACME Tool")
	p.until("main tbody", "ACME Tool")
	p.open(s.url + "/#/cases/" + id)
	p.until("main", "Event accepted")
	// What the reader has opened and where the keyboard is survives what comes in.
	p.must(p.eval(`document.querySelector("details summary").focus(); document.activeElement.click()`, nil))
	s.decided(id)
	p.until("main", "Decision: approved by Kim Okafor")
	var open, focused bool
	p.must(p.eval(`[...document.querySelectorAll("details")].some((d) => d.open)`, &open))
	p.must(p.eval(`document.activeElement.tagName !== "BODY"`, &focused))
	if !open || !focused {
		t.Errorf("after an update, opened: %v, focused: %v; want both", open, focused)
	}
	if faults := p.complaints(); len(faults) > 0 {
		t.Errorf("the browser complains: %v", faults)
	}
}

func TestSignIn(t *testing.T) {
	t.Parallel()
	p, s := newTab(t), newSite(t)
	s.open("r-1", "Ana", "ACME Tool")
	p.open(s.url)
	p.until("#sign-in", "Enter the token")
	// By keyboard alone: the field has the focus already.
	p.press("db_guess", "Enter")
	p.until("#sign-in-fault", "That token is not the right one.")
	if shown := p.text("main"); shown != "" {
		t.Errorf("a wrong token shows %q", shown)
	}
	p.press(token, "Tab", "Enter")
	p.until("main", "ACME Tool")
	if shown := p.text("#sign-in"); shown != "" {
		t.Errorf("the form stays: %q", shown)
	}
	// The only fault is that the guess was refused, once: the page does not go on asking.
	if faults := p.complaints("401"); len(faults) > 0 {
		t.Errorf("the browser complains: %v", faults)
	}
	if refused := len(p.complaints()); refused != 1 {
		t.Errorf("%d requests were refused, want 1", refused)
	}
	p.open(s.url + "/?again#/")
	p.until("main", "ACME Tool")
}

func TestHostileTextIsShownAsText(t *testing.T) {
	t.Parallel()
	p, s := newTab(t), newSite(t)
	id := s.open("r-1", hostile, hostile)
	quoted, err := json.Marshal(hostile)
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"event.accepted", "rule.evaluated", "delivery.owed", "delivery.attempted", "delivery.dead", "claim.refused", "decision.recorded", "twin.found", "ticket.gone", "unheard.of"} {
		s.step(id, kind, hostile, fmt.Sprintf(`{"kind":%[1]s,"note":%[1]s,"error":%[1]s,"action":%[1]s,"purpose":"constructor","state":"toString","ticket":{"key":%[1]s},"status":%[1]s,"verdict":{"text":%[1]s},"outcome":%[1]s,"by_name":%[1]s,"terms":[{"text":%[1]s}]}`, quoted))
	}
	s.step(id, "claim.refused", "of another shape", `{}`)
	s.step(id, "delivery.attempted", "of another shape", `{"terms":"text","ticket":null}`)
	s.step(id, "constructor", "", `null`)
	s.write(func(tx *store.Tx) error {
		_, _, err := tx.AddLink(s.Context(), store.Link{CaseID: id, Desk: hostile, Rule: hostile, RefID: "1", RefKey: hostile, RefURL: "javascript:window.hit=1", State: store.LinkLinked, Opening: "e", CreatedAt: opened})
		return err
	})
	p.open(s.url + "/#token=" + token)
	p.until("main tbody", hostile)
	p.open(s.url + "/#/cases/" + id)
	p.until("main h2", hostile)
	p.must(p.eval(`document.querySelectorAll("details").forEach((d) => { d.open = true })`, nil))
	var found struct {
		Hit                             bool
		Images, Scripts, Links, Summary int
	}
	p.must(p.eval(`({hit: Boolean(window.hit), images: document.querySelectorAll("main img").length, scripts: document.querySelectorAll("main script").length,
		links: [...document.querySelectorAll("a")].filter((a) => !/^https?:/.test(a.href)).length})`, &found))
	if found.Hit || found.Images+found.Scripts+found.Links > 0 {
		t.Errorf("text became markup: %+v", found)
	}
	if story := p.text("main"); strings.Count(story, hostile) < 15 || !strings.Contains(story, "unheard.of") || strings.Contains(story, "native code") {
		t.Errorf("text was lost:\n%s", story)
	}
	if faults := p.complaints(); len(faults) > 0 {
		t.Errorf("the browser complains: %v", faults)
	}
}

func TestPolicyStopsCodeInThePage(t *testing.T) {
	t.Parallel()
	p, s := newTab(t), newSite(t)
	p.open(s.url)
	p.until("#sign-in", "Sign in")
	p.must(p.eval(`document.body.append(Object.assign(document.createElement("script"), {textContent: "window.hit = 1"}))`, nil))
	p.must(p.eval(`fetch("https://elsewhere.example/").catch(() => {})`, nil))
	var hit bool
	p.must(p.eval("Boolean(window.hit)", &hit))
	if hit {
		t.Error("a script in the page ran")
	}
	for _, rule := range []string{"script-src", "connect-src"} {
		p.complains(rule)
	}
}

// complains waits for a complaint that holds a word.
func (p *tab) complains(word string) {
	p.Helper()
	for p.ctx.Err() == nil {
		if strings.Contains(strings.Join(p.complaints(), " "), word) {
			return
		}
		select {
		case <-p.ctx.Done():
		case <-time.After(10 * time.Millisecond):
		}
	}
	p.Errorf("the browser does not complain of %s: %v", word, p.complaints())
}

func TestKeyboardReachesEverything(t *testing.T) {
	t.Parallel()
	p, s := newTab(t), newSite(t)
	id := s.open("r-1", "Ana", "ACME Tool")
	s.decided(id)
	p.open(s.url + "/#token=" + token)
	p.until("main tbody", "ACME Tool")
	p.press("Tab")
	if at := p.focused(); at != "Drawbridge" {
		t.Errorf("the first stop is %q", at)
	}
	p.press("Tab")
	if at := p.focused(); at != "ACME Tool" {
		t.Errorf("the second stop is %q", at)
	}
	var outline string
	p.must(p.eval("getComputedStyle(document.activeElement).outlineStyle", &outline))
	if outline != "solid" {
		t.Errorf("the focus is shown by an outline that is %s", outline)
	}
	p.press("Enter")
	p.until("main", "What happened")
	var stops []string
	for range 5 {
		p.press("Tab")
		stops = append(stops, p.focused())
	}
	if got := strings.Join(stops[:3], ", "); got != "All cases, ITSEC-1, show" {
		t.Errorf("the stops are %v", stops)
	}
	p.must(p.eval(`document.querySelector("details summary").focus()`, nil))
	p.press("Enter")
	p.until("details pre", `"kind": "decide"`)
	p.must(p.eval(`document.querySelector("nav a").focus()`, nil))
	p.press("Enter")
	p.until("main h2", "Cases")
	if faults := p.complaints(); len(faults) > 0 {
		t.Errorf("the browser complains: %v", faults)
	}
}

// focused is the text of what has the focus.
func (p *tab) focused() (text string) {
	p.Helper()
	p.must(p.eval("document.activeElement.innerText.trim()", &text))
	return text
}

func TestOlderCasesAndCasesThatAreNotThere(t *testing.T) {
	t.Parallel()
	p, s := newTab(t), newSite(t)
	for i := range 52 {
		s.open(fmt.Sprintf("r-%d", i), "Ana", fmt.Sprintf("Tool %d.", i))
	}
	p.open(s.url + "/#token=" + token)
	p.until("main tbody", "Tool 51.")
	if strings.Contains(p.text("main tbody"), "Tool 1.") {
		t.Error("the first page shows everything")
	}
	p.must(p.eval(`document.querySelector("[data-older]").click()`, nil))
	p.until("main tbody", "Tool 1.")
	if more := p.text("[data-older]"); more != "" {
		t.Errorf("the last page offers %q", more)
	}
	p.open(s.url + "/#/cases/nope")
	p.until("main", "This cannot be shown: there is no such thing.")
	p.until("#pulse", "not up to date")
	if faults := p.complaints("404"); len(faults) > 0 {
		t.Errorf("the browser complains: %v", faults)
	}
}
