package judge

import (
	"errors"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/mapping"
)

// claim is one person's doing that says approved, denied or revoked.
type claim struct {
	id       string
	said     Outcome
	by       connectors.Account
	at       time.Time
	step     int  // its place in the history; -1 for a native approval, which stands beside it
	together bool // gathered by the desk's own approval: no one of them stands for all
}

func (c claim) verdict() Verdict {
	return Verdict{Claim: c.id, Said: c.said, At: c.at, Account: c.by.Account, ByName: name(c.by)}
}

// read tells what a ticket says and who said it, the latest last. Native approvals count where the ticket has them;
// its status moves then follow from them and are nobody's own doing.
func read(e Evidence) (Outcome, []claim, error) {
	now, err := e.Holds(Ticket(e.Snapshot))
	if err != nil {
		return "", nil, err
	}
	said := spoken(now)
	if len(e.Snapshot.Approvals) > 0 && said != Revoked {
		said, claims := approvals(e.Snapshot.Approvals)
		return said, claims, nil
	}
	if said == Wait {
		return Wait, nil, nil
	}
	if err := historyShows(e, said); err != nil {
		return said, nil, err
	}
	claims, err := runs(e, said)
	return said, claims, err
}

// approvals reads the desk's latest approval: what it came to, and everybody who answered so.
func approvals(all []connectors.Approval) (Outcome, []claim) {
	latest := all[len(all)-1].ID
	said := Wait
	var claims []claim
	for _, a := range all {
		if a.ID != latest {
			continue
		}
		switch a.Final {
		case connectors.Approved:
			said = Approved
		case connectors.Denied:
			said = Denied
		}
		if a.Outcome == a.Final {
			claims = append(claims, claim{id: "approval/" + a.ID + "/" + a.By.Account, said: Outcome(a.Outcome), by: a.By, at: a.At, step: -1, together: true})
		}
	}
	return said, claims
}

// runs finds, in the history, every unbroken run of states in which the ticket said so. The step that began a run is the
// claim: later steps inside a run change nothing and decide nothing. A run ended by the account that began it was taken
// back and is left out. Where the ticket says so now, the last claim is of the run that stands, or there is none at all:
// only what was never different has no step that began it.
func runs(e Evidence, said Outcome) (claims []claim, err error) {
	history := e.Snapshot.History
	speaks := make([]bool, len(history)+1) // after so many steps
	ticket := Ticket(e.Snapshot)
	for i := len(history); i >= 0; i-- {
		if i < len(history) {
			undo(ticket, history[i])
		}
		then, err := e.Holds(ticket)
		if err != nil {
			return nil, err
		}
		speaks[i] = spoken(then) == said
	}
	for i, step := range history {
		if speaks[i] || !speaks[i+1] {
			continue
		}
		end := i + 1
		for end < len(history) && speaks[end+1] {
			end++
		}
		if end < len(history) && history[end].By.Account == step.By.Account {
			continue
		}
		claims = append(claims, claim{id: step.ID, said: said, by: step.By, at: step.At, step: i})
	}
	return claims, nil
}

// answers are the claims of an outcome on another ticket of the case, whether or not it still stands there. A ticket
// that is no evidence, or cannot be read with certainty, has none.
func (in Input) answers(said Outcome) []claim {
	e := in.Ticket
	if code, _ := in.ticketFault(); code != "" {
		return nil
	}
	now, err := e.Holds(Ticket(e.Snapshot))
	if err != nil {
		return nil
	}
	if len(e.Snapshot.Approvals) > 0 {
		final, claims := approvals(e.Snapshot.Approvals)
		if final != said || spoken(now) == Revoked {
			return nil
		}
		return claims
	}
	if historyShows(e, spoken(now)) != nil {
		return nil
	}
	claims, _ := runs(e, said) // none where it fails
	return claims
}

// historyShows refuses a condition that depends on the status category: desks keep the category out of the history, so
// the step that made such a condition true cannot be told from a later one by somebody else.
func historyShows(e Evidence, said Outcome) error {
	ticket := Ticket(e.Snapshot)
	ticket["category"] = ""
	without, err := e.Holds(ticket)
	if err != nil {
		return err
	}
	if spoken(without) != said {
		return errors.New("the rule decides by ticket.category, which the history does not show; it must name statuses")
	}
	return nil
}

func spoken(v mapping.Verdict) Outcome {
	switch {
	case v.Approved:
		return Approved
	case v.Denied:
		return Denied
	case v.Revoked:
		return Revoked
	default:
		return Wait
	}
}
