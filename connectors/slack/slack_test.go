package slack

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	"github.com/drawbridge-itsm/drawbridge/connectors/slack/slackstandin"
)

func TestRefusalsWithStatus200AreClassified(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]struct {
		kind connectors.Kind
		sent bool
		gone bool
	}{
		"ratelimited":        {kind: connectors.Throttled},
		"not_in_channel":     {kind: connectors.Permanent},
		"channel_not_found":  {kind: connectors.Permanent, gone: true},
		"is_archived":        {kind: connectors.Permanent},
		"invalid_blocks":     {kind: connectors.Permanent},
		"a_new_code":         {kind: connectors.Permanent},
		"invalid_auth":       {kind: connectors.Unwell},
		"token_revoked":      {kind: connectors.Unwell},
		"account_inactive":   {kind: connectors.Unwell},
		"missing_scope":      {kind: connectors.Unwell},
		"internal_error":     {kind: connectors.Temporary, sent: true},
		"fatal_error":        {kind: connectors.Temporary, sent: true},
		"<b>no code</b>":     {kind: connectors.Temporary, sent: true},
		connectortest.Canary: {kind: connectors.Temporary, sent: true},
	} {
		w := newWorld(t, slackstandin.Options{})
		w.slack.RefuseNext("chat.postMessage", code)
		_, err := w.Create(t.Context(), "k1", ticket())
		e := connectors.AsError(err)
		if err == nil || e.Kind != want.kind || e.Sent != want.sent || errors.Is(err, connectors.ErrNotFound) != want.gone {
			t.Errorf("%s: got %v (%s, sent %v), want %+v", code, err, e.Kind, e.Sent, want)
		}
		if err != nil && (strings.Contains(err.Error(), "<b>") || strings.Contains(err.Error(), connectortest.Canary)) {
			t.Errorf("%s: the error repeats it: %v", code, err)
		}
	}
}

func TestWaitingTimeOfARefusalIsRead(t *testing.T) {
	t.Parallel()
	c := open(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "7")
		_, _ = w.Write([]byte(`{"ok":false,"error":"ratelimited"}`))
	}), connectortest.NewClock(connectortest.Now))
	_, err := c.Create(t.Context(), "k1", ticket())
	if e := connectors.AsError(err); e.Kind != connectors.Throttled || e.RetryAfter != 7*time.Second {
		t.Errorf("got %v, %s, %v", err, e.Kind, e.RetryAfter)
	}
}

func TestPingNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ scopes, team, want string }{
		{"", "", ""},
		{"-", "", ""},
		{"chat:write,users:read", "", "users:read.email"},
		{"users:read.email, users:read", "", "chat:write"},
		{"", "T0OTHER", "T0OTHER"},
	} {
		w := newWorld(t, slackstandin.Options{Scopes: test.scopes, Team: test.team})
		err := w.Ping(t.Context())
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("scopes %q, team %q: got %v, want %q", test.scopes, test.team, err, test.want)
		}
	}
}

