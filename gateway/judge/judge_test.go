package judge

import (
	"errors"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/mapping"
)

var noon = time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)

func account(id string) connectors.Account {
	return connectors.Account{Person: connectors.Person{Account: id, Name: "Name of " + id, Mail: id + "@corp.example"}}
}

func move(id, by, from, to string) connectors.Step {
	return connectors.Step{ID: id, At: noon, By: account(by), Field: "status", From: from, To: to}
}

// approvedByKim is a claim that holds in every respect; the cases below change one thing each.
func approvedByKim() Input {
	return Input{
		CaseOpen: true, Requester: "ana", RequesterNames: []string{`CORP\ana`, "ana@corp.example"},
		LinkKey: "k1", LinkRefID: "100",
		Policy: &mapping.Policy{Name: "approvers", Approvers: mapping.Approvers{People: []string{"kim", "lee"}, Groups: []string{"security"}}},
		Movers: map[string]Mover{"acc-kim": {Person: "kim"}, "acc-max": {Person: "max"}, "acc-ana": {Person: "ana"}},
		Snapshot: connectors.Snapshot{
			Ref: connectors.Ref{ID: "100", Key: "SEC-1"}, Key: "k1", Ours: true, Status: "Approved", Category: "done",
			Fields:  map[string]any{"risk": "low"},
			History: []connectors.Step{move("1", "acc-kim", "Open", "Approved")},
		},
		Holds: byStatus,
	}
}

func byStatus(ticket map[string]any) (mapping.Verdict, error) {
	return mapping.Verdict{Approved: ticket["status"] == "Approved", Denied: ticket["status"] == "Declined"}, nil
}

