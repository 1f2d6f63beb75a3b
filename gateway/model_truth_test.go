package gateway

import (
	"slices"
	"time"
)

// simPolicy is a policy twice: as the bridge reads it, and as the simulator understands it.
type simPolicy struct {
	name, text string

	named       []string
	group       bool // members of security
	quorum      int
	noesCount   bool // as many noes as yeses are needed
	after       time.Duration
	deny        bool
	deputy      string
	deputyAfter time.Duration
	ghostMayAsk bool
	revoke      []string
}

var simPolicies = []simPolicy{
	{name: "one", text: "approvers: {people: [kim, lee]}", named: []string{"kim", "lee"}, quorum: 1},
	{name: "two", text: "approvers: {people: [kim, lee, dan]}\nquorum: 2", named: []string{"kim", "lee", "dan"}, quorum: 2},
	{name: "three", text: "approvers: {people: [kim, lee, dan]}\nquorum: 3\ndeny: quorum", named: []string{"kim", "lee", "dan"}, quorum: 3, noesCount: true},
	{name: "self", text: "approvers: {people: [kim, ana]}\nunknown_requester: allow", named: []string{"kim", "ana"}, quorum: 1, ghostMayAsk: true},
	{name: "group", text: "approvers: {groups: [security]}", group: true, quorum: 1},
	{name: "late", text: "approvers: {people: [kim, lee]}\ndeadline: {after: 2h, then: deny, deputy: {after: 1h, people: [max]}}",
		named: []string{"kim", "lee"}, quorum: 1, after: 2 * time.Hour, deny: true, deputy: "max", deputyAfter: time.Hour},
	{name: "leave", text: "approvers: {people: [kim, lee]}\nquorum: 2\ndeadline: {after: 2h, remind: [30m]}", named: []string{"kim", "lee"}, quorum: 2, after: 2 * time.Hour},
	{name: "back", text: "approvers: {people: [kim]}\nrefused: {status: Open}\nrevoke: {people: [kim, lee]}", named: []string{"kim"}, quorum: 1, revoke: []string{"kim", "lee"}},
}

// simAct is one thing somebody did to a ticket, as it happened.
type simAct struct {
	who, field, from, to string
	at                   time.Time
}

// simMeaning is what a status says to everybody concerned.
func simMeaning(status string) string {
	switch status {
	case "Approved", "Granted":
		return "approved"
	case "Declined":
		return "denied"
	case "Revoked":
		return "revoked"
	}
	return ""
}

// act notes what happened and works out anew what is right.
func (t *simTicket) act(a simAct) {
	a.at = t.desk.w.now
	t.acts = append(t.acts, a)
	if t.request != nil {
		t.desk.w.weigh(t.request)
	}
}

// word is one person's word for an outcome, given on a ticket.
type word struct {
	who  string
	said string
	at   time.Time
	good bool // given by one who may, on the ticket as we wrote it, not taken back, and the ticket not edited since
	held bool // the ticket still stands by it
	back bool // taken back by who gave it
}

// words reads forward through what was done to a ticket. An act by which the ticket comes to say something is a word;
// acts that leave what it says alone are none. Who gave a word takes it back by moving the ticket away again.
func (t *simTicket) words() (says string, all []word) {
	if len(t.approvals) > 0 {
		return t.answers()
	}
	tainted := map[string]string{} // fields edited by others, with our text
	open := -1                     // the word the ticket stands by
	for _, a := range t.acts {
		switch a.field {
		case "status":
			meaning := simMeaning(a.to)
			if meaning == says {
				continue
			}
			if open >= 0 {
				all[open].held = false
				if all[open].who == a.who {
					all[open].good, all[open].back = false, true
				}
				open = -1
			}
			if says = meaning; says != "" {
				all = append(all, word{who: a.who, said: says, at: a.at, good: len(tainted) == 0 && t.mayDecide(a.who, a.at), held: true})
				open = len(all) - 1
			}
		case "summary", "description":
			spoil(a, tainted, all)
		}
	}
	return says, all
}

// spoil is an edit: by somebody else than us it spoils every word given before it.
func spoil(a simAct, tainted map[string]string, all []word) {
	if a.who == "ours" {
		delete(tainted, a.field)
		return
	}
	for i := range all {
		all[i].good = all[i].good && all[i].said == "revoked"
	}
	if _, known := tainted[a.field]; !known {
		tainted[a.field] = a.from
	}
	if tainted[a.field] == a.to {
		delete(tainted, a.field)
	}
}

// answers reads a desk's own approval: the last one asked for, once it is complete.
func (t *simTicket) answers() (says string, all []word) {
	tainted := map[string]string{}
	var revoked []word
	for _, a := range t.acts {
		switch a.field {
		case "asked":
			says, all = "", nil
		case "answer":
			all = append(all, word{who: a.who, said: a.to, at: a.at, good: len(tainted) == 0 && t.mayDecide(a.who, a.at), held: true})
		case "final":
			says = a.to
		case "summary", "description":
			spoil(a, tainted, all)
		case "status":
			if simMeaning(a.to) != "revoked" {
				revoked = nil
			} else {
				revoked = []word{{who: a.who, said: "revoked", at: a.at, held: true}}
			}
		}
	}
	if revoked != nil {
		return "revoked", revoked
	}
	return says, all
}

