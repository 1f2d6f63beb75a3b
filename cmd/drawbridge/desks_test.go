package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
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
	settings         *strings.Replacer // makes the documents of docs/desks those of the desk under test
	accounts         func(login string) string
	move             func(t testing.TB, who, id, status string)
	comments         func(t *testing.T, id string) string
	approved, denied string                          // statuses
	hooked           bool                            // it tells of changes by itself
	quiet            bool                            // nobody listens to that, and it is not watched
	real             bool                            // others wrote it, and it is slow
	documents        []string                        // its connection and its rule; nil: those of docs/desks
	flush            func(ctx context.Context) error // sends the webhooks of a stand-in; nil where the desk does

	// What only some desks let people do; can names each, and lacks says why the rest cannot be done. Who is kim, lee, max or
	// one of others: ana (who asks), alias (another account of hers), second (another of Kim's), shared (an account that
	// belongs to Max, with Kim's address), stranger (nobody we know, with Kim's name), robot (an automation), program (what
	// works with Kim's account) or bridge (our own).
	others    []string
	lacks     map[string]string
	reopen    func(t testing.TB, who, id string)                      // where an answer must be undone before the next; nil: answers stand beside each other
	busy      string                                                  // a status that decides nothing
	edit      func(t testing.TB, who, id, subject string)             // changes the subject
	describe  func(t testing.TB, who, id string)                      // changes the description
	history   bool                                                    // who changed what can be read
	note      func(t testing.TB, who, id, text string)                // comments
	field     string                                                  // a text of a ticket, empty until it is set
	set       func(t testing.TB, who, id, value string)               // that field
	clone     func(t testing.TB, who, id string) (clone string)       // with our key, where the desk lets one copy it
	key       func(t testing.TB, id string) string                    // what tells that a ticket is ours
	mark      func(t testing.TB, id, key string)                      // changes it; "" takes it away
	remove    func(t testing.TB, who, id string)                      // deletes a ticket
	merge     func(t testing.TB, id, into string)                     // merges a ticket into another
	elsewhere func(t testing.TB, id string)                           // moves a ticket to another project, or what the desk has instead
	rewrite   func(t testing.TB, id, status string)                   // brings a ticket to a status without a trace
	group     string                                                  // kim and lee are in
	member    func(t testing.TB, who string, in bool)                 // of that group
	forge     func(t testing.TB, ticket string) (body, header string) // a notice that ticket is approved, with a wrong signature
	notice    func(t testing.TB, ticket string) (body, header string) // the same, rightly signed
	keptOnce  bool                                                    // a key that was changed is not trusted again, even put back
	apart     bool                                                    // only the latest of several approvals counts: they do not add up
	noEnds    bool                                                    // a no ends an approval for good
	cut       func()                                                  // the next create takes effect and its answer is lost
	opened    func() int                                              // tickets there are
}

// TestRequestTrackerDecides goes the whole way with a real Request Tracker: its signed notices alone bring decisions.
func TestRequestTrackerDecides(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	c.decideAt(t, requestTracker(t, c, nil))
}

