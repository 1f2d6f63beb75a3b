package judge

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/mapping"
)

// Code names why a claim was refused, stable for tests, records and reports.
type Code string

const (
	NotOurs          Code = "not_ours"          // the ticket is not the one we opened, or not created by our account
	MarkChanged      Code = "mark_changed"      // our key is gone from the ticket or differs
	ContentChanged   Code = "content_changed"   // what the approver saw is not what we wrote
	ConditionFailed  Code = "condition_failed"  // the rule's condition could not be evaluated
	NoMover          Code = "no_mover"          // no step of the history explains the status
	OwnAccount       Code = "own_account"       // our own account did it
	Automation       Code = "automation"        // an app or a rule did it
	UnknownMover     Code = "unknown_mover"     // the account is no known person's
	UnknownRequester Code = "unknown_requester" // the requester is no known person
	SelfApproval     Code = "self_approval"     // the requester did it
	SaidOtherwise    Code = "said_otherwise"    // the same person said the opposite since
	NotAnApprover    Code = "not_an_approver"   // the policy does not name the person
	OutOfHours       Code = "out_of_hours"      // done outside the policy's hours
	Late             Code = "late"              // done after the policy's deadline
	NoReason         Code = "no_reason"         // the policy asks for a reason
	DurationRefused  Code = "duration_refused"  // the policy does not allow the duration
	AlreadyDecided   Code = "already_decided"   // another decision was first
	Ended            Code = "ended"             // the request ended without a decision
	NothingGranted   Code = "nothing_granted"   // a revocation without an approval that was posted
	NotRevocable     Code = "not_revocable"     // the policy lets nobody revoke
)

// ticketFault tells why a ticket is no evidence, whoever moved it.
func (in Input) ticketFault() (Code, string) {
	s := in.Ticket.Snapshot
	switch {
	case s.Ref.ID != in.Ticket.RefID || !s.Ours:
		return NotOurs, "this ticket is not the one Drawbridge opened for the request"
	case s.Key != in.Ticket.Key:
		return MarkChanged, "the mark by which Drawbridge knows this ticket was changed or removed"
	case in.Waiting && in.edited():
		return ContentChanged, "the ticket no longer says what was asked for: " + strings.Join(in.Ticket.Matters, ", ") + " must be as they were, and the decision made anew"
	default:
		return "", ""
	}
}

// edited compares the ticket with what it said when we first read it, and before that with its history.
func (in Input) edited() bool {
	s, matters := in.Ticket.Snapshot, in.Ticket.Matters
	if in.Ticket.Baseline == "" {
		return Edited(s.History, matters)
	}
	return in.Ticket.Baseline != Content(s, matters)
}

// may tells whether one claim counts, and whose it is.
func (in Input) may(c claim) (person string, code Code, text string) {
	if person, code, text = in.person(c); code != "" {
		return person, code, text
	}
	if in.Requester == "" && !in.Terms.AllowUnknownRequester {
		return person, UnknownRequester, "the person who asks is not known to Drawbridge, so self-approval cannot be ruled out"
	}
	if person == in.Requester || in.alias(c.by.Person) {
		return person, SelfApproval, fmt.Sprintf("%s is the person who asks, and nobody decides their own request", in.called(c))
	}
	if d := in.Terms.Deadline; d != nil && d.After > 0 && (c.at.IsZero() || c.at.After(in.Opened.Add(d.After))) {
		return person, Late, fmt.Sprintf("it came after the time the policy %s gives", in.Terms.Name)
	}
	if in.Terms.Hours != nil && (c.at.IsZero() || !in.Terms.Hours.Open(c.at)) {
		return person, OutOfHours, fmt.Sprintf("it was done outside the hours of the policy %s", in.Terms.Name)
	}
	ok, err := in.admitted(c, in.actor(c))
	if err != nil {
		return person, ConditionFailed, "the policy's condition could not be worked out: " + err.Error()
	}
	if !ok {
		return person, NotAnApprover, fmt.Sprintf("%s is not among those who may decide (policy %s)", in.called(c), in.Terms.Name)
	}
	if in.editedAround(c) || in.Ticket.spoiled(c) {
		return person, ContentChanged, "the ticket was edited before or after that, and did not say what was asked for; the decision must be made anew"
	}
	return person, "", ""
}