func TestJudge(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(*Input)
		want   Outcome
		code   Code
	}{
		{"approved by an approver", func(*Input) {}, Approved, ""},
		{"denied by an approver", func(in *Input) {
			in.Snapshot.Status = "Declined"
			in.Snapshot.History = []connectors.Step{move("1", "acc-kim", "Open", "Declined")}
		}, Denied, ""},
		{"status decides nothing", func(in *Input) { in.Snapshot.Status = "In progress" }, Wait, ""},
		{"moved to a deciding status and away again", func(in *Input) {
			in.Snapshot.Status = "Open"
			in.Snapshot.History = append(in.Snapshot.History, move("2", "acc-kim", "Approved", "Open"))
		}, Wait, ""},
		{"approver by a group of the desk", func(in *Input) {
			in.Snapshot.History = []connectors.Step{move("1", "acc-max", "Open", "Approved")}
			in.Movers["acc-max"] = Mover{Person: "max", Groups: []string{"staff", "security"}}
		}, Approved, ""},
		{"somebody without the right", func(in *Input) {
			in.Snapshot.History = []connectors.Step{move("1", "acc-max", "Open", "Approved")}
		}, Refused, NotAnApprover},
		{"in a group that is not named", func(in *Input) {
			in.Snapshot.History = []connectors.Step{move("1", "acc-max", "Open", "Approved")}
			in.Movers["acc-max"] = Mover{Person: "max", Groups: []string{"Security"}}
		}, Refused, NotAnApprover},
		{"the requester", func(in *Input) {
			in.Policy.Approvers.People = []string{"ana"}
			in.Snapshot.History = []connectors.Step{move("1", "acc-ana", "Open", "Approved")}
		}, Refused, SelfApproval},
		{"the requester under an account joined to another person", func(in *Input) {
			in.Snapshot.History = []connectors.Step{move("1", "acc-kim", "Open", "Approved")}
			in.Snapshot.History[0].By.Mail = "ANA@corp.example"
		}, Refused, SelfApproval},
		{"requester unknown", func(in *Input) { in.Requester = "" }, Refused, UnknownRequester},
		{"requester unknown, and the policy allows it", func(in *Input) {
			in.Requester, in.Policy.UnknownRequester = "", "allow"
		}, Approved, ""},
		{"requester unknown and allowed, but the mover bears the requester's name", func(in *Input) {
			in.Requester, in.Policy.UnknownRequester = "", "allow"
			in.RequesterNames = []string{"ACC-KIM"}
		}, Refused, SelfApproval},
		{"mover unknown", func(in *Input) { in.Movers = nil }, Refused, UnknownMover},
		{"mover known as nobody", func(in *Input) { in.Movers["acc-kim"] = Mover{Groups: []string{"security"}} }, Refused, UnknownMover},
		{"mover without an account", func(in *Input) { in.Snapshot.History[0].By = connectors.Account{} }, Refused, UnknownMover},
		{"our own account", func(in *Input) { in.Snapshot.History[0].By.Ours = true }, Refused, OwnAccount},
		{"an automation", func(in *Input) { in.Snapshot.History[0].By.Automation = true }, Refused, Automation},
		{"no history", func(in *Input) { in.Snapshot.History = nil }, Refused, NoMover},
		{"history without the step", func(in *Input) {
			in.Snapshot.History = []connectors.Step{{ID: "1", By: account("acc-kim"), Field: "summary", From: "a", To: "b"}}
		}, Refused, NoMover},
		{"another ticket", func(in *Input) { in.Snapshot.Ref.ID = "101" }, Refused, NotOurs},
		{"a ticket somebody else created", func(in *Input) { in.Snapshot.Ours = false }, Refused, NotOurs},
		{"key of another ticket", func(in *Input) { in.Snapshot.Key = "k2" }, Refused, MarkChanged},
		{"key removed", func(in *Input) { in.Snapshot.Key = "" }, Refused, MarkChanged},
		{"case decided before", func(in *Input) { in.CaseOpen = false }, Refused, AlreadyDecided},
		{"condition fails", func(in *Input) {
			in.Holds = func(map[string]any) (mapping.Verdict, error) { return mapping.Verdict{}, errors.New("no such field") }
		}, Refused, ConditionFailed},
		{"condition on the category", func(in *Input) {
			in.Holds = func(ticket map[string]any) (mapping.Verdict, error) {
				return mapping.Verdict{Approved: ticket["category"] == "done"}, nil
			}
		}, Refused, ConditionFailed},
		{"a later step inside the run does not launder the first", func(in *Input) {
			in.Holds = func(ticket map[string]any) (mapping.Verdict, error) {
				return mapping.Verdict{Approved: ticket["status"] == "Approved" || ticket["status"] == "Done"}, nil
			}
			in.Snapshot.Status = "Done"
			in.Snapshot.History = []connectors.Step{move("1", "acc-max", "Open", "Approved"), move("2", "acc-kim", "Approved", "Done")}
		}, Refused, NotAnApprover},
		{"an approver moves it anew after a refused move", func(in *Input) {
			in.Snapshot.History = []connectors.Step{
				move("1", "acc-max", "Open", "Approved"), move("2", "acc-max", "Approved", "Open"), move("3", "acc-kim", "Open", "Approved"),
			}
		}, Approved, ""},
		{"whoever completes the condition answers for it", func(in *Input) {
			in.Holds = func(ticket map[string]any) (mapping.Verdict, error) {
				fields := ticket["fields"].(map[string]any)
				return mapping.Verdict{Approved: ticket["status"] == "Approved" && fields["risk"] == "low"}, nil
			}
			in.Snapshot.History = append(in.Snapshot.History, connectors.Step{ID: "2", By: account("acc-max"), Field: "risk", From: "high", To: "low"})
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
			if got.Outcome == Refused && got.Text == "" {
				t.Error("a refusal must say why")
			}
		})
	}
}

func TestJudgeNamesTheStepItRestsOn(t *testing.T) {
	t.Parallel()
	in := approvedByKim()
	in.Snapshot.History = []connectors.Step{
		move("1", "acc-max", "Open", "Review"), move("2", "acc-kim", "Review", "Approved"),
		{ID: "3", At: noon, By: account("acc-max"), Field: "summary", From: "a", To: "b"},
	}
	got := Judge(in)
	if got.Claim != "2" || got.By != "kim" || got.Account != "acc-kim" || !got.At.Equal(noon) {
		t.Errorf("got %+v, want step 2 by kim", got)
	}
}

func TestTicketIsACopy(t *testing.T) {
	t.Parallel()
	in := approvedByKim()
	Judge(in)
	if in.Snapshot.Fields["risk"] != "low" {
		t.Error("judging changed the snapshot")
	}
}
