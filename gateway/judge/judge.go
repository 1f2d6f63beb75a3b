// Package judge turns a claim into a decision, a wait or a refusal. A ticket that stands in a deciding status, or a
// desk's approval that is complete, is only a claim: somebody did that. Judge looks at the evidence as fetched, finds
// who did what, and asks whether these people may decide this case, by the policy the case opened with.
//
// Everything here is a pure function over values: no clock, no database, no calls. Hours and deadlines are judged by the
// time the desk gives a claim, not by when it is judged; whether the source still takes a decision is told by Waiting, and in
// the end by the source's answer to the post. What cannot be established with certainty is refused. Nothing else in
// Drawbridge may decide.
//
// Read judge.go for the course of a judgement, claims.go for how claims are found in a ticket, who.go for whether one
// claim is valid, and evidence.go for what a ticket looks like to expressions.
package judge

import (
	"fmt"
	"slices"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/mapping"
)

// Input is all a judgement may look at.
type Input struct {
	Opened    time.Time // when the case opened; deadlines count from here
	Waiting   bool      // the source still waits, as far as we were told: no decision is recorded and the request has not ended
	Decided   *Decided  // the decision there is, nil while there is none
	Edited    bool      // an operator wrote what the approvers read, in quarantine or on a ticket: one person is not enough
	Requester string    // the person who asks, "" when unresolved
	Aliases   []string  // the accounts and addresses the source named the requester by
	Terms     mapping.Terms
	Admit     Admit
	Ticket    Evidence
	Others    []Evidence // the case's other tickets, where somebody answered
	Votes     []Vote     // valid answers recorded before where there is no ticket
}

// Decided is the decision a case has.
type Decided struct {
	Outcome Outcome
	Link    string // the ticket it was made on
	Claim   string
	Posted  bool // the source has accepted it
	Revoked bool // it was taken back already
	ByName  string
}

// Evidence is one ticket as fetched, with what is known about the people in it.
type Evidence struct {
	Link     string // id of the link
	Key      string // what we left on the ticket
	RefID    string // the ticket we opened
	Baseline string // Content of the ticket when we first read it; "" when this is the first time
	Snapshot connectors.Snapshot
	Movers   map[string]Mover // by the desk's account id
	Matters  []string         // fields an approver relies on, by the policy the ticket was opened under
	Spoiled  []string         // claims refused before because the ticket did not say what was asked for
	Blind    error            // why no condition may look at this ticket; nil: any may
	Holds    Condition
	Duration Chosen // by the rule's decision block; nil for a ticket that is not judged itself
	Reason   Given  // likewise
}

// Mover is what is known about an account at a desk.
type Mover struct {
	Person string   // "" when unresolved
	Groups []string // as the desk reports them at the time of the judgement
}

// Vote is a valid answer recorded before. Who gave it is looked at again: rights may have gone since.
type Vote struct {
	Claim   string
	Link    string
	Actor   mapping.Actor
	Outcome Outcome
	At      time.Time
}

// Condition evaluates the rule's decision block on one state of a ticket.
type Condition func(ticket map[string]any) (mapping.Verdict, error)

// Chosen reads for how long access is given off one state of a ticket. Zero and not once: the ticket does not say.
type Chosen func(ticket map[string]any) (once bool, length time.Duration, err error)

// Given reads the reason off one state of a ticket, "" where it gives none.
type Given func(ticket map[string]any) (string, error)

// Admit tells whether somebody is among the approvers named.
type Admit func(a mapping.Approvers, actor mapping.Actor, ticket map[string]any) (bool, error)

// Outcome is what a judgement comes to.
type Outcome string

const (
	Wait     Outcome = "wait"     // nobody has said anything that counts
	Counted  Outcome = "counted"  // a valid answer, and more are needed
	Approved Outcome = "approved" // decided
	Denied   Outcome = "denied"   // decided
	Revoked  Outcome = "revoked"  // access already granted shall be taken back
	Refused  Outcome = "refused"  // a claim that does not count
)

