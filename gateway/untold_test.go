package gateway

import (
	"fmt"
	"strings"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/builtin"
	"github.com/drawbridge-itsm/drawbridge/mapping"
	"github.com/drawbridge-itsm/drawbridge/store"
)

// deciding are a rule at the desk of a vendor, and its policy.
func deciding(vendor, decision, policy string) []store.Document {
	verified := map[string]string{"jira": "hmac: {secrets: [{value: x}]}"}[vendor]
	if verified == "" {
		verified = "header: {values: [{value: x}]}"
	}
	settings := connectors.Example(builtin.Vendors()[vendor]())
	for strings.Contains(settings, "{env: ") {
		before, after, _ := strings.Cut(settings, "{env: ")
		_, after, _ = strings.Cut(after, "}")
		settings = before + "{value: x}" + after
	}
	return []store.Document{
		{Kind: kindConnection, Name: "epm", Text: epmConnection},
		{Kind: kindPeople, Name: "staff", Text: "kind: People\nname: staff\npeople: [{name: kim, mail: kim@corp.example}]\n"},
		{Kind: kindConnection, Name: "desk", Text: "kind: Connection\nname: desk\nconnector: " + vendor + "\nsettings:\n  " + strings.ReplaceAll(strings.TrimSpace(settings), "\n", "\n  ") + "\ninbound:\n  verify: {" + verified + "}\n"},
		{Kind: kindPolicy, Name: "p", Text: "kind: Policy\nname: p\napprovers: {people: [kim]}\n" + policy},
		{Kind: kindRule, Name: "r", Text: "kind: Rule\nname: r\non: epm\nwhen: event.kind == \"access.requested\"\ncreate: {at: desk, project: a, type: b, summary: c}\ndecision:\n  policy: p\n" + decision},
	}
}

// Whatever may be anybody's doing is not decided by; what a desk does tell of is.
func TestNothingIsPublishedThatAnybodysEditCouldMeet(t *testing.T) {
	t.Parallel()
	answers := "  approved: ticket.fields.answer == \"Approved\"\n  denied: ticket.fields.answer == \"Declined\"\n"
	approvals := "  approved: ticket.fields.approval_status == \"Approved\"\n  denied: ticket.fields.approval_status == \"Denied\"\n"
	statuses := "  approved: ticket.status == \"Approved\"\n  denied: ticket.status == \"Declined\"\n"
	never := func(at, vendor, part string) string {
		return fmt.Sprintf("%s: desk (%s) does not tell who changed %s, so it may be anybody's doing", at, vendor, part)
	}
	tests := []struct{ name, vendor, decision, policy, want string }{
		{"answers", "freshdesk", answers + "  reason: ticket.fields.answer_reason\n  duration: 1h\n", "", ""},
		{"answers and an approval", "freshservice", answers + "  revoked: ticket.fields.approval_status == 2\n", "", ""},
		{"approvals", "servicedeskplus", approvals, "", ""},
		{"actions and statuses", "opsgenie", "  approved: ticket.fields.action == \"Approve\"\n  denied: ticket.status == \"closed\"\n", "", ""},
		{"a desk that tells of everything", "jira", statuses + "  duration: ticket.fields.x\n  reason: ticket.fields.y\n", "revoke: {people: [kim], when: ticket.priority == \"Low\"}\n", ""},
		{"conditions on what nobody writes", "freshdesk", answers, "revoke: {people: [kim], when: ticket.key == \"1\" and actor.mail == event.requester.mail}\n", ""},
		{"what matters", "freshdesk", answers, "matters: [summary, cf_x]\n", ""},

		{"duration", "freshdesk", answers + "  duration: ticket.fields.cf_hours\n", "", never("decision.duration", "freshdesk", "ticket.fields.cf_hours") + "; leave it out, or read what is told of: ticket.fields.answer, ticket.fields.answer_reason"},
		{"reason", "freshservice", answers + "  reason: ticket.fields.why\n", "", never("decision.reason", "freshservice", "ticket.fields.why")},
		{"reason where there are approvals", "servicedeskplus", approvals + "  reason: ticket.fields.udf_x\n", "", never("decision.reason", "servicedeskplus", "ticket.fields.udf_x")},
		{"an answer and a field", "freshdesk", "  approved: ticket.fields.answer == \"Approved\" and ticket.fields.cf_x == \"y\"\n  denied: ticket.fields.answer == \"Declined\"\n", "", never("decision.approved", "freshdesk", "ticket.fields.cf_x")},
		{"a status", "servicedeskplus", statuses, "", never("decision.denied", "servicedeskplus", "ticket.status")},
		{"whatever field", "opsgenie", answers + "  duration: ticket.fields[ticket.status]\n", "", never("decision.duration", "opsgenie", "ticket.fields")},
		{"a detail", "opsgenie", answers + "  duration: ticket.fields.hours\n", "", never("decision.duration", "opsgenie", "ticket.fields.hours")},
		{"a condition on approvers", "freshdesk", answers, "cases: [{when: event.severity == \"high\", approvers: {when: ticket.priority == \"Low\"}}]\n", "decision.policy: p, " + never("cases[0].approvers.when", "freshdesk", "ticket.priority") + "; let it look at event and actor, or name another policy"},
		{"a condition on deputies", "freshdesk", answers, "deadline: {after: 4h, deputy: {after: 1h, people: [kim], when: ticket.status == \"Open\"}}\n", "decision.policy: p, " + never("deadline.deputy.when", "freshdesk", "ticket.status")},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, faults := newCatalogue(t.Context(), testOpener(), deciding(test.vendor, test.decision, test.policy), 0, nil)
			if test.want == "" && len(faults) > 0 || test.want != "" && !strings.Contains(fmt.Sprint(faults), test.want) {
				t.Errorf("got %v, want %q", faults, test.want)
			}
		})
	}
}

