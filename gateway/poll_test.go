package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/store"
)

const settledRule = `kind: Rule
name: open
on: elimity
when: event.kind == "change.requested"
create: {at: jira, project: SEC, type: Request, summary: A change}
settle:
  made: {status: Done, fields: {resolution: Done}}
`

func TestPlanEndsWhatHasComeToPass(t *testing.T) {
	t.Parallel()
	made := connectors.Event{Kind: connectors.ChangeMade, RequestID: "r-1", Subject: "u-1 is gone"}
	twin := with(linked, func(l *store.Link) { l.ID, l.State = "lnk-2", linkTwin })
	for _, test := range []struct {
		name      string
		event     connectors.Event
		state     string
		decision  *store.Decision
		rule      string
		want      []string // kind of each delivery and words of it
		wantState string
	}{
		{"a change nobody decided", made, caseOpen, nil, settledRule, []string{`transition "status":"Done"`, `comment shows that this change was made: u-1 is gone.`}, caseClosed},
		{"a change that was approved", made, caseClosed, &store.Decision{Outcome: "approved"}, settledRule, []string{`transition "resolution":"Done"`, "comment shows that this change was made"}, ""},
		{"a change that was denied", made, caseClosed, &store.Decision{Outcome: "denied"}, settledRule, []string{"comment It was denied here"}, ""},
		{"a rule without a status for it", made, caseOpen, nil, openRule, []string{"comment shows that"}, caseClosed},
		{"a request that ends", expired, caseOpen, nil, openRule, []string{`transition "status":"Over"`, "comment ended without a decision"}, caseClosed},
		{"a request that had ended before", expired, caseClosed, nil, openRule, nil, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := makePlan(t.Context(), planInput{
				event: test.event, value: map[string]any{"kind": test.event.Kind}, eventID: "evt-1", source: "elimity", decision: test.decision,
				caze:  store.Case{ID: "case-1", State: test.state, Connection: "elimity", RequestID: "r-1"},
				links: []store.Link{linked, twin}, opened: map[string]*rule{linked.ID: compiled(t, test.rule)},
			})
			if p.caseState != test.wantState || p.state != eventPlanned {
				t.Errorf("the case becomes %q and the event %s, want %q and planned", p.caseState, p.state, test.wantState)
			}
			if len(p.deliveries) != len(test.want) {
				t.Fatalf("owed is %+v, want %q", p.deliveries, test.want)
			}
			for i, d := range p.deliveries {
				kind, words, _ := strings.Cut(test.want[i], " ")
				if d.Kind != kind || d.LinkID != linked.ID || !strings.Contains(string(d.Action), words) {
					t.Errorf("delivery %d is %s on %s: %s, want %s", i, d.Kind, d.LinkID, d.Action, test.want[i])
				}
			}
		})
	}
	if p := makePlan(t.Context(), planInput{event: made, eventID: "evt-1"}); p.state != eventUnrouted || p.caseState != "" {
		t.Errorf("without a case: %+v", p)
	}
}

// What a source answers is only heard about requests it was asked about, is marked, and is the same event until something
// else is heard of the case.
func TestWhatAPollBringsIsKnownAgain(t *testing.T) {
	t.Parallel()
	conn := &connection{doc: ConnectionDoc{Name: "epm", Tenant: "t-1"}}
	asked := asking{"r-1": {Case: store.Case{ID: "case-1", RequestID: "r-1", Tenant: "t-1"}, Latest: "evt-7"}}
	found := []connectors.Event{
		{Kind: connectors.AccessDenied, RequestID: "r-1", Dedupe: "its own", Tenant: "smuggled", Parent: "smuggled"},
		{Kind: connectors.AccessApproved, RequestID: "smuggled"}, {Kind: connectors.AccessApproved},
	}
	first, again := asked.arrivals(conn, found, decidedAt), asked.arrivals(conn, found, decidedAt)
	if len(first) != 1 {
		t.Fatalf("taken is %+v, want one", first)
	}
	e := first[0].Event
	var normal connectors.Event
	if err := json.Unmarshal(e.Normal, &normal); err != nil {
		t.Fatal(err)
	}
	if e.Tenant != "t-1" || first[0].Parent != "" || !normal.Polled || len(e.Body) == 0 || !e.ReceivedAt.Equal(decidedAt) || e.Dedupe != again[0].Event.Dedupe {
		t.Errorf("taken is %+v", first[0])
	}
	asked["r-1"] = store.Askable{Case: asked["r-1"].Case, Latest: "evt-8"}
	if later := asked.arrivals(conn, found, decidedAt); later[0].Event.Dedupe == e.Dedupe {
		t.Error("after another event it is taken for the same")
	}
}

