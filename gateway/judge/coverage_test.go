package judge

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/mapping"
)

// change gives an input other steps, another status, or anything else.
type change func(*Input)

func stands(status string, steps ...connectors.Step) change {
	return func(in *Input) { in.Ticket.Snapshot.Status, in.Ticket.Snapshot.History = status, steps }
}

func natively(answers ...connectors.Approval) change {
	return func(in *Input) {
		in.Ticket.Snapshot.Status, in.Ticket.Snapshot.History, in.Ticket.Snapshot.Approvals = "Open", nil, answers
	}
}

func quorum(n int) change { return func(in *Input) { in.Terms.Quorum = n } }

func byQuorum(in *Input) { in.Terms.DenyByQuorum = true }

func label(id, by string) connectors.Step {
	return connectors.Step{ID: id, At: noon, By: account(by), Field: "labels", To: id}
}

func at(s connectors.Step, t time.Time) connectors.Step { s.At = t; return s }

// elsewhere adds another ticket of the case, where lee answered.
func elsewhere(changes ...func(*Evidence)) change {
	return func(in *Input) {
		e := approvedByKim().Ticket
		e.Link, e.Key, e.RefID = "lnk-2", "k2", "200"
		e.Snapshot.Key, e.Snapshot.Ref = "k2", connectors.Ref{ID: "200", Key: "OPS-1"}
		e.Snapshot.History = []connectors.Step{move("1", "acc-lee", "Open", "Approved")}
		for _, f := range changes {
			f(&e)
		}
		in.Others = append(in.Others, e)
	}
}

// onTheOther is what happened on another ticket of the case.
func onTheOther(status string, steps ...connectors.Step) change {
	return elsewhere(func(e *Evidence) { e.Snapshot.Status, e.Snapshot.History = status, steps })
}

func secondAccount(in *Input) { in.Ticket.Movers["acc-kim2"] = Mover{Person: "kim"} }

// nobodyAsks makes the requester nobody known, whom the source calls so.
func nobodyAsks(names ...string) change {
	return func(in *Input) { in.Requester, in.Aliases, in.Terms.AllowUnknownRequester = "", names, true }
}

func then(status string, steps ...connectors.Step) func(*Evidence) {
	return func(e *Evidence) {
		e.Snapshot.Status, e.Snapshot.History = status, append(e.Snapshot.History, steps...)
	}
}

