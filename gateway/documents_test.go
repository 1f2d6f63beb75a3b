package gateway

import (
	"bytes"
	"errors"
	"io/fs"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/builtin"
	"github.com/drawbridge-itsm/drawbridge/connectors/verify"
	"github.com/drawbridge-itsm/drawbridge/mapping/starter"
	"github.com/drawbridge-itsm/drawbridge/store"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

// canary stands where documents hold credentials; nothing but a vault may ever show it.
const canary = "c4n4ry-in-the-mine"

const (
	jiraConnection = `# The desk.
kind: Connection
name: jira
connector: jira
settings:
  base_url: https://jira.example
  auth:
    basic: {user: bridge@example.test, token: {value: ` + canary + `-jira}} # from the admin's page
inbound:
  verify: {hmac: {secrets: [{value: ` + canary + `-hook}]}}
`
	epmConnection = `kind: Connection
name: epm
connector: epm
tenant: t-100
settings:
  base_url: https://epm.example
  client_id: drawbridge
  client_secret: {value: ` + canary + `-epm}
inbound:
  verify: {basic: {user: epm, passwords: [{value: ` + canary + `-old}, {value: ` + canary + `-new}]}}
  status: 200
`
)

func testVault() *connectors.Vault {
	keys := map[string][]byte{"k1": bytes.Repeat([]byte{1}, 32), "k2": bytes.Repeat([]byte{2}, 32)}
	return &connectors.Vault{Keys: keys, Current: "k1", Getenv: func(string) string { return "" }}
}

func testOpener() opener {
	return opener{vendors: builtin.Vendors(), vault: testVault(), log: slog.New(slog.DiscardHandler), now: time.Now, hashes: verify.NewHashes(time.Now)}
}

// newTestGateway opens a gateway on a database of its own.
func newTestGateway(t *testing.T) *Gateway {
	t.Helper()
	g, err := New(t.Context(), Options{Store: storetest.New(t, storetest.SQLite), Vendors: builtin.Vendors(), Vault: testVault(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func texts(docs ...string) [][]byte {
	out := make([][]byte, len(docs))
	for i, d := range docs {
		out[i] = []byte(d)
	}
	return out
}

func starterTexts(t *testing.T) [][]byte {
	t.Helper()
	all := texts(jiraConnection, epmConnection)
	files := starter.Files()
	entries, err := fs.ReadDir(files, ".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		text, err := fs.ReadFile(files, e.Name())
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, text)
	}
	return all
}

func changes(edits []Edit) []string {
	out := make([]string, len(edits))
	for i, e := range edits {
		out[i] = e.Change + " " + e.Kind + "/" + e.Name
	}
	return out
}

func TestOpenSealsEveryValueAndKeepsTheRest(t *testing.T) {
	t.Parallel()
	c, stored, err := testOpener().open(t.Context(), []byte(jiraConnection), "")
	if err != nil {
		t.Fatal(err)
	}
	text := string(stored)
	if strings.Contains(text, canary) {
		t.Errorf("the text to store holds a credential:\n%s", text)
	}
	for _, kept := range []string{"# The desk.", "# from the admin's page", "base_url: https://jira.example", "{sealed: k1:"} {
		if !strings.Contains(text, kept) {
			t.Errorf("the text to store lost %q:\n%s", kept, text)
		}
	}
	if c.doc.Inbound.Status != 202 || c.doc.State != "active" || c.doc.Delivery.Concurrency == 0 {
		t.Errorf("defaults are not set: %+v", c.doc)
	}
	if _, again, err := testOpener().open(t.Context(), stored, ""); err != nil || string(again) != text {
		t.Errorf("what was stored does not open as it is: %v\n%s", err, again)
	}
}

func TestTheSameDocumentAppliedAgainIsTheSameText(t *testing.T) {
	t.Parallel()
	o := testOpener()
	_, first, err := o.open(t.Context(), []byte(epmConnection), "")
	if err != nil {
		t.Fatal(err)
	}
	_, second, err := o.open(t.Context(), []byte(epmConnection), string(first))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(first), string(second)); diff != "" {
		t.Errorf("the text changed:\n%s", diff)
	}
	changed := strings.Replace(epmConnection, canary+"-new", canary+"-newer", 1)
	_, third, err := o.open(t.Context(), []byte(changed), string(first))
	if err != nil {
		t.Fatal(err)
	}
	if n := differing(string(first), string(third)); n != 1 {
		t.Errorf("one secret changed, and %d lines differ:\n%s", n, cmp.Diff(string(first), string(third)))
	}
	o.vault.Current = "k2"
	_, rotated, err := o.open(t.Context(), []byte(epmConnection), string(first))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(rotated), "k1:") || strings.Count(string(rotated), "k2:") != 3 {
		t.Errorf("a new key does not seal everything anew:\n%s", rotated)
	}
}

func differing(a, b string) int {
	n := 0
	theirs := strings.Split(b, "\n")
	for i, line := range strings.Split(a, "\n") {
		if i >= len(theirs) || theirs[i] != line {
			n++
		}
	}
	return n
}

func TestFaultsOfAConnection(t *testing.T) {
	t.Parallel()
	edit := func(old, with string) string {
		if !strings.Contains(epmConnection, old) {
			t.Fatalf("there is no %q to replace", old)
		}
		return strings.Replace(epmConnection, old, with, 1)
	}
	tests := []struct{ name, text, want string }{
		{"unknown key", edit("tenant: t-100", "tennant: t-100"), `line 4, column 1: unknown field "tennant"`},
		{"unknown setting beside a secret", edit("  client_id: drawbridge", "  client_di: drawbridge"), `line 7, column 3: unknown field "client_di"`},
		{"a number is wanted", edit("status: 200", "status: yes please"), "line 11, column 11: a number is expected here, this is text"},
		{"secret as plain text", edit("{value: "+canary+"-epm}", canary), "line 8, column 18: a secret is written {env: DRAWBRIDGE_SECRET_NAME}, {file: NAME} or {value: ...}"},
		{"secret of two parts", edit("{value: "+canary+"-epm}", "{value: "+canary+", env: X}"), "line 8, column 18: a secret is written {env: DRAWBRIDGE_SECRET_NAME}, {file: NAME} or {value: ...}"},
		{"secret from anywhere", edit("{value: "+canary+"-epm}", "{env: HOME}"), "line 8, column 18: a secret's environment variable starts with DRAWBRIDGE_SECRET_"},
		{"secret from outside", edit("{value: "+canary+"-epm}", "{file: ../../etc/passwd}"), "line 8, column 18: a secret's file is a name inside the secrets directory"},
		{"unknown connector", edit("connector: epm", "connector: epmm"), `connector: there is no "epmm"; there are `},
		{"name", edit("name: epm", "name: EPM_1"), "name: small letters, digits and dashes, at most 63"},
		{"state", edit("tenant: t-100", "state: asleep"), "state: active, paused or disabled"},
		{"statuses, all at once", edit("status: 200", "status: 99\n  quarantine_status: 700\n  max_body: 1000000000"),
			"inbound.status: an HTTP status from 200 to 599\ninbound.quarantine_status: an HTTP status from 200 to 599\ninbound.max_body: at most 64 MiB"},
		{"delivery", epmConnection + "delivery: {concurrency: 1000, timeout: 1h}\n", "delivery.concurrency: from 1 to 256\ndelivery.timeout: at most 10m"},
		{"no YAML", edit("tenant: t-100", "tenant: [t-100"), "line"},
		{"two documents", epmConnection + "---\n" + epmConnection, "one document is expected"},
		{"alias", edit("tenant: t-100", "tenant: *x"), "anchors, aliases and tags are not used"},
		{"nothing", "", "the document is empty"},
		{"no verification", edit("  verify: {basic", "  #verify: {basic"), "inbound.verify"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, _, err := testOpener().open(t.Context(), []byte(test.text), "")
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("got %v, want %s", err, test.want)
			}
			if strings.Contains(err.Error(), canary) {
				t.Errorf("the fault shows a credential: %v", err)
			}
		})
	}
}