// A shape is learned from what is sent, not from what was asked for.
func TestNoShapeIsLearnedFromAPoll(t *testing.T) {
	t.Parallel()
	var o observations
	o.observe(store.Event{Connection: "apono"}, connectors.Event{Kind: connectors.AccessDenied, Polled: true})
	if got := o.take(); got != nil {
		t.Errorf("learned %+v", got)
	}
}

func TestKeptDecisionsCountAgainstNobody(t *testing.T) {
	t.Parallel()
	kept := fmt.Errorf("decide: %w", &connectors.Kept{Why: "there is no call"})
	if countsAgainst(kept) || untold(kept) != "there is no call" || untold(errors.New("x")) != "" || untold(nil) != "" {
		t.Error("a decision nobody can be told is taken for a fault")
	}
	w := &worker{}
	n := w.outcome(&connection{retry: Retry{}.orDefault()}, store.Delivery{Kind: "decide", Attempts: 1}, kept, decidedAt)
	if n.state != stateDelivered {
		t.Errorf("it becomes %s, want delivered", n.state)
	}
}

// A batch is not kept whole with each of its events.
func TestABatchIsKeptOnce(t *testing.T) {
	t.Parallel()
	const n = 1000
	g := newTimed(t, `kind: Connection
name: tool
connector: webhook
settings:
  format: cloudevents
  max_batch: 1000
  paths: {request_id: /data/id}
  kinds: {asked: access.requested}
inbound:
  verify: {bearer: {tokens: [{value: hook}]}}
`)
	parts := make([]string, n)
	for i := range parts {
		parts[i] = fmt.Sprintf(`{"specversion":"1.0","id":"e-%d","source":"/tool","type":"asked","data":{"id":"r-%d","text":%q}}`, i, i, strings.Repeat("x", 500))
	}
	body := "[" + strings.Join(parts, ",") + "]"
	r := connectors.Request{Method: http.MethodPost, URL: &url.URL{Path: "/in/tool"}, Body: []byte(body), Time: decidedAt, Header: http.Header{}}
	r.Header.Set("Content-Type", "application/cloudevents-batch+json")
	r.Header.Set("Authorization", "Bearer hook")
	if got, err := g.Accept(t.Context(), "tool", "", r); err != nil || got.Quarantined {
		t.Fatalf("got %+v, %v", got, err)
	}
	events, err := g.store.Events(t.Context(), store.EventFilter{Connection: "tool", Limit: n + 1})
	if err != nil || len(events) != n {
		t.Fatalf("stored are %d events, %v", len(events), err)
	}
	size := 0
	for _, e := range events {
		size += len(e.Body)
		if e.ContentType != "application/cloudevents+json" || !slices.Contains(parts, string(e.Body)) {
			t.Fatalf("kept of an event is %q, %s", e.ContentType, e.Body)
		}
	}
	if size > len(body) {
		t.Errorf("kept are %d bytes of a batch of %d", size, len(body))
	}
	v, err := value(events[0])
	if err != nil || cmp.Diff("/tool", v["raw"].(map[string]any)["source"]) != "" {
		t.Errorf("a rule sees %+v, %v", v["raw"], err)
	}
}
