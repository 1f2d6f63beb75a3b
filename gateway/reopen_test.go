package gateway

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/store"
)

const findingRule = `kind: Rule
name: finding
on: scanner
when: event.kind == "finding.opened"
create: {at: jira, project: SEC, type: Task, summary: A finding, description: What is wrong, reopen: {status: Open, within: 30d}}
`

func TestPlanOpensFindingsAgain(t *testing.T) {
	t.Parallel()
	closedAt := time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC)
	first := with(linked, func(l *store.Link) { l.Rule = "finding" })
	second := with(first, func(l *store.Link) { l.ID, l.Slot, l.RefKey = "lnk-2", "/again/2", "SEC-2" })
	gone := with(first, func(l *store.Link) { l.State = linkGone })
	for _, test := range []struct {
		name      string
		caseState string
		closed    time.Time
		at        time.Time
		links     []store.Link
		decision  *store.Decision
		want      []string // kind and link or slot of each delivery
		wantState string
	}{
		{"within the time", caseClosed, closedAt, closedAt.Add(29 * 24 * time.Hour), []store.Link{first}, nil, []string{"transition lnk-1", "comment lnk-1"}, caseOpen},
		{"in the same second", caseClosed, closedAt, closedAt, []store.Link{first}, nil, []string{"transition lnk-1", "comment lnk-1"}, caseOpen},
		{"after the time", caseClosed, closedAt, closedAt.Add(31 * 24 * time.Hour), []store.Link{first}, nil, []string{"create /again/2"}, caseOpen},
		{"after the time, once more", caseClosed, closedAt, closedAt.Add(31 * 24 * time.Hour), []store.Link{second, first}, nil, []string{"create /again/3"}, caseOpen},
		{"the latest ticket counts", caseClosed, closedAt, closedAt.Add(time.Hour), []store.Link{second, first}, nil, []string{"transition lnk-2", "comment lnk-2"}, caseOpen},
		{"its ticket is gone", caseClosed, closedAt, closedAt.Add(time.Hour), []store.Link{gone}, nil, []string{"create /again/2"}, caseOpen},
		{"it had no ticket", caseClosed, closedAt, closedAt.Add(time.Hour), nil, nil, []string{"create "}, caseOpen},
		{"told of late", caseClosed, closedAt, closedAt.Add(-time.Second), []store.Link{first}, nil, nil, ""},
		{"told of late, without a ticket", caseClosed, closedAt, closedAt.Add(-time.Second), nil, nil, nil, ""},
		{"still open", caseOpen, time.Time{}, closedAt, []store.Link{first}, nil, nil, ""},
		{"decided", caseClosed, closedAt, closedAt.Add(time.Hour), []store.Link{first}, &store.Decision{Outcome: "approved"}, nil, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			event := connectors.Event{Kind: connectors.FindingOpened, RequestID: "r-1", Time: test.at}
			p := makePlan(t.Context(), planInput{
				event: event, value: map[string]any{"kind": event.Kind}, eventID: "evt-1", source: "scanner", decision: test.decision,
				caze:  store.Case{ID: "case-1", State: test.caseState, Connection: "scanner", RequestID: "r-1"},
				links: test.links, rules: []*rule{compiled(t, findingRule)}, closed: test.closed, received: test.at.Add(time.Minute),
			})
			slots := map[string]string{}
			for _, l := range p.links {
				slots[l.ID] = l.Slot
			}
			var got []string
			for _, d := range p.deliveries {
				if slot, fresh := slots[d.LinkID]; fresh {
					got = append(got, d.Kind+" "+slot)
				} else {
					got = append(got, d.Kind+" "+d.LinkID)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("deliveries (-want +got):\n%s", diff)
			}
			if p.caseState != test.wantState || p.state != eventPlanned {
				t.Errorf("the case becomes %q and the event %s, want %q and planned", p.caseState, p.state, test.wantState)
			}
		})
	}
}

func TestPlanClosesTheCaseOfAFinding(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{connectors.FindingResolved, connectors.FindingDismissed} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			in := planInput{event: connectors.Event{Kind: kind, RequestID: "r-1"}, value: map[string]any{"kind": kind}, eventID: "evt-1", caze: openCase, links: []store.Link{linked}}
			if p := makePlan(t.Context(), in); p.caseState != caseClosed || len(p.deliveries) != 0 {
				t.Errorf("got %+v, want a closed case and nothing owed", p)
			}
			in.caze = store.Case{}
			if p := makePlan(t.Context(), in); p.caseState != "" || p.state != eventUnrouted {
				t.Errorf("without a case: got %+v, want nothing", p)
			}
		})
	}
}
