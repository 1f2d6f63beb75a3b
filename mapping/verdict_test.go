package mapping

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// decider compiles a rule whose decision reads the ticket's fields.
func decider(t *testing.T, duration string) *Program {
	t.Helper()
	p, err := compileText(Env{}, []byte(`
kind: Rule
name: r
on: epm
when: event.kind == "access.requested"
create: { at: jira, project: A, type: B, summary: C }
decision:
  approved: ticket.status == "Approved" or ticket.fields.flag
  denied: ticket.status in ["Declined", "Won't do"] or ticket.fields.no
  duration: `+duration+`
  revoked: ticket.status == "Revoked" or ticket.fields.back
  reason: ticket.fields.note
  granted: " customfield_7 "
  policy: p
settle:
  approved: { status: " Approved ", fields: { resolution: { name: "$${x}" }, n: 3 } }
  denied: { status: Declined }
  revoked: { status: Revoked }
`))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestDecideReadsTheTicket(t *testing.T) {
	t.Parallel()
	p := decider(t, `"1h"`)
	for _, c := range []struct {
		name   string
		ticket map[string]any
		want   Verdict
	}{
		{"approved", map[string]any{"status": "Approved"}, Verdict{Approved: true}},
		{"denied", map[string]any{"status": "Won't do"}, Verdict{Denied: true}},
		{"open", map[string]any{"status": "Open", "fields": map[string]any{}}, Verdict{}},
		{"by a field", map[string]any{"status": "Open", "fields": map[string]any{"flag": true}}, Verdict{Approved: true}},
		{"empty", nil, Verdict{}},
		{"revoked", map[string]any{"status": "Revoked"}, Verdict{Revoked: true}},
		{"revoked by a field", map[string]any{"fields": map[string]any{"back": true}}, Verdict{Revoked: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got, err := p.Decide(t.Context(), c.ticket); err != nil || got != c.want {
				t.Errorf("got %+v, %v, want %+v", got, err, c.want)
			}
		})
	}
}

func TestDecideFailsRatherThanGuesses(t *testing.T) {
	t.Parallel()
	p := decider(t, `"1h"`)
	for name, ticket := range map[string]map[string]any{
		"both":                 {"status": "Approved", "fields": map[string]any{"no": true}},
		"approved and revoked": {"status": "Approved", "fields": map[string]any{"back": true}},
		"denied and revoked":   {"status": "Declined", "fields": map[string]any{"back": true}},
		"all three":            {"status": "Revoked", "fields": map[string]any{"flag": true, "no": true}},
		"not truth":            {"status": "Open", "fields": map[string]any{"flag": "yes"}},
	} {
		if got, err := p.Decide(t.Context(), ticket); err == nil || got != (Verdict{}) {
			t.Errorf("%s: got %+v, %v, want an error", name, got, err)
		}
	}
	without, err := compileText(Env{}, []byte("kind: Rule\nname: r\non: epm\nwhen: 'true'\n"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := without.Decide(t.Context(), nil); err == nil {
		t.Error("a rule without a decision decided")
	}
}

func TestDecideNamesWhatHoldsAtOnce(t *testing.T) {
	t.Parallel()
	_, err := decider(t, "1h").Decide(t.Context(), map[string]any{"status": "Revoked", "fields": map[string]any{"flag": true}})
	if err == nil || !strings.Contains(err.Error(), "approved and revoked at once") {
		t.Errorf("got %v", err)
	}
}

// decisionRule is a rule with one more line in its decision.
func decisionRule(line string) []byte {
	return []byte("kind: Rule\nname: r\non: epm\nwhen: event.test\ncreate: { at: jira, project: A, type: B, summary: C }\ndecision:\n" +
		"  denied: ticket.status == \"Declined\"\n  policy: p\n  " + line + "\n")
}

func TestDecisionsCannotReadTheCategory(t *testing.T) {
	t.Parallel()
	for _, approved := range []string{
		`ticket.category == "done"`, `ticket?.category == "done"`, `ticket["category"] == "done"`, `(ticket).category == "done"`,
		`ticket.status == "Approved" or any([1], ticket.category == "done")`,
	} {
		_, err := compileText(Env{}, decisionRule("approved: "+approved))
		if err == nil || !strings.Contains(err.Error(), "decision.approved: line 9") || !strings.Contains(err.Error(), "name statuses") {
			t.Errorf("%s: got %v", approved, err)
		}
	}
	if _, err := compileText(Env{}, decisionRule(`approved: let t = ticket; t.category == "done"`)); err == nil || !strings.Contains(err.Error(), "unknown field category") {
		t.Errorf("by another name: got %v", err)
	}
	if _, err := compileText(Env{}, decisionRule(`approved: ticket.fields.category == "done"`)); err != nil {
		t.Errorf("a field of that name: %v", err)
	}
}

func TestDecisionsDoNotSeeTheCategory(t *testing.T) {
	t.Parallel()
	for _, approved := range []string{
		`"category" in keys(ticket)`, `"done" in values(ticket)`, `ticket[lower("CATEGORY")] == "done"`, `toJSON(ticket) contains "done"`,
	} {
		p, err := compileText(Env{}, decisionRule("approved: '"+approved+"'"))
		if err != nil {
			t.Fatal(err)
		}
		ticket := map[string]any{"status": "Open", "category": "done"}
		if got, err := p.Decide(t.Context(), ticket); got.Approved {
			t.Errorf("%s: got %+v, %v", approved, got, err)
		}
		if ticket["category"] != "done" {
			t.Errorf("%s: the ticket changed", approved)
		}
	}
}

func TestGrantedNamesAField(t *testing.T) {
	t.Parallel()
	if got := decider(t, "1h").Granted(); got != "customfield_7" {
		t.Errorf("got %q", got)
	}
	without, err := compileText(Env{}, []byte("kind: Rule\nname: r\non: epm\nwhen: event.test\n"))
	if err != nil || without.Granted() != "" {
		t.Errorf("a rule without a decision: got %q, %v", without.Granted(), err)
	}
	env := Env{Ticket: []Field{{Name: "customfield_7", Type: "text"}}}
	for granted, want := range map[string]string{
		"customfield_7": "", "customfield_8": "the desk has no field customfield_8", "status": "granted names a field of its own",
		"'${ticket.key}'": "is a constant", "[a]": "text is expected here",
	} {
		p, err := compileText(env, decisionRule("approved: ticket.status == \"Approved\"\n  granted: "+granted))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", granted, err, want)
		}
		if err == nil && p.Granted() != granted {
			t.Errorf("%s: got %q", granted, p.Granted())
		}
	}
}

func TestDurationReadsLengths(t *testing.T) {
	t.Parallel()
	p := decider(t, "ticket.fields.length")
	for _, c := range []struct {
		value  any
		once   bool
		length time.Duration
		fault  string
	}{
		{nil, false, 0, ""},
		{"", false, 0, ""},
		{"once", true, 0, ""},
		{" Once ", true, 0, ""},
		{"1h", false, time.Hour, ""},
		{"1h 30m", false, 90 * time.Minute, ""},
		{"1d", false, 24 * time.Hour, ""},
		{"2W", false, 14 * 24 * time.Hour, ""},
		{"3600", false, time.Hour, ""},
		{3600.0, false, time.Hour, ""},
		{"soon", false, 0, "not in the form"},
		{"1x", false, 0, "not in the form"},
		{"h", false, 0, "not in the form"},
		{"-1h", false, 0, "not in the form"},
		{-5.0, false, 0, "below zero"},
		{0.0, false, 0, "less than a second"},
		{1e300, false, 0, "longer than five years"},
		{"99999999999999999999d", false, 0, "not in the form"},
		{"9999999999d", false, 0, "longer than five years"},
		{true, false, 0, "not in the form"},
		{[]any{"1h"}, false, 0, "not in the form"},
	} {
		once, length, err := p.Duration(t.Context(), map[string]any{"fields": map[string]any{"length": c.value}})
		if once != c.once || length != c.length || (err == nil) != (c.fault == "") || err != nil && !strings.Contains(err.Error(), c.fault) {
			t.Errorf("%v: got %v, %v, %v, want %v, %v, %q", c.value, once, length, err, c.once, c.length, c.fault)
		}
	}
}

func TestReasonIsText(t *testing.T) {
	t.Parallel()
	p := decider(t, `"once"`)
	for _, c := range []struct {
		value any
		want  string
	}{{nil, ""}, {" fine \n", "fine"}, {3.0, "3"}, {[]any{"a", "b"}, "a, b"}} {
		got, err := p.Reason(t.Context(), map[string]any{"fields": map[string]any{"note": c.value}})
		if err != nil || got != c.want {
			t.Errorf("%v: got %q, %v, want %q", c.value, got, err, c.want)
		}
	}
}

func TestSettleGivesItsOwnFields(t *testing.T) {
	t.Parallel()
	p := decider(t, `"once"`)
	want := map[string]any{"resolution": map[string]any{"name": "${x}"}, "n": 3.0}
	for range 2 {
		status, fields, ok := p.Settle("approved")
		if diff := cmp.Diff(want, fields); !ok || status != "Approved" || diff != "" {
			t.Errorf("got %q, %v (-want +got):\n%s", status, ok, diff)
		}
		fields["resolution"].(map[string]any)["name"] = "changed"
	}
	if _, _, ok := p.Settle("expired"); ok {
		t.Error("expired is settled, and the rule says nothing of it")
	}
	if status, _, ok := p.Settle("revoked"); !ok || status != "Revoked" {
		t.Errorf("revoked: got %q, %v", status, ok)
	}
	if status, fields, ok := p.Settle("denied"); !ok || status != "Declined" || fields != nil {
		t.Errorf("got %q, %v, %v", status, fields, ok)
	}
}
