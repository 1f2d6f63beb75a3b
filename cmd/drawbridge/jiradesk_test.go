package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/connectors/jira/jirastandin"
	"github.com/drawbridge-itsm/drawbridge/gateway"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

const (
	jiraWebhook = "webhook-secret-of-the-desk-0123456789"
	jiraClient  = "client-secret-of-the-desk-0123456789"
	jiraTokens  = "/oauth/token"
)

// jiraDocuments are those of docs/desks/jira.md: the connection, the rule, and the settings of the other ways to sign in.
func jiraDocuments(t *testing.T) (connection, rule string, ways []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "desks", "jira.md"))
	must(t, err)
	var blocks []string
	for _, block := range strings.Split(string(text), "```yaml\n")[1:] {
		block, _, _ = strings.Cut(block, "```")
		blocks = append(blocks, block)
	}
	if len(blocks) != 6 {
		t.Fatalf("jira.md has %d documents, want a connection, a rule and four ways to sign in", len(blocks))
	}
	return blocks[0], blocks[1], blocks[2:]
}

// jiraAt starts a Jira of its own and gives what makes the documents those of a connection to it.
func jiraAt(t *testing.T, o jirastandin.Options) (*jirastandin.Server, *strings.Replacer) {
	t.Helper()
	server := jirastandin.New(o)
	address := served(t, server)
	user, tokens := "bridge@example.test", address+jiraTokens
	return server, strings.NewReplacer(
		"site_url: https://example.atlassian.net", "site_url: "+address, "https://example.atlassian.net", address,
		"https://api.atlassian.com/ex/jira/CLOUD-ID", address+"/ex/jira/"+jirastandin.CloudID, "https://jira.example.com/context", address,
		"drawbridge@example.com", user, "{env: DRAWBRIDGE_SECRET_JIRA_TOKEN}", value("token"), "{env: DRAWBRIDGE_SECRET_JIRA_WEBHOOK}", value(jiraWebhook),
		"{env: DRAWBRIDGE_SECRET_JIRA_CLIENT}", value(jiraClient), "{env: DRAWBRIDGE_SECRET_JIRA_REFRESH}", value("consented"),
		"{client_id: ID", "{token_url: "+tokens+", client_id: drawbridge", "      client_id: ID", "      token_url: "+tokens+"\n      client_id: drawbridge",
	)
}

// withWay is the connection with the settings of another way to sign in.
func withWay(connection, settings string) string {
	head, rest, _ := strings.Cut(connection, "settings:\n")
	_, tail, _ := strings.Cut(rest, "inbound:")
	if strings.Contains(settings, "webhooks: true") { // verified with the app's secret
		_, tail, _ = strings.Cut(tail, "watch:")
		return head + settings + "watch:" + tail
	}
	return head + settings + "inbound:" + tail
}

const reachLoopback = "delivery: {timeout: 20s, first: 200ms}\noutbound: {allow_hosts: [127.0.0.1]}\n"

// TestEveryDocumentedWayToSignInToJiraWorks publishes the documented settings and has doctor call with them.
func TestEveryDocumentedWayToSignInToJiraWorks(t *testing.T) {
	t.Parallel()
	connection, _, ways := jiraDocuments(t)
	c := start(t, storetest.SQLite)
	for i, settings := range append([]string{""}, ways...) {
		o := jirastandin.Options{
			DataCenter: strings.Contains(settings, "data_center"), App: &jirastandin.App{ID: "drawbridge", Secret: jiraClient, Refresh: "consented"},
		}
		if strings.Contains(settings, "basic:") {
			o.Accounts = jirastandin.DefaultAccounts()
			o.Accounts[0].Scopes = jirastandin.AllScopes()
		}
		server, here := jiraAt(t, o)
		text := connection
		if settings != "" {
			text = withWay(connection, settings)
		}
		name := fmt.Sprintf("jira-%d", i)
		c.apply(t, strings.Replace(here.Replace(text), "name: jira\n", "name: "+name+"\n", 1)+reachLoopback)
		findings := func() string {
			report, err := c.bridge.gateway.Doctor(c.ctx, name)
			must(t, err)
			var bad []string
			for _, f := range report.Findings {
				if f.Level == gateway.Bad {
					bad = append(bad, f.Text)
				}
			}
			return strings.Join(bad, "\n")
		}
		if bad := findings(); bad != "" {
			t.Errorf("%s\n%s", bad, settings)
		}
		server.Deny("TRANSITION_ISSUES")
		if bad := findings(); !strings.Contains(bad, "TRANSITION_ISSUES") {
			t.Errorf("without a permission doctor says %q", bad)
		}
	}
}

