package judge

import (
	"errors"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/mapping"
)

func field(id, by, name, from, to string) connectors.Step {
	return connectors.Step{ID: id, At: noon, By: account(by), Field: name, From: from, To: to}
}

func ours(s connectors.Step) connectors.Step { s.By.Ours = true; return s }

// now gives the ticket's fields the values they have at the end.
func now(name string, value any) change {
	return func(in *Input) { in.Ticket.Snapshot.Fields[name] = value }
}

func needsReason(in *Input) { in.Terms.ReasonRequired = true }

var (
	kimApproves = move("5", "acc-kim", "Open", "Approved")
	leeApproves = move("8", "acc-lee", "Open", "Approved")
	away        = move("7", "acc-max", "Approved", "Open")
)

func TestHostileChoiceOfDurationAndReason(t *testing.T) {
	t.Parallel()
	odd := func(ticket map[string]any) (bool, time.Duration, error) {
		if ticket["fields"].(map[string]any)["hours"] == "" {
			return false, 0, errors.New("odd")
		}
		return byHours(ticket)
	}
	tests := []struct {
		name    string
		changes []change
		want    Outcome
		code    Code
		length  time.Duration
		reason  string
	}{
		{"as it was opened", []change{stands("Approved", kimApproves), now("hours", "1"), now("words", "ours")}, Approved, "", time.Hour, "ours"},
		{"chosen by who approves", []change{stands("Approved", field("1", "acc-kim", "hours", "", "1"), field("2", "acc-kim", "words", "", "known"), kimApproves), now("hours", "1"), now("words", "known")}, Approved, "", time.Hour, "known"},
		{"written by us", []change{stands("Approved", ours(field("1", "acc-us", "hours", "", "1")), kimApproves), now("hours", "1")}, Approved, "", time.Hour, ""},
		{"chosen by another before, and then by who approves", []change{stands("Approved", field("1", "acc-ana", "hours", "", "8"), field("2", "acc-kim", "hours", "8", "1"), kimApproves), now("hours", "1")}, Approved, "", time.Hour, ""},
		{"chosen by the requester before", []change{stands("Approved", field("1", "acc-ana", "hours", "", "8"), kimApproves), now("hours", "8")}, Refused, DurationRefused, 0, ""},
		{"one use chosen by the requester before", []change{stands("Approved", field("1", "acc-ana", "hours", "", "once"), kimApproves), now("hours", "once")}, Refused, DurationRefused, 0, ""},
		{"changed by the requester before", []change{stands("Approved", field("1", "acc-kim", "hours", "", "1"), field("2", "acc-ana", "hours", "1", "8"), kimApproves), now("hours", "8")}, Refused, DurationRefused, 0, ""},
		{"changed by the requester and put back", []change{stands("Approved", field("1", "acc-ana", "hours", "1", "8"), field("2", "acc-ana", "hours", "8", "1"), kimApproves), now("hours", "1")}, Approved, "", time.Hour, ""},
		{"changed by the requester afterwards", []change{stands("Approved", field("1", "acc-kim", "hours", "", "1"), kimApproves, field("6", "acc-ana", "hours", "1", "8")), now("hours", "8")}, Approved, "", time.Hour, ""},
		{"changed by who approves afterwards, and then by the requester", []change{stands("Approved", kimApproves, field("6", "acc-kim", "hours", "1", "2"), field("7", "acc-ana", "hours", "2", "8")), now("hours", "8")}, Approved, "", 2 * time.Hour, ""},
		{"changed by the requester afterwards, and then by who approves", []change{stands("Approved", kimApproves, field("6", "acc-ana", "hours", "1", "8"), field("7", "acc-kim", "hours", "8", "2")), now("hours", "2")}, Approved, "", 2 * time.Hour, ""},
		{"changed afterwards by an automation under an approver's account", []change{stands("Approved", kimApproves, func() connectors.Step {
			s := field("6", "acc-kim", "hours", "1", "8")
			s.By.Automation = true
			return s
		}()), now("hours", "8")}, Approved, "", time.Hour, ""},
		{"chosen by the first of two", []change{quorum(2), stands("Approved", field("1", "acc-kim", "hours", "", "1"), kimApproves, away, leeApproves), now("hours", "1")}, Approved, "", time.Hour, ""},
		{"changed between two", []change{quorum(2), stands("Approved", field("1", "acc-kim", "hours", "", "1"), kimApproves, field("6", "acc-ana", "hours", "1", "8"), away, leeApproves), now("hours", "8")}, Refused, DurationRefused, 0, ""},
		{"what was there before somebody chose cannot be read", []change{stands("Approved", field("1", "acc-ana", "hours", "", "8"), kimApproves), now("hours", "8"), func(in *Input) { in.Ticket.Duration = odd }}, Refused, DurationRefused, 0, ""},
		{"taken away by the requester, and what was there before cannot be read", []change{stands("Approved", field("1", "acc-ana", "hours", "some", ""), kimApproves), now("hours", "")}, Refused, DurationRefused, 0, ""},
		{"answered natively, chosen by the requester before", []change{natively(answer("1", "acc-kim", connectors.Approved, connectors.Approved)), func(in *Input) {
			in.Ticket.Snapshot.History = []connectors.Step{field("1", "acc-ana", "hours", "", "8")}
		}, now("hours", "8")}, Refused, DurationRefused, 0, ""},
		{"answered natively, changed by the requester afterwards", []change{natively(answer("1", "acc-kim", connectors.Approved, connectors.Approved)), func(in *Input) {
			in.Ticket.Snapshot.History = []connectors.Step{at(field("1", "acc-ana", "hours", "1", "8"), noon.Add(time.Second))}
		}, now("hours", "8")}, Approved, "", time.Hour, ""},
		{"who approves last is not the last to answer", []change{natively(answer("1", "acc-kim", connectors.Approved, connectors.Approved), func() connectors.Approval {
			a := answer("1", "acc-max", connectors.Approved, connectors.Approved)
			a.At = noon.Add(2 * time.Second)
			return a
		}()), func(in *Input) {
			in.Ticket.Snapshot.History = []connectors.Step{at(field("1", "acc-ana", "hours", "1", "8"), noon.Add(time.Second))}
		}, now("hours", "8")}, Approved, "", time.Hour, ""},

		{"a reason by the requester is none", []change{stands("Approved", field("1", "acc-ana", "words", "", "trust me"), kimApproves), now("words", "trust me")}, Approved, "", 0, ""},
		{"a reason by the requester where one is needed", []change{needsReason, stands("Approved", field("1", "acc-ana", "words", "", "trust me"), kimApproves), now("words", "trust me")}, Refused, NoReason, 0, ""},
		{"a reason given afterwards", []change{needsReason, stands("Approved", kimApproves, field("6", "acc-kim", "words", "", "known")), now("words", "known")}, Approved, "", 0, "known"},
		{"a reason changed by the requester afterwards", []change{needsReason, stands("Approved", field("1", "acc-kim", "words", "", "known"), kimApproves, field("6", "acc-ana", "words", "known", "trust me")), now("words", "trust me")}, Approved, "", 0, "known"},
		{"a reason that cannot be read", []change{stands("Approved", kimApproves), now("words", "unreadable")}, Refused, ConditionFailed, 0, ""},
		{"a reason instead of one that cannot be read", []change{needsReason, stands("Approved", field("1", "acc-ana", "words", "unreadable", ""), kimApproves), now("words", "")}, Refused, NoReason, 0, ""},
		{"a reason that cannot be read, for a no", []change{stands("Declined", move("1", "acc-kim", "Open", "Declined")), now("words", "unreadable")}, Denied, "", 0, ""},
		{"the duration of a no is nobody's matter", []change{stands("Declined", field("1", "acc-ana", "hours", "", "8"), move("2", "acc-kim", "Open", "Declined")), now("hours", "8")}, Denied, "", 0, ""},
		{"a reason for a no, beside a duration that cannot be read", []change{needsReason, stands("Declined", move("1", "acc-kim", "Open", "Declined")), now("hours", "some"), now("words", "known")}, Denied, "", 0, "known"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			in := approvedByKim()
			for _, f := range test.changes {
				f(&in)
			}
			got := Judge(in)
			if got.Outcome != test.want || got.Code != test.code || got.Length != test.length || got.Reason != test.reason {
				t.Errorf("got %s %q (%s) for %s, %q; want %s %q for %s, %q", got.Outcome, got.Code, got.Text, got.Length, got.Reason, test.want, test.code, test.length, test.reason)
			}
		})
	}
}

