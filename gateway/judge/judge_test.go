package judge

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/mapping"
)

var noon = time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC) // a Monday

func account(id string) connectors.Account {
	return connectors.Account{Person: connectors.Person{Account: id, Name: "Name of " + id, Mail: id + "@corp.example"}}
}

func move(id, by, from, to string) connectors.Step {
	return connectors.Step{ID: id, At: noon, By: account(by), Field: "status", From: from, To: to}
}

func edit(id, by, from, to string) connectors.Step {
	return connectors.Step{ID: id, At: noon, By: account(by), Field: "summary", From: from, To: to}
}

func answer(id, by string, said, final connectors.Outcome) connectors.Approval {
	return connectors.Approval{ID: id, By: account(by), Outcome: said, At: noon, Final: final}
}

// approvedByKim is a claim that holds in every respect; the cases below change one thing each.
func approvedByKim() Input {
	snapshot := connectors.Snapshot{
		Ref: connectors.Ref{ID: "100", Key: "SEC-1"}, Key: "k1", Ours: true, Status: "Approved", Category: "done",
		Summary: "ana asks", Description: "please", Fields: map[string]any{"risk": "low"},
		History: []connectors.Step{move("1", "acc-kim", "Open", "Approved")},
	}
	return Input{
		Opened: noon.Add(-time.Hour), Waiting: true, Requester: "ana", Aliases: []string{`CORP\ana`, "ana@corp.example"},
		Terms: mapping.Terms{Name: "approvers", Quorum: 1,
			Approvers: mapping.Approvers{People: []string{"kim", "lee"}, Groups: []string{"security"}}},
		Admit: byName,
		Ticket: Evidence{
			Link: "lnk-1", Key: "k1", RefID: "100", Baseline: Content(snapshot, []string{"summary", "description"}), Snapshot: snapshot, Matters: []string{"summary", "description"},
			Holds: byStatus, Duration: byHours, Reason: byWords,
			Movers: map[string]Mover{"acc-kim": {Person: "kim"}, "acc-lee": {Person: "lee"}, "acc-max": {Person: "max"}, "acc-ana": {Person: "ana"}},
		},
	}
}

func byStatus(ticket map[string]any) (mapping.Verdict, error) {
	status := ticket["status"]
	return mapping.Verdict{Approved: status == "Approved", Denied: status == "Declined", Revoked: status == "Revoked"}, nil
}

// byHours reads the hours chosen off a field, "once", or nothing.
func byHours(ticket map[string]any) (once bool, length time.Duration, err error) {
	text, _ := ticket["fields"].(map[string]any)["hours"].(string)
	if text == "" || text == "once" {
		return text == "once", 0, nil
	}
	n, err := strconv.Atoi(text)
	return false, time.Duration(n) * time.Hour, err
}

func byWords(ticket map[string]any) (string, error) {
	text, _ := ticket["fields"].(map[string]any)["words"].(string)
	if text == "unreadable" {
		return "", errors.New("odd")
	}
	return text, nil
}

// byName is an independent reading of who is named.
func byName(a mapping.Approvers, actor mapping.Actor, _ map[string]any) (bool, error) {
	if slices.Contains(a.People, actor.Person) {
		return true, nil
	}
	return slices.ContainsFunc(actor.Groups, func(g string) bool { return slices.Contains(a.Groups, g) }), nil
}

