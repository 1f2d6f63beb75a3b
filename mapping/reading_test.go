package mapping

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReadingsAreThePartsOfATicketThatAreNamed(t *testing.T) {
	t.Parallel()
	for expression, want := range map[string]string{
		`ticket.fields.hours`:                                         "ticket.fields.hours",
		`ticket.fields["two words"]`:                                  "ticket.fields.two words",
		`ticket["fields"]["x"]`:                                       "ticket.fields.x",
		`ticket.fields.risk.value`:                                    "ticket.fields.risk",
		`ticket?.fields?.risk?.value ?? "1h"`:                         "ticket.fields.risk",
		`ticket.status == "Approved" ? "1h" : ticket.priority`:        "ticket.priority ticket.status",
		`ticket.fields[ticket.summary]`:                               "ticket.fields ticket.summary",
		`let f = ticket.fields; f.hours`:                              "ticket.fields",
		`let t = ticket; t.fields.hours`:                              "ticket",
		`ticket["fie" + "lds"].hours`:                                 "ticket",
		`any(["a", "b"], # == ticket.fields.x) ? "1h" : "2h"`:         "ticket.fields.x",
		`string(ticket.fields.x) + ticket.fields.y + ticket.fields.x`: "ticket.fields.x ticket.fields.y",
		`"1h"`: "",
	} {
		var parts []string
		for _, one := range decider(t, "'"+strings.ReplaceAll(expression, "'", "''")+"'").Readings() {
			if one.At == "decision.duration" {
				parts = append(parts, one.Part)
			}
		}
		if got := strings.Join(parts, " "); got != want {
			t.Errorf("%s reads %q, want %q", expression, got, want)
		}
	}
}

func TestReadingsOfARuleAndAPolicySayWhereTheyStand(t *testing.T) {
	t.Parallel()
	want := []Reading{
		{"decision.approved", "ticket.fields.flag"}, {"decision.approved", "ticket.status"},
		{"decision.denied", "ticket.fields.no"}, {"decision.denied", "ticket.status"},
		{"decision.revoked", "ticket.fields.back"}, {"decision.revoked", "ticket.status"},
		{"decision.reason", "ticket.fields.note"},
	}
	if diff := cmp.Diff(want, decider(t, "1h").Readings()); diff != "" {
		t.Errorf("readings of a rule differ (-want +got):\n%s", diff)
	}
	p, err := ParsePolicy([]byte(`
kind: Policy
name: p
approvers: { people: [kim], when: ticket.priority == "Low" }
deadline: { after: 4h, deputy: { after: 1h, people: [lee], when: ticket.fields.risk == "low" } }
revoke: { people: [kim], when: ticket.key == "SEC-1" and actor.person == "kim" }
cases:
  - { when: event.severity == "high", approvers: { when: event.severity == "high" } }
`))
	if err != nil {
		t.Fatal(err)
	}
	program, err := CompilePolicy(p, Env{})
	if err != nil {
		t.Fatal(err)
	}
	want = []Reading{{"approvers.when", "ticket.priority"}, {"deadline.deputy.when", "ticket.fields.risk"}, {"revoke.when", "ticket.key"}}
	if diff := cmp.Diff(want, program.Readings()); diff != "" {
		t.Errorf("readings of a policy differ (-want +got):\n%s", diff)
	}
	if got := (&Program{}).Readings(); got != nil {
		t.Errorf("a rule without a decision reads %v", got)
	}
}
