package gateway

import (
	"slices"
	"strings"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// rest lets everything come to rest: what is under way arrives, but webhooks are lost; vendors work; operators replay
// once. It tells whether it did.
func (w *simWorld) rest(m machine) bool {
	w.note("now all comes to rest")
	clear(w.armed)
	w.hooks = nil
	for _, land := range w.late {
		land()
	}
	w.late = nil
	m.stop(1, 0)
	replayed := false
	patience := w.now.Add(2 * simSkew) // a replica whose clock was ahead has put things off
	for quiet, rounds := 0, 0; quiet < 2; {
		if w.fault != nil {
			return true
		}
		if next, some := m.due(); some && next.After(w.now) {
			w.now = next.Add(time.Second)
		} else {
			w.now = w.now.Add(20 * time.Second)
		}
		for len(w.mail) > 0 {
			w.hear(m, 0, 0, false)
		}
		m.plan(0)
		m.timers(0)
		for _, c := range simConns {
			w.work(m, 0, c)
		}
		w.hooks = nil
		for _, d := range simConns {
			if d != simTool {
				m.watch(0, d)
			}
		}
		if _, some := m.due(); some || len(w.mail) > 0 {
			quiet = 0
			if rounds++; rounds > 60 && w.now.After(patience) {
				return false
			}
			continue
		}
		if quiet++; !replayed {
			replayed = true
			m.replay()
		}
	}
	return true
}

// checkRest looks at what must be so once all has come to rest.
func (w *simWorld) checkRest(m machine) {
	for _, r := range w.requests {
		if r.opened.IsZero() {
			w.broken("an event of the source was never accepted")
			return
		}
		seen, err := m.see(r.id)
		if err != nil {
			w.broken("look at the case: %v", err)
			return
		}
		w.checkTickets(r, seen)
		w.checkDecision(r, seen)
	}
}

// checkTickets: one request, one ticket at each desk; a second one is closed and says so.
func (w *simWorld) checkTickets(r *simRequest, seen seenCase) {
	want := map[string]int{}
	if seen.decision == "" && r.state == connectors.Pending {
		want[simJira] = 1
		if w.shape.Both {
			want[simSnow] = 1
		}
	}
	opened := map[string]int{}
	for _, t := range w.tickets {
		if t.request == r && t.ours {
			opened[t.desk.name]++
		}
	}
	for desk, n := range opened {
		if n > 1 && !w.excused {
			w.broken("%d tickets were opened at %s for one request", n, desk)
		}
	}
	have := map[string]int{}
	byRef := map[string]seenLink{}
	for _, l := range seen.links {
		byRef[l.ref] = l
		if l.state == linkLinked {
			have[l.desk]++
		}
	}
	for desk, n := range want {
		if have[desk] != n {
			w.broken("%d tickets are linked at %s, want %d: %v", have[desk], desk, n, seen.links)
		}
	}
	for _, t := range w.tickets {
		if t.request != r || !t.ours || t.mark != t.key {
			continue
		}
		l, known := byRef[t.ref().ID]
		switch {
		case !known:
			w.broken("%v is a ticket of ours nobody knows", t)
		case have[l.desk] > 1:
			w.broken("%d tickets are live at %s", have[l.desk], l.desk)
		case l.state == linkTwin && !strings.Contains(strings.Join(values(t.comments), " "), "opened a second time"):
			w.broken("%v is a second ticket and does not say so", t)
		}
	}
	if seen.open > 0 {
		w.broken("%d deliveries are left", seen.open)
	}
}

// checkDecision: what stands by right is posted, and whoever decided hears what became of it.
func (w *simWorld) checkDecision(r *simRequest, seen seenCase) {
	var tickets []*simTicket
	explained := false
	for _, l := range seen.links {
		t := w.at(connectors.Ref{ID: l.ref})
		if l.state != linkLinked || t == nil {
			continue
		}
		tickets = append(tickets, t)
		explained = explained || len(t.comments) > 0
	}
	if right := w.standing(r, tickets); right != "" && seen.decision == "" && !r.itself && !w.regrouped {
		w.broken("%s stands by right, and nothing was decided", right)
	}
	if seen.decision != "" && seen.origin == originDesk && !r.itself && string(r.state) != seen.decision {
		w.broken("%s was decided, and the source says %s", seen.decision, r.state)
	}
	for _, t := range tickets {
		if says, _ := t.words(); says != "" && t.mark == t.key && seen.decision == "" && !explained && !r.itself {
			w.broken("%v says %s, nothing was decided and nobody was told why", t, says)
		}
	}
	if len(r.basis["revoked"]) > 0 && !r.revoked && w.stillRevoked(tickets) && seen.state == decisionPosted && seen.decision == "approved" {
		w.broken("the wish to take access back stands, and nothing was done")
	}
}

func (w *simWorld) stillRevoked(tickets []*simTicket) bool {
	for _, t := range tickets {
		if says, words := t.words(); says == "revoked" && t.mark == t.key && slices.Contains(simPolicies[w.shape.Policy].revoke, words[len(words)-1].who) {
			return true
		}
	}
	return false
}

func values(m map[string]string) (out []string) {
	for _, v := range m {
		out = append(out, v)
	}
	return out
}