// requestTracker starts a real one that tells c of what people do there; nil: nobody.
func requestTracker(t *testing.T, c *check, front *cutter) desk {
	t.Helper()
	server := desktest.StartRequestTracker(t, (&rt.Config{}).DeskScript(bridgeExample+"rt"), 1)
	account := server.Account(t)
	if c != nil {
		server.Forward(t, c.urls.bridge+"/in/rt")
	}
	return desk{
		name: "rt", real: true, hooked: true, approved: "approved", denied: "declined",
		move: func(t testing.TB, who, id, status string) { server.Move(t, called(who, account), id, status) },
		settings: strings.NewReplacer("https://rt.example.com", front.front(t, server.URL), "user: drawbridge", "user: "+account.Login,
			"{env: DRAWBRIDGE_SECRET_RT_TOKEN}", value(account.Token), "{env: DRAWBRIDGE_SECRET_RT_NOTICES}", value(server.Secret),
			"  type: ticket", "  type: ticket\n  fields: { Department: Sales }"), // which the queue asks for
		accounts: func(login string) string { return login },
		comments: func(t *testing.T, id string) string {
			// Texts are in base64 one by one, and as they are in the list.
			return server.Act(t, "kim", http.MethodGet, "ticket/"+id+"/attachments?fields=Content&per_page=100", nil)
		},
		others: []string{"ana", "alias", "second", "stranger", "bridge"},
		lacks: map[string]string{
			"robot":     "what acts by itself does so as somebody's account, which is a stranger's",
			"program":   "the history does not tell programs from the people whose accounts they use",
			"shared":    "a mail address tells nobody who somebody is, and an account belongs to one person",
			"rewrite":   "nobody can change a ticket without a trace by its interface",
			"describe":  "what a ticket was opened with cannot be edited",
			"elsewhere": "a ticket that leaves its queue is out of the account's sight: like one that is deleted",
		},
		busy: "open", history: true, field: "Length", group: "approvers", keptOnce: true,
		reopen: func(t testing.TB, who, id string) {
			if now := read(t, server.Act(t, "root", http.MethodGet, "ticket/"+id, nil), "Status"); now == "approved" || now == "declined" {
				server.Move(t, who, id, "open")
			}
		},
		edit: func(t testing.TB, who, id, subject string) {
			server.Act(t, who, http.MethodPut, "ticket/"+id, map[string]any{"Subject": subject})
		},
		set: func(t testing.TB, who, id, value string) {
			server.Act(t, who, http.MethodPut, "ticket/"+id, map[string]any{"CustomFields": map[string]any{"Length": value}})
		},
		merge: func(t testing.TB, id, into string) {
			server.Act(t, "root", http.MethodPut, "ticket/"+id, map[string]any{"MergeInto": into})
		},
		member: func(t testing.TB, who string, in bool) { server.SetApprover(t, who, in) },
		key: func(t testing.TB, id string) string {
			return keyOf(t, server.Act(t, "root", http.MethodGet, "ticket/"+id, nil))
		},
		mark: func(t testing.TB, id, key string) {
			server.Act(t, "root", http.MethodPut, "ticket/"+id, map[string]any{"CustomFields": map[string]any{keyField: key}})
		},
		note: func(t testing.TB, who, id, text string) {
			server.Act(t, who, http.MethodPost, "ticket/"+id+"/comment", map[string]any{"Content": text, "ContentType": "text/plain"})
		},
		clone: func(t testing.TB, _, id string) string {
			return read(t, server.Act(t, "root", http.MethodPost, "ticket", map[string]any{
				"Queue": "Access", "Subject": "the same", "CustomFields": map[string]any{keyField: keyOf(t, server.Act(t, "root", http.MethodGet, "ticket/"+id, nil))},
			}), "id")
		},
		remove: func(t testing.TB, _, id string) { server.Move(t, "root", id, "deleted") },
		forge:  forged(`{"ticket":%s,"transaction":1}`),
		notice: genuine(`{"ticket":%s,"transaction":1}`, server.Secret),
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
	setField := func(t testing.TB, who, id, name, value string) {
		t.Helper()
		server.Act(t, who, http.MethodPut, "issues/"+id+".json", map[string]any{"issue": map[string]any{
			"custom_fields": []any{map[string]any{"id": server.Field(t, name), "value": value}},
		}})
	}
	return desk{
		name: "redmine", real: true, approved: "Approved", denied: "Declined",
		move: func(t testing.TB, who, id, status string) { server.Move(t, called(who, account), id, status) },
		settings: strings.NewReplacer("https://redmine.example.com", front.front(t, server.URL), "{env: DRAWBRIDGE_SECRET_REDMINE_KEY}", value(account.Token),
			"{env: DRAWBRIDGE_SECRET_REDMINE_NOTICES}", value(server.Secret),
			"key_field:", "overlap: 8s\n  key_field:"), // so that tickets are not read again and again
		accounts: func(login string) string { return server.Person(login).ID },
		comments: func(t *testing.T, id string) string {
			return server.Act(t, "kim", http.MethodGet, "issues/"+id+".json?include=journals", nil)
		},
		others: []string{"ana", "alias", "second", "stranger", "bridge"},
		lacks: map[string]string{
			"robot":   "what acts by itself does so as somebody's account, which is a stranger's",
			"program": "the history does not tell programs from the people whose accounts they use",
			"shared":  "a mail address tells nobody who somebody is, and an account belongs to one person",
			"rewrite": "nobody can change a ticket without a trace by its interface",
			"merge":   "it has no way to merge tickets",
		},
		elsewhere: func(t testing.TB, id string) {
			plain := read(t, server.Act(t, "admin", http.MethodGet, "projects/plain.json", nil), "project", "id")
			server.Act(t, "admin", http.MethodPut, "issues/"+id+".json", map[string]any{"issue": map[string]any{"project_id": plain}})
		},
		busy: "In Progress", history: true, field: "Department", group: "Access/Approver", keptOnce: true,
		reopen: func(t testing.TB, who, id string) { server.Move(t, who, id, "New") },
		edit: func(t testing.TB, who, id, subject string) {
			server.Act(t, who, http.MethodPut, "issues/"+id+".json", map[string]any{"issue": map[string]any{"subject": subject}})
		},
		describe: func(t testing.TB, who, id string) {
			server.Act(t, who, http.MethodPut, "issues/"+id+".json", map[string]any{"issue": map[string]any{"description": "harmless"}})
		},
		set:    func(t testing.TB, who, id, value string) { setField(t, who, id, "Department", value) },
		member: func(t testing.TB, who string, in bool) { server.SetApprover(t, who, in) },
		key: func(t testing.TB, id string) string {
			return keyOf(t, server.Act(t, "admin", http.MethodGet, "issues/"+id+".json", nil))
		},
		mark: func(t testing.TB, id, key string) { setField(t, "admin", id, keyField, key) },
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
			// SQLite gives the number of the last ticket to the next one again, once it is deleted.
			project := read(t, server.Act(t, "admin", http.MethodGet, "projects/access.json", nil), "project", "id")
			server.Act(t, "admin", http.MethodPost, "issues.json", map[string]any{"issue": map[string]any{"project_id": project, "subject": "later"}})
			server.Act(t, "admin", http.MethodDelete, "issues/"+id+".json", nil)
		},
		forge:  forged(`{"issue":%s,"journal":1}`),
		notice: genuine(`{"issue":%s,"journal":1}`, server.Secret),
		cut:    func() { front.cuts.Add(1) },
		opened: func() int {
			return whole(t, read(t, server.Act(t, "admin", http.MethodGet, "issues.json?status_id=*", nil), "total_count"))
		},
	}
}