func TestHostileEditsOfWhatConditionsSee(t *testing.T) {
	t.Parallel()
	unlessHigh := func(a mapping.Approvers, actor mapping.Actor, ticket map[string]any) (bool, error) {
		if ticket["priority"] == "unreadable" {
			return true, errors.New("odd")
		}
		named, err := byName(a, actor, ticket)
		return named && ticket["priority"] != "High", err
	}
	inReview := func(a mapping.Approvers, actor mapping.Actor, ticket map[string]any) (bool, error) {
		return ticket["status"] == "Approved", nil
	}
	blind := func(in *Input) { in.Ticket.Blind = errors.New("anybody could have written it") }
	conditional := func(in *Input) { in.Terms.Approvers.When = "ticket.priority != 'High'" }
	stands := func(status, priority string, steps ...connectors.Step) change {
		return func(in *Input) {
			stands(status, steps...)(in)
			in.Ticket.Snapshot.Priority, in.Admit = priority, unlessHigh
		}
	}
	tests := []struct {
		name    string
		changes []change
		want    Outcome
		code    Code
	}{
		{"as we wrote it", []change{stands("Approved", "Low", kimApproves)}, Approved, ""},
		{"as we wrote it, which does not admit", []change{stands("Approved", "High", kimApproves)}, Refused, NotAnApprover},
		{"made to admit after the click", []change{stands("Approved", "Low", kimApproves, field("6", "acc-ana", "priority", "High", "Low"))}, Refused, NotAnApprover},
		{"made to admit before the click", []change{stands("Approved", "Low", field("1", "acc-ana", "priority", "High", "Low"), kimApproves)}, Refused, NotAnApprover},
		{"made to admit by the approver", []change{stands("Approved", "Low", field("1", "acc-kim", "priority", "High", "Low"), kimApproves)}, Refused, NotAnApprover},
		{"made to admit by us", []change{stands("Approved", "Low", ours(field("1", "acc-us", "priority", "High", "Low")), kimApproves)}, Approved, ""},
		{"made to admit by us, and edited since", []change{stands("Approved", "Lowest", ours(field("1", "acc-us", "priority", "High", "Low")), field("2", "acc-max", "priority", "Low", "Lowest"), kimApproves)}, Approved, ""},
		{"made to admit by another, and written by us since", []change{stands("Approved", "Low", field("1", "acc-ana", "priority", "High", "Lowest"), ours(field("2", "acc-us", "priority", "Lowest", "Low")), kimApproves)}, Approved, ""},
		{"no longer admits at the click", []change{stands("Approved", "High", field("1", "acc-max", "priority", "Low", "High"), kimApproves)}, Refused, NotAnApprover},
		{"no longer admits after the click", []change{stands("Approved", "High", kimApproves, field("6", "acc-max", "priority", "Low", "High"))}, Approved, ""},
		{"what we wrote cannot be worked out", []change{stands("Approved", "Low", field("1", "acc-max", "priority", "unreadable", "Low"), kimApproves)}, Refused, ConditionFailed},
		{"what stood there at the click cannot be worked out", []change{stands("Approved", "unreadable", field("1", "acc-max", "priority", "Low", "unreadable"), kimApproves)}, Refused, ConditionFailed},
		{"a condition on the status that the only step set", []change{stands("Approved", "Low", kimApproves), func(in *Input) { in.Admit = inReview }}, Approved, ""},
		{"a condition on the status that the click set", []change{stands("Approved", "Low", move("1", "acc-max", "Open", "Review"), move("2", "acc-kim", "Review", "Approved")), func(in *Input) { in.Admit = inReview }}, Approved, ""},
		{"a condition on a status that the click did not set", []change{stands("Approved", "Low", move("1", "acc-kim", "Open", "Granted"), move("2", "acc-max", "Granted", "Approved")), func(in *Input) {
			in.Admit = inReview
			in.Ticket.Holds = func(ticket map[string]any) (mapping.Verdict, error) {
				return mapping.Verdict{Approved: ticket["status"] != "Open"}, nil
			}
		}}, Refused, NotAnApprover},
		{"an answer of the desk's own approval", []change{natively(answer("1", "acc-kim", connectors.Approved, connectors.Approved)), func(in *Input) {
			in.Admit, in.Ticket.Snapshot.Priority = unlessHigh, "Low"
			in.Ticket.Snapshot.History = []connectors.Step{at(field("1", "acc-ana", "priority", "High", "Low"), noon.Add(time.Second))}
		}}, Refused, NotAnApprover},
		{"no condition may look at the ticket", []change{stands("Approved", "Low", kimApproves), conditional, blind}, Refused, ConditionFailed},
		{"no condition may look at the ticket, and there is none", []change{stands("Approved", "Low", kimApproves), blind}, Approved, ""},
		{"a deputy", []change{stands("Approved", "Low", field("1", "acc-ana", "priority", "High", "Low"), move("2", "acc-max", "Open", "Approved")), func(in *Input) {
			in.Terms.Deadline = &mapping.Deadline{After: 10 * time.Hour, Deputy: &mapping.Deputy{After: time.Minute, Approvers: mapping.Approvers{People: []string{"max"}}}}
		}}, Refused, NotAnApprover},
		{"the wish to take access back", []change{func(in *Input) {
			revocable(in)
			in.Admit, in.Ticket.Snapshot.Priority = unlessHigh, "Low"
			in.Ticket.Snapshot.History = append(in.Ticket.Snapshot.History, field("3", "acc-kim", "priority", "High", "Low"))
		}}, Refused, NotAnApprover},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			in := approvedByKim()
			for _, f := range test.changes {
				f(&in)
			}
			if got := Judge(in); got.Outcome != test.want || got.Code != test.code {
				t.Errorf("got %s %q (%s), want %s %q", got.Outcome, got.Code, got.Text, test.want, test.code)
			}
		})
	}
}
