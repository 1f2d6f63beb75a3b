package jira

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

const webhook = `{"timestamp":1763600000000,"webhookEvent":"jira:issue_updated","issue_event_type_name":"issue_generic",
 "user":{"accountId":"5b10"},"issue":{"id":"10042","key":"SEC-42","self":"https://x/rest/api/2/10042","fields":{"labels":["drawbridge"]}}}`

func notification(body string) connectors.Request {
	return connectors.Request{
		Method: http.MethodPost,
		Header: http.Header{"Content-Type": {"application/json; charset=utf-8"}, "X-Atlassian-Webhook-Identifier": {"w-1"}},
		Body:   []byte(body),
	}
}

func TestReceive(t *testing.T) {
	t.Parallel()
	c := &connector{conf: Config{SiteURL: "https://j"}}
	ref := connectors.Ref{ID: "10042", Key: "SEC-42", URL: "https://j/browse/SEC-42"}
	at := time.UnixMilli(1763600000000).UTC()
	for _, tc := range []struct {
		name, body string
		want       []connectors.Change
	}{
		{"issue updated", webhook, []connectors.Change{{Ref: ref, ID: "w-1", At: at}}},
		{"issue deleted", strings.Replace(webhook, "issue_updated", "issue_deleted", 1), []connectors.Change{{Ref: ref, ID: "w-1", At: at}}},
		{"comment", strings.Replace(webhook, "jira:issue_updated", "comment_created", 1), nil},
		{"something else", `{"webhookEvent":"sprint_started","sprint":{}}`, nil},
		{"automation, the issue", `{"id":10042,"key":"SEC-42","fields":{}}`, []connectors.Change{{Ref: ref, ID: "w-1"}}},
		{"automation, own body", `{"issue":{"id":"10042","key":"SEC-42"}}`, []connectors.Change{{Ref: ref, ID: "w-1"}}},
		{"a key that is none", `{"issue":{"id":"10042","key":"../x"}}`, []connectors.Change{{Ref: connectors.Ref{ID: "10042"}, ID: "w-1"}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, err := c.Receive(t.Context(), notification(tc.body))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tc.want, got.Changes); d != "" {
				t.Errorf("changes (-want +got):\n%s", d)
			}
		})
	}
}

func TestReceiveRefuses(t *testing.T) {
	t.Parallel()
	c := &connector{}
	for _, tc := range []struct{ name, body string }{
		{"no JSON", "issue=1"},
		{"empty", ""},
		{"no object", `[1]`},
		{"more than an object", webhook + "{}"},
		{"no issue", `{"webhookEvent":"jira:issue_updated"}`},
		{"no id", `{"webhookEvent":"jira:issue_updated","issue":{"key":"SEC-1"}}`},
		{"an id that leads elsewhere", `{"webhookEvent":"jira:issue_updated","issue":{"id":"../1"}}`},
		{"wrong type", `{"webhookEvent":7}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, err := c.Receive(t.Context(), notification(tc.body))
			if _, ok := errors.AsType[*connectors.Malformed](err); !ok {
				t.Errorf("receive = %v, want malformed", err)
			}
		})
	}
	form := notification(webhook)
	form.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	_, err := c.Receive(t.Context(), form)
	if _, ok := errors.AsType[*connectors.WrongType](err); !ok {
		t.Errorf("receive a form = %v, want wrong type", err)
	}
}

func FuzzReceive(f *testing.F) {
	for _, body := range []string{webhook, `{"id":1,"key":"A-1"}`, `{"issue":null}`, `{`, `{"timestamp":-1,"issue":{"id":"1"}}`} {
		f.Add(body, "w-1")
	}
	c := &connector{}
	f.Fuzz(func(t *testing.T, body, id string) {
		r := notification(body)
		r.Header.Set("X-Atlassian-Webhook-Identifier", id)
		got, err := c.Receive(t.Context(), r)
		if err != nil {
			_, malformed := errors.AsType[*connectors.Malformed](err)
			if !malformed {
				t.Errorf("error %v is not ours", err)
			}
			return
		}
		for _, change := range got.Changes {
			if !issueID.MatchString(change.Ref.ID) || len(change.ID) > 200 {
				t.Errorf("change %+v", change)
			}
		}
	})
}
