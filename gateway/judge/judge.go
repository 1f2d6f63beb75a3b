// Package judge turns a claim into a decision, a wait or a refusal. A ticket that stands in a deciding status is only
// a claim: somebody moved it there. Judge looks at the ticket as fetched, finds the step of its history that made the
// rule's condition true, and asks whether the person behind that step may decide this case.
//
// Everything here is a pure function over values: no clock, no database, no calls. What cannot be established with
// certainty is refused.
package judge

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/mapping"
)

// Input is all a judgement may look at.
type Input struct {
	CaseOpen       bool      // no decision is recorded and the source still waits
	Edited         bool      // the body the case was opened with was edited in quarantine
	Requester      string    // the person who asks, "" when unresolved
	RequesterNames []string  // the accounts and addresses the source named the requester by, for comparison with the mover's
	LinkKey        string    // the key we left on the ticket
	LinkRefID      string    // the ticket we opened
	Opened         time.Time // when the ticket was linked
	Policy         *mapping.Policy
	Snapshot       connectors.Snapshot
	Movers         map[string]Mover // by the desk's account id, for everybody in the history
	Holds          Condition
}

// Mover is what is known about somebody who changed a ticket.
type Mover struct {
	Person string   // "" when unresolved
	Groups []string // as the desk reports them
}

// Condition evaluates the rule's decision block on one state of a ticket.
type Condition func(ticket map[string]any) (mapping.Verdict, error)

// Outcome is what a judgement comes to.
type Outcome string

const (
	Wait     Outcome = "wait"
	Approved Outcome = "approved"
	Denied   Outcome = "denied"
	Refused  Outcome = "refused"
)

// Code names why a claim was refused, stable for tests, records and reports.
type Code string

const (
	NotOurs          Code = "not_ours"          // the ticket is not the one we opened, or not created by our account
	MarkChanged      Code = "mark_changed"      // our key is gone from the ticket or differs
	ConditionFailed  Code = "condition_failed"  // the rule's condition could not be evaluated
	NoMover          Code = "no_mover"          // no step of the history explains the status
	OwnAccount       Code = "own_account"       // our own account moved it
	Automation       Code = "automation"        // an app or a rule moved it
	UnknownMover     Code = "unknown_mover"     // the mover is no known person
	UnknownRequester Code = "unknown_requester" // the requester is no known person
	SelfApproval     Code = "self_approval"     // the requester moved it
	NotAnApprover    Code = "not_an_approver"   // the policy does not name the mover
	AlreadyDecided   Code = "already_decided"   // the case is no longer open
)

// Verdict is the judgement of one claim. Claim identifies the step it rests on, so that the same claim is answered
// once. Text is for the people reading the ticket.
type Verdict struct {
	Outcome Outcome   `json:"outcome"`
	Claim   string    `json:"claim,omitempty"` // id of the deciding step
	Said    Outcome   `json:"said,omitempty"`  // what the ticket's status says, also when refused
	By      string    `json:"by,omitempty"`    // the person
	ByName  string    `json:"by_name,omitempty"`
	Account string    `json:"account,omitempty"`
	At      time.Time `json:"at,omitzero"` // when the desk says the step was made
	Code    Code      `json:"code,omitempty"`
	Text    string    `json:"text,omitempty"`
}

// Judge decides about the ticket as it stands.
func Judge(in Input) Verdict {
	now, err := in.Holds(Ticket(in.Snapshot))
	if err != nil {
		return refuse(Verdict{Claim: lastStep(in.Snapshot)}, ConditionFailed, "the rule's decision could not be worked out: "+err.Error())
	}
	said := spoken(now)
	if said == Wait {
		return Verdict{Outcome: Wait}
	}
	v := Verdict{Said: said}
	if err := historyShows(in, said); err != nil {
		v.Claim = lastStep(in.Snapshot)
		return refuse(v, ConditionFailed, err.Error())
	}
	step, found, err := deciding(in, said)
	if err != nil {
		v.Claim = lastStep(in.Snapshot)
		return refuse(v, ConditionFailed, "the rule's decision could not be worked out: "+err.Error())
	}
	if found {
		v.Claim, v.At, v.Account, v.ByName = step.ID, step.At, step.By.Account, step.By.Name
	}
	if in.Snapshot.Ref.ID != in.LinkRefID || !in.Snapshot.Ours {
		return refuse(v, NotOurs, "this ticket is not the one Drawbridge opened for the request")
	}
	if in.Snapshot.Key != in.LinkKey {
		return refuse(v, MarkChanged, "the mark by which Drawbridge knows this ticket was changed or removed")
	}
	if !found {
		return refuse(v, NoMover, "the ticket's history does not show who brought it to this status")
	}
	if !in.CaseOpen {
		return refuse(v, AlreadyDecided, "the request was decided before; the first valid decision stands")
	}
	return who(in, step, v)
}

