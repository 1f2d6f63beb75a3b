package jirastandin_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/connectors/jira/jirastandin"
)

func TestDocumentsAreChecked(t *testing.T) {
	t.Parallel()
	doc := func(content string) string { return `{"type":"doc","version":1,"content":[` + content + `]}` }
	para := func(content string) string { return `{"type":"paragraph","content":[` + content + `]}` }
	tests := []struct {
		name, body, want string // want is empty for a document that is accepted
	}{
		{"text", doc(para(`{"type":"text","text":"a"}`)), ""},
		{"marks", doc(para(`{"type":"text","text":"a","marks":[{"type":"strong"},{"type":"link","attrs":{"href":"https://example.test"}}]}`)), ""},
		{"code with a link", doc(para(`{"type":"text","text":"a","marks":[{"type":"code"},{"type":"link","attrs":{"href":"https://example.test"}}]}`)), ""},
		{"everything", doc(`{"type":"heading","attrs":{"level":2},"content":[{"type":"text","text":"a"}]},{"type":"rule"},{"type":"paragraph"},
			{"type":"codeBlock","attrs":{"language":"go"},"content":[{"type":"text","text":"a"}]},{"type":"blockquote","content":[` + para(`{"type":"hardBreak"}`) + `]},
			{"type":"bulletList","content":[{"type":"listItem","content":[` + para(`{"type":"text","text":"a"}`) + `,{"type":"orderedList","content":[{"type":"listItem","content":[` + para("") + `]}]}]}]},
			{"type":"table","content":[{"type":"tableRow","content":[{"type":"tableHeader","content":[` + para("") + `]},{"type":"tableCell","content":[` + para("") + `]}]}]},
			{"type":"panel","attrs":{"panelType":"info"},"content":[` + para("") + `]}`), ""},
		{"no version", `{"type":"doc","content":[]}`, "the root must be"},
		{"other root", para(""), "the root must be"},
		{"empty text", doc(para(`{"type":"text","text":""}`)), "content[0].content[0]: a text must not be empty"},
		{"text among blocks", doc(`{"type":"text","text":"a"}`), "a text does not belong into a doc"},
		{"unknown node", doc(`{"type":"banana"}`), "does not belong"},
		{"unknown key", doc(`{"type":"paragraph","contents":[]}`), "not a tree of nodes"},
		{"unknown mark", doc(para(`{"type":"text","text":"a","marks":[{"type":"bold"}]}`)), "unknown mark bold"},
		{"mark twice", doc(para(`{"type":"text","text":"a","marks":[{"type":"em"},{"type":"em"}]}`)), "twice"},
		{"strong code", doc(para(`{"type":"text","text":"a","marks":[{"type":"code"},{"type":"strong"}]}`)), "code does not combine"},
		{"link without address", doc(para(`{"type":"text","text":"a","marks":[{"type":"link"}]}`)), "needs a href"},
		{"heading of level 7", doc(`{"type":"heading","attrs":{"level":7}}`), "level from 1 to 6"},
		{"empty list", doc(`{"type":"bulletList","content":[]}`), "must not be empty"},
		{"list of paragraphs", doc(`{"type":"bulletList","content":[` + para("") + `]}`), "does not belong"},
		{"marked code block", doc(`{"type":"codeBlock","content":[{"type":"text","text":"a","marks":[{"type":"em"}]}]}`), "has no marks"},
		{"rule with content", doc(`{"type":"rule","content":[` + para("") + `]}`), "has no content"},
		{"panel without type", doc(`{"type":"panel","content":[` + para("") + `]}`), "panelType"},
	}
	d := start(t, jirastandin.Options{})
	key := d.create("a", "")
	for _, tt := range tests {
		want := 400
		if tt.want == "" {
			want = 204
		}
		got := d.call("PUT", "/rest/api/3/issue/"+key, `{"fields":{"description":`+tt.body+`}}`, want)
		if text, _ := got.at("errors", "description").(string); !strings.Contains(text, tt.want) {
			t.Errorf("%s: got %q, want %q", tt.name, text, tt.want)
		}
	}
}

func TestLongDocumentIsRefused(t *testing.T) {
	t.Parallel()
	d := start(t, jirastandin.Options{})
	key := d.create("a", "")
	text, _ := json.Marshal(strings.Repeat("é", 32768))
	body := `{"body":{"type":"doc","version":1,"content":[{"type":"paragraph","content":[{"type":"text","text":` + string(text) + `}]}]}}`
	if got := d.call("POST", "/rest/api/3/issue/"+key+"/comment", body, 400); !strings.Contains(got.raw, "32,767") {
		t.Errorf("got %s", got.raw)
	}
}
