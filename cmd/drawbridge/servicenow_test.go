package main

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/connectors/servicenow/servicenowstandin"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

// serviceNow starts a stand-in that sends its notices to c.
func serviceNow(t *testing.T, c *check) (*servicenowstandin.Server, string) {
	t.Helper()
	server := servicenowstandin.New(servicenowstandin.Options{
		ClientID: "0123456789abcdef0123456789abcdef", ClientSecret: "client-secret-of-the-desk",
		Users: []servicenowstandin.User{
			{Name: "ana", Full: "Ana Example", Mail: "ana@corp.example"}, {Name: "kim", Full: "Kim Example", Groups: []string{"approvers"}},
			{Name: "lee", Full: "Lee Example", Groups: []string{"approvers"}}, {Name: "max", Full: "Max Example"}, {Name: "robot", Full: "Robot", Robot: true},
			{Name: "stranger", Full: "Kim Example", Mail: "kim@elsewhere.example"}, {Name: "alias", Full: "Ana at home"}, {Name: "second", Full: "Kim at home"},
			{Name: "shared", Full: "Kim or Max", Mail: "kim@corp.example"},
		},
		HookURL: c.urls.bridge + "/in/servicenow", HookSecret: "a secret that both sides know well",
	})
	return server, served(t, server)
}

// serviceNowUser is the User ID of who acts.
func serviceNowUser(who string) string {
	if who == "bridge" {
		return "drawbridge"
	}
	return who
}

// serviceNowDesk is the desk of docs/desks with further replacements in its documents.
func serviceNowDesk(server *servicenowstandin.Server, url string, further ...string) desk {
	return desk{
		name: "servicenow", approved: "approved", denied: "rejected", flush: server.Flush,
		settings: strings.NewReplacer(append([]string{
			"https://acme.service-now.com", url, "{env: DRAWBRIDGE_SECRET_SERVICENOW_CLIENT}", value("client-secret-of-the-desk"),
			"{env: DRAWBRIDGE_SECRET_SERVICENOW_NOTICES}", value("a secret that both sides know well"), "tables:", "index_lag: 300ms\n  tables:",
		}, further...)...),
		accounts: func(login string) string { return login },
		comments: func(_ *testing.T, id string) string {
			ticket, _ := server.Ticket(id)
			return ticket.Words()
		},
		others: []string{"ana", "alias", "second", "shared", "robot", "stranger", "bridge"},
		lacks: map[string]string{
			"program":   "the history does not tell programs from the people whose accounts they use",
			"merge":     "it has no way to merge tickets",
			"elsewhere": "a ticket does not leave its table",
		},
		edit: func(t testing.TB, who, id, subject string) {
			must(t, server.Edit(id, who, map[string]string{"short_description": subject}))
		},
		describe: func(t testing.TB, who, id string) {
			must(t, server.Edit(id, who, map[string]string{"description": "harmless"}))
		},
		keptOnce: true, history: true, field: "u_department", group: "approvers",
		set: func(t testing.TB, who, id, value string) {
			must(t, server.Edit(id, who, map[string]string{"u_department": value}))
		},
		member: func(t testing.TB, who string, in bool) {
			if in {
				must(t, server.SetGroups(who, "approvers"))
			} else {
				must(t, server.SetGroups(who))
			}
		},
		note: func(t testing.TB, who, id, text string) { must(t, server.CommentAs(id, who, text, true)) },
		clone: func(t testing.TB, who, id string) string {
			number, err := server.Clone(id, who)
			must(t, err)
			clone, _ := server.Ticket(number)
			return clone.Table + "/" + clone.ID
		},
		key: func(_ testing.TB, id string) string {
			ticket, _ := server.Ticket(id)
			return ticket.Fields["correlation_id"]
		},
		mark: func(t testing.TB, id, key string) {
			must(t, server.Edit(id, "max", map[string]string{"correlation_id": key}))
		},
		cut:    func() { server.CutNext("create") },
		opened: func() int { return len(server.Tickets()) },
		remove: func(t testing.TB, _, id string) { must(t, server.Delete(id)) },
		forge: func(t testing.TB, id string) (body, header string) {
			ticket, _ := server.Ticket(id)
			return fmt.Sprintf(`{"table":"incident","sys_id":%q,"approval":"approved"}`, ticket.ID), "X-Drawbridge-Signature: sha256=" + strings.Repeat("A", 43) + "="
		},
		notice: func(t testing.TB, id string) (body, header string) {
			ticket, _ := server.Ticket(id)
			body = fmt.Sprintf(`{"table":"incident","sys_id":%q,"approval":"approved","event_id":"%s:9"}`, ticket.ID, ticket.ID)
			req, err := server.Notice(t.Context(), []byte(body))
			must(t, err)
			return body, headerLines(req)
		},
	}
}

// serviceNowByApprovals decides by the instance's own approvals.
func serviceNowByApprovals(t *testing.T, c *check) desk {
	server, url := serviceNow(t, c)
	return serviceNowWithApprovals(server, url)
}