// Verdict is the judgement of a case at one moment. Claim identifies what it rests on, so that the same claim is
// answered once. Text is for the people reading the ticket.
type Verdict struct {
	Outcome Outcome       `json:"outcome"`
	Claim   string        `json:"claim,omitempty"`
	Said    Outcome       `json:"said,omitempty"`    // what the ticket says, also when refused
	By      string        `json:"by,omitempty"`      // the person
	ByName  string        `json:"by_name,omitempty"` // what they are called
	Account string        `json:"account,omitempty"`
	At      time.Time     `json:"at,omitzero"` // when the desk says it was done
	Code    Code          `json:"code,omitempty"`
	Text    string        `json:"text,omitempty"`
	Have    int           `json:"have,omitempty"` // distinct people who said so
	Need    int           `json:"need,omitempty"`
	With    []string      `json:"with,omitempty"` // everybody who counts, the last one last
	Once    bool          `json:"once,omitempty"`
	Length  time.Duration `json:"length,omitempty"`
	Cut     bool          `json:"cut,omitempty"` // the policy shortened the duration asked for
	Reason  string        `json:"reason,omitempty"`
}

// Judge decides about a case by the ticket that was just read, its others and the votes recorded before.
func Judge(in Input) Verdict {
	said, claims, err := read(in.Ticket)
	if err != nil {
		return refuse(Verdict{Claim: in.Ticket.lastStep()}, ConditionFailed, "the rule's decision could not be worked out: "+err.Error())
	}
	if said == Wait {
		return Verdict{Outcome: Wait}
	}
	if len(claims) == 0 {
		return refuse(Verdict{Said: said, Claim: in.Ticket.lastStep()}, NoMover, "the ticket's history does not show who brought it there")
	}
	last := claims[len(claims)-1]
	v := in.verdict(last)
	if code, text := in.ticketFault(); code != "" {
		return refuse(v, code, text)
	}
	if said == Revoked {
		return in.revocation(last, v)
	}
	if !in.Waiting {
		return in.late(v)
	}
	return in.tally(said, claims)
}

// tally weighs all claims of one outcome together with those on other tickets and the votes recorded before.
func (in Input) tally(said Outcome, claims []claim) Verdict {
	last := claims[len(claims)-1]
	v := in.verdict(last)
	all := in.everybody()
	counted := map[string]bool{}
	count := func(person string) {
		if !counted[person] {
			counted[person] = true
			v.With = append([]string{person}, v.With...)
		}
	}
	for i, one := range slices.Backward(claims) {
		person, code, text := in.counts(one, all)
		if code != "" {
			// The latest claim answers for the ticket as it stands; an earlier one that does not count is passed over,
			// except where a desk's own approval gathered several and none of them is the latest.
			if i == len(claims)-1 && !one.together {
				v.By = person
				return refuse(v, code, text)
			}
			if v.Code == "" && len(counted) == 0 {
				v.Code, v.Text = code, text
			}
			continue
		}
		if len(counted) == 0 {
			last, v = one, in.verdict(one)
			v.By = person
		}
		count(person)
	}
	if len(counted) == 0 {
		return refuse(v, v.Code, v.Text)
	}
	for _, e := range in.Others {
		other := in
		other.Ticket = e
		for _, one := range other.support(said) {
			if person, code, _ := other.counts(one, all); code == "" {
				count(person)
			}
		}
	}
	for _, vote := range in.Votes {
		if vote.Outcome == said && in.stillMay(vote) && !otherwise(all, vote.Actor.Person, vote.claim()) {
			count(vote.Actor.Person)
		}
	}
	v.Have, v.Need = len(counted), in.needed(said)
	if v.Have < v.Need {
		v.Outcome = Counted
		v.Text = fmt.Sprintf("%s counts as %d of %d; %s more must say the same", v.ByName, v.Have, v.Need, people(v.Need-v.Have))
		return v
	}
	return in.grant(last, v)
}

// counts tells whether a claim counts, whose it is, and that they did not change their mind since.
func (in Input) counts(c claim, all []voice) (person string, code Code, text string) {
	if person, code, text = in.may(c); code == "" && otherwise(all, person, c) {
		return person, SaidOtherwise, fmt.Sprintf("%s has said the opposite since", in.called(c))
	}
	return person, code, text
}

