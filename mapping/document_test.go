package mapping

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReadHeaderReadsAnyKind(t *testing.T) {
	t.Parallel()
	got, err := ReadHeader([]byte("# a\nkind: Connection\nsettings: {password: {value: x}}\nname: jira-prod\n"))
	if err != nil || got != (Header{"Connection", "jira-prod"}) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestReadHeaderRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, text, want string }{
		{"nothing", "# only a comment\n", "the document is empty"},
		{"no kind", "name: a\n", "kind is missing"},
		{"no name", "kind: Rule\n", "name is missing"},
		{"a name with a space", "kind: Rule\nname: a b\n", "holds a space"},
		{"a long name", "kind: Rule\nname: " + strings.Repeat("a", 101) + "\n", "longer than 100"},
		{"a list", "- a\n", "a document is a mapping"},
		{"text", "hello\n", "a document is a mapping"},
		{"two documents", "kind: A\nname: a\n---\nkind: B\nname: b\n", "here begins a second"},
		{"an anchor", "kind: &a Rule\nname: *a\n", "anchors, aliases and tags"},
		{"a tag", "kind: !!str Rule\nname: a\n", "anchors, aliases and tags"},
		{"a merge key", "kind: Rule\nname: a\n<<: {on: b}\n", "a key must be plain text"},
		{"a repeated key", "kind: Rule\nname: a\nname: b\n", `"name" already defined`},
		{"not UTF-8", "kind: \xff\n", "not UTF-8"},
		{"depth", "kind: Rule\nname: a\nx: " + strings.Repeat("[", 200) + strings.Repeat("]", 200) + "\n", "nested too deeply"},
		{"endless brackets", "kind: Rule\nname: a\nx: " + strings.Repeat("[", 100_000), "nested too deeply"},
		{"endless dashes", strings.Repeat("- ", 50_000), "nested too deeply"},
		{"too long", "kind: Rule\nname: " + strings.Repeat("a", maxDocument), "longer than 256 KiB"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := ReadHeader([]byte(c.text))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q in it", err, c.want)
			}
		})
	}
}

func TestReadHeaderShowsNoLine(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"kind: Connection\nsettings: {password: {value: hunter2}, x: [}\n",
		"kind: Connection\nname: a\nvalue: hunter2\nvalue: \"hunter2\n",
		"kind: Connection\nvalue: &x hunter2\n",
		"kind: [hunter2]\n",
		"kind: hunter2: hunter2\n",
	} {
		_, err := ReadHeader([]byte(text))
		var faults Errors
		if !errors.As(err, &faults) {
			t.Errorf("%q: got %v, want Errors", text, err)
			continue
		}
		if shown := err.Error() + faults[0].Snippet; strings.Contains(shown, "hunter2") {
			t.Errorf("%q is shown: %s", text, shown)
		}
	}
}