func serviceNowWithApprovals(server *servicenowstandin.Server, url string) desk {
	d := serviceNowDesk(server, url)
	d.hooked = true
	d.lacks["reopen"] = "an answer cannot be taken back"
	d.lacks["busy"] = "an approval is answered at once"
	d.lacks["rewrite"] = "an approval shows its answer, and no way to it"
	d.move = func(t testing.TB, who, id, state string) {
		must(t, server.Ask(id, "system", serviceNowUser(who)))
		must(t, server.Answer(id, serviceNowUser(who), serviceNowUser(who), state))
	}
	return d
}

// serviceNowByStates decides by states of the table, found by watching.
func serviceNowByStates(t *testing.T, c *check) desk {
	server, url := serviceNow(t, c)
	server.Drop(true)
	d := serviceNowDesk(server, url, `ticket.fields.approval == "approved"`, `ticket.status == "Approved"`, `ticket.fields.approval == "rejected"`, `ticket.status == "Declined"`,
		"approved: { status: Resolved, fields: { close_code: Resolved by request, close_notes: Approved } }", "approved: { status: Approved }",
		"denied: { status: Resolved, fields: { close_code: Resolved by request, close_notes: Denied } }", "denied: { status: Declined }")
	d.approved, d.denied, d.busy = "Approved", "Declined", "In Progress"
	d.move = func(t testing.TB, who, id, status string) { must(t, server.Move(id, serviceNowUser(who), status, nil)) }
	d.reopen = func(t testing.TB, who, id string) { d.move(t, who, id, "New") }
	d.rewrite = func(t testing.TB, id, status string) {
		code := map[string]string{d.approved: "20"}[status]
		must(t, server.Reword(id, code))
	}
	return d
}

// TestServiceNowDecidesByApprovals goes the whole way by the instance's own approvals: its notices alone bring decisions.
func TestServiceNowDecidesByApprovals(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	server, url := serviceNow(t, c)
	d := serviceNowWithApprovals(server, url)
	c.decideAt(t, d)
	for _, ticket := range server.Tickets() {
		for _, note := range ticket.Notes {
			if note.Public && note.By == "drawbridge" {
				t.Errorf("customers can read %q", note.Text)
			}
		}
	}
	(&office{check: c, t: t, d: d}).refusedAtServiceNow(server)
}

// TestServiceNowDecidesByStates goes the whole way by states of the table, found by watching.
func TestServiceNowDecidesByStates(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	c.decideAt(t, serviceNowByStates(t, c))
}

// refusedAtServiceNow tries what only ServiceNow's approvals allow to get a decision posted that nobody with the right to
// decide has made.
func (o *office) refusedAtServiceNow(server *servicenowstandin.Server) {
	answered := func(ticket, approver, by string) error {
		return errors.Join(server.Ask(ticket, "system", approver), server.Answer(ticket, approver, by, "approved"))
	}
	set := func(ticket, by, field, value string) error {
		return server.Edit(ticket, by, map[string]string{field: value})
	}
	for _, attack := range []struct {
		name string
		do   func(ticket string) error
	}{
		{"the requester", func(ticket string) error { return answered(ticket, "ana", "ana") }},
		{"the requester on an approver's row", func(ticket string) error { return answered(ticket, "kim", "ana") }},
		{"somebody else on an approver's row", func(ticket string) error { return answered(ticket, "kim", "max") }},
		{"an automation on an approver's row", func(ticket string) error { return answered(ticket, "kim", "robot") }},
		{"a script on an approver's row", func(ticket string) error { return answered(ticket, "kim", "system") }},
		{"our own account on an approver's row", func(ticket string) error { return answered(ticket, "kim", "drawbridge") }},
		{"our own account sets the field", func(ticket string) error { return set(ticket, "drawbridge", "approval", "approved") }},
		{"somebody else sets the field", func(ticket string) error { return set(ticket, "max", "approval", "approved") }},
		{"an approver was asked, and somebody else sets the field", func(ticket string) error {
			return errors.Join(server.Ask(ticket, "system", "kim"), set(ticket, "max", "approval", "approved"))
		}},
		{"the key is taken away and put back", func(ticket string) error {
			there, _ := server.Ticket(ticket)
			return errors.Join(set(ticket, "max", "correlation_id", "x"), set(ticket, "max", "correlation_id", there.Fields["correlation_id"]), answered(ticket, "kim", "kim"))
		}},
		{"a notice that the ticket does not bear out", func(ticket string) error {
			there, _ := server.Ticket(ticket)
			body := fmt.Sprintf(`{"table":"incident","sys_id":%q,"approval":"approved","approver":{"user_name":"kim"},"event_id":"%s:9"}`, there.ID, there.ID)
			req, err := server.Notice(o.ctx, []byte(body))
			if err != nil {
				return err
			}
			resp, err := http.DefaultClient.Do(req)
			if err == nil {
				_ = resp.Body.Close()
				if resp.StatusCode != http.StatusAccepted {
					err = fmt.Errorf("it was answered %d", resp.StatusCode)
				}
			}
			return err
		}},
	} {
		id, ticket := o.ask(anaAsksForATool)
		must(o.t, attack.do(ticket))
		o.read(id)
		if err := o.silent(id); err != nil {
			o.t.Errorf("%s: %v", attack.name, err)
		}
	}
}
