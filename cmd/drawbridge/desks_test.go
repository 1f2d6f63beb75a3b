package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
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
	docs             []string          // its connection and rule; nil: those of docs/desks
	settings         *strings.Replacer // makes the documents of docs/desks those of the desk under test
	accounts         func(login string) string
	move             func(t testing.TB, who, id, status string)
	comments         func(t *testing.T, id string) string
	approved, denied string                          // statuses
	hooked           bool                            // it tells of changes by itself
	flush            func(ctx context.Context) error // sends the webhooks of a stand-in; nil where the desk does

	// What only some desks let a test do. Who is kim, lee, max, robot (an automation), stranger (nobody we know) or bridge
	// (our own account).
	others []string                                                // who can move tickets besides kim, lee and max
	edit   func(t testing.TB, who, id string)                      // changes the subject
	note   func(t testing.TB, who, id, text string)                // comments
	clone  func(t testing.TB, who, id string) (clone string)       // with our key, where the desk lets one copy it
	swap   func(t testing.TB, a, b string)                         // the keys of two tickets
	remove func(t testing.TB, who, id string)                      // deletes a ticket
	forge  func(t testing.TB, ticket string) (body, header string) // a notice that ticket is approved, with a wrong signature
	cut    func()                                                  // the next create takes effect and its answer is lost
	opened func() int                                              // tickets there are
}

// TestRequestTrackerDecides goes the whole way with a real Request Tracker: its signed notices alone bring decisions.
func TestRequestTrackerDecides(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	c.decideAt(t, requestTracker(t, c, nil))
}

// requestTracker starts a real one that tells c of what people do there.
func requestTracker(t *testing.T, c *check, front *cutter) desk {
	t.Helper()
	server := desktest.StartRequestTracker(t, (&rt.Config{}).DeskScript(bridgeExample+"rt"), 1)
	account := server.Account(t)
	server.Forward(t, c.urls.bridge+"/in/rt")
	return desk{
		name: "rt", hooked: true, approved: "approved", denied: "declined", move: server.Move,
		settings: strings.NewReplacer("https://rt.example.com", front.front(t, server.URL), "user: drawbridge", "user: "+account.Login,
			"{env: DRAWBRIDGE_SECRET_RT_TOKEN}", value(account.Token), "{env: DRAWBRIDGE_SECRET_RT_NOTICES}", value(server.Secret)),
		accounts: func(login string) string { return login },
		comments: func(t *testing.T, id string) string {
			// Texts are in base64 one by one, and as they are in the list.
			return server.Act(t, "kim", http.MethodGet, "ticket/"+id+"/attachments?fields=Content&per_page=100", nil)
		},
		edit: func(t testing.TB, who, id string) {
			server.Act(t, who, http.MethodPut, "ticket/"+id, map[string]any{"Subject": "something else"})
		},
		note: func(t testing.TB, who, id, text string) {
			server.Act(t, who, http.MethodPost, "ticket/"+id+"/comment", map[string]any{"Content": text, "ContentType": "text/plain"})
		},
		clone: func(t testing.TB, _, id string) string {
			return read(t, server.Act(t, "root", http.MethodPost, "ticket", map[string]any{
				"Queue": "Access", "Subject": "the same", "CustomFields": map[string]any{keyField: keyOf(server.Act(t, "root", http.MethodGet, "ticket/"+id, nil))},
			}), "id")
		},
		swap: func(t testing.TB, a, b string) {
			keys := map[string]string{a: keyOf(server.Act(t, "root", http.MethodGet, "ticket/"+b, nil)), b: keyOf(server.Act(t, "root", http.MethodGet, "ticket/"+a, nil))}
			for id, key := range keys {
				server.Act(t, "root", http.MethodPut, "ticket/"+id, map[string]any{"CustomFields": map[string]any{keyField: key}})
			}
		},
		remove: func(t testing.TB, _, id string) { server.Move(t, "root", id, "deleted") },
		forge:  forged(`{"ticket":%s,"transaction":1}`),
		cut:    func() { front.cuts.Add(1) },
		opened: func() int {
			return whole(t, read(t, server.Act(t, "root", http.MethodGet, "tickets?query=id%20%3E%200", nil), "total"))
		},
	}
}

// TestRedmineDecides goes the whole way with a real Redmine, which is watched.
func TestRedmineDecides(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	c.decideAt(t, redmineDesk(t, nil))
}

