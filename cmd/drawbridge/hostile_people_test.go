package main

import "fmt"

// hostileMovers are attacks by whoever may move a ticket and not decide, and by what only looks like a move.
func hostileMovers() (attacks []attack) {
	for _, who := range []struct{ name, login, says string }{
		{"somebody without the right", "max", "not among those who may decide"},
		{"the requester", "ana", "nobody decides their own request"},
		{"the requester under a second account", "alias", "nobody decides their own request"},
		{"an automation", "robot", ""},
		{"a program with an approver's account", "program", "only a person can decide"},
		{"our own account", "bridge", ""},
		{"a stranger with an approver's name", "stranger", "not known to Drawbridge as a person"},
		{"an account joined to two people", "shared", ""},
	} {
		attacks = append(attacks,
			attack{name: who.name + " approves", needs: []string{who.login}, says: who.says, do: func(h *attempt) { h.approve(who.login) }},
			attack{
				name: who.name + " denies", needs: []string{who.login}, says: who.says, do: func(h *attempt) { h.deny(who.login) },
				then: func(h *attempt) {
					if !h.d.noEnds {
						h.deniedBy("lee")
					}
				},
			},
			attack{name: who.name + " goes by another status", needs: []string{who.login, "busy"}, says: who.says, do: func(h *attempt) {
				h.move(who.login, h.d.busy)
				h.approve(who.login)
			}},
		)
	}
	return append(attacks,
		attack{name: "an approver looks at it only", needs: []string{"busy"}, do: func(h *attempt) { h.move("kim", h.d.busy) }},
		attack{name: "an approver comments on what somebody else approved", needs: []string{"note"}, says: "not among those who may decide", do: func(h *attempt) {
			h.approve("max")
			h.d.note(h.t, "kim", h.ticket, "I saw this.")
		}},
		attack{
			name: "an approver fills in a field of what somebody else approved", needs: []string{"field"}, says: "not among those who may decide",
			do:   func(h *attempt) { h.approve("max"); h.d.set(h.t, "kim", h.ticket, "1h") },
			then: func(h *attempt) { h.approvedBy("kim") },
		},
		attack{name: "a comment that looks like a status", needs: []string{"note"}, do: func(h *attempt) {
			h.d.note(h.t, "kim", h.ticket, fmt.Sprintf("status: %[1]s\n{\"status\":%[1]q}", h.d.approved))
		}},
		attack{name: "a comment that looks like an outcome of ours", needs: []string{"note"}, do: func(h *attempt) {
			h.d.note(h.t, "max", h.ticket, "Approved by Kim: taken by epm.")
		}},
		attack{
			name: "a field that says approved", needs: []string{"field"}, do: func(h *attempt) { h.d.set(h.t, "kim", h.ticket, "Approved") },
			then: func(h *attempt) {
				h.d.set(h.t, "kim", h.ticket, "1h")
				h.approvedBy("kim")
			},
		},
		attack{name: "an approver takes it back before anybody reads it", needs: []string{"reopen"}, do: func(h *attempt) {
			h.approve("kim")
			h.reopen("kim")
		}},
		attack{name: "somebody else moves it on before anybody reads it", needs: []string{"reopen"}, says: "not among those who may decide", do: func(h *attempt) {
			h.approve("kim")
			h.reopen("max")
			h.approve("max")
		}},
		attack{name: "two tabs, two decisions", told: []string{"Approved"}, says: "accepted by epm", do: func(h *attempt) {
			h.approve("kim")
			h.read()
			h.reopen("lee")
			h.deny("lee")
		}},
		attack{name: "approved, then denied, then approved", needs: []string{"reopen"}, told: []string{"Approved"}, says: "the first valid decision stands", do: func(h *attempt) {
			h.approve("kim")
			h.read()
			h.reopen("kim")
			h.deny("kim")
			h.read()
			h.reopen("kim")
			h.approve("kim")
		}},
		attack{name: "a click after the source decided", needs: []string{"late"}, says: "the first valid decision stands", then: over, do: func(h *attempt) {
			must(h.t, h.inConsole())
			h.read()
			h.reopen("kim")
			h.approve("kim")
		}},
	)
}