// Each case is told by what it comes to: outcome, code, and those who count.
func TestJudgeCorners(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		changes []change
		want    Outcome
		code    Code
		with    string
	}{
		{"the latest has no right, an earlier one had", []change{stands("Approved", move("1", "acc-kim", "Open", "Approved"), move("2", "acc-lee", "Approved", "Open"), move("3", "acc-max", "Open", "Approved"))}, Refused, NotAnApprover, ""},
		{"the same person twice counts once", []change{quorum(2), stands("Approved", move("1", "acc-kim", "Open", "Approved"), move("2", "acc-lee", "Approved", "Open"), move("3", "acc-kim", "Open", "Approved"))}, Counted, "", "kim"},
		{"a step before the run is no claim", []change{quorum(2), stands("Approved", label("1", "acc-lee"), move("2", "acc-kim", "Open", "Approved"))}, Counted, "", "kim"},
		{"a step of the same person inside the run takes nothing back", []change{stands("Approved", move("1", "acc-kim", "Open", "Approved"), label("2", "acc-kim"))}, Approved, "", "kim"},
		{"several steps inside an earlier run", []change{quorum(2), stands("Approved", move("1", "acc-kim", "Open", "Approved"), label("2", "acc-lee"), label("3", "acc-lee"), move("4", "acc-lee", "Approved", "Open"), move("5", "acc-lee", "Open", "Approved"))}, Approved, "", "kim lee"},
		{"an earlier run with steps inside, taken back", []change{quorum(2), stands("Approved", move("1", "acc-kim", "Open", "Approved"), label("2", "acc-lee"), label("3", "acc-max"), move("4", "acc-kim", "Approved", "Open"), move("5", "acc-lee", "Open", "Approved"))}, Counted, "", "lee"},
		{"runs of the other outcome do not count", []change{quorum(2), stands("Approved", move("1", "acc-lee", "Open", "Declined"), move("2", "acc-max", "Declined", "Open"), move("3", "acc-kim", "Open", "Approved"))}, Counted, "", "kim"},
		{"it was always so", []change{stands("Approved", label("1", "acc-kim"))}, Refused, NoMover, ""},
		{"it waits, and an earlier state cannot be worked out", []change{stands("Open", move("1", "acc-kim", "Odd", "Open")), func(in *Input) {
			in.Ticket.Holds = func(ticket map[string]any) (mapping.Verdict, error) {
				if ticket["status"] == "Odd" {
					return mapping.Verdict{}, errors.New("odd")
				}
				return byStatus(ticket)
			}
		}}, Wait, "", ""},
		{"the condition needs the category to be there", []change{func(in *Input) {
			in.Ticket.Holds = func(ticket map[string]any) (mapping.Verdict, error) {
				if ticket["category"] == "" {
					return mapping.Verdict{}, errors.New("no category")
				}
				return byStatus(ticket)
			}
		}}, Refused, ConditionFailed, ""},

		{"a yes, then the same person's no, noes by quorum", []change{quorum(2), byQuorum, stands("Approved",
			move("1", "acc-kim", "Open", "Approved"), move("2", "acc-lee", "Approved", "Open"), move("3", "acc-kim", "Open", "Declined"), move("4", "acc-lee", "Declined", "Approved"))}, Counted, "", "lee"},
		{"a no, then the same person's yes, noes by quorum", []change{quorum(2), byQuorum, stands("Declined",
			move("1", "acc-kim", "Open", "Declined"), move("2", "acc-lee", "Declined", "Open"), move("3", "acc-kim", "Open", "Approved"), move("4", "acc-lee", "Approved", "Declined"))}, Counted, "", "lee"},
		{"a yes, then a no that they took back", []change{quorum(2), byQuorum, stands("Approved",
			move("1", "acc-kim", "Open", "Approved"), move("2", "acc-lee", "Approved", "Open"), move("3", "acc-kim", "Open", "Declined"), move("4", "acc-kim", "Declined", "Open"), move("5", "acc-lee", "Open", "Approved"))}, Approved, "", "kim lee"},
		{"a no, then the same person's yes", []change{quorum(2), byQuorum, stands("Approved",
			move("1", "acc-kim", "Open", "Declined"), move("2", "acc-kim", "Declined", "Approved"))}, Counted, "", "kim"},
		{"a no, then the same person's yes, and the desk's clock was set back", []change{quorum(2), byQuorum, stands("Approved",
			at(move("1", "acc-kim", "Open", "Declined"), noon.Add(time.Second)), move("2", "acc-lee", "Declined", "Open"), move("3", "acc-kim", "Open", "Approved"))}, Counted, "", "kim"},
		{"a vote after the same person's no on the ticket it is for", []change{quorum(2), byQuorum, stands("Approved", move("1", "acc-lee", "Open", "Declined"), move("2", "acc-kim", "Declined", "Approved")), func(in *Input) {
			in.Votes = []Vote{{Claim: "v", Link: "lnk-1", Outcome: Approved, At: noon.Add(time.Second), Actor: mapping.Actor{Person: "lee"}}}
		}}, Approved, "", "lee kim"},
		{"a yes here, the same person's later no on the other ticket", []change{quorum(2), byQuorum, onTheOther("Declined", at(move("1", "acc-kim", "Open", "Declined"), noon.Add(time.Second)))}, Refused, SaidOtherwise, ""},
		{"a yes here, the same person's no on the other ticket in the same moment", []change{quorum(2), byQuorum, onTheOther("Declined", move("1", "acc-kim", "Open", "Declined"))}, Refused, SaidOtherwise, ""},
		{"a yes here, the same person's earlier no on the other ticket", []change{quorum(2), byQuorum, onTheOther("Declined", at(move("1", "acc-kim", "Open", "Declined"), noon.Add(-time.Second)))}, Counted, "", "kim"},
		{"a yes here, the same person's no on the other ticket, nobody knows when", []change{quorum(2), byQuorum, onTheOther("Declined", at(move("1", "acc-kim", "Open", "Declined"), time.Time{}))}, Refused, SaidOtherwise, ""},
		{"a no here, the same person's yes on the other ticket in the same moment", []change{quorum(2), byQuorum, stands("Declined", move("1", "acc-kim", "Open", "Declined")), onTheOther("Approved", move("1", "acc-kim", "Open", "Approved"))}, Counted, "", "kim"},
		{"a no here, the same person's later yes on the other ticket", []change{quorum(2), byQuorum, stands("Declined", move("1", "acc-kim", "Open", "Declined")), onTheOther("Approved", at(move("1", "acc-kim", "Open", "Approved"), noon.Add(time.Second)))}, Refused, SaidOtherwise, ""},
		{"a no here, another person's later yes on the other ticket", []change{quorum(2), byQuorum, stands("Declined", move("1", "acc-kim", "Open", "Declined")), onTheOther("Approved", at(move("1", "acc-lee", "Open", "Approved"), noon.Add(time.Second)))}, Counted, "", "kim"},
		{"a yes on the other ticket, and that person's later no here", []change{quorum(2), byQuorum, stands("Approved", at(move("1", "acc-kim", "Open", "Declined"), noon.Add(time.Second)), at(move("2", "acc-lee", "Declined", "Approved"), noon.Add(2*time.Second))),
			onTheOther("Approved", move("1", "acc-kim", "Open", "Approved"))}, Counted, "", "lee"},
		{"a yes here, and a no on another ticket that lost its mark", []change{quorum(2), byQuorum, onTheOther("Declined", at(move("1", "acc-kim", "Open", "Declined"), noon.Add(time.Second))), func(in *Input) { in.Others[0].Snapshot.Key = "" }}, Refused, SaidOtherwise, ""},
		{"a yes here, and a no in the desk's own approval elsewhere that came to a yes", []change{elsewhere(func(e *Evidence) {
			e.Snapshot.Status, e.Snapshot.History = "Open", nil
			e.Snapshot.Approvals = []connectors.Approval{answer("1", "acc-kim", connectors.Denied, connectors.Approved)}
		})}, Refused, SaidOtherwise, ""},
		{"a yes here, and a no on the other ticket under the account they have there", []change{onTheOther("Declined", at(move("1", "u-kim", "Open", "Declined"), noon.Add(time.Second))), func(in *Input) {
			in.Others[0].Movers = map[string]Mover{"u-kim": {Person: "kim"}}
		}}, Refused, SaidOtherwise, ""},
		{"no right to decide, and the opposite since on the other ticket", []change{stands("Approved", move("1", "acc-max", "Open", "Approved")), onTheOther("Declined", at(move("1", "acc-max", "Open", "Declined"), noon.Add(time.Second)))}, Refused, NotAnApprover, ""},
		{"a vote, and the same person's no here since", []change{quorum(2), byQuorum, stands("Approved", at(move("1", "acc-lee", "Open", "Declined"), noon.Add(time.Second)), at(move("2", "acc-kim", "Declined", "Approved"), noon.Add(2*time.Second))), func(in *Input) {
			in.Votes = []Vote{{Claim: "v", Outcome: Approved, At: noon, Actor: mapping.Actor{Person: "lee"}}}
		}}, Counted, "", "kim"},
		{"a yes here, and the same person's vote against since", []change{func(in *Input) {
			in.Votes = []Vote{{Claim: "v", Outcome: Denied, At: noon.Add(time.Second), Actor: mapping.Actor{Person: "kim"}}}
		}}, Refused, SaidOtherwise, ""},
		{"taken back under the person's second account", []change{quorum(2), secondAccount, stands("Approved",
			move("1", "acc-kim", "Open", "Approved"), move("2", "acc-kim2", "Approved", "Open"), move("4", "acc-lee", "Open", "Approved"))}, Counted, "", "lee"},
		{"taken back by another account of nobody", []change{quorum(1), stands("Approved",
			move("1", "acc-x", "Open", "Approved"), move("2", "acc-y", "Approved", "Open"), move("4", "acc-lee", "Open", "Approved"))}, Approved, "", "lee"},

		{"the history does not lead to where the ticket stands", []change{stands("Approved", move("1", "acc-kim", "Open", "Review"))}, Refused, NoMover, ""},
		{"a step is missing from the history", []change{quorum(2), stands("Approved", move("1", "acc-kim", "Open", "Review"), move("2", "acc-max", "Approved", "Open"), move("3", "acc-lee", "Open", "Approved"))}, Refused, NoMover, ""},
		{"a step between two that say nothing is missing", []change{stands("Approved", move("1", "acc-kim", "Open", "Review"), move("2", "acc-kim", "Waiting", "Approved"))}, Approved, "", "kim"},
		{"where the history leads cannot be worked out", []change{stands("Approved", move("1", "acc-kim", "Open", "Odd")), func(in *Input) {
			in.Ticket.Holds = func(ticket map[string]any) (mapping.Verdict, error) {
				if ticket["status"] == "Odd" {
					return mapping.Verdict{}, errors.New("odd")
				}
				return byStatus(ticket)
			}
		}}, Refused, ConditionFailed, ""},
		{"the other ticket's history does not lead to where it stands", []change{quorum(2), onTheOther("Approved", move("1", "acc-lee", "Open", "Review"))}, Counted, "", "kim"},

		{"the other desk's policy names other fields", []change{quorum(2), elsewhere(func(e *Evidence) {
			e.Matters = []string{"summary"}
			e.Baseline = Content(e.Snapshot, e.Matters)
		})}, Approved, "", "lee kim"},
		{"edited on the other desk in a field that matters there only", []change{quorum(2), elsewhere(func(e *Evidence) {
			e.Matters, e.Baseline = []string{"risk"}, ""
			e.Snapshot.History = append(e.Snapshot.History, field("2", "acc-max", "risk", "high", "low"))
		})}, Counted, "", "kim"},

		{"native, quorum of two, one yes", []change{quorum(2), natively(answer("1", "acc-kim", connectors.Approved, connectors.Approved))}, Counted, "", "kim"},
		{"native, quorum of two, one no", []change{quorum(2), natively(answer("1", "acc-kim", connectors.Denied, connectors.Denied))}, Denied, "", "kim"},
		{"native, noes by quorum: a yes is none", []change{quorum(2), byQuorum, natively(answer("1", "acc-kim", connectors.Approved, connectors.Denied), answer("1", "acc-lee", connectors.Denied, connectors.Denied))}, Counted, "", "lee"},
		{"native, two without the right: the latest is told", []change{natively(answer("1", "acc-max", connectors.Approved, connectors.Approved), func() connectors.Approval {
			a := answer("1", "acc-kim", connectors.Approved, connectors.Approved)
			a.By.Automation = true
			return a
		}())}, Refused, Automation, ""},
		{"native, the latest without the right", []change{natively(answer("1", "acc-kim", connectors.Approved, connectors.Approved), answer("1", "acc-lee", connectors.Approved, connectors.Approved), answer("1", "acc-max", connectors.Approved, connectors.Approved)), quorum(2)}, Approved, "", "kim lee"},
		{"native, edited before and put back", []change{natively(answer("1", "acc-kim", connectors.Approved, connectors.Approved)), func(in *Input) {
			in.Ticket.Snapshot.History = []connectors.Step{at(edit("1", "acc-max", "ana asks", "x"), noon.Add(-2*time.Minute)), at(edit("2", "acc-max", "x", "ana asks"), noon.Add(-time.Minute))}
		}}, Approved, "", "kim"},
		{"native, answered on an edited ticket", []change{natively(answer("1", "acc-kim", connectors.Approved, connectors.Approved)), func(in *Input) {
			by := edit("2", "acc-ours", "x", "ana asks")
			by.By.Ours = true
			in.Ticket.Snapshot.History = []connectors.Step{at(edit("1", "acc-max", "ana asks", "x"), noon.Add(-time.Minute)), at(by, noon.Add(time.Minute))}
		}}, Refused, ContentChanged, ""},
		{"native, and then taken back by status", []change{natively(answer("1", "acc-kim", connectors.Approved, connectors.Approved)), func(in *Input) {
			revocable(in)
			in.Ticket.Snapshot.History = []connectors.Step{move("1", "acc-kim", "Open", "Revoked")}
		}}, Revoked, "", ""},

		{"edited before the first reading", []change{stands("Approved", edit("1", "acc-max", "please", "ana asks"), move("2", "acc-kim", "Open", "Approved")), func(in *Input) { in.Ticket.Baseline = "" }}, Refused, ContentChanged, ""},
		{"edited before the first reading and put back", []change{stands("Approved", edit("1", "acc-max", "ana asks", "x"), edit("2", "acc-lee", "x", "ana asks"), move("3", "acc-kim", "Open", "Approved")), func(in *Input) { in.Ticket.Baseline = "" }}, Approved, "", "kim"},
		{"edited twice before the first reading", []change{stands("Approved", edit("1", "acc-max", "ana asks", "x"), edit("2", "acc-max", "x", "y"), move("3", "acc-kim", "Open", "Approved")), func(in *Input) { in.Ticket.Baseline = "" }}, Refused, ContentChanged, ""},
		{"decided on an edited ticket that we wrote anew", []change{stands("Approved", edit("1", "acc-max", "ana asks", "x"), move("2", "acc-kim", "Open", "Approved"), func() connectors.Step {
			s := edit("3", "acc-ours", "x", "ana asks")
			s.By.Ours = true
			return s
		}())}, Refused, ContentChanged, ""},
		{"decided after we wrote an edited ticket anew", []change{stands("Approved", edit("1", "acc-max", "ana asks", "x"), func() connectors.Step {
			s := edit("2", "acc-ours", "x", "ana asks")
			s.By.Ours = true
			return s
		}(), move("3", "acc-kim", "Open", "Approved"))}, Approved, "", "kim"},
		{"a field that does not matter was edited before the first reading", []change{stands("Approved", label("1", "acc-max"), move("2", "acc-kim", "Open", "Approved")), func(in *Input) { in.Ticket.Baseline = "" }}, Approved, "", "kim"},
		{"taking access back needs no unedited ticket", []change{revocable, func(in *Input) { in.Ticket.Snapshot.Summary = "x" }}, Revoked, "", ""},
		{"a late claim on an edited ticket is late", []change{func(in *Input) {
			in.Waiting, in.Decided, in.Ticket.Snapshot.Summary = false, &Decided{Outcome: Denied, Link: "lnk-2", Claim: "9"}, "x"
		}}, Refused, AlreadyDecided, ""},

		{"two on two tickets", []change{quorum(2), elsewhere()}, Approved, "", "lee kim"},
		{"three wanted, two on two tickets", []change{quorum(3), elsewhere()}, Counted, "", "lee kim"},
		{"the same person on two tickets", []change{quorum(2), elsewhere(func(e *Evidence) { e.Snapshot.History[0].By = account("acc-kim") })}, Counted, "", "kim"},
		{"the other person on two more tickets", []change{quorum(3), elsewhere(), elsewhere()}, Counted, "", "lee kim"},
		{"on the other ticket by somebody without the right", []change{quorum(2), elsewhere(func(e *Evidence) { e.Snapshot.History[0].By = account("acc-max") })}, Counted, "", "kim"},
		{"on the other ticket the other outcome", []change{quorum(2), elsewhere(func(e *Evidence) {
			e.Snapshot.Status, e.Snapshot.History = "Declined", []connectors.Step{move("1", "acc-lee", "Open", "Declined")}
		})}, Counted, "", "kim"},
		{"taken back on the other ticket", []change{quorum(2), elsewhere(then("Open", move("2", "acc-lee", "Approved", "Open")))}, Counted, "", "kim"},
		{"somebody else moved the other ticket on", []change{quorum(2), elsewhere(then("Open", move("2", "acc-max", "Approved", "Open")))}, Approved, "", "lee kim"},
		{"the other ticket was edited since", []change{quorum(2), elsewhere(then("Approved", edit("2", "acc-max", "ana asks", "x"), edit("3", "acc-max", "x", "ana asks")))}, Counted, "", "kim"},
		{"the other ticket lost its mark", []change{quorum(2), elsewhere(func(e *Evidence) { e.Snapshot.Key = "" })}, Counted, "", "kim"},
		{"the other ticket cannot be judged", []change{quorum(2), elsewhere(func(e *Evidence) {
			e.Holds = func(map[string]any) (mapping.Verdict, error) {
				return mapping.Verdict{Approved: true}, errors.New("odd")
			}
		})}, Counted, "", "kim"},
		{"the other ticket's past cannot be judged", []change{quorum(2), elsewhere(func(e *Evidence) {
			e.Snapshot.History = append(e.Snapshot.History, move("2", "acc-max", "Approved", "Odd"), move("3", "acc-max", "Odd", "Approved"))
			e.Holds = func(ticket map[string]any) (mapping.Verdict, error) {
				if ticket["status"] == "Odd" {
					return mapping.Verdict{}, errors.New("odd")
				}
				return byStatus(ticket)
			}
		})}, Counted, "", "kim"},
		{"the other ticket decides by category", []change{quorum(2), elsewhere(func(e *Evidence) {
			e.Holds = func(ticket map[string]any) (mapping.Verdict, error) {
				return mapping.Verdict{Approved: ticket["category"] == "done" || ticket["status"] == "Approved" && ticket["category"] != ""}, nil
			}
		})}, Counted, "", "kim"},
		{"native on the other ticket", []change{quorum(2), elsewhere(func(e *Evidence) {
			e.Snapshot.Status, e.Snapshot.History = "Open", nil
			e.Snapshot.Approvals = []connectors.Approval{answer("1", "acc-lee", connectors.Approved, connectors.Approved)}
		})}, Approved, "", "lee kim"},
		{"native on the other ticket, still waiting", []change{quorum(2), elsewhere(func(e *Evidence) {
			e.Snapshot.Approvals = []connectors.Approval{answer("1", "acc-lee", connectors.Approved, connectors.Pending)}
		})}, Counted, "", "kim"},
		{"native on the other ticket, the other outcome", []change{quorum(2), elsewhere(func(e *Evidence) {
			e.Snapshot.Approvals = []connectors.Approval{answer("1", "acc-lee", connectors.Denied, connectors.Denied)}
		})}, Counted, "", "kim"},
		{"native on the other ticket, taken back by status", []change{quorum(2), elsewhere(func(e *Evidence) {
			e.Snapshot.Status = "Revoked"
			e.Snapshot.Approvals = []connectors.Approval{answer("1", "acc-lee", connectors.Approved, connectors.Approved)}
		})}, Counted, "", "kim"},
		{"the right of somebody on another ticket is looked at there", []change{quorum(2), elsewhere(func(e *Evidence) {
			e.Snapshot.History[0].By = account("acc-max")
			e.Movers = map[string]Mover{"acc-max": {Person: "max", Groups: []string{"security"}}}
		})}, Approved, "", "max kim"},

		{"hours that are always open, and the desk tells no time", []change{func(in *Input) {
			in.Terms.Hours = hours(t, "{zone: UTC}")
			in.Ticket.Snapshot.History[0].At = time.Time{}
		}}, Refused, OutOfHours, ""},
		{"who approves cannot be worked out, and a deputy could be", []change{func(in *Input) {
			in.Terms.Deadline = &mapping.Deadline{After: 10 * time.Hour, Deputy: &mapping.Deputy{After: time.Minute, Approvers: mapping.Approvers{People: []string{"kim"}}}}
			in.Admit = func(a mapping.Approvers, actor mapping.Actor, ticket map[string]any) (bool, error) {
				if len(a.Groups) > 0 {
					return false, errors.New("odd")
				}
				return byName(a, actor, ticket)
			}
		}}, Refused, ConditionFailed, ""},
		{"a deadline without deputies", []change{stands("Approved", move("1", "acc-max", "Open", "Approved")), func(in *Input) {
			in.Terms.Deadline = &mapping.Deadline{After: 10 * time.Hour}
		}}, Refused, NotAnApprover, ""},
		{"a deputy, and the desk tells no time", []change{stands("Approved", at(move("1", "acc-max", "Open", "Approved"), time.Time{})), func(in *Input) {
			in.Terms.Deadline = &mapping.Deadline{Deputy: &mapping.Deputy{After: time.Minute, Approvers: mapping.Approvers{People: []string{"max"}}}}
		}}, Refused, NotAnApprover, ""},

		{"the source names the requester by no mail address, and the desk the mover", []change{func(in *Input) {
			in.Aliases = []string{`CORP\ana`, ""}
			in.Ticket.Snapshot.History[0].By.Mail = ""
		}}, Approved, "", "kim"},
		{"nobody known asks, by a login of another domain", []change{nobodyAsks(`OTHER\KIM`), func(in *Input) {
			in.Ticket.Snapshot.History[0].By = connectors.Account{Person: connectors.Person{Account: "kim"}}
			in.Ticket.Movers["kim"] = Mover{Person: "kim"}
		}}, Refused, SelfApproval, ""},
		{"nobody known asks, by an address of the mover's login", []change{nobodyAsks("acc-kim@elsewhere.example")}, Refused, SelfApproval, ""},
		{"nobody known asks, by a login of the mover's address", []change{nobodyAsks(`CORP\kim`), func(in *Input) { in.Ticket.Snapshot.History[0].By.Mail = "Kim@corp.example" }}, Refused, SelfApproval, ""},
		{"nobody known asks, by no name", []change{nobodyAsks("", `CORP\`), func(in *Input) { in.Ticket.Snapshot.History[0].By.Mail = "" }}, Approved, "", "kim"},
		{"nobody known asks, by another login", []change{nobodyAsks(`CORP\acc`)}, Approved, "", "kim"},
		{"somebody else of the same login asks", []change{func(in *Input) { in.Aliases = []string{`OTHER\acc-kim`} }}, Approved, "", "kim"},
		{"a vote under the requester's address", []change{quorum(2), func(in *Input) {
			in.Votes = []Vote{{Claim: "v", Outcome: Approved, At: noon, Actor: mapping.Actor{Person: "lee", Account: "u-lee", Mail: "Ana@corp.example"}}}
		}}, Counted, "", "kim"},
		{"a condition on the priority", []change{func(in *Input) {
			in.Ticket.Snapshot.Priority = "High"
			in.Ticket.Snapshot.History = []connectors.Step{{ID: "1", At: noon, By: account("acc-kim"), Field: "priority", From: "Low", To: "High"}}
			in.Ticket.Holds = func(ticket map[string]any) (mapping.Verdict, error) {
				return mapping.Verdict{Approved: ticket["priority"] == "High"}, nil
			}
		}}, Approved, "", "kim"},

		{"a vote of one who counts already", []change{quorum(3), func(in *Input) {
			in.Votes = []Vote{{Outcome: Approved, Actor: mapping.Actor{Person: "kim"}}, {Outcome: Approved, Actor: mapping.Actor{Person: "lee"}}, {Outcome: Approved, Actor: mapping.Actor{Person: "lee"}}}
		}}, Counted, "", "lee kim"},
		{"noes by quorum on an edited body", []change{byQuorum, stands("Declined", move("1", "acc-kim", "Open", "Declined")), func(in *Input) { in.Edited = true }}, Counted, "", "kim"},
		{"another claim on the ticket that decided", []change{func(in *Input) {
			in.Waiting, in.Decided = false, &Decided{Outcome: Denied, Link: "lnk-1", Claim: "9"}
		}}, Refused, AlreadyDecided, ""},
		{"a claim of the same id on another ticket", []change{func(in *Input) {
			in.Waiting, in.Decided = false, &Decided{Outcome: Denied, Link: "lnk-2", Claim: "1"}
		}}, Refused, AlreadyDecided, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			in := approvedByKim()
			for _, f := range test.changes {
				f(&in)
			}
			got := Judge(in)
			if got.Outcome != test.want || got.Code != test.code || strings.Join(got.With, " ") != test.with {
				t.Errorf("got %s %q (%s) with %v, want %s %q with %s", got.Outcome, got.Code, got.Text, got.With, test.want, test.code, test.with)
			}
		})
	}
}

func TestRefusalNamesThePerson(t *testing.T) {
	t.Parallel()
	in := approvedByKim()
	stands("Approved", move("1", "acc-max", "Open", "Approved"))(&in)
	if got := Judge(in); got.By != "max" || got.Account != "acc-max" || got.Claim != "1" || got.Said != Approved {
		t.Errorf("got %+v, want a refusal of max", got)
	}
	in = approvedByKim()
	revocable(&in)
	in.Terms.Revoke.People = []string{"lee"}
	if got := Judge(in); got.By != "kim" {
		t.Errorf("got %+v, want a refusal of kim", got)
	}
}

func TestCountTellsHowManyMore(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{2: "counts as 1 of 2; one person more", 3: "counts as 1 of 3; 2 people more"} {
		in := approvedByKim()
		in.Terms.Quorum = n
		if got := Judge(in); !strings.Contains(got.Text, want) || got.Have != 1 || got.Need != n || got.By != "kim" {
			t.Errorf("got %+v, want %q", got, want)
		}
	}
}

func TestRefusalOfATicketNamesItsLastStep(t *testing.T) {
	t.Parallel()
	fails := func(map[string]any) (mapping.Verdict, error) { return mapping.Verdict{}, errors.New("odd") }
	for _, steps := range [][]connectors.Step{nil, {label("1", "acc-kim"), label("2", "acc-kim")}} {
		want := "none"
		if len(steps) > 0 {
			want = "2"
		}
		in := approvedByKim()
		in.Ticket.Snapshot.History = steps
		if got := Judge(in); got.Claim != want || got.Code != NoMover || got.Said != Approved {
			t.Errorf("got %+v, want no mover, claim %s", got, want)
		}
		in.Ticket.Holds = fails
		if got := Judge(in); got.Claim != want || got.Code != ConditionFailed {
			t.Errorf("got %+v, want the condition to fail, claim %s", got, want)
		}
	}
}

func TestEdited(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		steps []connectors.Step
		want  bool
	}{
		{"nothing", nil, false},
		{"what does not matter", []connectors.Step{label("1", "max")}, false},
		{"by another", []connectors.Step{edit("1", "max", "a", "b")}, true},
		{"by us", []connectors.Step{ours(edit("1", "me", "a", "b"))}, false},
		{"put back", []connectors.Step{edit("1", "max", "a", "b"), edit("2", "lee", "b", "a")}, false},
		{"put back to what another wrote", []connectors.Step{edit("1", "max", "a", "b"), edit("2", "max", "b", "c"), edit("3", "max", "c", "b")}, true},
		{"written anew by us", []connectors.Step{edit("1", "max", "a", "b"), ours(edit("2", "me", "b", "c"))}, false},
		{"edited after we wrote anew", []connectors.Step{edit("1", "max", "a", "b"), ours(edit("2", "me", "b", "c")), edit("3", "max", "c", "a")}, true},
		{"one of two put back", []connectors.Step{edit("1", "max", "a", "b"), {ID: "2", Field: "description", From: "x", To: "y"}, edit("3", "max", "b", "a")}, true},
	}
	for _, test := range tests {
		if got := Edited(test.steps, []string{"summary", "description"}); got != test.want {
			t.Errorf("%s: got %t", test.name, got)
		}
	}
}

func TestTextsNameWhoIsMeant(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 99)
	for _, test := range []struct {
		by   connectors.Person
		want string
	}{
		{connectors.Person{Account: "acc-kim", Name: "Kim Okafor", Mail: "kim@corp.example"}, "Kim Okafor (kim)"},
		{connectors.Person{Account: "acc-lee", Name: "Kim Okafor"}, "Kim Okafor (lee)"},
		{connectors.Person{Account: "acc-lee", Name: "Kim Okafor (kim)"}, "Kim Okafor (kim) (lee)"},
		{connectors.Person{Account: "acc-lee", Name: "Kim\x00\u202e\n Okafor"}, "Kim Okafor (lee)"},
		{connectors.Person{Account: "acc-lee", Name: long + "yz"}, long + "… (lee)"},
		{connectors.Person{Account: "acc-kim", Name: "Kim"}, "kim"},
		{connectors.Person{Account: "acc-kim", Mail: "lee@corp.example"}, "kim"},
		{connectors.Person{Account: "acc-kim", Name: "\u200b "}, "kim"},
		{connectors.Person{Account: "acc-else", Name: "Kim Okafor", Mail: "kim@corp.example"}, "Kim Okafor"},
		{connectors.Person{Account: "acc-else", Mail: "kim@corp.example"}, "kim@corp.example"},
		{connectors.Person{Account: "acc-else"}, "acc-else"},
		{connectors.Person{Account: "acc-else", Name: "Kim\x00\u202e\n Okafor"}, "Kim Okafor"},
		{connectors.Person{}, "somebody without a name"},
	} {
		if got := approvedByKim().called(claim{by: connectors.Account{Person: test.by}}); got != test.want {
			t.Errorf("%+v: got %q, want %q", test.by, got, test.want)
		}
	}
}

func TestCodesAreDistinct(t *testing.T) {
	t.Parallel()
	all := []Code{NotOurs, MarkChanged, ContentChanged, ConditionFailed, NoMover, OwnAccount, Automation, UnknownMover, UnknownRequester, SelfApproval,
		SaidOtherwise, NotAnApprover, OutOfHours, Late, NoReason, DurationRefused, AlreadyDecided, Ended, NothingGranted, NotRevocable}
	slices.Sort(all)
	if n := len(slices.Compact(slices.Clone(all))); n != len(all) || all[0] == "" {
		t.Errorf("%d of %d codes are distinct", n, len(all))
	}
}