// grant settles for how long, and with what reason. Both are as they stood at the claim, or as somebody who counts set
// them since. What anybody else set before it is nobody's choice: a duration like that is refused, a reason is none.
func (in Input) grant(c claim, v Verdict) Verdict {
	before, after := in.Ticket.split(c)
	counts := func(step connectors.Step) bool {
		person, _, _ := in.person(claim{by: step.By}) // none of a machine
		return step.By.Ours || slices.Contains(v.With, person)
	}
	seen, chosen := Ticket(in.Ticket.Snapshot), Ticket(in.Ticket.Snapshot)
	without(seen, after, counts)
	without(chosen, slices.Concat(before, after), counts)
	if v.Said == Approved {
		if v = in.howLong(seen, chosen, v); v.Outcome == Refused {
			return v
		}
	}
	reason, err := in.Ticket.Reason(seen)
	if err != nil && v.Said == Approved {
		return refuse(v, ConditionFailed, "the reason could not be worked out: "+err.Error())
	}
	if own, _ := in.Ticket.Reason(chosen); own == reason { // none where it fails
		v.Reason = reason
	}
	if in.Terms.ReasonRequired && v.Reason == "" {
		return refuse(v, NoReason, "the policy asks for a reason, and the ticket gives none by those who decide")
	}
	v.Outcome = v.Said
	return v
}

// howLong settles for how long access is given.
func (in Input) howLong(seen, chosen map[string]any, v Verdict) Verdict {
	once, length, err := in.Ticket.Duration(seen)
	if err != nil {
		return refuse(v, ConditionFailed, "the duration could not be worked out: "+err.Error())
	}
	if theirs, own, err := in.Ticket.Duration(chosen); err != nil || theirs != once || own != length {
		return refuse(v, DurationRefused, "the duration was chosen by somebody who does not decide; somebody who does must choose it")
	}
	granted, err := in.Terms.Durations.Grant(once, length)
	if err != nil {
		return refuse(v, DurationRefused, "the duration is not one the policy allows: "+err.Error())
	}
	v.Once, v.Length, v.Cut = granted.Once, granted.Length, granted.Cut
	return v
}

// needed is how many distinct people an outcome takes.
func (in Input) needed(said Outcome) int {
	n := max(in.Terms.Quorum, 1)
	if said == Denied && !in.Terms.DenyByQuorum {
		n = 1
	}
	if in.Edited {
		n = max(n, 2)
	}
	return n
}

// late answers a claim on a case that no longer waits. What agrees with the decision, and our own bringing tickets in
// line with it, is no claim at all.
func (in Input) late(v Verdict) Verdict {
	if in.Decided == nil {
		return refuse(v, Ended, "the request ended before; a decision has no effect any more")
	}
	if v.Said == in.Decided.Outcome || (in.Decided.Link == in.Ticket.Link && in.Decided.Claim == v.Claim) {
		return Verdict{Outcome: Wait}
	}
	return refuse(v, AlreadyDecided, fmt.Sprintf("the request was %s before by %s; the first valid decision stands", in.Decided.Outcome, in.Decided.ByName))
}

// revocation judges the wish to take back access that was granted.
func (in Input) revocation(c claim, v Verdict) Verdict {
	switch {
	case in.Decided == nil || in.Decided.Outcome != Approved || !in.Decided.Posted:
		return refuse(v, NothingGranted, "no access was granted that could be taken back")
	case in.Decided.Revoked:
		return Verdict{Outcome: Wait}
	case in.Terms.Revoke == nil:
		return refuse(v, NotRevocable, fmt.Sprintf("the policy %s lets nobody take access back", in.Terms.Name))
	}
	person, code, text := in.person(c)
	v.By = person
	if code != "" {
		return refuse(v, code, text)
	}
	if ok, err := in.among(*in.Terms.Revoke, c, in.actor(c)); err != nil || !ok {
		return refuse(v, NotAnApprover, fmt.Sprintf("%s is not among those who may take access back (policy %s)", in.called(c), in.Terms.Name))
	}
	v.Outcome = Revoked
	return v
}

// stillMay looks again at somebody who answered before where there is no ticket: conditions see the one that is judged.
func (in Input) stillMay(vote Vote) bool {
	who := vote.Actor
	if who.Person == "" || who.Person == in.Requester || in.alias(connectors.Person{Account: who.Account, Mail: who.Mail}) {
		return false
	}
	ok, err := in.admitted(vote.claim(), who)
	return err == nil && ok
}

func people(n int) string {
	if n == 1 {
		return "one person"
	}
	return fmt.Sprintf("%d people", n)
}

func refuse(v Verdict, code Code, text string) Verdict {
	v.Outcome, v.Code, v.Text = Refused, code, text
	return v
}