func TestPlanReportsAllFaultsInTheOrderGiven(t *testing.T) {
	t.Parallel()
	g := newTestGateway(t)
	_, err := g.Plan(t.Context(), texts(
		"kind: Nonsense\nname: x\n",
		"name: nameless\n",
		strings.Replace(epmConnection, "tenant", "tennant", 1),
		openRule,
		openRule,
		"\n\n\nkind: Rule\nname: late\non: epm\nwhen: event.kindd == 1\n",
		"kind: Policy\nname: approvers\napprovers: {people: [ghost]}\n",
	))
	faults, ok := errors.AsType[Faults](err)
	if !ok {
		t.Fatalf("got %v, want Faults", err)
	}
	want := `Nonsense x: there is no kind "Nonsense"; there are Connection, Rule, Policy, Table and People
document 2: kind: line 1, column 1: kind is missing
Connection epm: line 4, column 1: unknown field "tennant"
Rule open: create.at: there is no connection "jira"; there are epm
Rule open: stands twice in what is applied
Rule late: when: line 7, column 13: unknown field kindd
Policy approvers: approvers.people: ghost stands in no People document`
	if diff := cmp.Diff(want, faults.Error()); diff != "" {
		t.Errorf("faults differ (-want +got):\n%s", diff)
	}
	if docs, err := g.store.Documents(t.Context()); err != nil || len(docs) != 0 {
		t.Errorf("a plan wrote %d documents, %v", len(docs), err)
	}
}

