package freshworks

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

func TestChoicesInEveryForm(t *testing.T) {
	t.Parallel()
	statuses := []Choice{{2, "Open"}, {6, "Approved"}}
	for text, want := range map[string][]Choice{
		`["low","high"]`: {{0, "low"}, {0, "high"}},
		`[{"id":2,"value":"Open"},{"id":6,"value":"Approved"}]`: statuses,
		`{"6":["Approved","Done"],"2":["Open","New"]}`:          statuses,
		`{"Open":2,"Approved":6}`:                               statuses,
		`{"a":{"b":["c"]}}`:                                     nil,
		`null`:                                                  nil,
		`7`:                                                     nil,
	} {
		if d := cmp.Diff(want, Field{Values: json.RawMessage(text)}.Choices()); d != "" {
			t.Errorf("%s (-want +got):\n%s", text, d)
		}
	}
}

func TestCode(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{`1`: 1, `{"id":2,"name":"rejected"}`: 2, `{"id":0}`: 0, `0`: 0, `null`: -1, `{}`: -1, `"1"`: -1, ``: -1} {
		got, ok := Code(json.RawMessage(text))
		if !ok {
			got = -1
		}
		if got != want {
			t.Errorf("%s is %d, want %d", text, got, want)
		}
	}
}

func TestLinesOfANote(t *testing.T) {
	t.Parallel()
	for body, want := range map[string][]string{
		"<div>Approved</div>":                           {"Approved"},
		"Approved<br>for  a\nweek":                      {"Approved", "for a", "week"},
		"<p>a &lt;b&gt;</p><ul><li>x</li></ul>":         {"a <b>", "x"},
		"<p><strong>App</strong>roved</p><p>&nbsp;</p>": {"Approved"},
		"":                    nil,
		"<<<>>>":              {">>"},
		"<p>x</p><blockquote": {"x", "<blockquote"},
	} {
		if d := cmp.Diff(want, lines(body)); d != "" {
			t.Errorf("%q (-want +got):\n%s", body, d)
		}
	}
}

func TestSealsCount(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
	const me = 8
	k := Kind{Prefix: "CHN-"}
	note := func(by int64, text string, change ...func(*Note)) Note {
		n := Note{ID: 1, UserID: by, Body: "<div><p>" + text + "</p></div>", Created: at, Updated: at}
		for _, f := range change {
			f(&n)
		}
		return n
	}
	good := seal(k, 42, "k1")
	tests := []struct {
		name  string
		notes []Note
		want  string
		fault bool
	}{
		{"none", nil, "", false},
		{"ours", []Note{note(me, good)}, "k1", false},
		{"twice the same", []Note{note(me, good), note(me, good)}, "k1", false},
		{"two that differ", []Note{note(me, good), note(me, seal(k, 42, "k2"))}, "", true},
		{"somebody else's", []Note{note(9, good)}, "", false},
		{"of another ticket", []Note{note(me, seal(k, 43, "k1"))}, "", false},
		{"of a ticket of another kind", []Note{note(me, seal(Kind{}, 42, "k1"))}, "", false},
		{"with words before it", []Note{note(me, "see: "+good)}, "", false},
		{"with words after it", []Note{note(me, good+" drawbridge-note:n1")}, "", false},
		{"edited later", []Note{note(me, good, func(n *Note) { n.Updated = at.Add(time.Minute) })}, "", false},
		{"edited", []Note{note(me, good, func(n *Note) { n.Edited = &at })}, "", false},
	}
	for _, tt := range tests {
		if got, fault := sealed(k, 42, me, tt.notes); got != tt.want || fault != tt.fault {
			t.Errorf("%s: %q, %t", tt.name, got, fault)
		}
	}
}

func TestChangeIDIsFinalWhenItsSecondIsOver(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
	first, second := changeID("7", at, at.Add(time.Second)), changeID("7", at, at.Add(2*time.Second))
	late, later := changeID("7", at, at.Add(settle)), changeID("7", at, at.Add(time.Hour))
	if first == second || second == late || late != later {
		t.Errorf("ids %s, %s, %s, %s", first, second, late, later)
	}
}

func TestTagsAndFileNames(t *testing.T) {
	t.Parallel()
	got := Tags([]string{"there"}, []string{" THERE", "a,b", "", "two\nlines", strings.Repeat("ä", 40)})
	if want := []string{"there", "a b", "two lines", strings.Repeat("ä", 31) + "…"}; !slices.Equal(got, want) {
		t.Errorf("tags %q, want %q", got, want)
	}
	for name, want := range map[string]string{"../a.txt": "a.txt", `C:\x\a"b.txt`: "a_b.txt", "": "file", "..": "file", "a\r\nX: y": "a X_ y"} {
		if got := fileName(name); got != want {
			t.Errorf("%q is %q, want %q", name, got, want)
		}
	}
}

func TestMergedTicketsAreNamedAsUnverified(t *testing.T) {
	t.Parallel()
	if got := (Common{}).Unverified(); !slices.ContainsFunc(got, func(line string) bool { return strings.HasPrefix(line, "merged tickets: ") }) {
		t.Errorf("unverified: %q", got)
	}
}

func TestPublicNotesAnswerOnlyWhereThereAreNoPrivateOnes(t *testing.T) {
	t.Parallel()
	d := &Desk{Answers: []string{"Approved"}}
	for _, tc := range []struct {
		name string
		kind Kind
		note Note
		want bool
	}{
		{"private", Kind{}, Note{Body: "Approved", Private: true}, true},
		{"public", Kind{}, Note{Body: "Approved"}, false},
		{"of a kind whose notes are agents' anyway", Kind{Internal: true}, Note{Body: "Approved"}, true},
		{"private, with more on its first line", Kind{}, Note{Body: "Approved by me", Private: true}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if _, got, _ := connectors.Words(d.Answers).Steps(d.said(tc.kind, []Note{tc.note}, 1)); (got != "") != tc.want {
				t.Errorf("answers: %q, want one: %t", got, tc.want)
			}
		})
	}
}
