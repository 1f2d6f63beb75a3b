package main

import (
	"strings"
	"time"
)

// hostileVotes are attacks where more than one person must agree.
func hostileVotes() []attack {
	// A second answer, by whom; between moves the ticket back first, where answers do not stand beside each other.
	twice := func(first, between, second string) func(h *attempt) {
		return func(h *attempt) {
			h.approve(first)
			h.read()
			h.reopen(between)
			h.approve(second)
		}
	}
	// The one who is missing agrees.
	agreed := func(who ...string) func(h *attempt) {
		return func(h *attempt) {
			if !h.d.apart {
				h.approvedBy(who...)
			}
		}
	}
	kim, lee, both := agreed("kim"), agreed("lee"), agreed("kim", "lee")
	anew := func(h *attempt) {
		if h.d.reopen != nil { // elsewhere Kim's answer to this approval is refused for good
			kim(h)
		}
	}
	const one = "counts as 1 of 2"
	return []attack{
		{name: "one of two alone", asks: forTwo, says: one, then: lee, do: func(h *attempt) { h.approve("kim") }},
		{name: "one of two, read twice", asks: forTwo, says: one, then: lee, do: func(h *attempt) { h.approve("kim"); h.read() }},
		{name: "the same person twice", asks: forTwo, says: one, then: lee, do: twice("kim", "kim", "kim")},
		{name: "the same person twice, moved back by another", asks: forTwo, needs: []string{"reopen"}, says: one, then: lee, do: twice("kim", "max", "kim")},
		{name: "one person under two accounts", asks: forTwo, needs: []string{"second"}, says: one, then: lee, do: twice("kim", "max", "second")},
		{name: "an approver and somebody without the right", asks: forTwo, says: one, then: lee, do: twice("kim", "max", "max")},
		{name: "somebody without the right, then an approver", asks: forTwo, says: one, then: kim, do: twice("max", "lee", "lee")},
		{name: "an approver and the requester", asks: forTwo, needs: []string{"ana"}, says: one, then: lee, do: twice("kim", "ana", "ana")},
		{name: "an approver and an automation", asks: forTwo, needs: []string{"robot"}, says: one, then: lee, do: twice("kim", "max", "robot")},
		{name: "an approver and a stranger", asks: forTwo, needs: []string{"stranger"}, says: one, then: lee, do: twice("kim", "max", "stranger")},
		{name: "an approver takes theirs back, then the other approves", asks: forTwo, needs: []string{"reopen"}, says: one, then: kim, do: twice("kim", "kim", "lee")},
		{name: "an approver takes theirs back under a second account, then the other approves", asks: forTwo, needs: []string{"reopen", "second"}, says: one, then: kim, do: twice("kim", "second", "lee")},
		{name: "edited between two approvals", asks: forTwo, needs: []string{"edit"}, says: one, then: anew, do: func(h *attempt) {
			h.approve("kim")
			h.read()
			h.rename("max", "something else")
			h.read()
			h.restore("max")
			h.nextSecond()
			h.reopen("lee")
			h.approve("lee")
		}},
		{name: "one approves, one denies: the no counts", asks: forTwo, told: []string{"Denied"}, do: func(h *attempt) {
			h.approve("kim")
			h.read()
			h.reopen("lee")
			h.deny("lee")
		}},
		{name: "an approver changes to no, then the other approves", asks: forTwoNoes, needs: []string{"reopen"}, says: one, then: kim, do: func(h *attempt) {
			h.approve("kim")
			h.read()
			h.reopen("lee")
			h.deny("kim")
			h.read()
			h.reopen("lee")
			h.approve("lee")
		}},
		{name: "somebody without the right says no between two approvals", asks: forTwo, says: one, needs: []string{"reopen"}, then: lee, do: func(h *attempt) {
			h.approve("kim")
			h.read()
			h.reopen("max")
			h.deny("max")
		}},
		{name: "one no of two", asks: forTwoNoes, says: one, do: func(h *attempt) { h.deny("kim") }, then: func(h *attempt) {
			if !h.d.noEnds && !h.d.apart {
				h.deniedBy("lee")
			}
		}},
		{name: "nobody with the right, twice", asks: forTwo, needs: []string{"reopen"}, says: "not among those who may decide", then: both, do: twice("max", "max", "max")},
	}
}

// hostileTimes are attacks at the wrong time, and on what was agreed when the request was made.
func hostileTimes() []attack {
	return []attack{
		{name: "after the deadline", asks: beforeLong, ago: 2 * time.Hour, alone: true, says: "came after the time", then: over, do: func(h *attempt) { h.approve("kim") }},
		{name: "a deputy before their time", asks: forDeputies, says: "not among those who may decide", then: func(h *attempt) { h.approvedBy("kim") }, do: func(h *attempt) { h.approve("lee") }},
		{name: "a deputy's early move read in their time", asks: forDeputies, ago: 57 * time.Minute, says: "not among those who may decide", alone: true, then: func(h *attempt) { h.approvedBy("kim") }, do: func(h *attempt) {
			h.approve("lee")
			h.clock.forward(4 * time.Minute) // no more, for desks whose signatures grow old
		}},
		{name: "outside the hours", asks: byNight, says: "outside the hours", then: over, do: func(h *attempt) { h.approve("kim") }},
		{name: "the policy is loosened after the request was made", says: "not among those who may decide", alone: true, do: func(h *attempt) {
			h.check.edit(h.t, "Policy", "endpoint-approvers", "approvers: {people: [kim, lee]}", "approvers: {people: [kim, lee, max]}")
			h.t.Cleanup(func() {
				h.check.edit(h.t, "Policy", "endpoint-approvers", "approvers: {people: [kim, lee, max]}", "approvers: {people: [kim, lee]}")
			})
			h.approve("max")
		}},
		{name: "the rule is turned around after the request was made", told: []string{"Denied"}, says: "accepted by epm", alone: true, do: func(h *attempt) {
			turn := func() {
				around := strings.NewReplacer("approved: ticket.", "denied: ticket.", "denied: ticket.", "approved: ticket.")
				h.check.apply(h.t, around.Replace(h.check.published(h.t, "Rule", "epm-app-requests")))
			}
			turn()
			h.t.Cleanup(turn)
			h.deny("kim")
		}},
		{name: "somebody makes the condition hold before the click", asks: underCondition, reads: "condition", needs: []string{"field", "history", "group"}, says: "not among those who may decide", then: over, do: func(h *attempt) {
			h.d.set(h.t, "max", h.ticket, "2h")
			h.approve("kim")
		}},
		{name: "somebody makes the condition hold after the click", asks: underCondition, reads: "condition", needs: []string{"field", "history", "group"}, says: "not among those who may decide", then: over, do: func(h *attempt) {
			h.approve("kim")
			h.d.set(h.t, "max", h.ticket, "2h")
		}},
		{name: "somebody else chooses the duration before the click", asks: forHours, reads: "duration", needs: []string{"field", "history"}, says: "chosen by somebody who does not decide", then: func(h *attempt) {
			h.d.set(h.t, "kim", h.ticket, "1h")
			h.approvedBy("kim")
		}, do: func(h *attempt) {
			h.d.set(h.t, "max", h.ticket, "8h")
			h.nextSecond()
			h.approve("kim")
		}},
	}
}
