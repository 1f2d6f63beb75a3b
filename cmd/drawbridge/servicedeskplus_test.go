package main

import (
	"fmt"
	"strings"
	"testing"

	sdp "github.com/drawbridge-itsm/drawbridge/connectors/servicedeskplus/servicedeskplusstandin"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

const sdpSecret = "a secret that both sides know well"

// sdpPeople are the people of the stand-in, by the names tests have for them.
var sdpPeople = map[string]sdp.User{
	"kim": {ID: sdp.Kim, Name: "Kim", Mail: "kim@desk.example"}, "lee": {ID: sdp.Lee, Name: "Lee", Mail: "lee@desk.example"},
	"max": {ID: sdp.Max, Name: "Max", Mail: "max@desk.example"}, "robot": {ID: sdp.Robot, Name: "System"},
	"ana": {ID: sdp.Ana, Name: "Ana", Mail: "ana@corp.example"}, "stranger": {ID: "100000000000000201", Name: "Kim", Mail: "kim@elsewhere.example"},
	"alias": {ID: "100000000000000202", Name: "Ana at home", Mail: "ana@home.example"}, "second": {ID: "100000000000000203", Name: "Kim at home", Mail: "kim@home.example"},
	"shared": {ID: "100000000000000204", Name: "Kim or Max", Mail: "kim@corp.example"}, "bridge": {ID: "100000000000000100", Name: "Drawbridge", Mail: "drawbridge@example.com"},
}

// serviceDeskPlus starts a stand-in of one edition that sends its notices to c, and tells what a test can do there.
// further are replacements in its documents.
func serviceDeskPlus(t *testing.T, c *check, o sdp.Options, further ...string) (*sdp.Server, desk) {
	t.Helper()
	o.Account = sdpPeople["bridge"]
	for _, who := range []string{"kim", "lee", "max", "robot", "stranger", "ana", "alias", "second", "shared"} {
		o.People = append(o.People, sdpPeople[who])
	}
	o.ClientSecret, o.RefreshToken, o.AuthToken = "client-secret-of-the-desk", "refresh-token-of-the-desk", "key-of-the-desk"
	o.Templates = map[string]sdp.Template{"Access request": {}, "Default Request": {}}
	server := sdp.New(o)
	address := served(t, server)
	server.SetHook(c.urls.bridge+"/in/servicedeskplus", sdpSecret)
	cloud := `  edition: cloud
  base_url: https://sdpondemand.manageengine.eu/app/itdesk
  auth:
    oauth:
      client_id: 1000.ABCDEF
      client_secret: {env: DRAWBRIDGE_SECRET_SDP_CLIENT}
      refresh_token: {env: DRAWBRIDGE_SECRET_SDP_REFRESH}
      data_center: eu
`
	here := strings.NewReplacer("https://sdpondemand.manageengine.eu", address, "{env: DRAWBRIDGE_SECRET_SDP_CLIENT}", value(o.ClientSecret),
		"{env: DRAWBRIDGE_SECRET_SDP_REFRESH}", value(o.RefreshToken), "data_center: eu", "accounts_url: "+address).Replace(cloud)
	verify, onPremises := "{header: {values: [{env: DRAWBRIDGE_SECRET_SDP_NOTICES}]}}", o.Edition == sdp.OnPrem
	verifyHere := "{header: {values: [" + value(sdpSecret) + "]}}"
	forged := "X-Drawbridge-Token: " + sdpSecret + "x"
	if onPremises {
		here = "  edition: onprem\n  base_url: " + address + "\n  auth: {authtoken: " + value(o.AuthToken) + "}\n"
		verifyHere = "{hmac: {secrets: [" + value(sdpSecret) + "]}}"
		forged = "X-Drawbridge-Signature: sha256=" + strings.Repeat("0", 64)
	}
	d := desk{
		name: "servicedeskplus", approved: sdp.Approved, denied: sdp.Denied, flush: server.Flush, hooked: true,
		settings: strings.NewReplacer(append([]string{
			cloud, here, verify, verifyHere, "key_field: udf_char1", "key_field: udf_char1\n  automations: [\"" + sdp.Robot + "\"]",
		}, further...)...),
		accounts: func(login string) string { return sdpPeople[login].ID },
		comments: func(_ *testing.T, id string) string {
			ticket, _ := server.Ticket(id)
			var b strings.Builder
			for _, note := range ticket.Notes {
				b.WriteString(note.Text + "\n")
			}
			return b.String()
		},
		others: []string{"ana", "alias", "second", "shared", "robot", "stranger", "bridge"},
		lacks: map[string]string{
			"program":   "the desk does not tell programs from the people whose accounts they use",
			"group":     "the desk tells no groups of people",
			"merge":     "nothing is documented of what a merge leaves behind",
			"elsewhere": "a request does not leave its instance",
		},
		field: "udf_sline_301",
		edit: func(t testing.TB, who, id, subject string) {
			must(t, server.Edit(id, sdpPeople[who].ID, "subject", subject))
		},
		describe: func(t testing.TB, who, id string) {
			must(t, server.Edit(id, sdpPeople[who].ID, "description", "harmless"))
		},
		set: func(t testing.TB, who, id, value string) {
			must(t, server.Edit(id, sdpPeople[who].ID, "udf_sline_301", value))
		},
		note: func(t testing.TB, who, id, text string) { must(t, server.CommentAs(id, sdpPeople[who].ID, text)) },
		clone: func(t testing.TB, who, id string) string {
			clone, err := server.Clone(id, sdpPeople[who].ID)
			must(t, err)
			return clone
		},
		key: func(_ testing.TB, id string) string {
			there, _ := server.Ticket(id)
			return fmt.Sprint(there.Additional["udf_char1"])
		},
		mark:   func(t testing.TB, id, key string) { must(t, server.Edit(id, sdp.Max, "udf_char1", key)) },
		remove: func(t testing.TB, who, id string) { must(t, server.Trash(id, sdpPeople[who].ID)) },
		forge: func(_ testing.TB, ticket string) (body, header string) {
			there, _ := server.Ticket(ticket)
			return `{"event":"request.approved","request_id":"` + there.ID + `"}`, forged
		},
		notice: func(_ testing.TB, ticket string) (body, header string) {
			there, _ := server.Ticket(ticket)
			body = `{"event":"request.approved","request_id":"` + there.ID + `"}`
			if onPremises {
				return body, scriptSigned(sdpSecret, body)
			}
			return body, "X-Drawbridge-Token: " + sdpSecret
		},
		cut:    func() { server.CutNext("create") },
		opened: func() int { return len(server.Tickets()) },
	}
	return server, d
}

// TestServiceDeskPlusDecidesByApprovals goes the whole way at the cloud by its own approvals: webhooks alone bring
// decisions.
func TestServiceDeskPlusDecidesByApprovals(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	server, d := serviceDeskPlusWithApprovals(t, c)
	c.decideAt(t, d)
	for _, ticket := range server.Tickets() {
		for _, note := range ticket.Notes {
			if note.Public {
				t.Errorf("the requester can read %q", note.Text)
			}
		}
	}
	c.refusedAtServiceDeskPlus(t, server, d)
}

// TestServiceDeskPlusDecidesByStatuses goes the whole way on-premises with a history, by watching.
func TestServiceDeskPlusDecidesByStatuses(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	c.decideAt(t, serviceDeskPlusByStatuses(t, c))
}

func serviceDeskPlusByApprovals(t *testing.T, c *check) desk {
	_, d := serviceDeskPlusWithApprovals(t, c)
	return d
}

// serviceDeskPlusWithApprovals decides by approvals, at the cloud.
func serviceDeskPlusWithApprovals(t *testing.T, c *check) (*sdp.Server, desk) {
	t.Helper()
	server, d := serviceDeskPlus(t, c, sdp.Options{})
	d.noEnds = true
	d.lacks["reopen"] = "an answer cannot be taken back"
	d.lacks["busy"] = "an approval is answered at once"
	d.lacks["history"] = "the cloud has no history"
	d.lacks["rewrite"] = "an approval shows its answer, and no way to it"
	d.move = func(t testing.TB, who, id, status string) {
		must(t, server.Ask(id, sdp.Max, sdpPeople[who].ID))
		if ticket, _ := server.Ticket(id); ticket.Approval != sdp.Denied { // which is the end of an approval
			must(t, server.Answer(id, sdpPeople[who].ID, status))
		}
	}
	return server, d
}

// serviceDeskPlusByStatuses decides by statuses, on-premises and with a history.
func serviceDeskPlusByStatuses(t *testing.T, c *check) desk {
	t.Helper()
	server, d := serviceDeskPlus(t, c, sdp.Options{Edition: sdp.OnPrem, History: "history"},
		"account: drawbridge@example.com", "account: drawbridge@example.com\n  history: history\n  overlap: 8s",
		`ticket.fields.approval_status == "Approved"`, `ticket.status == "Approved"`, `ticket.fields.approval_status == "Denied"`, `ticket.status == "Declined"`,
		"approved: { status: Resolved }", "approved: { status: Approved }", "denied: { status: Closed, fields: { closure_comments: Denied } }", "denied: { status: Declined }")
	server.DropWebhooks(true)
	d.hooked, d.approved, d.denied = false, "Approved", "Declined"
	d.busy, d.history, d.keptOnce = "On Hold", true, true
	d.move = func(t testing.TB, who, id, status string) { must(t, server.Move(id, sdpPeople[who].ID, status)) }
	d.reopen = func(t testing.TB, who, id string) { d.move(t, who, id, "Open") }
	d.rewrite = func(_ testing.TB, id, status string) { server.Reword(id, status) }
	return d
}

// refusedAtServiceDeskPlus tries what only this desk lets somebody try.
func (c *check) refusedAtServiceDeskPlus(t *testing.T, server *sdp.Server, d desk) {
	t.Helper()
	o := &office{check: c, t: t, d: d}
	for _, attack := range []struct {
		name string
		do   func(ticket string) []error
	}{
		{"an approver sets the status in place of an answer", func(ticket string) []error { return []error{server.Move(ticket, sdp.Kim, "Approved")} }},
		{"an approver sets the status beside an approval that waits", func(ticket string) []error {
			return []error{server.Ask(ticket, sdp.Max, sdp.Lee), server.Move(ticket, sdp.Kim, "Approved")}
		}},
		{"a backup answers for an approver", func(ticket string) []error {
			return []error{server.Ask(ticket, sdp.Max, sdp.Kim), server.AnswerFor(ticket, sdp.Max, sdp.Kim, sdp.Approved)}
		}},
		{"somebody asked for at the last level only", func(ticket string) []error {
			return []error{
				server.Ask(ticket, sdp.Max, sdp.Kim), server.Answer(ticket, sdp.Kim, sdp.Approved),
				server.Ask(ticket, sdp.Max, sdp.Lee),
			}
		}},
		{"the key is taken away", func(ticket string) []error {
			return []error{server.Ask(ticket, sdp.Max, sdp.Kim), server.Edit(ticket, sdp.Max, "udf_char1", ""), server.Answer(ticket, sdp.Kim, sdp.Approved)}
		}},
	} {
		id, ticket := o.ask(anaAsksForATool)
		server.DropWebhooks(true) // all of it is read at once
		for _, err := range attack.do(ticket) {
			must(t, err)
		}
		server.DropWebhooks(false)
		o.read(id)
		if err := c.silent(id); err != nil {
			t.Errorf("%s: %v", attack.name, err)
		}
	}
}
