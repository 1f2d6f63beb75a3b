package gateway

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/store"
)

const (
	attachRule = `kind: Rule
name: attach
on: epm
when: event.kind == "access.requested"
create:
  at: jira
  project: SEC
  type: Request
  summary: s
  attach: {name: "${event.severity}", content: "${event.requester.name}"}
`
	evidenceRule = `kind: Rule
name: evidence
on: epm
when: event.kind == "access.granted"
update:
  at: jira
  attach: {name: granted.txt, content: "${event.reason}"}
`
)

func TestAFileIsADeliveryOfItsOwn(t *testing.T) {
	t.Parallel()
	reason := granted
	reason.Reason = "as agreed"
	severe := requested
	severe.Severity = "high.txt"
	for _, test := range []struct {
		name, rule string
		event      connectors.Event
		links      []store.Link
		want       string
	}{
		{"with the ticket", attachRule, severe, nil, `planned
link jira/ planned rule attach v3 opened by event-1 SEC Request
pending create jira ticket holds lane of its link rule attach v3
  SEC Request "s" with the link's key
pending attach jira ticket lane of its link rule attach v3
  file high.txt "Ana"
step rule.evaluated attach matched
`},
		{"one that cannot be made holds nothing", attachRule, requested, nil, `planned
link jira/ planned rule attach v3 opened by event-1 SEC Request
pending create jira ticket holds lane of its link rule attach v3
  SEC Request "s" with the link's key
dead attach jira ticket lane of its link rule attach v3
  attach: create.attach.name: line 10, column 19: create.attach.name is empty for this event
step rule.evaluated attach matched
`},
		{"an update of nothing else is none", evidenceRule, reason, []store.Link{linked}, `planned
pending attach jira ticket lane of lnk-1 rule evidence v3
  file granted.txt "as agreed"
step rule.evaluated evidence matched
`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			in := planInput{event: test.event, eventID: "event-1", source: "epm", caze: openCase, links: test.links, opened: map[string]*rule{}, rules: []*rule{compiled(t, test.rule)}}
			var err error
			if in.value, err = value(store.Event{Normal: mustJSON(test.event)}); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(test.want, written(t, makePlan(t.Context(), in))); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestAttachIsRefusedWhereTheDeskCannot(t *testing.T) {
	t.Parallel()
	_, err := newTestGateway(t).Plan(t.Context(), texts(epmConnection, strings.NewReplacer("at: jira", "at: epm", "access.granted", "access.requested").Replace(evidenceRule)))
	if err == nil || !strings.Contains(err.Error(), "update.attach: epm (epm) cannot attach files") {
		t.Errorf("got %v", err)
	}
}