func TestJudge(t *testing.T) {
	t.Parallel()
	history := func(in *Input, steps ...connectors.Step) { in.Ticket.Snapshot.History = steps }
	status := func(in *Input, name string) { in.Ticket.Snapshot.Status = name }
	tests := []struct {
		name   string
		change func(*Input)
		want   Outcome
		code   Code
	}{
		{"approved by an approver", func(*Input) {}, Approved, ""},
		{"denied by an approver", func(in *Input) {
			status(in, "Declined")
			history(in, move("1", "acc-kim", "Open", "Declined"))
		}, Denied, ""},
		{"status decides nothing", func(in *Input) { status(in, "In progress") }, Wait, ""},
		{"moved to a deciding status and away again", func(in *Input) {
			status(in, "Open")
			history(in, move("1", "acc-kim", "Open", "Approved"), move("2", "acc-kim", "Approved", "Open"))
		}, Wait, ""},
		{"approver by a group of the desk", func(in *Input) {
			history(in, move("1", "acc-max", "Open", "Approved"))
			in.Ticket.Movers["acc-max"] = Mover{Person: "max", Groups: []string{"staff", "security"}}
		}, Approved, ""},
		{"somebody without the right", func(in *Input) { history(in, move("1", "acc-max", "Open", "Approved")) }, Refused, NotAnApprover},
		{"in a group that is not named", func(in *Input) {
			history(in, move("1", "acc-max", "Open", "Approved"))
			in.Ticket.Movers["acc-max"] = Mover{Person: "max", Groups: []string{"Security"}}
		}, Refused, NotAnApprover},
		{"the requester", func(in *Input) {
			in.Terms.Approvers.People = []string{"ana"}
			history(in, move("1", "acc-ana", "Open", "Approved"))
		}, Refused, SelfApproval},
		{"the requester under an account joined to another person", func(in *Input) {
			in.Ticket.Snapshot.History[0].By.Mail = "ANA@corp.example"
		}, Refused, SelfApproval},
		{"requester unknown", func(in *Input) { in.Requester = "" }, Refused, UnknownRequester},
		{"requester unknown, and the policy allows it", func(in *Input) { in.Requester, in.Terms.AllowUnknownRequester = "", true }, Approved, ""},
		{"requester unknown and allowed, but the mover bears the requester's name", func(in *Input) {
			in.Requester, in.Terms.AllowUnknownRequester = "", true
			in.Aliases = []string{"ACC-KIM"}
		}, Refused, SelfApproval},
		{"mover unknown", func(in *Input) { in.Ticket.Movers = nil }, Refused, UnknownMover},
		{"mover known as nobody", func(in *Input) { in.Ticket.Movers["acc-kim"] = Mover{Groups: []string{"security"}} }, Refused, UnknownMover},
		{"mover without an account", func(in *Input) {
			in.Ticket.Snapshot.History[0].By = connectors.Account{}
			in.Ticket.Movers[""] = Mover{Person: "kim"}
		}, Refused, UnknownMover},
		{"our own account", func(in *Input) { in.Ticket.Snapshot.History[0].By.Ours = true }, Refused, OwnAccount},
		{"an automation", func(in *Input) { in.Ticket.Snapshot.History[0].By.Automation = true }, Refused, Automation},
		{"no history", func(in *Input) { history(in) }, Refused, NoMover},
		{"history without the step", func(in *Input) {
			history(in, connectors.Step{ID: "1", By: account("acc-kim"), Field: "labels", From: "a", To: "b"})
		}, Refused, NoMover},
		{"another ticket", func(in *Input) { in.Ticket.Snapshot.Ref.ID = "101" }, Refused, NotOurs},
		{"a ticket somebody else created", func(in *Input) { in.Ticket.Snapshot.Ours = false }, Refused, NotOurs},
		{"key of another ticket", func(in *Input) { in.Ticket.Snapshot.Key = "k2" }, Refused, MarkChanged},
		{"key removed", func(in *Input) { in.Ticket.Snapshot.Key = "" }, Refused, MarkChanged},
		{"condition fails", func(in *Input) {
			in.Ticket.Holds = func(map[string]any) (mapping.Verdict, error) { return mapping.Verdict{}, errors.New("no such field") }
		}, Refused, ConditionFailed},
		{"condition fails on an earlier state", func(in *Input) {
			in.Ticket.Holds = func(ticket map[string]any) (mapping.Verdict, error) {
				if ticket["status"] == "Open" {
					return mapping.Verdict{}, errors.New("no such field")
				}
				return byStatus(ticket)
			}
		}, Refused, ConditionFailed},
		{"condition on the category", func(in *Input) {
			in.Ticket.Holds = func(ticket map[string]any) (mapping.Verdict, error) {
				return mapping.Verdict{Approved: ticket["category"] == "done"}, nil
			}
		}, Refused, ConditionFailed},
		{"policy's condition fails", func(in *Input) {
			in.Admit = func(mapping.Approvers, mapping.Actor, map[string]any) (bool, error) { return true, errors.New("odd") }
		}, Refused, ConditionFailed},
		{"a later step inside the run does not launder the first", func(in *Input) {
			in.Ticket.Holds = func(ticket map[string]any) (mapping.Verdict, error) {
				return mapping.Verdict{Approved: ticket["status"] == "Approved" || ticket["status"] == "Done"}, nil
			}
			status(in, "Done")
			history(in, move("1", "acc-max", "Open", "Approved"), move("2", "acc-kim", "Approved", "Done"))
		}, Refused, NotAnApprover},
		{"an approver moves it anew after a refused move", func(in *Input) {
			history(in, move("1", "acc-max", "Open", "Approved"), move("2", "acc-max", "Approved", "Open"), move("3", "acc-kim", "Open", "Approved"))
		}, Approved, ""},
		{"whoever completes the condition answers for it", func(in *Input) {
			in.Ticket.Holds = func(ticket map[string]any) (mapping.Verdict, error) {
				fields := ticket["fields"].(map[string]any)
				return mapping.Verdict{Approved: ticket["status"] == "Approved" && fields["risk"] == "low"}, nil
			}
			in.Ticket.Snapshot.History = append(in.Ticket.Snapshot.History, connectors.Step{ID: "2", By: account("acc-max"), Field: "risk", From: "high", To: "low"})
		}, Refused, NotAnApprover},

		{"refused before, and the text put back without a trace", func(in *Input) { in.Ticket.Spoiled = []string{"1"} }, Refused, ContentChanged},
		{"another's claim was refused before", func(in *Input) { in.Ticket.Spoiled = []string{"2"} }, Approved, ""},
		{"one claim was refused for its text, then one was made anew", func(in *Input) {
			history(in, move("1", "acc-lee", "Open", "Approved"), move("2", "acc-kim", "Approved", "Open"), move("3", "acc-kim", "Open", "Approved"))
			in.Ticket.Spoiled = []string{"1"}
			in.Terms.Quorum = 2
		}, Counted, ""},
		{"a claim from before one that was refused for its text", func(in *Input) {
			history(in, move("1", "acc-lee", "Open", "Approved"), move("2", "acc-max", "Approved", "Open"), move("3", "acc-kim", "Open", "Approved"))
			in.Ticket.Spoiled = []string{"3"}
		}, Refused, ContentChanged},
		{"two claims of which the last was refused for its text, and a third", func(in *Input) {
			history(in, move("1", "acc-lee", "Open", "Approved"), move("2", "acc-max", "Approved", "Open"), move("3", "acc-max", "Open", "Approved"),
				move("4", "acc-kim", "Approved", "Open"), move("5", "acc-kim", "Open", "Approved"))
			in.Ticket.Spoiled = []string{"3"}
			in.Terms.Quorum = 2
		}, Counted, ""},
		{"content differs from what we wrote", func(in *Input) { in.Ticket.Snapshot.Summary = "ana asks for less" }, Refused, ContentChanged},
		{"content edited after the approval and put back", func(in *Input) {
			in.Ticket.Snapshot.History = append(in.Ticket.Snapshot.History,
				connectors.Step{ID: "2", By: account("acc-max"), Field: "summary", From: "ana asks", To: "x"},
				connectors.Step{ID: "3", By: account("acc-max"), Field: "summary", From: "x", To: "ana asks"})
		}, Refused, ContentChanged},
		{"content edited before the approval and put back", func(in *Input) {
			history(in, connectors.Step{ID: "2", By: account("acc-max"), Field: "summary", From: "ana asks", To: "x"},
				connectors.Step{ID: "3", By: account("acc-max"), Field: "summary", From: "x", To: "ana asks"}, move("4", "acc-kim", "Open", "Approved"))
		}, Approved, ""},
		{"our own edit after the approval", func(in *Input) {
			by := account("acc-bridge")
			by.Ours = true
			in.Ticket.Snapshot.History = append(in.Ticket.Snapshot.History, connectors.Step{ID: "2", By: by, Field: "summary", From: "a", To: "ana asks"})
		}, Approved, ""},
		{"a field that does not matter edited after the approval", func(in *Input) {
			in.Ticket.Snapshot.History = append(in.Ticket.Snapshot.History, connectors.Step{ID: "2", By: account("acc-max"), Field: "assignee", To: "x"})
		}, Approved, ""},
		{"first read has nothing to compare with", func(in *Input) { in.Ticket.Baseline = "" }, Approved, ""},

		{"quorum of two, one so far", func(in *Input) { in.Terms.Quorum = 2 }, Counted, ""},
		{"quorum of two, the same person twice", func(in *Input) {
			in.Terms.Quorum = 2
			history(in, move("1", "acc-kim", "Open", "Approved"), move("2", "acc-max", "Approved", "Open"), move("3", "acc-kim", "Open", "Approved"))
		}, Counted, ""},
		{"quorum of two, two people", func(in *Input) {
			in.Terms.Quorum = 2
			history(in, move("1", "acc-kim", "Open", "Approved"), move("2", "acc-lee", "Approved", "Open"), move("3", "acc-lee", "Open", "Approved"))
		}, Approved, ""},
		{"quorum of two, the first took theirs back", func(in *Input) {
			in.Terms.Quorum = 2
			history(in, move("1", "acc-kim", "Open", "Approved"), move("2", "acc-kim", "Approved", "Open"), move("3", "acc-lee", "Open", "Approved"))
		}, Counted, ""},
		{"quorum of two, one of them without the right", func(in *Input) {
			in.Terms.Quorum = 2
			history(in, move("1", "acc-max", "Open", "Approved"), move("2", "acc-lee", "Approved", "Open"), move("3", "acc-lee", "Open", "Approved"))
		}, Counted, ""},
		{"quorum of two, the earlier before an edit", func(in *Input) {
			in.Terms.Quorum = 2
			history(in, move("1", "acc-kim", "Open", "Approved"), edit("2", "acc-max", "ana asks", "x"), edit("3", "acc-max", "x", "ana asks"),
				move("4", "acc-lee", "Approved", "Open"), move("5", "acc-lee", "Open", "Approved"))
		}, Counted, ""},
		{"quorum of two with a vote from elsewhere", func(in *Input) {
			in.Terms.Quorum = 2
			in.Votes = []Vote{{Claim: "v", Outcome: Approved, At: noon, Actor: mapping.Actor{Person: "lee", Account: "u-lee"}}}
		}, Approved, ""},
		{"a vote of the same person counts once", func(in *Input) {
			in.Terms.Quorum = 2
			in.Votes = []Vote{{Claim: "v", Outcome: Approved, At: noon, Actor: mapping.Actor{Person: "kim"}}}
		}, Counted, ""},
		{"a vote for the other side", func(in *Input) {
			in.Terms.Quorum = 2
			in.Votes = []Vote{{Claim: "v", Outcome: Denied, At: noon, Actor: mapping.Actor{Person: "lee"}}}
		}, Counted, ""},
		{"a vote of somebody who lost the right", func(in *Input) {
			in.Terms.Quorum = 2
			in.Votes = []Vote{{Claim: "v", Outcome: Approved, At: noon, Actor: mapping.Actor{Person: "max", Groups: nil}}}
		}, Counted, ""},
		{"a vote of the requester", func(in *Input) {
			in.Terms.Quorum, in.Terms.Approvers.People = 2, []string{"kim", "ana"}
			in.Votes = []Vote{{Claim: "v", Outcome: Approved, At: noon, Actor: mapping.Actor{Person: "ana"}}}
		}, Counted, ""},
		{"a vote of the requester's own account", func(in *Input) {
			in.Terms.Quorum = 2
			in.Votes = []Vote{{Claim: "v", Outcome: Approved, At: noon, Actor: mapping.Actor{Person: "lee", Account: `CORP\ana`}}}
		}, Counted, ""},
		{"a vote of nobody", func(in *Input) {
			in.Terms.Quorum = 2
			in.Admit = func(mapping.Approvers, mapping.Actor, map[string]any) (bool, error) { return true, nil }
			in.Votes = []Vote{{Claim: "v", Outcome: Approved, At: noon}}
		}, Counted, ""},
		{"veto by one", func(in *Input) {
			in.Terms.Quorum = 3
			status(in, "Declined")
			history(in, move("1", "acc-kim", "Open", "Declined"))
		}, Denied, ""},
		{"no veto where noes take a quorum", func(in *Input) {
			in.Terms.Quorum, in.Terms.DenyByQuorum = 2, true
			status(in, "Declined")
			history(in, move("1", "acc-kim", "Open", "Declined"))
		}, Counted, ""},
		{"body edited in quarantine takes a second person", func(in *Input) { in.Edited = true }, Counted, ""},
		{"body edited in quarantine, denied by one", func(in *Input) {
			in.Edited = true
			status(in, "Declined")
			history(in, move("1", "acc-kim", "Open", "Declined"))
		}, Counted, ""},

		{"within hours", func(in *Input) { in.Terms.Hours = office(t) }, Approved, ""},
		{"outside hours", func(in *Input) {
			in.Terms.Hours = office(t)
			in.Ticket.Snapshot.History[0].At = noon.Add(12 * time.Hour)
		}, Refused, OutOfHours},
		{"hours, and the desk tells no time", func(in *Input) {
			in.Terms.Hours = office(t)
			in.Ticket.Snapshot.History[0].At = time.Time{}
		}, Refused, OutOfHours},
		{"in time", func(in *Input) { in.Terms.Deadline = &mapping.Deadline{After: time.Hour} }, Approved, ""},
		{"after the deadline", func(in *Input) { in.Terms.Deadline = &mapping.Deadline{After: 59 * time.Minute} }, Refused, Late},
		{"deadline, and the desk tells no time", func(in *Input) {
			in.Terms.Deadline = &mapping.Deadline{After: 10 * time.Hour}
			in.Ticket.Snapshot.History[0].At = time.Time{}
		}, Refused, Late},
		{"a deputy in their time", func(in *Input) {
			in.Terms.Deadline = &mapping.Deadline{Deputy: &mapping.Deputy{After: time.Hour, Approvers: mapping.Approvers{People: []string{"max"}}}}
			history(in, move("1", "acc-max", "Open", "Approved"))
		}, Approved, ""},
		{"a deputy too early", func(in *Input) {
			in.Terms.Deadline = &mapping.Deadline{Deputy: &mapping.Deputy{After: time.Hour + time.Second, Approvers: mapping.Approvers{People: []string{"max"}}}}
			history(in, move("1", "acc-max", "Open", "Approved"))
		}, Refused, NotAnApprover},
		{"reason wanted and given", func(in *Input) { in.Terms.ReasonRequired, in.Ticket.Snapshot.Fields["words"] = true, "known tool" }, Approved, ""},
		{"reason wanted and not given", func(in *Input) { in.Terms.ReasonRequired = true }, Refused, NoReason},
		{"duration allowed", func(in *Input) {
			in.Terms.Durations = &mapping.Durations{Max: 2 * time.Hour}
			in.Ticket.Snapshot.Fields["hours"] = "1"
		}, Approved, ""},
		{"duration not among those allowed", func(in *Input) {
			in.Terms.Durations = &mapping.Durations{Allowed: []mapping.Granted{{Length: time.Hour}}}
			in.Ticket.Snapshot.Fields["hours"] = "2"
		}, Refused, DurationRefused},
		{"duration unreadable", func(in *Input) { in.Ticket.Snapshot.Fields["hours"] = "some" }, Refused, ConditionFailed},
		{"duration unreadable is no matter in a denial", func(in *Input) {
			in.Ticket.Snapshot.Fields["hours"] = "some"
			status(in, "Declined")
			history(in, move("1", "acc-kim", "Open", "Declined"))
		}, Denied, ""},

		{"decided before, otherwise", func(in *Input) {
			in.Waiting, in.Decided = false, &Decided{Outcome: Denied, Link: "lnk-2", Claim: "9"}
		}, Refused, AlreadyDecided},
		{"decided before, the same", func(in *Input) {
			in.Waiting, in.Decided = false, &Decided{Outcome: Approved, Link: "lnk-2", Claim: "9"}
		}, Wait, ""},
		{"the claim of the decision itself", func(in *Input) {
			in.Waiting, in.Decided = false, &Decided{Outcome: Denied, Link: "lnk-1", Claim: "1"}
		}, Wait, ""},
		{"ended without a decision", func(in *Input) { in.Waiting = false }, Refused, Ended},

		{"native approval, complete", func(in *Input) {
			history(in)
			in.Ticket.Snapshot.Approvals = []connectors.Approval{answer("1", "acc-kim", connectors.Approved, connectors.Approved), answer("1", "acc-lee", connectors.Pending, connectors.Approved)}
		}, Approved, ""},
		{"native approval, declined", func(in *Input) {
			in.Ticket.Snapshot.Approvals = []connectors.Approval{answer("1", "acc-kim", connectors.Denied, connectors.Denied)}
		}, Denied, ""},
		{"native approval, the desk still waits", func(in *Input) {
			in.Ticket.Snapshot.Approvals = []connectors.Approval{answer("1", "acc-kim", connectors.Approved, connectors.Pending)}
		}, Wait, ""},
		{"native approval by somebody the policy does not name", func(in *Input) {
			in.Ticket.Snapshot.Approvals = []connectors.Approval{answer("1", "acc-max", connectors.Approved, connectors.Approved)}
		}, Refused, NotAnApprover},
		{"native approval by two, one of whom the policy names", func(in *Input) {
			in.Ticket.Snapshot.Approvals = []connectors.Approval{answer("1", "acc-kim", connectors.Approved, connectors.Approved), answer("1", "acc-max", connectors.Approved, connectors.Approved)}
		}, Approved, ""},
		{"native approval asked again counts anew", func(in *Input) {
			in.Ticket.Snapshot.Approvals = []connectors.Approval{answer("1", "acc-kim", connectors.Approved, connectors.Approved), answer("2", "acc-kim", connectors.Pending, connectors.Pending)}
		}, Wait, ""},
		{"native approval that nobody gave", func(in *Input) {
			in.Ticket.Snapshot.Approvals = []connectors.Approval{answer("1", "acc-kim", connectors.Pending, connectors.Approved)}
		}, Refused, NoMover},
		{"native approval by an automation", func(in *Input) {
			a := answer("1", "acc-kim", connectors.Approved, connectors.Approved)
			a.By.Automation = true
			in.Ticket.Snapshot.Approvals = []connectors.Approval{a}
		}, Refused, Automation},
		{"native approval in the moment of an edit that was put back", func(in *Input) {
			in.Ticket.Snapshot.Approvals = []connectors.Approval{answer("1", "acc-kim", connectors.Approved, connectors.Approved)}
			history(in, edit("1", "acc-max", "ana asks", "something else"), edit("2", "acc-max", "something else", "ana asks"))
		}, Refused, ContentChanged},
		{"native approval, and we wrote in the same moment", func(in *Input) {
			in.Ticket.Snapshot.Approvals = []connectors.Approval{answer("1", "acc-kim", connectors.Approved, connectors.Approved)}
			ours := edit("1", "acc-bridge", "ana asked", "ana asks")
			ours.By.Ours = true
			history(in, ours)
		}, Approved, ""},
		{"native approval, edited and put back a moment before", func(in *Input) {
			in.Ticket.Snapshot.Approvals = []connectors.Approval{answer("1", "acc-kim", connectors.Approved, connectors.Approved)}
			there, back := edit("1", "acc-max", "ana asks", "something else"), edit("2", "acc-max", "something else", "ana asks")
			there.At, back.At = noon.Add(-2*time.Second), noon.Add(-time.Second)
			history(in, there, back)
		}, Approved, ""},
		{"native approval, edited afterwards", func(in *Input) {
			in.Ticket.Snapshot.Approvals = []connectors.Approval{answer("1", "acc-kim", connectors.Approved, connectors.Approved)}
			history(in, connectors.Step{ID: "1", At: noon.Add(time.Second), By: account("acc-max"), Field: "description"})
		}, Refused, ContentChanged},

		{"revocation", func(in *Input) { revocable(in) }, Revoked, ""},
		{"revocation by somebody not named for it", func(in *Input) {
			revocable(in)
			in.Terms.Revoke.People = []string{"lee"}
		}, Refused, NotAnApprover},
		{"revocation the policy does not know", func(in *Input) {
			revocable(in)
			in.Terms.Revoke = nil
		}, Refused, NotRevocable},
		{"revocation before the tool has accepted", func(in *Input) {
			revocable(in)
			in.Decided.Posted = false
		}, Refused, NothingGranted},
		{"revocation of a denial", func(in *Input) {
			revocable(in)
			in.Decided.Outcome = Denied
		}, Refused, NothingGranted},
		{"revocation of nothing", func(in *Input) {
			revocable(in)
			in.Decided = nil
		}, Refused, NothingGranted},
		{"revocation made before", func(in *Input) {
			revocable(in)
			in.Decided.Revoked = true
		}, Wait, ""},
		{"revocation by an automation", func(in *Input) {
			revocable(in)
			in.Ticket.Snapshot.History[1].By.Automation = true
		}, Refused, Automation},
		{"revocation, and the policy's condition fails", func(in *Input) {
			revocable(in)
			in.Admit = func(mapping.Approvers, mapping.Actor, map[string]any) (bool, error) { return true, errors.New("odd") }
		}, Refused, NotAnApprover},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			in := approvedByKim()
			test.change(&in)
			got := Judge(in)
			if got.Outcome != test.want || got.Code != test.code {
				t.Errorf("got %s %q (%s), want %s %q", got.Outcome, got.Code, got.Text, test.want, test.code)
			}
			if (got.Outcome == Refused || got.Outcome == Counted) && got.Text == "" {
				t.Error("people must be told why")
			}
		})
	}
}