func TestWhoClickedIsAskedOfSlack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, slackstandin.Options{People: []slackstandin.Person{
		{ID: "U0GONE", Name: "Gone", Mail: "lee@corp.example", Deleted: true}, {ID: "U0BOT", Name: "Robot", Mail: "robot@corp.example", Bot: true},
		{ID: "U0FAR", Name: "Far", Mail: "kim@corp.example", Team: "T0OTHER"},
		{ID: "U0APP", Name: "Ann", Mail: "ann@corp.example", More: map[string]any{"is_app_user": true, "is_email_confirmed": true, "is_stranger": false}},
		{ID: "U0NEW", Name: "New", Mail: "kim@corp.example", More: map[string]any{"is_email_confirmed": false}},
		{ID: "U0ODD", Name: "Odd", Mail: "kim@corp.example", More: map[string]any{"is_email_confirmed": true, "is_stranger": true}},
		{ID: "U0FLOW", Name: "Flow", More: map[string]any{"is_workflow_bot": true}}, {ID: "U0LINK", Name: "Link", More: map[string]any{"is_connector_bot": true}},
		{ID: "USLACKBOT", Name: "Slackbot"},
	}})
	person := func(id, name, mail string) connectors.Account {
		return connectors.Account{Person: connectors.Person{Account: id, Name: name, Mail: mail}}
	}
	robot := func(id, name, mail string) connectors.Account {
		who := person(id, name, mail)
		who.Automation = true
		return who
	}
	for id, want := range map[string]connectors.Account{
		"U0KIM": person("U0KIM", "Kim", "kim@corp.example"), "U0APP": person("U0APP", "Ann", "ann@corp.example"),
		"U0FAR": person("U0FAR", "Far", ""), "U0NEW": person("U0NEW", "New", ""), "U0ODD": person("U0ODD", "Odd", ""),
		"U0BOT": robot("U0BOT", "Robot", "robot@corp.example"), "U0FLOW": robot("U0FLOW", "Flow", ""), "U0LINK": robot("U0LINK", "Link", ""),
		"USLACKBOT": robot("USLACKBOT", "Slackbot", ""),
	} {
		if got, err := w.Resolve(t.Context(), id); err != nil || got != want {
			t.Errorf("%s: got %+v, %v, want %+v", id, got, err, want)
		}
	}
	for _, id := range []string{"U0GONE", "U0NOBODY", "", "U0KIM&x=1"} {
		if got, err := w.Resolve(t.Context(), id); !errors.Is(err, connectors.ErrNotFound) {
			t.Errorf("%s: got %+v, %v, want nobody", id, got, err)
		}
	}
}

func TestRequestsThatCannotBePut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, slackstandin.Options{})
	for name, change := range map[string]func(*connectors.Ticket){
		"a channel's name": func(t *connectors.Ticket) { t.Project = "#security" },
		"an unknown type":  func(t *connectors.Ticket) { t.Type = "task" },
		"an unknown field": func(t *connectors.Ticket) { t.Fields = map[string]any{"colour": "red"} },
		"no durations":     func(t *connectors.Ticket) { t.Fields = map[string]any{"durations": []any{}} },
		"a wrong duration": func(t *connectors.Ticket) { t.Fields = map[string]any{"durations": []any{"<1h>"}} },
		"a duration twice": func(t *connectors.Ticket) { t.Fields = map[string]any{"durations": []any{"1h", "1h"}} },
		"too many durations": func(t *connectors.Ticket) {
			t.Fields = map[string]any{"durations": []any{"1h", "2h", "3h", "4h", "5h", "6h"}}
		},
		"a reason of nothing": func(t *connectors.Ticket) { t.Fields = map[string]any{"reason": true} },
	} {
		request := ticket()
		change(&request)
		if _, err := w.Create(t.Context(), "k1", request); err == nil || connectors.AsError(err).Kind != connectors.Permanent || connectors.AsError(err).Sent {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if n := len(w.slack.Messages()); n > 0 {
		t.Errorf("%d messages were posted", n)
	}
}

// The stand-in refuses what is over Slack's limits.
func TestLongTextsAreCut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, slackstandin.Options{})
	for _, text := range []string{strings.Repeat("<&>", 2000), strings.Repeat("ä", 9000), strings.Repeat("word ", 3000), strings.Repeat("- item\n", 2000)} {
		request := ticket()
		request.Summary, request.Description, request.Priority = text, text, text
		ref, err := w.Create(t.Context(), "k1", request)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Comment(t.Context(), ref, connectors.Note{Body: text}); err != nil {
			t.Error(err)
		}
		if err := w.Transition(t.Context(), ref, connectors.Move{Status: text, Asked: &request, Note: &connectors.Note{Body: text}}); err != nil {
			t.Error(err)
		}
	}
}
