package freshservice

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	"github.com/drawbridge-itsm/drawbridge/connectors/freshservice/freshservicestandin"
)

// Who answered stands in the history; who moved the ticket does not, for the desk does not tell.
func TestAnswersByNote(t *testing.T) {
	t.Parallel()
	const kim, lee, max, nobody = 11, 12, 13, 0
	type said struct {
		by   int64
		text string
	}
	tests := []struct {
		name   string
		notes  []said
		want   []string // by, from, to
		answer string
		reason string
	}{
		{name: "none"},
		{name: "one word", notes: []said{{kim, "Approved"}}, want: []string{"11  Approved"}, answer: "Approved"},
		{name: "in other letters, with a stop and a reason", notes: []said{{kim, "approved.\n\nFor a week\nonly"}}, want: []string{"11  Approved"}, answer: "Approved", reason: "For a week\nonly"},
		{name: "a sentence is none", notes: []said{{kim, "Approved by Lee"}, {kim, "I think: Approved"}}},
		{name: "a further note changes nothing", notes: []said{{kim, "Declined"}, {max, "but why?"}}, want: []string{"11  Declined"}, answer: "Declined"},
		{
			name: "each answer stands for its author", notes: []said{{max, "Approved"}, {kim, "Approved"}, {lee, "Declined"}}, answer: "Declined",
			want: []string{"13  Approved", "11 Approved ", "11  Approved", "12 Approved ", "12  Declined"},
		},
		{name: "a rule's note", notes: []said{{nobody, "Approved"}}, want: []string{"automation  Approved"}, answer: "Approved"},
		{name: "our own note", notes: []said{{freshservicestandin.Bridge, "Approved"}}, want: []string{"ours  Approved"}, answer: "Approved"},
		{name: "an app's note", notes: []said{{14, "Approved"}}, want: []string{"automation  Approved"}, answer: "Approved"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, freshservicestandin.Options{}, func(c *Config) { c.Automation = []string{"14"} })
			ref := w.create(t, "k1", request())
			for _, n := range tt.notes {
				w.time.Advance(time.Minute)
				_, err := w.site.NoteAs(ref.ID, n.by, n.text)
				connectortest.Must(t, err)
			}
			connectortest.Must(t, w.site.Move(ref.ID, "Approved"))
			got := w.fetch(t, ref)
			var steps []string
			ids := map[string]bool{}
			for _, s := range got.History {
				who := s.By.Account
				if s.By.Ours {
					who = "ours"
				}
				if s.By.Automation {
					who = "automation"
				}
				if ids[s.ID] || s.ID == "" || s.At.IsZero() || s.Field != "answer" {
					t.Errorf("step %+v", s)
				}
				ids[s.ID] = true
				steps = append(steps, who+" "+s.From+" "+s.To)
			}
			if d := cmp.Diff(tt.want, steps); d != "" {
				t.Errorf("steps (-want +got):\n%s", d)
			}
			if got.Fields["answer"] != tt.answer || got.Fields["answer_reason"] != tt.reason {
				t.Errorf("answer %q, reason %q", got.Fields["answer"], got.Fields["answer_reason"])
			}
			if again := w.fetch(t, ref); !cmp.Equal(again.History, got.History) {
				t.Error("the history is another the second time")
			}
		})
	}
}

func TestNotesThatAreNoAnswers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, freshservicestandin.Options{})
	ref := w.create(t, "k1", request())
	note, err := w.site.NoteAs(ref.ID, 11, "I will look at it")
	connectortest.Must(t, err)
	connectortest.Must(t, w.site.EditNote(ref.ID, note, "Approved"))
	connectortest.Must(t, w.site.MailAs(ref.ID, 11, "Approved"))
	if got := w.fetch(t, ref); len(got.History) != 0 || got.Fields["answer"] != "" {
		t.Errorf("history %+v, answer %q", got.History, got.Fields["answer"])
	}
}

