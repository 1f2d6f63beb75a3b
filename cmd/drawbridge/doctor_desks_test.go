package main

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	"github.com/drawbridge-itsm/drawbridge/connectors/desktest"
	"github.com/drawbridge-itsm/drawbridge/connectors/freshdesk/freshdeskstandin"
	"github.com/drawbridge-itsm/drawbridge/connectors/freshservice/freshservicestandin"
	"github.com/drawbridge-itsm/drawbridge/connectors/jira/jirastandin"
	og "github.com/drawbridge-itsm/drawbridge/connectors/opsgenie/opsgeniestandin"
	pd "github.com/drawbridge-itsm/drawbridge/connectors/pagerduty/pagerdutystandin"
	"github.com/drawbridge-itsm/drawbridge/connectors/redmine"
	"github.com/drawbridge-itsm/drawbridge/connectors/rt"
	sdp "github.com/drawbridge-itsm/drawbridge/connectors/servicedeskplus/servicedeskplusstandin"
	"github.com/drawbridge-itsm/drawbridge/connectors/servicenow/servicenowstandin"
	"github.com/drawbridge-itsm/drawbridge/connectors/zendesk/zendeskstandin"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

// lacking is a desk at which one permission can be missing. open starts it, or gives an account there, with all of them
// where what is missing is "".
type lacking struct {
	desk    string
	missing map[string]string // what can be, and what doctor says then
	open    func(t *testing.T, missing string) *strings.Replacer
}

// TestDoctorNamesThePermissionThatIsMissing takes one permission at a time away from the account of docs/desks, and has
// the program look at the connection.
func TestDoctorNamesThePermissionThatIsMissing(t *testing.T) {
	t.Parallel()
	for _, l := range standins(start(t, storetest.SQLite)) {
		l.check(t)
	}
}

// standins are the desks that are stand-ins, which send to c.
func standins(c *check) []lacking {
	return []lacking{
		{"jira", itself("BROWSE_PROJECTS", "CREATE_ISSUES", "EDIT_ISSUES", "TRANSITION_ISSUES", "ADD_COMMENTS", "CREATE_ATTACHMENTS"), func(t *testing.T, missing string) *strings.Replacer {
			server, here := jiraAt(t, jirastandin.Options{})
			server.Deny(missing)
			return here
		}},
		{"servicenow", itself("incident", "sys_user", "sys_user_grmember", "sys_user_group", "sys_audit", "sys_journal_field", "sysapproval_approver", "sys_choice", "sys_dictionary", "sys_attachment"), func(t *testing.T, missing string) *strings.Replacer {
			server := servicenowstandin.New(servicenowstandin.Options{ClientID: strings.Repeat("0123456789abcdef", 2), ClientSecret: "client-secret-of-the-desk", Unreadable: []string{missing}})
			return serviceNowDesk(server, served(t, server)).settings
		}},
		{"zendesk", map[string]string{
			"read": "tickets:read", "write": "tickets:write", "role": "its role is end-user", "export": "the role administrator", "sight": "only tickets that are assigned",
		}, func(t *testing.T, missing string) *strings.Replacer {
			o := map[string]zendeskstandin.Options{
				"read": {Scopes: []string{"users:read", "write"}}, "write": {Scopes: []string{"read"}}, "role": {Role: "end-user"}, "export": {Role: "agent"}, "sight": {Restriction: "assigned"},
			}[missing]
			_, d := zendesk(t, o)
			return d.settings
		}},
		{"freshservice", map[string]string{
			"agents": "may not do this", "view tickets": "view tickets", "create tickets": "create tickets", "edit tickets": "edit tickets", "notes tickets": "add notes to tickets",
			"fields ticket": "fields of tickets", "items": "catalog item 12", "approvals": "approvals",
		}, func(t *testing.T, missing string) *strings.Replacer {
			accounts := freshservicestandin.Accounts()
			accounts[0].Denied = []string{missing}
			_, d := freshService(t, c, freshservicestandin.Options{Accounts: accounts})
			return d.settings
		}},
		{"freshdesk", map[string]string{
			"agents": "may not do this", "view": "view tickets", "create": "create tickets", "edit": "edit tickets", "notes": "add notes", "fields": "fields of tickets",
		}, func(t *testing.T, missing string) *strings.Replacer {
			accounts := freshdeskstandin.Accounts()
			accounts[0].Denied = []string{missing}
			_, d := freshDesk(t, c, freshdeskstandin.Options{Accounts: accounts})
			return d.settings
		}},
		{"opsgenie", map[string]string{"read": "may not read alerts", "write": "may not change alerts"}, func(t *testing.T, missing string) *strings.Replacer {
			_, d := opsgenie(t, c, og.Options{Denied: []string{missing}})
			return d.settings
		}},
		{"pagerduty", map[string]string{
			"users": "may not read users", "find": "may not read incidents", "entries": "may not read the log", "fields": "no_custom_fields", "services": "may not read services",
			"update": "may not write incidents",
		}, func(t *testing.T, missing string) *strings.Replacer {
			_, d := pagerDuty(t, c, pd.Options{Denied: []string{missing}})
			return d.settings
		}},
		{"servicedeskplus", map[string]string{
			"read": "scope SDPOnDemand.requests.READ", "create": "scope SDPOnDemand.requests.CREATE", "update": "scope SDPOnDemand.requests.UPDATE",
		}, serviceDeskPlusWithout(c, sdp.Cloud)},
		{"servicedeskplus", map[string]string{
			"read": "right to view requests", "create": "right to create requests", "update": "right to edit requests",
		}, serviceDeskPlusWithout(c, sdp.OnPrem)},
	}
}