func TestApplyIsAllOrNothing(t *testing.T) {
	t.Parallel()
	g := newTestGateway(t)
	if _, err := g.Apply(t.Context(), append(starterTexts(t), []byte("kind: Rule\nname: bad\non: nowhere\nwhen: \"true\"\n")), "tester", ""); err == nil {
		t.Fatal("a rule on a connection that is not there was applied")
	}
	if docs, err := g.store.Documents(t.Context()); err != nil || len(docs) != 0 {
		t.Fatalf("%d documents were published, %v; want none", len(docs), err)
	}
	all := starterTexts(t)
	if _, err := g.Apply(t.Context(), all, "tester", "at first"); err != nil {
		t.Fatal(err)
	}
	docs, err := g.store.Documents(t.Context())
	if err != nil || len(docs) != len(all) {
		t.Fatalf("%d documents are published, %v; want %d", len(docs), err, len(all))
	}
	var exported [][]byte
	for _, d := range docs {
		if strings.Contains(d.Text, canary) {
			t.Errorf("%s %s is stored with a credential in it", d.Kind, d.Name)
		}
		if d.Author != "tester" || d.Why != "at first" || d.Version != 1 {
			t.Errorf("%s %s is version %d by %q, %q", d.Kind, d.Name, d.Version, d.Author, d.Why)
		}
		exported = append(exported, []byte("\n"+d.Text+"\n\n"))
	}
	for name, again := range map[string][][]byte{"the same documents": all, "what was exported": exported} {
		edits, err := g.Plan(t.Context(), again)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if slices.ContainsFunc(edits, func(e Edit) bool { return e.Change != "unchanged" }) {
			t.Errorf("%s would change: %v", name, changes(edits))
		}
	}
}

func TestPlanTellsWhatWouldChange(t *testing.T) {
	t.Parallel()
	g := newTestGateway(t)
	if _, err := g.Apply(t.Context(), starterTexts(t), "tester", ""); err != nil {
		t.Fatal(err)
	}
	edits, err := g.Plan(t.Context(), texts(
		epmConnection,
		"kind: Policy\nname: endpoint-approvers\napprovers:\n  people: [kim]\n",
		"kind: Table\nname: groups\nvalues: {a: b}\n",
	))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"unchanged Connection/epm", "update Policy/endpoint-approvers", "create Table/groups"}, changes(edits)); diff != "" {
		t.Errorf("edits differ (-want +got):\n%s", diff)
	}
	if e := edits[1]; e.Version != 1 || !strings.Contains(e.Before, "[kim, lee]") || !strings.Contains(e.After, "[kim]") {
		t.Errorf("the update is %+v", e)
	}
}

func TestWithdrawnPolicyIsAFaultOfTheRuleThatWasPublished(t *testing.T) {
	t.Parallel()
	g := newTestGateway(t)
	if _, err := g.Apply(t.Context(), starterTexts(t), "tester", ""); err != nil {
		t.Fatal(err)
	}
	_, err := g.Plan(t.Context(), texts("kind: People\nname: staff\npeople: [{name: kim, mail: kim@corp.example}]\n"))
	faults, ok := errors.AsType[Faults](err)
	if !ok || len(faults) != 1 || faults[0].Given != 0 || faults[0].Kind != kindPolicy || !strings.Contains(err.Error(), "lee stands in no People document") {
		t.Errorf("got %v, want one fault of the published policy", err)
	}
}

// A kind its source declares without fields is known, and its data is open.
func TestKindsWithoutFieldsAreKnown(t *testing.T) {
	t.Parallel()
	c := emptyCatalogue()
	c.connections["tool"] = &connection{connector: emitter{}}
	doc := compiled(t, "kind: Rule\nname: r\non: tool\nwhen: event.kind == \"audit\"\n").Rule()
	env := c.env(doc)
	fields, known := env.Data[connectors.Audit]
	if !known || fields != nil {
		t.Errorf("audit is known: %v, with %v; want known and open", known, fields)
	}
	if got := env.Data[connectors.Anomaly]; len(got) != 1 || got[0].Name != "Score" {
		t.Errorf("anomaly has the fields %v", got)
	}
	for when, fine := range map[string]bool{
		`event.kind == "audit" and event.data.Anything == 1`: true,
		`event.kind == "anomaly" and event.data.Score > 1`:   true,
		`event.kind == "anomaly" and event.data.Skore > 1`:   false,
		`event.kind == "auditt"`:                             false,
	} {
		_, err := c.compile(store.Document{Kind: kindRule, Name: "r", Text: "kind: Rule\nname: r\non: tool\nwhen: " + when + "\n"})
		if (err == nil) != fine {
			t.Errorf("%s: %v", when, err)
		}
	}
}