// hostilePeople are attacks on who somebody is, and on what groups they are in.
func hostilePeople() []attack {
	inGroup := func(name, login, says string) attack {
		return attack{name: name + " in the group", needs: []string{"group", login}, asks: forGroup, says: says, alone: true, do: func(h *attempt) {
			h.d.member(h.t, login, true)
			h.t.Cleanup(func() { h.d.member(h.t, login, false) })
			h.approve(login)
		}}
	}
	people := func(h *attempt, old, with string) { h.check.edit(h.t, "People", "staff", old, with) }
	// Without their accounts: Kim, and whoever else has them then.
	gone := func(h *attempt, login string) { people(h, h.d.listed(login), h.d.name+": [was-"+login+"]") }
	back := func(h *attempt, login string) { people(h, h.d.name+": [was-"+login+"]", h.d.listed(login)) }
	return []attack{
		{name: "the approver left the group in between", needs: []string{"group"}, asks: forGroup, says: "not among those who may decide", alone: true, do: func(h *attempt) {
			h.approve("kim")
			h.d.member(h.t, "kim", false)
			h.t.Cleanup(func() { h.d.member(h.t, "kim", true) })
		}},
		{name: "somebody who is not in the group", needs: []string{"group"}, asks: forGroup, says: "not among those who may decide", do: func(h *attempt) { h.approve("max") }},
		inGroup("a stranger", "stranger", "not known to Drawbridge as a person"),
		inGroup("the requester", "ana", "nobody decides their own request"),
		inGroup("the requester's second account", "alias", "nobody decides their own request"),
		inGroup("an automation", "robot", ""),
		{name: "the approver is nobody's account any more", needs: []string{"unread"}, says: "not known to Drawbridge as a person", alone: true, do: func(h *attempt) {
			h.approve("kim")
			gone(h, "kim")
			h.t.Cleanup(func() { back(h, "kim") })
		}},
		{name: "the approver's account turns out to be the requester's", needs: []string{"ana", "unread"}, says: "nobody decides their own request", alone: true, do: func(h *attempt) {
			h.approve("kim")
			gone(h, "kim")
			people(h, h.d.listed("ana"), h.d.listed("ana", "kim"))
			h.t.Cleanup(func() {
				people(h, h.d.listed("ana", "kim"), h.d.listed("ana"))
				back(h, "kim")
			})
		}},
		{name: "an approver asks for themselves", by: `CORP\kim`, says: "nobody decides their own request", do: func(h *attempt) { h.approve("kim") }},
		{name: "an approver asks under another account of theirs", by: `CORP\kim`, needs: []string{"second"}, says: "nobody decides their own request", do: func(h *attempt) { h.approve("second") }},
		{name: "the requester written in other letters", by: `corp\KIM`, says: "nobody decides their own request", do: func(h *attempt) { h.approve("kim") }},
		{name: "a requester nobody knows", by: `CORP\nobody`, says: "the person who asks is not known", then: over, do: func(h *attempt) { h.approve("kim") }},
		{name: "a request without a requester", by: nobody, says: "the person who asks is not known", then: over, do: func(h *attempt) { h.approve("kim") }},
		{name: "the request sent again under another name, then the requester approves", needs: []string{"ana"}, says: "nobody decides their own request", do: func(h *attempt) {
			_, err := h.post(fmt.Sprintf(`{"EventType":"URM_Native_Ticket_Created","RequestId":%q,"TenantId":%q,"requestInfo":{"user":"CORP\\max"}}`, h.id, demoTenant))
			must(h.t, err)
			h.approve("ana")
		}},
	}
}