// redmineDesk starts a real one.
func redmineDesk(t *testing.T, front *cutter) desk {
	t.Helper()
	server := desktest.StartRedmine(t, (&redmine.Config{}).DeskScript(bridgeExample+"redmine"), 1)
	account := server.Account(t)
	return desk{
		name: "redmine", approved: "Approved", denied: "Declined", move: server.Move,
		settings: strings.NewReplacer("https://redmine.example.com", front.front(t, server.URL), "{env: DRAWBRIDGE_SECRET_REDMINE_KEY}", value(account.Token),
			"{env: DRAWBRIDGE_SECRET_REDMINE_NOTICES}", value(server.Secret),
			"key_field:", "overlap: 8s\n  key_field:"), // so that tickets are not read again and again
		accounts: func(login string) string { return server.Person(login).ID },
		comments: func(t *testing.T, id string) string {
			return server.Act(t, "kim", http.MethodGet, "issues/"+id+".json?include=journals", nil)
		},
		edit: func(t testing.TB, _, id string) {
			server.Act(t, "admin", http.MethodPut, "issues/"+id+".json", map[string]any{"issue": map[string]any{"subject": "something else"}})
		},
		note: func(t testing.TB, who, id, text string) {
			server.Act(t, who, http.MethodPut, "issues/"+id+".json", map[string]any{"issue": map[string]any{"notes": text}})
		},
		clone: func(t testing.TB, _, id string) string {
			var answer struct {
				Issue struct {
					Project, Tracker struct{ ID int }
					Fields           []struct {
						ID    int
						Value any
					} `json:"custom_fields"`
				}
			}
			must(t, json.Unmarshal([]byte(server.Act(t, "admin", http.MethodGet, "issues/"+id+".json", nil)), &answer))
			var fields []any
			for _, f := range answer.Issue.Fields {
				fields = append(fields, map[string]any{"id": f.ID, "value": f.Value})
			}
			return read(t, server.Act(t, "admin", http.MethodPost, "issues.json", map[string]any{"issue": map[string]any{
				"project_id": answer.Issue.Project.ID, "tracker_id": answer.Issue.Tracker.ID, "subject": "the same", "custom_fields": fields,
			}}), "issue", "id")
		},
		remove: func(t testing.TB, _, id string) {
			server.Act(t, "admin", http.MethodDelete, "issues/"+id+".json", nil)
		},
		forge: forged(`{"issue":%s,"journal":1}`),
		cut:   func() { front.cuts.Add(1) },
		opened: func() int {
			return whole(t, read(t, server.Act(t, "admin", http.MethodGet, "issues.json?status_id=*", nil), "total_count"))
		},
	}
}

const keyField = "Drawbridge Key"

// keyOf finds our key in an answer of a desk.
func keyOf(answer string) string { return regexp.MustCompile(`lnk-[a-z0-9]+`).FindString(answer) }

// read gives one value of an answer in JSON.
func read(t testing.TB, answer string, path ...string) string {
	t.Helper()
	var v any
	must(t, json.Unmarshal([]byte(answer), &v))
	for _, name := range path {
		object, ok := v.(map[string]any)
		if !ok {
			t.Fatalf("there is no %v in %s", path, answer)
		}
		v = object[name]
	}
	return fmt.Sprint(v)
}

func whole(t testing.TB, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	must(t, err)
	return n
}

// forged is a notice as a desk script sends it, signed with another secret.
func forged(body string) func(testing.TB, string) (string, string) {
	return func(_ testing.TB, ticket string) (string, string) {
		return fmt.Sprintf(body, ticket), "X-Drawbridge-Signature: sha256=" + strings.Repeat("0", 64)
	}
}

func value(secret string) string { return fmt.Sprintf("{value: %q}", secret) }

// decideAt publishes the documents of a desk, has people decide there, and then tries to get around them.
func (c *check) decideAt(t *testing.T, d desk) {
	t.Helper()
	o := openOffice(t, c, d)
	id, ticket := o.ask(anaAsksForATool)
	d.move(t, "kim", ticket, d.approved)
	o.told(id, ticket, "Approved")

	id, ticket = o.ask(anaAsksForATool)
	d.move(t, "lee", ticket, d.denied)
	o.told(id, ticket, "Denied")

	// Max may move tickets, but not decide.
	id, ticket = o.ask(anaAsksForATool)
	d.move(t, "max", ticket, d.approved)
	must(t, o.patiently(func() error { return o.says(ticket, "not among those who may decide") }))
	must(t, c.silent(id))

	o.attacks()
}

// patiently waits for f: desks that others wrote take their time.
func (c *check) patiently(f func() error) error {
	var err error
	for end := time.Now().Add(5 * time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
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
	return documentsIn(t, path, string(text))
}

// chat finds those that docs/chat.md shows under a heading.
func chat(t *testing.T, heading string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "chat.md"))
	must(t, err)
	_, part, _ := strings.Cut(string(text), "\n## "+heading+"\n")
	part, _, _ = strings.Cut(part, "\n## ")
	return documentsIn(t, heading+" in docs/chat.md", part)
}

func documentsIn(t *testing.T, where, text string) (found []string) {
	t.Helper()
	for _, block := range strings.Split(text, "```yaml\n")[1:] {
		block, _, _ = strings.Cut(block, "```")
		found = append(found, block)
	}
	if len(found) != 2 || !strings.HasPrefix(found[0], "kind: Connection\n") || !strings.HasPrefix(found[1], "kind: Rule\n") {
		t.Fatalf("%s has %d documents, want a connection and a rule", where, len(found))
	}
	return found
}
