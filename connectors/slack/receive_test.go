package slack

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/slack/slackstandin"
)

func TestAClickBecomesAnAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, slackstandin.Options{})
	ref := w.create(t, "k1")
	_, ts, _ := strings.Cut(ref.ID, ":")
	for _, test := range []struct {
		click slackstandin.Click
		want  connectors.Vote
	}{
		{slackstandin.Click{Button: "approve/1h", Reason: " so be it "}, connectors.Vote{Outcome: connectors.Approved, Duration: "1h", Reason: "so be it"}},
		{slackstandin.Click{Button: "approve/once"}, connectors.Vote{Outcome: connectors.Approved, Duration: "once"}},
		{slackstandin.Click{Button: "deny", Reason: "no"}, connectors.Vote{Outcome: connectors.Denied, Reason: "no"}},
	} {
		test.click.Message, test.click.By, test.click.ActionTS = ref.ID, "U0KIM", "1763632800.250000"
		got := w.votesOf(t, test.click)
		want := test.want
		want.ID, want.Key, want.Ref = ts+"/1763632800.250000/U0KIM", "k1", ref
		want.By.Account, want.By.Name, want.At = "U0KIM", "Kim", time.Date(2025, 11, 20, 10, 0, 0, 250_000_000, time.UTC)
		if len(got) != 1 || got[0] != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
}

func TestClicksElsewhereAreIgnored(t *testing.T) {
	t.Parallel()
	w := newWorld(t, slackstandin.Options{})
	ref := w.create(t, "k1")
	for name, click := range map[string]slackstandin.Click{
		"in another workspace":     {Team: "T0OTHER"},
		"of another app":           {App: "A0OTHER"},
		"in another block":         {Block: "other"},
		"with a broken key":        {Value: "k1 or 1=1"},
		"by nobody":                {By: "nobody"},
		"on another button":        {Button: "approved"},
		"to deny for a time":       {Button: "deny/1h"},
		"for a time that is none":  {Button: "approve/1h OR 1"},
		"with a broken time of it": {ActionTS: "now"},
	} {
		click.Message = ref.ID
		if click.By == "" {
			click.By = "U0KIM"
		}
		if click.Button == "" {
			click.Button = "approve/1h"
		} else if click.Value == "" {
			click.Value, click.Block = "k1", "drawbridge"
		}
		if got := w.votesOf(t, click); len(got) > 0 {
			t.Errorf("a click %s becomes %+v", name, got)
		}
	}
}

func post(kind, body string) connectors.Request {
	return connectors.Request{Method: http.MethodPost, Header: http.Header{"Content-Type": {kind}}, Body: []byte(body)}
}

const form = "application/x-www-form-urlencoded"

func TestSlacksOwnChecksAreAnswered(t *testing.T) {
	t.Parallel()
	w := newWorld(t, slackstandin.Options{})
	for _, test := range []struct{ kind, body, want string }{
		{"application/json", `{"type":"url_verification","challenge":"abc","token":"x"}`, "abc"},
		{"application/json", `{"type":"event_callback"}`, ""},
		{form, "ssl_check=1&token=x", ""},
		{form, "payload=" + url.QueryEscape(`{"type":"view_submission"}`), ""},
	} {
		got, err := w.Receive(t.Context(), post(test.kind, test.body))
		if err != nil {
			t.Errorf("%s: %v", test.body, err)
			continue
		}
		if answer := got.Reply(connectors.CaseState{}); answer.Status != http.StatusOK || string(answer.Body) != test.want || len(got.Votes) > 0 {
			t.Errorf("%s: answered %+v", test.body, answer)
		}
	}
}

func TestWhatIsNoneOfSlacksIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, slackstandin.Options{})
	for _, r := range []connectors.Request{
		post(form, ""), post(form, "payload="), post(form, "payload=%zz"), post(form, "payload=[]"), post(form, "payload=null"), post(form, `payload={}&payload={}`),
		post(form, `payload={"type":"block_actions","actions":7}`), post(form, `payload={} {}`), post("application/json", `{"type":"url_verification"}`),
	} {
		_, err := w.Receive(t.Context(), r)
		if _, ok := errors.AsType[*connectors.Malformed](err); !ok {
			t.Errorf("%s: got %v", r.Body, err)
		}
	}
	_, err := w.Receive(t.Context(), post("text/plain", "payload={}"))
	if _, ok := errors.AsType[*connectors.WrongType](err); !ok {
		t.Errorf("got %v", err)
	}
}

// FuzzReceive: whatever the payload, an answer is whole or there is none.
func FuzzReceive(f *testing.F) {
	w := newWorld(f, slackstandin.Options{})
	ref := w.create(f, "k1")
	body := w.click(f, slackstandin.Click{Message: ref.ID, Button: "approve/1h", By: "U0KIM", Reason: "x"}).Body
	values, err := url.ParseQuery(string(body))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(values.Get("payload"))
	f.Add(`{"type":"block_actions","team":{"id":"T0CORP"},"actions":[{}]}`)
	f.Fuzz(func(t *testing.T, payload string) {
		got, err := w.Receive(t.Context(), post(form, "payload="+url.QueryEscape(payload)))
		if err != nil {
			if _, ok := errors.AsType[*connectors.Malformed](err); !ok {
				t.Errorf("got a %T: %v", err, err)
			}
			return
		}
		for _, v := range got.Votes {
			if !key.MatchString(v.Key) || v.Outcome != connectors.Approved && v.Outcome != connectors.Denied || !userID.MatchString(v.By.Account) || v.At.Year() > 9999 || len(v.ID) < 5 {
				t.Errorf("got %+v", v)
			}
			if _, _, err := handle(v.Ref); err != nil {
				t.Errorf("%v: %+v", err, v.Ref)
			}
		}
	})
}
