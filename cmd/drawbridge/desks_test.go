package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors/desktest"
	"github.com/drawbridge-itsm/drawbridge/connectors/redmine"
	"github.com/drawbridge-itsm/drawbridge/connectors/rt"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

const bridgeExample = "https://bridge.example.com/in/"

// desk is a service desk that others wrote, with people who work in it.
type desk struct {
	name             string
	settings         *strings.Replacer // makes the documents of docs/desks those of the desk under test
	accounts         func(login string) string
	move             func(t testing.TB, who, id, status string)
	comments         func(t *testing.T, id string) string
	approved, denied string                          // statuses
	hooked           bool                            // it tells of changes by itself
	flush            func(ctx context.Context) error // sends the webhooks of a stand-in; nil where the desk does
}

// TestRequestTrackerDecides goes the whole way with a real Request Tracker: its signed notices alone bring decisions.
func TestRequestTrackerDecides(t *testing.T) {
	t.Parallel()
	server := desktest.StartRequestTracker(t, (&rt.Config{}).DeskScript(bridgeExample+"rt"), 1)
	account := server.Account(t)
	c := start(t, storetest.SQLite)
	server.Forward(t, c.urls.bridge+"/in/rt")
	c.decideAt(t, desk{
		name: "rt", hooked: true, approved: "approved", denied: "declined", move: server.Move,
		settings: strings.NewReplacer("https://rt.example.com", server.URL, "user: drawbridge", "user: "+account.Login,
			"{env: DRAWBRIDGE_SECRET_RT_TOKEN}", value(account.Token), "{env: DRAWBRIDGE_SECRET_RT_NOTICES}", value(server.Secret)),
		accounts: func(login string) string { return login },
		comments: func(t *testing.T, id string) string {
			// Texts are in base64 one by one, and as they are in the list.
			return server.Act(t, "kim", http.MethodGet, "ticket/"+id+"/attachments?fields=Content&per_page=100", nil)
		},
	})
}

// TestRedmineDecides goes the whole way with a real Redmine, which is watched.
func TestRedmineDecides(t *testing.T) {
	t.Parallel()
	server := desktest.StartRedmine(t, (&redmine.Config{}).DeskScript(bridgeExample+"redmine"), 1)
	account := server.Account(t)
	start(t, storetest.SQLite).decideAt(t, desk{
		name: "redmine", approved: "Approved", denied: "Declined", move: server.Move,
		settings: strings.NewReplacer("https://redmine.example.com", server.URL, "{env: DRAWBRIDGE_SECRET_REDMINE_KEY}", value(account.Token),
			"{env: DRAWBRIDGE_SECRET_REDMINE_NOTICES}", value(server.Secret),
			"key_field:", "overlap: 8s\n  key_field:"), // so that tickets are not read again and again
		accounts: func(login string) string { return server.Person(login).ID },
		comments: func(t *testing.T, id string) string {
			return server.Act(t, "kim", http.MethodGet, "issues/"+id+".json?include=journals", nil)
		},
	})
}

func value(secret string) string { return fmt.Sprintf("{value: %q}", secret) }

// decideAt publishes the documents of a desk and has people decide there.
func (c *check) decideAt(t *testing.T, d desk) {
	t.Helper()
	docs := documented(t, d.name)
	every := "watch: {every: 1s}"
	if d.hooked {
		every = "watch: {every: 1h}"
	}
	for i, text := range docs {
		text = d.settings.Replace(text)
		if strings.HasPrefix(text, "kind: Connection") {
			text = text[:strings.Index(text, "watch:")] + every + "\ndelivery: {timeout: 20s, first: 200ms}\noutbound: {allow_hosts: [127.0.0.1]}\n"
		}
		docs[i] = text
	}
	people := c.published(t, "People", "staff")
	for _, login := range []string{"kim", "lee", "max"} {
		people = strings.Replace(people, "jira: [acc-"+login+"]", fmt.Sprintf("jira: [acc-%s], %s: [%q]", login, d.name, d.accounts(login)), 1)
	}
	c.apply(t, append(docs, people)...)

	patiently := func(f func() error) error {
		return c.patiently(func() error {
			if d.flush != nil {
				if err := d.flush(c.ctx); err != nil {
					return err
				}
			}
			return f()
		})
	}
	ask := func() (id, ticket string) {
		id = c.epm.RequestApplication(anaAsksForATool)
		must(t, patiently(func() error {
			view, err := c.caseOf(id)
			if err != nil {
				return err
			}
			if len(view.Tickets) != 1 || view.Tickets[0].Ticket == "" {
				return fmt.Errorf("request %s has tickets %+v", id, view.Tickets)
			}
			ticket = strings.TrimPrefix(view.Tickets[0].Ticket, "#")
			return nil
		}))
		return id, ticket
	}
	says := func(ticket, words string) error {
		if !strings.Contains(d.comments(t, ticket), words) {
			return fmt.Errorf("nothing on ticket %s says %q", ticket, words)
		}
		return nil
	}
	told := func(id, ticket, decision string) {
		must(t, patiently(func() error {
			told := c.epm.Decisions(id)
			if len(told) != 1 || told[0].Decision != decision {
				return fmt.Errorf("EPM was told %+v, want %s once", told, decision)
			}
			return says(ticket, "accepted by epm")
		}))
	}

	id, ticket := ask()
	d.move(t, "kim", ticket, d.approved)
	told(id, ticket, "Approved")

	id, ticket = ask()
	d.move(t, "lee", ticket, d.denied)
	told(id, ticket, "Denied")

	// Max may move tickets, but not decide.
	id, ticket = ask()
	d.move(t, "max", ticket, d.approved)
	must(t, patiently(func() error { return says(ticket, "not among those who may decide") }))
	must(t, c.silent(id))
}

// patiently waits for f: desks that others wrote take their time.
func (c *check) patiently(f func() error) error {
	var err error
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if err = c.send(); err == nil {
			err = f()
		}
		if err == nil || c.ctx.Err() != nil {
			return err
		}
	}
	return err
}

// documented finds the connection and the rule that docs/desks shows for a desk.
func documented(t *testing.T, desk string) []string {
	t.Helper()
	path := filepath.Join("..", "..", "docs", "desks", desk+".md")
	text, err := os.ReadFile(path)
	must(t, err)
	var found []string
	for _, block := range strings.Split(string(text), "```yaml\n")[1:] {
		block, _, _ = strings.Cut(block, "```")
		found = append(found, block)
	}
	if len(found) != 2 || !strings.HasPrefix(found[0], "kind: Connection\n") || !strings.HasPrefix(found[1], "kind: Rule\n") {
		t.Fatalf("%s has %d documents, want a connection and a rule", path, len(found))
	}
	return found
}
