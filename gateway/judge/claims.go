package judge

import (
	"errors"
	"slices"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// claim is one person's doing that says approved, denied or revoked.
type claim struct {
	id       string
	link     string
	said     Outcome
	by       connectors.Account
	at       time.Time
	step     int  // its place in the history; -1 for a native approval, which stands beside it
	together bool // gathered by the desk's own approval: no one of them stands for all
}

func (in Input) verdict(c claim) Verdict {
	return Verdict{Claim: c.id, Said: c.said, At: c.at, Account: c.by.Account, ByName: in.called(c)}
}

// before tells whether a claim was certainly made before another: by the history where both stand in one, by the desks'
// clocks otherwise.
func (c claim) before(other claim) bool {
	if c.link == other.link && c.step >= 0 && other.step >= 0 {
		return c.step < other.step
	}
	return !c.at.IsZero() && c.at.Before(other.at)
}

// read tells what a ticket says and who said it, the latest last. Native approvals count where the ticket has them;
// its status moves then follow from them and are nobody's own doing.
func read(e Evidence) (Outcome, []claim, error) {
	said, err := e.says(Ticket(e.Snapshot))
	if err != nil {
		return "", nil, err
	}
	if len(e.Snapshot.Approvals) > 0 && said != Revoked {
		final := outcome(e.latest()[0].Final)
		return final, e.answered(final), nil
	}
	if said == Wait {
		return Wait, nil, nil
	}
	course, err := e.course(said)
	return said, e.runs(course, said), err
}

// latest is the desk's latest approval, with everybody's part in it.
func (e Evidence) latest() (parts []connectors.Approval) {
	all := e.Snapshot.Approvals
	for _, a := range all {
		if a.ID == all[len(all)-1].ID {
			parts = append(parts, a)
		}
	}
	return parts
}

// answered are those who answered so in the desk's latest approval.
func (e Evidence) answered(said Outcome) (claims []claim) {
	for _, a := range e.latest() {
		if outcome(a.Outcome) == said {
			claims = append(claims, claim{id: "approval/" + a.ID + "/" + a.By.Account, link: e.Link, said: said, by: a.By, at: a.At, step: -1, together: true})
		}
	}
	return claims
}

func outcome(o connectors.Outcome) Outcome {
	switch o {
	case connectors.Approved:
		return Approved
	case connectors.Denied:
		return Denied
	default:
		return Wait
	}
}

// course is what a ticket said before its first step and after each, found by going back from where it stands. It is
// nil where going forward again, by what each step says it did, leads elsewhere: something happened that the history
// does not show, or a status bears another name since, and nobody can tell who brought the ticket there.
//
// A condition that depends on the status category is an error: desks keep the category out of the history, so the step
// that made such a condition true cannot be told from a later one by somebody else.
func (e Evidence) course(said Outcome) (course []Outcome, err error) {
	history := e.Snapshot.History
	ticket := Ticket(e.Snapshot)
	ticket["category"] = ""
	course = make([]Outcome, len(history)+1)
	for i := len(history); i >= 0; i-- {
		if i < len(history) {
			set(ticket, history[i].Field, history[i].From)
		}
		if course[i], err = e.says(ticket); err != nil {
			return nil, err
		}
	}
	if course[len(history)] != said {
		return nil, errors.New("the rule decides by ticket.category, which the history does not show; it must name statuses")
	}
	for i, step := range history {
		set(ticket, step.Field, step.To)
		again, err := e.says(ticket)
		if err != nil {
			return nil, err
		}
		if again != course[i+1] {
			return nil, nil
		}
	}
	return course, nil
}

// runs finds, in the course of a ticket, every unbroken run of states in which it said so. The step that began a run is
// the claim: later steps inside a run change nothing and decide nothing. A run ended by the person who began it was taken
// back and is left out; what people began whom nobody knows counts for nothing anyway. Where the ticket says so now, the last claim is of the run that stands, or there is none at all:
// only what was never different has no step that began it.
func (e Evidence) runs(course []Outcome, said Outcome) (claims []claim) {
	history := e.Snapshot.History
	for i := 1; i < len(course); i++ {
		if course[i-1] == said || course[i] != said {
			continue
		}
		end := i
		for end < len(history) && course[end+1] == said {
			end++
		}
		step := history[i-1]
		if end < len(history) && e.Movers[step.By.Account].Person == e.Movers[history[end].By.Account].Person {
			continue
		}
		claims = append(claims, claim{id: step.ID, link: e.Link, said: said, by: step.By, at: step.At, step: i - 1})
	}
	return claims
}

// answers are all claims on a ticket that say approved or denied, whether or not it stands there now or ever came to it.
// A ticket that cannot be read with certainty has none.
func (e Evidence) answers() []claim {
	now, err := e.says(Ticket(e.Snapshot))
	if err != nil {
		return nil
	}
	if len(e.Snapshot.Approvals) > 0 {
		return append(e.answered(Approved), e.answered(Denied)...)
	}
	course, _ := e.course(now) // none where it fails
	return append(e.runs(course, Approved), e.runs(course, Denied)...)
}

// support are the answers on another ticket of the case that may count here: none of a ticket that is no evidence, or
// whose own approval came to something else.
func (in Input) support(said Outcome) []claim {
	if code, _ := in.ticketFault(); code != "" {
		return nil
	}
	if len(in.Ticket.Snapshot.Approvals) > 0 {
		if now, _, _ := read(in.Ticket); now != said { // nothing where it fails
			return nil
		}
	}
	return slices.DeleteFunc(in.Ticket.answers(), func(c claim) bool { return c.said != said })
}

// voice is what one person said.
type voice struct {
	claim
	person string
}

// everybody's answers are those on all tickets of the case, valid or not: they tell who changed their mind.
func (in Input) everybody() (all []voice) {
	for _, e := range append([]Evidence{in.Ticket}, in.Others...) {
		at := in
		at.Ticket = e
		for _, c := range e.answers() {
			if person, code, _ := at.person(c); code == "" {
				all = append(all, voice{c, person})
			}
		}
	}
	for _, vote := range in.Votes {
		all = append(all, voice{vote.claim(), vote.Actor.Person})
	}
	return all
}

func (v Vote) claim() claim {
	return claim{id: v.Claim, link: v.Link, said: v.Outcome, at: v.At, step: -1}
}

// otherwise tells whether somebody said the opposite since. Where nobody can tell which they said first, they said no.
func otherwise(all []voice, person string, c claim) bool {
	return slices.ContainsFunc(all, func(v voice) bool {
		return v.person == person && v.said != c.said && (c.before(v.claim) || c.said == Approved && !v.before(c))
	})
}

// says is what a ticket in this state says.
func (e Evidence) says(ticket map[string]any) (Outcome, error) {
	v, err := e.Holds(ticket)
	switch {
	case err != nil:
		return "", err
	case v.Approved:
		return Approved, nil
	case v.Denied:
		return Denied, nil
	case v.Revoked:
		return Revoked, nil
	default:
		return Wait, nil
	}
}