// TestAJiraAppDecidesByItsOwnWebhooks goes the whole way with an app somebody consented to: it asks for its webhook by
// itself, and nothing else brings decisions. The refresh token it was given is good for one use.
func TestAJiraAppDecidesByItsOwnWebhooks(t *testing.T) {
	t.Parallel()
	connection, rule, ways := jiraDocuments(t)
	c := start(t, storetest.SQLite)
	server, here := jiraAt(t, jirastandin.Options{App: &jirastandin.App{ID: "drawbridge", Secret: jiraClient, Refresh: "consented"}})
	text := here.Replace(withWay(connection, ways[2]))
	text = text[:strings.Index(text, "watch:")] + "watch: {every: 1h}\n" + reachLoopback
	c.apply(t, strings.Replace(text, "name: jira\n", "name: app\n", 1), strings.Replace(rule, "at: jira", "at: app", 1),
		strings.ReplaceAll(c.published(t, "People", "staff"), "jira: [", "app: ["))
	o := &office{check: c, t: t, d: desk{
		name: "app", approved: "Approved", denied: "Declined", hooked: true, flush: server.Flush,
		accounts: func(login string) string { return "acc-" + login },
		move: func(t testing.TB, who, id, status string) {
			must(t, server.Move(id, "acc-"+who, status, nil))
		},
		comments: func(t *testing.T, id string) string {
			i, _ := server.Issue(id)
			var b strings.Builder
			for _, one := range i.Comments {
				fmt.Fprintln(&b, one.Text)
			}
			return b.String()
		},
	}}
	must(t, o.patiently(func() error {
		if hooks := server.Webhooks(); len(hooks) != 1 || hooks[0].URL != c.urls.bridge+"/in/app" || hooks[0].Filter != `project = "ITSEC"` {
			return fmt.Errorf("the app's webhooks are %+v", hooks)
		}
		return nil
	}))
	id, ticket := o.ask(anaAsksForATool)
	o.d.move(t, "kim", ticket, o.d.approved)
	o.told(id, ticket, "Approved")
	server.Revoke(false) // the next call trades the token that is kept
	id, ticket = o.ask(anaAsksForATool)
	o.d.move(t, "lee", ticket, o.d.denied)
	o.told(id, ticket, "Denied")
	id, ticket = o.ask(anaAsksForATool)
	o.d.move(t, "max", ticket, o.d.approved)
	must(t, o.patiently(func() error { return o.says(ticket, "not among those who may decide") }))
	must(t, c.silent(id))
	if found := tokensIn(t, c); found != "" {
		t.Errorf("a credential stands in the database: %s", found)
	}
}

// tokensIn finds what must not be read in the database.
func tokensIn(t *testing.T, c *check) string {
	t.Helper()
	rows, err := c.store.DB().QueryContext(c.ctx, `SELECT sealed FROM kept`)
	must(t, err)
	defer rows.Close()
	n := 0
	for ; rows.Next(); n++ {
		var sealed string
		must(t, rows.Scan(&sealed))
		if strings.Contains(sealed, "token") || strings.Contains(sealed, "consented") {
			return sealed
		}
	}
	must(t, rows.Err())
	if n != 1 {
		return fmt.Sprintf("%d texts are kept, want one", n)
	}
	return ""
}

// TestTheDocumentedJiraDecides goes the whole way by the documents of docs/desks.
func TestTheDocumentedJiraDecides(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	c.decideAt(t, jiraDesk(t, c))
}