// TestDoctorNamesTheRightThatIsMissingAtRequestTracker does the same with a real one. It tells of most rights on tickets
// only, so the account has opened one.
func TestDoctorNamesTheRightThatIsMissingAtRequestTracker(t *testing.T) {
	t.Parallel()
	server := desktest.StartRequestTracker(t, (&rt.Config{}).DeskScript(bridgeExample+"rt"), 2)
	server.Act(t, "root", http.MethodPost, "ticket", map[string]any{"Queue": "Access", "Subject": "one there is"})
	lacking{"rt", itself("SeeQueue", "CreateTicket", "SeeCustomField", "ShowTicket", "ModifyTicket", "CommentOnTicket", "ReplyToTicket", "ModifyCustomField"), func(t *testing.T, missing string) *strings.Replacer {
		account := server.Without[missing]
		if missing == "" {
			account = server.Account(t)
		}
		if slices.Contains([]string{"ModifyTicket", "CommentOnTicket", "ReplyToTicket", "ModifyCustomField"}, missing) {
			desk, err := (&rt.Config{BaseURL: server.URL, User: account.Login, Auth: rt.Auth{Token: connectors.SecretValue(account.Token)}}).Open(connectortest.Env(t))
			must(t, err)
			ticket := connectors.Ticket{Project: "Access", Summary: "its own", Fields: map[string]any{"Department": "Sales"}}
			_, err = connectors.Do(t.Context(), desk, connectors.Action{Kind: connectors.Create, Key: "lnk-1", Ticket: &ticket})
			if (err == nil) != (missing != "ModifyCustomField") {
				t.Fatalf("create without %s: %v", missing, err)
			}
		}
		return strings.NewReplacer("https://rt.example.com", server.URL, "user: drawbridge", "user: "+account.Login,
			"{env: DRAWBRIDGE_SECRET_RT_TOKEN}", value(account.Token), "{env: DRAWBRIDGE_SECRET_RT_NOTICES}", value(server.Secret))
	}}.check(t)
}

// TestDoctorNamesThePermissionThatIsMissingAtRedmine does the same with a real one.
func TestDoctorNamesThePermissionThatIsMissingAtRedmine(t *testing.T) {
	t.Parallel()
	server := desktest.StartRedmine(t, (&redmine.Config{}).DeskScript(bridgeExample+"redmine"), 1)
	missing := itself(slices.Collect(maps.Keys(server.Without))...)
	lacking{"redmine", missing, func(t *testing.T, missing string) *strings.Replacer {
		account := server.Without[missing]
		if missing == "" {
			account = server.Account(t)
		}
		return strings.NewReplacer("https://redmine.example.com", server.URL, "{env: DRAWBRIDGE_SECRET_REDMINE_KEY}", value(account.Token), "{env: DRAWBRIDGE_SECRET_REDMINE_NOTICES}", value(server.Secret))
	}}.check(t)
}

// check publishes a connection for each permission that can be missing, and one that has them all.
func (l lacking) check(t *testing.T) {
	t.Helper()
	p := newProgram(t)
	p.fine("migrate")
	names := map[string]string{} // of connections, by what is missing
	for i, missing := range append([]string{""}, slices.Sorted(maps.Keys(l.missing))...) {
		text := l.open(t, missing).Replace(connectionOf(t, l.desk))
		names[missing] = fmt.Sprintf("desk-%d", i)
		p.write("docs/"+names[missing]+".yaml", strings.Replace(text, "name: "+l.desk+"\n", "name: "+names[missing]+"\n", 1)+reachLoopback)
	}
	p.fine("apply", "-f", "docs", "--yes")
	for missing, name := range names {
		r := p.run("doctor", name)
		if missing == "" && (r.code != 0 || !strings.Contains(r.out, "works")) {
			t.Errorf("%s with all it needs: exit %d, %s%s", l.desk, r.code, r.out, r.err)
		}
		if missing != "" && (r.code != 1 || !strings.Contains(r.out, "it does not work") || !strings.Contains(r.out, l.missing[missing])) {
			t.Errorf("%s without %s: exit %d, want %q in %s%s", l.desk, missing, r.code, l.missing[missing], r.out, r.err)
		}
	}
}

// connectionOf is the connection that docs/desks shows for a desk.
func connectionOf(t *testing.T, desk string) string {
	t.Helper()
	if desk == "jira" {
		connection, _, _ := jiraDocuments(t)
		return connection
	}
	return documented(t, desk)[0]
}

// itself is for permissions that doctor calls as the desk does.
func itself(names ...string) map[string]string {
	all := map[string]string{}
	for _, name := range names {
		all[name] = name
	}
	return all
}

func serviceDeskPlusWithout(c *check, edition string) func(*testing.T, string) *strings.Replacer {
	return func(t *testing.T, missing string) *strings.Replacer {
		server, d := serviceDeskPlus(t, c, sdp.Options{Edition: edition})
		server.Deny(missing)
		return d.settings
	}
}