func TestSplitDocumentsKeepsTexts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, text string
		want       []string
	}{
		{"one", "kind: A\n", []string{"kind: A\n"}},
		{"several", "# first\nkind: A # x\n---\nkind: B\ntext: |\n  --- no\n...\n--- # third\nkind: C", []string{"# first\nkind: A # x\n", "kind: B\ntext: |\n  --- no\n", "# third\nkind: C"}},
		{"on the marker's line", "--- {kind: A}\n", []string{"{kind: A}\n"}},
		{"empty ones", "---\n# nothing\n---\n\n---\nkind: A\n---\n", []string{"kind: A\n"}},
		{"none", "", nil},
		{"not markers", "a: b\n---x: 1\n----\n", []string{"a: b\n---x: 1\n----\n"}},
		{"line ends of Windows", "kind: A\r\n---\r\nkind: B\r\n", []string{"kind: A\r\n", "kind: B\r\n"}},
		{"byte order mark", "\ufeffkind: A\n", []string{"kind: A\n"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := SplitDocuments([]byte(c.text))
			if err != nil {
				t.Fatal(err)
			}
			var texts []string
			for _, d := range got {
				texts = append(texts, string(d))
			}
			if diff := cmp.Diff(c.want, texts); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseFaultsNameTheirPlace(t *testing.T) {
	t.Parallel()
	rule := func(text []byte) error { _, err := ParseRule(text); return err }
	policy := func(text []byte) error { _, err := ParsePolicy(text); return err }
	table := func(text []byte) error { _, err := ParseTable(text); return err }
	people := func(text []byte) error { _, err := ParsePeople(text); return err }
	const head = "kind: Rule\nname: r\non: epm\nwhen: 'true'\n"
	for _, c := range []struct {
		name         string
		parse        func([]byte) error
		text         string
		line, column int
		message      string
	}{
		{"unknown key", rule, head + "create:\n  at: x\n  sumary: y\n", 7, 3, `unknown field "sumary"`},
		{"unknown key after comments of Windows", rule, "# c\r\n" + strings.ReplaceAll(head, "\n", "\r\n") + "extra: y\r\n", 6, 1, `unknown field "extra"`},
		{"repeated key", rule, head + "on: again\n", 5, 1, `mapping key "on" already defined`},
		{"repeated field", rule, head + "create:\n  fields: {a: 1, a: 2}\n", 6, 18, `mapping key "a" already defined`},
		{"wrong type", rule, head + "create: [a]\n", 5, 9, "a mapping is expected here, this is a sequence"},
		{"text for a list", rule, head + "create:\n  labels: a\n", 6, 11, "a sequence is expected here, this is a string"},
		{"list for a text", rule, head + "create:\n  at: [a]\n", 6, 7, "text is expected here, this is a list"},
		{"text for truth", rule, head + "comment: {at: a, body: b, public: maybe}\n", 5, 35, "true or false is expected here, this is text"},
		{"another kind", rule, "kind: Policy\nname: r\n", 1, 7, "kind must be Rule here"},
		{"broken text", rule, head + "create: {at: \"a}\n", 5, 14, "could not find end character"},
		{"no approver", policy, "kind: Policy\nname: p\napprovers: {}\n", 3, 12, "a policy names at least one"},
		{"unknown answer", policy, "kind: Policy\nname: p\napprovers: {people: [a]}\nunknown_requester: maybe\n", 4, 20, "refuse or allow"},
		{"empty approver", policy, "kind: Policy\nname: p\napprovers: {groups: [a, '']}\n", 3, 26, "a value is missing"},
		{"values and list", table, "kind: Table\nname: t\nvalues: {a: b}\nlist: [a]\n", 1, 1, "either values or a list"},
		{"neither values nor list", table, "kind: Table\nname: t\n", 1, 1, "either values or a list"},
		{"a list in a table", table, "kind: Table\nname: t\nvalues: {a: [b]}\n", 3, 13, "a table holds text"},
		{"not a number", table, "kind: Table\nname: t\nlist: [.nan]\n", 3, 8, "a table holds text"},
		{"default of a list", table, "kind: Table\nname: t\nlist: [a]\ndefault: b\n", 4, 10, "only for tables with values"},
		{"one name twice", people, "kind: People\nname: s\npeople:\n- name: a\n- name: A\n", 5, 9, "this name already belongs to a"},
		{"one mail twice", people, "kind: People\nname: s\npeople:\n- {name: a, mail: a@x}\n- {name: b, mail: A@x}\n", 5, 19, "this mail address already belongs to a"},
		{"one account twice", people, "kind: People\nname: s\npeople:\n- {name: a, accounts: {jira: [x]}}\n- {name: b, accounts: {jira: [x]}}\n", 5, 31, "this account at jira already belongs to a"},
		{"person without a name", people, "kind: People\nname: s\npeople:\n- mail: a@x\n", 4, 7, "name is missing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			err := c.parse([]byte(c.text))
			var faults Errors
			if !errors.As(err, &faults) {
				t.Fatalf("got %v, want Errors", err)
			}
			got := faults[0]
			if got.Line != c.line || got.Column != c.column || !strings.Contains(got.Message, c.message) {
				t.Errorf("got %d:%d %q, want %d:%d %q", got.Line, got.Column, got.Message, c.line, c.column, c.message)
			}
			if got.Snippet == "" {
				t.Error("no snippet")
			}
		})
	}
}

func TestTablesAndPeopleAreRead(t *testing.T) {
	t.Parallel()
	table, err := ParseTable([]byte("kind: Table\nname: t\nvalues: {a: 1, 2: b, true: false}\ndefault: 0.5\n"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&Table{Name: "t", Values: map[string]any{"a": 1.0, "2": "b", "true": false}, Default: 0.5}, table); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
	people, err := ParsePeople([]byte("kind: People\nname: staff\npeople:\n- name: ana\n  mail: ana@corp.example\n  accounts: { epm: ['CORP\\ana'], jira-prod: ['5b10a2'] }\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := &People{Name: "staff", People: []Human{{Name: "ana", Mail: "ana@corp.example", Accounts: map[string][]string{"epm": {`CORP\ana`}, "jira-prod": {"5b10a2"}}}}}
	if diff := cmp.Diff(want, people); diff != "" {
		t.Errorf("people (-want +got):\n%s", diff)
	}
}
