package gateway

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/mapping"
	"github.com/drawbridge-itsm/drawbridge/store"
)

// Rules the plans below are made of.
const (
	openRule = `kind: Rule
name: open
on: epm
when: event.kind == "access.requested"
create: {at: jira, project: SEC, type: Request, summary: "${event.requester.name} asks", labels: [epm], fields: {customfield_1: 7}}
decision: {approved: ticket.status == "Yes", denied: ticket.status == "No", policy: approvers}
settle:
  approved: {status: "Yes"}
  denied: {status: "No"}
  expired: {status: Over, fields: {resolution: late}}
`
	openAgainRule = `kind: Rule
name: open-again
on: epm
when: event.kind == "access.requested"
create: {at: jira, project: OPS, type: Task, summary: A second one}
`
	openSlotRule = `kind: Rule
name: open-slot
on: epm
when: event.kind == "access.requested"
create: {at: jira, slot: audit, project: OPS, type: Task, summary: For the auditors}
`
	failingRule = `kind: Rule
name: failing
on: epm
when: event.kind == "access.requested"
create: {at: jira, project: SEC, type: Request, summary: "${event.reason}"}
`
	failingConditionRule = `kind: Rule
name: failing-condition
on: epm
when: int(event.reason) > 3
comment: {at: jira, body: Many}
`
	watchingRule = `kind: Rule
name: watching
on: epm
when: event.severity == "high"
`
	failingWatchRule = `kind: Rule
name: failing-watch
on: epm
when: int(event.reason) > 3
`
	commentRule = `kind: Rule
name: comment
on: epm
when: event.kind == "access.granted"
comment: {at: jira, body: "**Granted** to ${event.requester.name}", public: true}
`
	updateRule = `kind: Rule
name: update
on: epm
when: event.kind == "access.granted"
update: {at: jira, summary: Granted, priority: Low, labels: [done], fields: {customfield_1: 8}}
`
	moveRule = `kind: Rule
name: move
on: epm
when: event.kind == "access.granted"
transition: {at: jira, status: Done, fields: {resolution: fixed}}
`
	sendRule = `kind: Rule
name: send
on: epm
when: event.kind in ["access.requested", "anomaly"]
send: {at: siem, record: {who: "${event.requester.name}", why: "${event.reason}"}}
`
	sendOwnRule = `kind: Rule
name: send-own
on: epm
when: event.kind == "anomaly"
send: {at: siem}
`
	failingSendRule = `kind: Rule
name: failing-send
on: epm
when: int(event.reason) > 3
send: {at: siem}
`
)