// emitter declares what it sends and can do nothing else.
type emitter struct{ connectors.Connector }

func (emitter) Emits() []connectors.EventType {
	return []connectors.EventType{
		{Kind: connectors.Audit},
		{Kind: connectors.Anomaly, Data: []connectors.Field{{ID: "Score", Type: "number"}}},
	}
}

// FuzzConnection opens whatever text there is as a Connection document. It never panics, shows no credential, and what
// it takes can be stored and opened again.
func FuzzConnection(f *testing.F) {
	f.Add([]byte(jiraConnection))
	f.Add([]byte(epmConnection))
	f.Add([]byte(strings.Replace(epmConnection, "status: 200", "status: [", 1)))
	f.Add([]byte(strings.ReplaceAll(epmConnection, "\n", "\r\n")))
	f.Add([]byte("kind: Connection\nname: epm\nconnector: epm\nsettings: {client_secret: \"" + canary + "\"}\n"))
	f.Add([]byte("kind: Connection\nname: epm\nconnector: epm\noutbound: {proxy: {value: x}, headers: {A: {value: " + canary + "}}}\n"))
	f.Add([]byte("kind: Connection\nname: epm\nconnector: epm\nsettings:\n  client_secret:\n    value: |\n      " + canary + "\n  bogus: 1\n"))
	f.Add([]byte(strings.Replace(epmConnection, "{basic: {user: epm, passwords: [{value: "+canary+"-old}, {value: "+canary+"-new}]}}",
		"{oauth: {client_id: x, client_secrets: [{value: "+canary+"-1}], user: u, passwords: [{value: "+canary+"-2}, {sha256: "+strings.Repeat("ab", 32)+"}]}}", 1)))
	f.Add([]byte(strings.Replace(epmConnection, "status: 200", "from: [192.0.2.0/24, '::1']\n  rate: {per_second: 1.5}", 1)))
	f.Add([]byte(strings.Replace(epmConnection, "verify: {basic", "verify: {certificate: {subjects: [CN=x], header: C}, issuer: {url: https://x, audience: a, claims: {a: b}}, basic", 1)))
	o := testOpener()
	f.Fuzz(func(t *testing.T, text []byte) {
		c, stored, err := o.open(t.Context(), text, "")
		if err != nil {
			shown := err.Error()
			if bytes.Contains(text, []byte("{value: "+canary)) && strings.Contains(shown, canary) && !inKey(text) {
				t.Fatalf("the fault shows a credential: %s", shown)
			}
			if len(shown) > 64<<10 {
				t.Fatalf("the fault is %d bytes long", len(shown))
			}
			return
		}
		if _, again, err := o.open(t.Context(), stored, ""); err != nil || !bytes.Equal(again, stored) {
			t.Fatalf("what was to be stored does not open as it is: %v\n%s\nthen\n%s", err, stored, again)
		}
		if _, again, err := o.open(t.Context(), text, string(stored)); err != nil || !bytes.Equal(again, stored) {
			t.Fatalf("the same text is not the same document: %v\n%s\nthen\n%s", err, stored, again)
		}
		if c.doc.Name == "" || c.connector == nil {
			t.Fatal("a connection without name or connector was opened")
		}
	})
}

// inKey tells whether the canary also stands where no credential belongs: in a key, which a fault may name.
func inKey(text []byte) bool {
	return bytes.Count(text, []byte(canary)) != bytes.Count(text, []byte("{value: "+canary))
}

func TestPublishRefusesWhatSomebodyElsePublishedMeanwhile(t *testing.T) {
	t.Parallel()
	g := newTestGateway(t)
	plan := func(people string) []Edit {
		t.Helper()
		edits, err := g.Plan(t.Context(), texts("kind: People\nname: staff\npeople: ["+people+"]\n"))
		if err != nil {
			t.Fatal(err)
		}
		return edits
	}
	first, second := plan("{name: kim, mail: kim@corp.example}"), plan("{name: lee, mail: lee@corp.example}")
	publish := func(edits []Edit) error { return g.Publish(t.Context(), edits, "admin", "for a test") }
	if err := publish(first); err != nil {
		t.Fatal(err)
	}
	if err := publish(second); err == nil || !strings.Contains(err.Error(), "plan it again") {
		t.Errorf("a new document that another admin published before: %v", err)
	}
	third, fourth := plan("{name: lee, mail: lee@corp.example}"), plan("{name: max, mail: max@corp.example}")
	if err := publish(third); err != nil {
		t.Fatal(err)
	}
	if err := publish(fourth); err == nil || !strings.Contains(err.Error(), "People staff: somebody published it") {
		t.Errorf("an update of another version: %v", err)
	}
	if err := publish(plan("{name: max, mail: max@corp.example}")); err != nil {
		t.Errorf("planned again: %v", err)
	}
}