func office(t *testing.T) *mapping.Hours {
	t.Helper()
	return hours(t, "{zone: Europe/Brussels, days: [mon, tue], from: '08:00', to: '18:00'}")
}

func hours(t *testing.T, text string) *mapping.Hours {
	t.Helper()
	p, err := mapping.ParsePolicy([]byte("kind: Policy\nname: p\napprovers: {people: [kim]}\nhours: " + text + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	return p.Terms()[0].Hours
}

func revocable(in *Input) {
	in.Waiting, in.Decided = false, &Decided{Outcome: Approved, Link: "lnk-1", Claim: "1", Posted: true}
	in.Terms.Revoke = &mapping.Approvers{People: []string{"kim"}}
	in.Ticket.Snapshot.Status = "Revoked"
	in.Ticket.Snapshot.History = append(in.Ticket.Snapshot.History, move("2", "acc-kim", "Approved", "Revoked"))
}

func TestJudgeNamesWhatItRestsOn(t *testing.T) {
	t.Parallel()
	in := approvedByKim()
	in.Terms.Quorum = 2
	in.Ticket.Snapshot.History = []connectors.Step{
		move("1", "acc-kim", "Open", "Approved"), move("2", "acc-lee", "Approved", "Open"), move("3", "acc-lee", "Open", "Approved"),
		{ID: "4", At: noon, By: account("acc-max"), Field: "labels", From: "a", To: "b"},
	}
	got := Judge(in)
	if got.Claim != "3" || got.By != "lee" || got.Account != "acc-lee" || !got.At.Equal(noon) || fmt.Sprint(got.With) != "[kim lee]" || got.Have != 2 || got.Need != 2 {
		t.Errorf("got %+v, want step 3 by lee with kim", got)
	}
}

func TestDurationIsCutToThePolicysMaximum(t *testing.T) {
	t.Parallel()
	in := approvedByKim()
	in.Terms.Durations = &mapping.Durations{Max: time.Hour}
	in.Ticket.Snapshot.Fields["hours"] = "3"
	if got := Judge(in); got.Length != time.Hour || !got.Cut || got.Outcome != Approved {
		t.Errorf("got %+v, want an hour, cut", got)
	}
}

func TestTicketIsACopy(t *testing.T) {
	t.Parallel()
	in := approvedByKim()
	in.Ticket.Snapshot.History = append(in.Ticket.Snapshot.History, connectors.Step{ID: "2", By: account("acc-kim"), Field: "risk", From: "high", To: "low"})
	Judge(in)
	if in.Ticket.Snapshot.Fields["risk"] != "low" {
		t.Error("judging changed the snapshot")
	}
}

func TestContentTellsFieldsApart(t *testing.T) {
	t.Parallel()
	matters := []string{"summary", "description", "priority", "risk"}
	base := connectors.Snapshot{Summary: "a", Description: "b", Priority: "c", Fields: map[string]any{"risk": "d"}}
	seen := map[string]bool{Content(base, matters): true}
	for _, change := range []func(*connectors.Snapshot){
		func(s *connectors.Snapshot) { s.Summary = "b" },
		func(s *connectors.Snapshot) { s.Description = "a" },
		func(s *connectors.Snapshot) { s.Priority = "b" },
		func(s *connectors.Snapshot) { s.Fields = map[string]any{"risk": "c"} },
		func(s *connectors.Snapshot) { s.Fields = nil },
	} {
		s := base
		change(&s)
		digest := Content(s, matters)
		if seen[digest] {
			t.Errorf("%+v has the digest of another", s)
		}
		seen[digest] = true
	}
	if Content(connectors.Snapshot{Fields: map[string]any{"risk": func() {}}}, matters) != "unreadable" {
		t.Error("what cannot be read must differ from everything")
	}
}