func compiled(t *testing.T, text string) *rule {
	t.Helper()
	doc, err := mapping.ParseRule([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	p, err := mapping.Compile(doc, mapping.Env{})
	if err != nil {
		t.Fatal(err)
	}
	return &rule{Program: p, version: 3, policyVersion: 2}
}

var (
	decidedAt = time.Date(2026, 1, 5, 11, 0, 0, 0, time.UTC)
	openCase  = store.Case{ID: "case-1", State: caseOpen, Connection: "epm", RequestID: "r-1"}
	linked    = store.Link{ID: "lnk-1", CaseID: "case-1", Desk: "jira", Key: "k1", State: linkLinked, RefID: "10001", RefKey: "SEC-1", Rule: "open", RuleVersion: 3}
	requested = connectors.Event{Kind: connectors.AccessRequested, RequestID: "r-1", Requester: connectors.Person{Name: "Ana"}}
	granted   = connectors.Event{Kind: connectors.AccessGranted, RequestID: "r-1", Requester: connectors.Person{Name: "Ana"}}
	expired   = connectors.Event{Kind: connectors.AccessExpired, RequestID: "r-1"}
	approved  = connectors.Event{Kind: connectors.AccessApproved, RequestID: "r-1", Decision: &connectors.Told{
		Outcome: connectors.Approved, By: connectors.Person{Name: "Root"}, At: decidedAt, Duration: connectors.Duration{Length: time.Hour}}}
)

// with gives a link another state, slot or ticket.
func with(l store.Link, change func(*store.Link)) store.Link {
	change(&l)
	return l
}

func TestPlan(t *testing.T) {
	t.Parallel()
	twin := with(linked, func(l *store.Link) { l.ID, l.Slot, l.State = "lnk-2", "twin/10002", linkTwin })
	gone := with(linked, func(l *store.Link) { l.State = linkGone })
	tests := []struct {
		name     string
		event    connectors.Event
		rules    []string
		noCase   bool
		closed   bool
		links    []store.Link
		decision *store.Decision
		want     string
	}{
		{
			name: "a create makes a link that keeps rule and policy", event: requested, rules: []string{openRule},
			want: `planned
link jira/ planned rule open v3 opened by event-1 SEC Request policy approvers v2
pending create jira ticket holds lane of its link rule open v3
  SEC Request "Ana asks" labels [epm] fields {"customfield_1":7} with the link's key
step rule.evaluated open matched
`,
		}, {
			name: "nothing matches", event: granted, rules: []string{openRule},
			want: `unrouted
step rule.evaluated open
`,
		}, {
			name: "no rule at all", event: requested, want: "unrouted\n",
		}, {
			name: "a second rule for the same slot opens nothing", event: requested, rules: []string{openRule, openAgainRule},
			want: `planned
link jira/ planned rule open v3 opened by event-1 SEC Request policy approvers v2
pending create jira ticket holds lane of its link rule open v3
  SEC Request "Ana asks" labels [epm] fields {"customfield_1":7} with the link's key
step rule.evaluated open matched
step rule.evaluated open-again matched: the case has a ticket at jira already; a rule that should open a second one needs a slot of its own
`,
		}, {
			name: "a slot of its own opens a second ticket", event: requested, rules: []string{openSlotRule}, links: []store.Link{linked},
			want: `planned
link jira/audit planned rule open-slot v3 opened by event-1 OPS Task
pending create jira ticket holds lane of its link rule open-slot v3
  OPS Task "For the auditors" with the link's key
step rule.evaluated open-slot matched
`,
		}, {
			name: "decided before its ticket", event: requested, rules: []string{openRule}, decision: &store.Decision{Outcome: "denied"},
			want: `planned
step rule.evaluated open matched: the request was decided before its ticket could be opened
`,
		}, {
			name: "ended before its ticket", event: requested, rules: []string{openRule}, closed: true,
			want: `planned
step rule.evaluated open matched: the request had ended before its ticket could be opened
`,
		}, {
			name: "a failing rule is born dead in the lane its create would have had", event: requested, rules: []string{failingRule},
			want: `planned
link jira/ planned rule failing v3 opened by event-1
dead create jira ticket holds lane of its link rule failing v3
  failing: create.summary: line 5, column 59: create.summary is empty for this event
step rule.evaluated failing failed
`,
		}, {
			name: "a failing create does not hold up the ticket there is", event: requested, rules: []string{failingRule}, links: []store.Link{linked},
			want: `planned
dead create jira ticket holds lane event-1 rule failing v3
  failing: create.summary: line 5, column 59: create.summary is empty for this event
step rule.evaluated failing failed
`,
		}, {
			name: "a failing condition is no miss", event: granted, rules: []string{failingConditionRule}, links: []store.Link{linked},
			want: `planned
dead comment jira ticket lane of lnk-1 rule failing-condition v3
  failing-condition: when: line 4, column 7: int is given something that is not a whole number
step rule.evaluated failing-condition failed
`,
		}, {
			name: "a failing condition without a ticket", event: granted, rules: []string{failingConditionRule},
			want: `planned
dead comment jira ticket lane event-1 rule failing-condition v3
  failing-condition: when: line 4, column 7: int is given something that is not a whole number
step rule.evaluated failing-condition failed
`,
		}, {
			name: "a rule may only watch", event: connectors.Event{Kind: connectors.Anomaly, Severity: "high"}, rules: []string{watchingRule},
			want: `planned
step rule.evaluated watching matched
`,
		}, {
			name: "a rule that only watches and fails owes nothing", event: granted, rules: []string{failingWatchRule},
			want: `planned
step rule.evaluated failing-watch failed
`,
		}, {
			name: "a comment", event: granted, rules: []string{commentRule}, links: []store.Link{linked},
			want: `planned
pending comment jira ticket lane of lnk-1 rule comment v3
  "**Granted** to Ana" public with a key
step rule.evaluated comment matched
`,
		}, {
			name: "an update", event: granted, rules: []string{updateRule}, links: []store.Link{linked},
			want: `planned
pending update jira ticket lane of lnk-1 rule update v3
  "Granted" Low labels [done] fields {"customfield_1":8} with the link's key
step rule.evaluated update matched
`,
		}, {
			name: "a transition", event: granted, rules: []string{moveRule}, links: []store.Link{linked},
			want: `planned
pending transition jira ticket holds lane of lnk-1 rule move v3
  to Done fields {"resolution":"fixed"}
step rule.evaluated move matched
`,
		}, {
			name: "what applies to a ticket waits for none", event: granted, rules: []string{commentRule, updateRule, moveRule},
			want: `planned
step rule.evaluated comment matched: the case has no ticket at jira for this to apply to
step rule.evaluated update matched: the case has no ticket at jira for this to apply to
step rule.evaluated move matched: the case has no ticket at jira for this to apply to
`,
		}, {
			name: "an event without a case", event: requested, rules: []string{openRule}, noCase: true,
			want: `planned
dead create jira holds lane event-1 rule open v3
  the event carries no request id, so no case and no ticket can belong to it
step rule.evaluated open matched: the event has no case
`,
		}, {
			name: "a failing rule and an event without a case", event: requested, rules: []string{failingRule}, noCase: true,
			want: `planned
dead create jira ticket holds lane event-1 rule failing v3
  failing: create.summary: line 5, column 59: create.summary is empty for this event
step rule.evaluated failing failed
`,
		}, {
			name: "told by the source: the tickets follow", event: approved, rules: []string{commentRule}, links: []store.Link{linked, twin},
			want: `planned case closed
decision approved by "Root" told by source at 2026-01-05T11:00:00Z for 1h0m0s
pending transition jira settle lane of lnk-1 rule open v3
  to Yes
pending comment jira settle lane of lnk-1
  "Approved by Root in epm itself at 2026-01-05T11:00:00Z. A decision made on this ticket has no effect any more." with a key
step decision.recorded
step rule.evaluated comment
`,
		}, {
			name: "told by the source before there is a ticket", event: approved, rules: []string{openRule},
			want: `planned case closed
decision approved by "Root" told by source at 2026-01-05T11:00:00Z for 1h0m0s
step decision.recorded
step rule.evaluated open
`,
		}, {
			name: "told by the source without a case", event: approved, noCase: true, want: "planned\n",
		}, {
			name: "told by nobody in particular", event: connectors.Event{Kind: connectors.AccessDenied, Decision: &connectors.Told{Outcome: connectors.Denied}}, links: []store.Link{linked},
			want: `planned case closed
decision denied by "somebody unnamed" told by source
pending transition jira settle lane of lnk-1 rule open v3
  to No
pending comment jira settle lane of lnk-1
  "Denied by somebody unnamed in epm itself. A decision made on this ticket has no effect any more." with a key
step decision.recorded
`,
		}, {
			name: "the echo of our own decision", event: approved, links: []store.Link{linked}, decision: &store.Decision{Outcome: "approved"},
			want: `planned
step decision.echoed
`,
		}, {
			name: "another decision than ours", event: approved, links: []store.Link{linked, twin}, decision: &store.Decision{Outcome: "denied"},
			want: `planned
pending comment jira settle lane of lnk-1
  "epm reports that approved was decided there by Root, while denied was recorded here first. The first decision stands; check the request in epm." with a key
step decision.contradicted
`,
		}, {
			name: "the request has ended", event: expired, links: []store.Link{linked, twin},
			want: `planned case closed
pending transition jira settle lane of lnk-1 rule open v3
  to Over fields {"resolution":"late"}
pending comment jira settle lane of lnk-1
  "epm reports that the request has ended without a decision. A decision made here has no effect any more." with a key
`,
		}, {
			name: "the request has ended, and its ticket is gone", event: expired, links: []store.Link{gone}, want: "planned case closed\n",
		}, {
			name: "the end of a decided request", event: expired, links: []store.Link{linked}, decision: &store.Decision{Outcome: "denied"}, want: "unrouted\n",
		}, {
			name: "an end without a case", event: expired, noCase: true, want: "unrouted\n",
		}, {
			name: "a record of a decided case, beside its ticket", event: requested, rules: []string{sendRule}, closed: true, links: []store.Link{linked}, decision: &store.Decision{Outcome: "denied"},
			want: `planned
pending send siem record lane send/siem/case-1 rule send v3
  record of event-1 from epm group case-1 event {"kind":"access.requested","request_id":"r-1","requester":{"name":"Ana"}} data {"who":"Ana"}
step rule.evaluated send matched
`,
		}, {
			name: "records without a case, one in the sink's own form", event: connectors.Event{Kind: connectors.Anomaly, Reason: "odd", Test: true}, rules: []string{sendOwnRule, sendRule}, noCase: true,
			want: `planned
pending send siem record lane event-1 rule send-own v3
  record of event-1 from epm event {"kind":"anomaly","reason":"odd","test":true} data null
pending send siem record lane event-1 rule send v3
  record of event-1 from epm event {"kind":"anomaly","reason":"odd","test":true} data {"test":true,"why":"odd"}
step rule.evaluated send-own matched
step rule.evaluated send matched
`,
		}, {
			name: "a record that fails is dead in its lane and holds nothing", event: requested, rules: []string{failingSendRule}, links: []store.Link{linked},
			want: `planned
dead send siem record lane send/siem/case-1 rule failing-send v3
  failing-send: when: line 4, column 7: int is given something that is not a whole number
step rule.evaluated failing-send failed
`,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			in := planInput{event: test.event, eventID: "event-1", source: "epm", caze: openCase, links: test.links, decision: test.decision, opened: map[string]*rule{}}
			if test.noCase {
				in.caze = store.Case{}
			} else if test.closed {
				in.caze.State = caseClosed
			}
			for _, l := range test.links {
				in.opened[l.ID] = compiled(t, openRule)
			}
			for _, text := range test.rules {
				in.rules = append(in.rules, compiled(t, text))
			}
			var err error
			if in.value, err = value(store.Event{Normal: mustJSON(test.event)}); err != nil {
				t.Fatal(err)
			}
			got := written(t, makePlan(t.Context(), in))
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("plan differs (-want +got):\n%s", diff)
			}
			if again := written(t, makePlan(t.Context(), in)); again != got {
				t.Errorf("the same input gave another plan:\n%s", cmp.Diff(got, again))
			}
		})
	}
}