// What is in force all the same is judged as if nobody had written it.
func TestWhatMayBeAnybodysDoingIsNobodys(t *testing.T) {
	t.Parallel()
	conn := func(vendor string) *connection {
		c, _, err := testOpener().open(t.Context(), []byte(deciding(vendor, "", "")[2].Text), "")
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	compiled := func(decision string) *rule {
		doc, err := mapping.ParseRule([]byte(deciding("jira", decision, "")[4].Text))
		if err != nil {
			t.Fatal(err)
		}
		p, err := mapping.Compile(doc, mapping.Env{})
		if err != nil {
			t.Fatal(err)
		}
		return &rule{Program: p}
	}
	const decides = "  approved: ticket.fields.answer == \"Approved\"\n  denied: ticket.fields.answer == \"Declined\"\n"
	whole := compiled(decides + "  duration: ticket.fields.hours\n  reason: ticket.fields.why\n")
	mixed := compiled(strings.Replace(decides, "== \"Approved\"", "== \"Approved\" and ticket.status == \"Open\"", 1))
	policy, err := compilePolicy("kind: Policy\nname: p\napprovers: {people: [kim], when: ticket.priority == \"Low\"}\n")
	if err != nil {
		t.Fatal(err)
	}
	ticket := map[string]any{"status": "Open", "priority": "Low", "fields": map[string]any{"answer": "Approved", "hours": "1h", "why": "because"}}
	for _, vendor := range []string{"freshdesk", "jira"} {
		c, told := conn(vendor), vendor == "jira"
		if v, err := c.holds(t.Context(), whole)(ticket); err != nil || !v.Approved {
			t.Errorf("%s: an answer is %+v, %v", vendor, v, err)
		}
		if v, err := c.holds(t.Context(), mixed)(ticket); v.Approved != told || (err == nil) != told {
			t.Errorf("%s: an answer and a status are %+v, %v", vendor, v, err)
		}
		if _, length, err := c.duration(t.Context(), whole)(ticket); (length > 0) != told || (err == nil) != told {
			t.Errorf("%s: the duration is %s, %v", vendor, length, err)
		}
		if reason, err := c.reason(t.Context(), whole)(ticket); (reason != "") != told || err != nil {
			t.Errorf("%s: the reason is %q, %v", vendor, reason, err)
		}
		if err := c.blind(policy); (err == nil) != told {
			t.Errorf("%s: a condition may look: %v", vendor, err)
		}
	}
	if err := conn("freshdesk").blind(nil); err != nil {
		t.Errorf("without a policy: %v", err)
	}
}