// jiraDesk is a Jira of its own, by the documents of docs/desks; its connection bears another name than the demo's.
func jiraDesk(t *testing.T, c *check) desk {
	t.Helper()
	connection, rule, _ := jiraDocuments(t)
	server, here := jiraAt(t, jirastandin.Options{HookURL: c.urls.bridge + "/in/documented", HookSecret: jiraWebhook, Accounts: append(jirastandin.DefaultAccounts(),
		jirastandin.Account{ID: "acc-stranger", Name: "Kim Okafor", Mail: "kim.okafor@elsewhere.example"},
		jirastandin.Account{ID: "acc-alias", Name: "Somebody Else", Mail: "ana@corp.example"},
		jirastandin.Account{ID: "acc-second", Name: "Kim at home", Mail: "kim.home@elsewhere.example"},
		jirastandin.Account{ID: "acc-shared", Name: "Mixed", Mail: "kim@corp.example"},
	)})
	edit := func(t testing.TB, who, id string, fields map[string]any) {
		must(t, server.Edit(id, "acc-"+who, fields))
	}
	move := func(t testing.TB, who, id, status string) { must(t, server.Move(id, "acc-"+who, status, nil)) }
	key := func(_ testing.TB, id string) string {
		issue, _ := server.Issue(id)
		return strings.Join(mark(issue), "")
	}
	claim := func(ticket string) string {
		issue, _ := server.Issue(ticket)
		return fmt.Sprintf(`{"webhookEvent":"jira:issue_updated","issue":{"id":%q,"key":%q,"fields":{"status":{"name":"Approved"}}}}`, issue.ID, issue.Key)
	}
	return desk{
		name: "documented", approved: "Approved", denied: "Declined", hooked: true, flush: server.Flush, settings: here,
		documents: []string{strings.Replace(connection, "name: jira\n", "name: documented\n", 1), strings.Replace(rule, "at: jira", "at: documented", 1)},
		accounts:  func(login string) string { return "acc-" + login },
		move:      move,
		comments: func(t *testing.T, id string) string {
			issue, _ := server.Issue(id)
			return fmt.Sprint(issue.Comments)
		},
		others: []string{"ana", "alias", "second", "shared", "robot", "stranger", "bridge"},
		lacks: map[string]string{
			"program": "the history does not tell programs from the people whose accounts they use",
			"merge":   "it has no way to merge tickets",
		},
		busy: "In Review", history: true, field: "customfield_10042", group: "endpoint-approvers",
		reopen: func(t testing.TB, who, id string) {
			if issue, _ := server.Issue(id); issue.Status == "Approved" || issue.Status == "Declined" {
				move(t, who, id, "Open")
			}
		},
		edit:     func(t testing.TB, who, id, subject string) { edit(t, who, id, map[string]any{"summary": subject}) },
		describe: func(t testing.TB, who, id string) { edit(t, who, id, map[string]any{"description": "harmless"}) },
		set: func(t testing.TB, who, id, value string) {
			edit(t, who, id, map[string]any{"customfield_10042": value})
		},
		note: func(t testing.TB, who, id, text string) { must(t, server.CommentAs(id, "acc-"+who, text)) },
		clone: func(t testing.TB, who, id string) string {
			clone, err := server.Clone(id, "acc-"+who)
			must(t, err)
			issue, _ := server.Issue(clone)
			must(t, server.SetProperty(clone, "drawbridge", map[string]string{"key": strings.TrimPrefix(key(t, id), "drawbridge-")}))
			return issue.ID
		},
		key: key,
		mark: func(t testing.TB, id, label string) {
			issue, _ := server.Issue(id)
			var labels []string
			var property any
			if label != "" {
				labels, property = []string{label}, map[string]string{"key": strings.TrimPrefix(label, "drawbridge-")}
			}
			must(t, server.EditLabels(id, "acc-max", labels, mark(issue)))
			must(t, server.SetProperty(id, "drawbridge", property))
		},
		remove: func(t testing.TB, who, id string) { must(t, server.Delete(id, "acc-"+who)) },
		elsewhere: func(t testing.TB, id string) {
			_, err := server.MoveProject(id, "acc-max", "DESK")
			must(t, err)
		},
		rewrite: func(t testing.TB, id, status string) { must(t, server.Reword(id, status)) },
		member: func(t testing.TB, who string, in bool) {
			groups := []string{"jira-users"}
			if in {
				groups = append(groups, "endpoint-approvers")
			}
			must(t, server.SetGroups("acc-"+who, groups...))
		},
		forge: func(_ testing.TB, ticket string) (body, header string) {
			return claim(ticket), "X-Hub-Signature: sha256=" + strings.Repeat("0", 64)
		},
		notice: func(_ testing.TB, ticket string) (body, header string) {
			return claim(ticket), "X-Hub-Signature: " + signature(jiraWebhook, claim(ticket))
		},
	}
}