func TestApprovals(t *testing.T) {
	t.Parallel()
	w := newWorld(t, freshservicestandin.Options{Delegates: map[int64]int64{13: 11}})
	for _, ticket := range []connectors.Ticket{serviceOrder(), changeOrder()} {
		ref := w.create(t, strings.ToLower(ticket.Type[:3]), ticket)
		if got := w.fetch(t, ref).Approvals; len(got) != 0 {
			t.Errorf("%s: approvals %+v before anybody was asked", ref.Key, got)
		}
		connectortest.Must(t, w.site.Ask(ref.ID, 11, 12))
		shown := func() string {
			var out []string
			for _, a := range w.fetch(t, ref).Approvals {
				if (a.Outcome == connectors.Pending) != a.At.IsZero() {
					t.Errorf("%s: %+v", ref.Key, a)
				}
				out = append(out, fmt.Sprintf("%s %s=%s/%s", a.By.Account, a.By.Name, a.Outcome, a.Final))
			}
			return strings.Join(out, ", ")
		}
		want := func(text string) {
			t.Helper()
			if got := shown(); got != text {
				t.Errorf("%s: approvals are %s, want %s", ref.Key, got, text)
			}
		}
		want("11 Kim Okafor=pending/pending, 12 Lee Park=pending/pending")
		connectortest.Must(t, w.site.Answer(ref.ID, 11, "approved", "ok"))
		want("11 Kim Okafor=approved/pending, 12 Lee Park=pending/pending")
		connectortest.Must(t, w.site.Answer(ref.ID, 12, "cancelled", ""))
		want("11 Kim Okafor=approved/approved")
		connectortest.Must(t, w.site.Ask(ref.ID, 13))
		connectortest.Must(t, w.site.Answer(ref.ID, 13, "rejected", "no"))
		want("11 Kim Okafor=approved/denied, 11 Delegate=denied/denied")
		all := w.fetch(t, ref).Approvals
		if all[0].ID == all[1].ID {
			t.Errorf("%s: two rounds have one id", ref.Key)
		}
	}
}

func TestApprovalsOfTicketsThatDoNotSayWhatTheyCameTo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, freshservicestandin.Options{NoRollUp: true})
	for n, tt := range []struct {
		answers []string
		want    connectors.Outcome
	}{
		{[]string{"approved", ""}, connectors.Pending},
		{[]string{"approved", "approved"}, connectors.Approved},
		{[]string{"approved", "cancelled"}, connectors.Approved},
		{[]string{"rejected", ""}, connectors.Denied},
	} {
		ref := w.create(t, fmt.Sprint("k", n), serviceOrder())
		connectortest.Must(t, w.site.Ask(ref.ID, 11, 12))
		for i, answer := range tt.answers {
			if answer != "" {
				connectortest.Must(t, w.site.Answer(ref.ID, int64(11+i), answer, ""))
			}
		}
		for _, a := range w.fetch(t, ref).Approvals {
			if a.Final != tt.want {
				t.Errorf("%v came to %s, want %s", tt.answers, a.Final, tt.want)
			}
		}
	}
}

// Whoever has any agent's key can write a note in another's name. So no note answers where the operator did not say so.
func TestNotesAnswerOnlyWhereTheOperatorSaysSo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, freshservicestandin.Options{}, func(c *Config) { c.Answers = nil })
	ref := w.create(t, "k1", request())
	_, err := w.site.NoteAs(ref.ID, 11, "Approved")
	connectortest.Must(t, err)
	if got := w.fetch(t, ref); len(got.History) != 0 || got.Fields["answer"] != "" {
		t.Errorf("history %+v, answer %q", got.History, got.Fields["answer"])
	}
	named := func(marked []string) bool {
		return slices.ContainsFunc(marked, func(line string) bool { return strings.HasPrefix(line, "answers: ") })
	}
	if named(w.Unverified()) || !named(newWorld(t, freshservicestandin.Options{}).Unverified()) {
		t.Error("answers by note are to be named where they are in use")
	}
}