// person resolves who did something. Machines are nobody.
func (in Input) person(c claim) (string, Code, string) {
	if c.by.Ours {
		return "", OwnAccount, "it was done by Drawbridge's own account"
	}
	if c.by.Automation {
		return "", Automation, "it was done by an automation, and only a person can decide"
	}
	mover, known := in.Ticket.Movers[c.by.Account]
	if c.by.Account == "" || !known || mover.Person == "" {
		return "", UnknownMover, fmt.Sprintf("%s is not known to Drawbridge as a person", named(c.by))
	}
	return mover.Person, "", ""
}

func (in Input) actor(c claim) mapping.Actor {
	mover := in.Ticket.Movers[c.by.Account]
	return mapping.Actor{Person: mover.Person, Groups: mover.Groups, Account: c.by.Account, Name: c.by.Name, Mail: c.by.Mail}
}

// admitted asks the policy: the approvers, and from their time on the deputies.
func (in Input) admitted(c claim, actor mapping.Actor) (bool, error) {
	ok, err := in.among(in.Terms.Approvers, c, actor)
	if ok || err != nil {
		return ok, err
	}
	if d := in.Terms.Deadline; d != nil && d.Deputy != nil && !c.at.Before(in.Opened.Add(d.Deputy.After)) {
		return in.among(d.Deputy.Approvers, c, actor)
	}
	return false, nil
}

// among tells whether somebody is one of the approvers named. A condition on the ticket must hold for the ticket as it
// stood at the claim, and as we wrote it: nobody gets the right by an edit, before or after. Where the desk does not show
// who wrote what the policy's conditions look at, they admit nobody.
func (in Input) among(a mapping.Approvers, c claim, actor mapping.Actor) (bool, error) {
	ok, err := in.Admit(a, actor, in.Ticket.when(c))
	if err = errors.Join(err, in.Ticket.blindTo(a)); !ok || err != nil {
		return false, err
	}
	return in.Admit(a, actor, in.Ticket.written(c))
}

// blindTo tells why a condition must not look at a ticket.
func (e Evidence) blindTo(a mapping.Approvers) error {
	if a.When == "" {
		return nil
	}
	return e.Blind
}

// alias catches a requester who is unresolved, or joined to somebody else, but whose own account or address it is. One
// who is unresolved is also whoever bears the same name in another domain.
func (in Input) alias(by connectors.Person) bool {
	return slices.ContainsFunc(in.Aliases, func(known string) bool {
		return slices.ContainsFunc([]string{by.Account, by.Mail}, func(own string) bool {
			if in.Requester == "" {
				known, own = login(known), login(own)
			}
			return known != "" && strings.EqualFold(known, own)
		})
	})
}

// login is an account or an address without its domain: of CORP\kim and of kim@corp.example it is kim.
func login(account string) string {
	account = account[strings.LastIndex(account, `\`)+1:]
	account, _, _ = strings.Cut(account, "@")
	return account
}

// editedAround tells whether a claim was made on a ticket that said something else than we wrote, or somebody else than
// us edited what matters after it. An edit of the same moment as an answer that has no place in the history came after
// it, and before it.
func (in Input) editedAround(c claim) bool {
	before, after := in.Ticket.split(c)
	edit := func(step connectors.Step) bool {
		return !step.By.Ours && slices.Contains(in.Ticket.Matters, step.Field)
	}
	return Edited(before, in.Ticket.Matters) || slices.ContainsFunc(after, edit) || slices.ContainsFunc(before, func(step connectors.Step) bool {
		return c.step < 0 && edit(step) && step.At.Equal(c.at)
	})
}

// spoiled tells whether a claim came no later than one that was refused because the ticket did not say what was asked for.
// A text that was put back makes none of them good, and not every desk keeps a history that would show it.
func (e Evidence) spoiled(c claim) bool {
	return slices.ContainsFunc(e.answers(), func(other claim) bool {
		return slices.Contains(e.Spoiled, other.id) && !other.before(c)
	})
}

// called is how everybody is told who did something. At many vendors people choose their names, and could bear another's:
// whoever a document knows is called by the person too, after the name.
func (in Input) called(c claim) string {
	person, _, _ := in.person(c)
	name := connectors.Clean(c.by.Name, longestName)
	switch {
	case person == "":
		return named(c.by)
	case name == "" || strings.EqualFold(name, person):
		return person
	}
	return fmt.Sprintf("%s (%s)", name, person)
}

// named is what a vendor calls somebody.
func named(a connectors.Account) string {
	for _, text := range []string{a.Name, a.Mail, a.Account} {
		if text = connectors.Clean(text, longestName); text != "" {
			return text
		}
	}
	return "somebody without a name"
}

// longestName leaves room for the person where what is told is cut.
const longestName = 100