// mayDecide tells whether somebody had the right to decide at that time.
func (t *simTicket) mayDecide(who string, at time.Time) bool {
	w, r := t.desk.w, t.request
	p := simPolicies[w.shape.Policy]
	if who == "ours" || who == "robot" || who == "eve" {
		return false
	}
	if r.requester == who || (r.requester == "ghost" && !p.ghostMayAsk) {
		return false
	}
	if p.after > 0 && at.After(r.opened.Add(p.after)) {
		return false
	}
	return slices.Contains(p.named, who) || (p.group && w.security[who]) || (p.deputy == who && !at.Before(r.opened.Add(p.deputyAfter)))
}

func (p simPolicy) needed(said string) int {
	if said == "denied" && !p.noesCount {
		return 1
	}
	return p.quorum
}

// choseHours tells whether somebody who ever approved by right, on any ticket of the request, wrote that duration on this.
func (t *simTicket) choseHours(length time.Duration) bool {
	return slices.ContainsFunc(t.acts, func(a simAct) bool {
		chosen, err := time.ParseDuration(a.to)
		return a.field == "hours" && err == nil && chosen == length && t.approvedBy(a.who)
	})
}

func (t *simTicket) approvedBy(who string) bool {
	return slices.ContainsFunc(t.desk.w.tickets, func(other *simTicket) bool {
		_, words := other.words()
		return other.request == t.request && slices.ContainsFunc(words, func(v word) bool {
			// Who was in the group when it was judged is not known any more.
			return v.who == who && v.said == "approved" && (simPolicies[t.desk.w.shape.Policy].group || t.mayDecide(who, v.at))
		})
	})
}

// meddled tells whether somebody else than these chose a duration.
func (t *simTicket) meddled(people []string) bool {
	return slices.ContainsFunc(t.acts, func(a simAct) bool { return a.field == "hours" && !slices.Contains(people, a.who) })
}

// weigh notes every outcome that is right at this moment, with those on whose word: the last who said so, and all
// others together being enough.
func (w *simWorld) weigh(r *simRequest) {
	for _, t := range w.tickets {
		if t.request != r || !t.ours || t.mark != t.key {
			continue
		}
		says, words := t.words()
		if says == "revoked" {
			w.weighRevoke(r, t, words)
		}
		if says == "" || says == "revoked" {
			continue
		}
		var heard []*simTicket // a single no decides as soon as it is heard, unless something else did before
		if simPolicies[w.shape.Policy].noesCount {
			heard = w.readable(r)
		}
		last, people := t.voices(says, words, heard)
		if last == nil {
			continue
		}
		for _, other := range w.tickets {
			if other != t && other.request == r && other.ours && other.mark == other.key && other.key != t.key {
				_, more := other.words()
				for i, v := range more {
					if v.good && v.said == says && !slices.Contains(people, v.who) && !other.changedMind(more, i, heard) {
						people = append(people, v.who)
					}
				}
			}
		}
		if len(people) < simPolicies[w.shape.Policy].needed(says) {
			continue
		}
		for _, who := range last {
			if !slices.Contains(r.basis[says], who) {
				r.basis[says] = append(r.basis[says], who)
			}
		}
	}
}

// voices are the different people whose word for what the ticket says is good, and those of them on whose word it
// stands: nil when the ticket stands by a word that is not good.
func (t *simTicket) voices(says string, words []word, heard []*simTicket) (last, people []string) {
	native := len(t.approvals) > 0
	for i, v := range words {
		if v.said != says || !v.good || t.changedMind(words, i, heard) {
			continue
		}
		if !slices.Contains(people, v.who) {
			people = append(people, v.who)
		}
		if v.held || native {
			last = append(last, v.who)
		}
	}
	return last, people
}

// changedMind tells whether who gave a word gave the opposite one later and did not take it back, on this ticket or on
// one of those heard. Of two words given in the same moment on two tickets, the no is the later.
func (t *simTicket) changedMind(words []word, i int, heard []*simTicket) bool {
	v := words[i]
	opposite := func(o word) bool {
		return o.who == v.who && o.said != v.said && o.said != "revoked" && !o.back
	}
	if slices.ContainsFunc(words[i+1:], opposite) {
		return true
	}
	for _, other := range heard {
		if other == t {
			continue
		}
		_, more := other.words()
		if slices.ContainsFunc(more, func(o word) bool {
			return opposite(o) && (o.at.After(v.at) || o.at.Equal(v.at) && o.said == "denied")
		}) {
			return true
		}
	}
	return false
}

func (w *simWorld) weighRevoke(r *simRequest, t *simTicket, words []word) {
	v := words[len(words)-1]
	if v.held && slices.Contains(simPolicies[w.shape.Policy].revoke, v.who) {
		r.basis["revoked"] = append(r.basis["revoked"], v.who)
	}
}

// standing is what the tickets of a request say right now and by right, "" for nothing. It demands less than weigh
// allows: only words by which tickets still stand.
func (w *simWorld) standing(r *simRequest, tickets []*simTicket) string {
	for _, t := range tickets {
		if t.mark != t.key {
			continue
		}
		says, words := t.words()
		if says == "" || says == "revoked" {
			continue
		}
		last, people := t.voices(says, words, tickets)
		if last == nil {
			continue
		}
		for _, other := range tickets {
			if same, more := other.words(); other != t && other.mark == other.key && same == says {
				last, voices := other.voices(says, more, tickets)
				if last == nil || (says == "approved" && other.meddled(voices)) {
					continue // it may be refused there
				}
				people = append(people, voices...)
			}
		}
		if says == "approved" && t.meddled(people) {
			continue // it may be refused
		}
		slices.Sort(people)
		if len(slices.Compact(people)) >= simPolicies[w.shape.Policy].needed(says) {
			return says
		}
	}
	return ""
}