// called is the login of who acts, the bridge's included.
func called(who string, bridge desktest.Account) string {
	if who == "bridge" {
		return bridge.Login
	}
	return who
}

const keyField = "Drawbridge Key"

// keyOf finds our key in an answer of Request Tracker or Redmine.
func keyOf(t testing.TB, answer string) (key string) {
	t.Helper()
	type field struct {
		Name   string
		Value  any
		Values []string
	}
	var ticket struct {
		CustomFields []field // Request Tracker's
		Issue        struct {
			Fields []field `json:"custom_fields"`
		}
	}
	must(t, json.Unmarshal([]byte(answer), &ticket))
	for _, f := range slices.Concat(ticket.CustomFields, ticket.Issue.Fields) {
		if f.Name == keyField {
			key = strings.Join(f.Values, "")
			if text, ok := f.Value.(string); ok {
				key = text
			}
		}
	}
	if key == "" {
		t.Fatalf("there is no key in %s", answer)
	}
	return key
}

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

// genuine is the same, signed as it must be.
func genuine(body, secret string) func(testing.TB, string) (string, string) {
	return func(_ testing.TB, ticket string) (string, string) {
		body := fmt.Sprintf(body, ticket)
		return body, scriptSigned(secret, body)
	}
}

func value(secret string) string { return fmt.Sprintf("{value: %q}", secret) }

// decideAt publishes the documents of a desk and has people decide there.
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

// Whoever follows docs/chat.md from its top through one of the ways has documents that can be published.
func TestTheDocumentsOfTheChatPageAreWhole(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "chat.md"))
	must(t, err)
	_, needed, _ := strings.Cut(string(text), "\n## What each of them needs\n")
	needed, _, _ = strings.Cut(needed, "\n## ")
	for _, heading := range []string{"Slack", "Mail", "Teams"} {
		p := newProgram(t)
		p.write("docs/all.yaml", strings.Join(append(yamlBlocks(needed), chat(t, heading)...), "---\n"))
		if got := p.fine("check", "--offline", "docs"); got != "5 documents, nothing wrong.\n" {
			t.Errorf("%s: %s", heading, got)
		}
	}
}

func yamlBlocks(text string) (found []string) {
	for _, block := range strings.Split(text, "```yaml\n")[1:] {
		block, _, _ = strings.Cut(block, "```")
		found = append(found, block)
	}
	return found
}

func documentsIn(t *testing.T, where, text string) []string {
	t.Helper()
	found := yamlBlocks(text)
	if len(found) < 2 || !strings.HasPrefix(found[0], "kind: Connection\n") || !strings.HasPrefix(found[1], "kind: Rule\n") {
		t.Fatalf("%s has %d documents, want a connection and a rule first", where, len(found))
	}
	return found[:2]
}