// who judges the person behind the deciding step.
func who(in Input, step connectors.Step, v Verdict) Verdict {
	if step.By.Ours {
		return refuse(v, OwnAccount, "it was moved by Drawbridge's own account")
	}
	if step.By.Automation {
		return refuse(v, Automation, "it was moved by an automation, and only a person can decide")
	}
	mover, known := in.Movers[step.By.Account]
	if !known || mover.Person == "" {
		return refuse(v, UnknownMover, fmt.Sprintf("%s is not known to Drawbridge as a person", name(step.By)))
	}
	v.By = mover.Person
	if in.Requester == "" && in.Policy.UnknownRequester != "allow" {
		return refuse(v, UnknownRequester, "the person who asks is not known to Drawbridge, so self-approval cannot be ruled out")
	}
	if mover.Person == in.Requester || sameName(step.By.Person, in.RequesterNames) {
		return refuse(v, SelfApproval, fmt.Sprintf("%s is the person who asks, and nobody decides their own request", name(step.By)))
	}
	if !mayDecide(in.Policy, mover) {
		return refuse(v, NotAnApprover, fmt.Sprintf("%s is not among those who may decide (policy %s)", name(step.By), in.Policy.Name))
	}
	v.Outcome = v.Said
	return v
}

func mayDecide(p *mapping.Policy, m Mover) bool {
	if slices.Contains(p.Approvers.People, m.Person) {
		return true
	}
	return slices.ContainsFunc(m.Groups, func(g string) bool { return slices.Contains(p.Approvers.Groups, g) })
}

// sameName catches a requester who is unresolved but whose own account or address the mover bears.
func sameName(by connectors.Person, names []string) bool {
	return slices.ContainsFunc(names, func(n string) bool {
		return n != "" && (strings.EqualFold(n, by.Account) || strings.EqualFold(n, by.Mail))
	})
}

// deciding finds the step that made the condition true: the first of the unbroken run of steps, up to now, after
// each of which the ticket said the same. Later steps inside the run change nothing and decide nothing.
func deciding(in Input, said Outcome) (connectors.Step, bool, error) {
	ticket := Ticket(in.Snapshot)
	history := in.Snapshot.History
	for i := len(history) - 1; i >= 0; i-- {
		undo(ticket, history[i])
		before, err := in.Holds(ticket)
		if err != nil {
			return connectors.Step{}, false, err
		}
		if spoken(before) != said {
			return history[i], true, nil
		}
	}
	return connectors.Step{}, false, nil
}

// historyShows refuses a condition that depends on the status category: desks keep the category out of the history, so
// the step that made such a condition true cannot be told from a later one by somebody else.
func historyShows(in Input, said Outcome) error {
	ticket := Ticket(in.Snapshot)
	ticket["category"] = ""
	without, err := in.Holds(ticket)
	if err != nil {
		return err
	}
	if spoken(without) != said {
		return errors.New("the rule decides by ticket.category, which the history does not show; it must name statuses")
	}
	return nil
}

// Ticket is the value that a rule's decision expressions see.
func Ticket(s connectors.Snapshot) map[string]any {
	fields := make(map[string]any, len(s.Fields))
	for k, v := range s.Fields {
		fields[k] = v
	}
	return map[string]any{
		"status": s.Status, "category": s.Category, "summary": s.Summary, "priority": s.Priority,
		"key": s.Ref.Key, "id": s.Ref.ID, "url": s.Ref.URL, "fields": fields,
	}
}

// undo takes one step of the history back.
func undo(ticket map[string]any, step connectors.Step) {
	switch step.Field {
	case "status":
		ticket["status"], ticket["category"] = step.From, ""
	case "summary", "priority":
		ticket[step.Field] = step.From
	default:
		ticket["fields"].(map[string]any)[step.Field] = step.From
	}
}

func spoken(v mapping.Verdict) Outcome {
	switch {
	case v.Approved:
		return Approved
	case v.Denied:
		return Denied
	default:
		return Wait
	}
}

func lastStep(s connectors.Snapshot) string {
	if len(s.History) == 0 {
		return ""
	}
	return s.History[len(s.History)-1].ID
}

func name(a connectors.Account) string {
	for _, text := range []string{a.Name, a.Mail, a.Account} {
		if text != "" {
			return text
		}
	}
	return "somebody without a name"
}

func refuse(v Verdict, code Code, text string) Verdict {
	v.Outcome, v.Code, v.Text = Refused, code, text
	return v
}