func TestKeysOfLinksAndNotesAreStable(t *testing.T) {
	t.Parallel()
	in := planInput{eventID: "event-1", caze: openCase}
	d := mapping.Draft{At: "jira", Slot: "audit"}
	r := compiled(t, openRule)
	first, second := newLink(in, r, d), newLink(planInput{eventID: "event-2", caze: openCase}, r, d)
	if first.Key != second.Key || first.ID != second.ID || len(first.Key) != 16 {
		t.Errorf("the same slot has the keys %s and %s, want one of 16 characters", first.Key, second.Key)
	}
	if other := newLink(planInput{caze: store.Case{ID: "case-2"}}, r, d); other.Key == first.Key {
		t.Error("two cases share a key")
	}
	if shortHash("a", "bc") == shortHash("ab", "c") {
		t.Error("where one part ends and the next begins makes no difference")
	}
}

func TestCommentsOfTwoRulesHaveTheirOwnKeys(t *testing.T) {
	t.Parallel()
	other := strings.Replace(commentRule, "name: comment", "name: comment-too", 1)
	in := planInput{event: granted, eventID: "event-1", caze: openCase, links: []store.Link{linked}, rules: []*rule{compiled(t, commentRule), compiled(t, other)}}
	var err error
	if in.value, err = value(store.Event{Normal: mustJSON(granted)}); err != nil {
		t.Fatal(err)
	}
	keys := map[string]bool{}
	for _, d := range makePlan(t.Context(), in).deliveries {
		var a connectors.Action
		if err := json.Unmarshal(d.Action, &a); err != nil {
			t.Fatal(err)
		}
		keys[a.Note.Key] = true
	}
	if len(keys) != 2 || keys[""] {
		t.Errorf("the keys are %v, want two", keys)
	}
}
