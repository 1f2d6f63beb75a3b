package zendesk

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	"github.com/drawbridge-itsm/drawbridge/connectors/verify"
)

const webhook = `{"account_id":12345,"id":"0f1e2d3c-aaaa-bbbb","time":"2026-11-20T10:05:00.123Z","type":"zen:event-type:ticket.custom_field_changed",
 "zendesk_event_version":"2022-11-06","subject":"zen:ticket:42","detail":{"id":"42","external_id":"k1","status":"OPEN","custom_status":"1001",
 "actor_id":"99","updated_at":"2026-11-20T10:05:00Z","tags":["drawbridge"]},"event":{"field":{"id":"360001","type":"dropdown"},"previous":"pending","current":"approved"}}`

func notice(body string) connectors.Request {
	return connectors.Request{
		Method: http.MethodPost, Body: []byte(body),
		Header: http.Header{"Content-Type": {"application/json; charset=utf-8"}, invocationHeader: {"01INV"}},
	}
}

func TestReceive(t *testing.T) {
	t.Parallel()
	c := &connector{conf: Config{BaseURL: "https://z"}}
	ref := connectors.Ref{ID: "42", Key: "#42", URL: "https://z/agent/tickets/42"}
	at := time.Date(2026, 11, 20, 10, 5, 0, 123e6, time.UTC)
	for _, tc := range []struct {
		name, body string
		want       []connectors.Change
	}{
		{"event", webhook, []connectors.Change{{Ref: ref, ID: "hook@01INV", At: at}}},
		{"event with a number", strings.Replace(webhook, `"id":"42"`, `"id":42`, 1), []connectors.Change{{Ref: ref, ID: "hook@01INV", At: at}}},
		{"event of a person", strings.Replace(webhook, "ticket.custom_field_changed", "user.created", 1), nil},
		{"trigger, text", `{"ticket":"42"}`, []connectors.Change{{Ref: ref, ID: "hook@01INV"}}},
		{"trigger, number and more", `{"ticket":42,"status":"Open"}`, []connectors.Change{{Ref: ref, ID: "hook@01INV"}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, err := c.Receive(t.Context(), notice(tc.body))
			connectortest.Must(t, err)
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
		{"no JSON", "ticket=1"},
		{"empty", ""},
		{"no object", `["zen"]`},
		{"more than an object", webhook + "{}"},
		{"no ticket", `{}`},
		{"no id", `{"type":"zen:event-type:ticket.created","detail":{}}`},
		{"an id that leads elsewhere", `{"ticket":"../1"}`},
		{"zero", `{"ticket":0}`},
		{"a placeholder nobody filled in", `{"ticket":"{{ticket.id}}"}`},
		{"wrong type", `{"type":7}`},
		{"too large", `{"ticket":7,"x":"` + strings.Repeat("x", maxNotice) + `"}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, err := c.Receive(t.Context(), notice(tc.body))
			if _, ok := errors.AsType[*connectors.Malformed](err); !ok {
				t.Errorf("receive = %v, want malformed", err)
			}
		})
	}
	form := notice(webhook)
	form.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	_, err := c.Receive(t.Context(), form)
	if _, ok := errors.AsType[*connectors.WrongType](err); !ok {
		t.Errorf("receive a form = %v, want wrong type", err)
	}
	for _, id := range []string{"", "a\nb", strings.Repeat("x", 101)} {
		if got := invocation(id); got != "" {
			t.Errorf("invocation(%q) = %q, want none", id, got)
		}
	}
}

// Zendesk publishes the secret its own tests are signed with, but no signature; these were computed outside this program.
func TestSignatures(t *testing.T) {
	t.Parallel()
	const published = "dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ=="
	given := connectors.Verification{HMAC: &connectors.HMACCheck{Secrets: []connectors.Secret{connectors.SecretValue(published)}}}
	for _, tc := range []struct {
		name, stamp, body, signature string
		at                           time.Time
	}{
		{
			"unix seconds", "1531420618", `{"event_type": "foo.bar","data": {"key": "value"}}`, "qtmu3iClLKujnujOBkwe7yjI34o5CzsLD04Uy4LbE2A=",
			time.Unix(1531420618, 0),
		},
		{"RFC 3339", "2026-11-20T10:05:00Z", `{"ticket":"42"}`, "hA3+7D0ZUkixN2PXYE7AHWWJLxWSnAOLYqayIpNDJzs=", time.Date(2026, 11, 20, 10, 5, 0, 0, time.UTC)},
		{"no body", "2026-11-20T10:05:00Z", "", "P45bb3ZpO/GysaWAvTZZZ4YIu2pleAU/r75ncQ1331A=", time.Date(2026, 11, 20, 10, 5, 0, 0, time.UTC)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			try := func(now time.Time, body string) error {
				v, err := verify.New((&connector{}).Verification(), given, verify.Env{Vault: &connectors.Vault{}, Now: func() time.Time { return now }})
				connectortest.Must(t, err)
				r := notice(body)
				r.URL = &url.URL{Path: "/in/zendesk"}
				r.Header.Set(signatureHeader, tc.signature)
				r.Header.Set(timeHeader, tc.stamp)
				_, err = v.Verify(t.Context(), r, "")
				return err
			}
			for _, off := range []time.Duration{0, replayWindow, -replayWindow} {
				if err := try(tc.at.Add(off), tc.body); err != nil {
					t.Errorf("%s off: %v", off, err)
				}
			}
			for _, off := range []time.Duration{replayWindow + time.Second, -replayWindow - time.Second} {
				if err := try(tc.at.Add(off), tc.body); !errors.Is(err, connectors.ErrForged) {
					t.Errorf("%s off: got %v, want it forged", off, err)
				}
			}
			if err := try(tc.at, tc.body+" "); !errors.Is(err, connectors.ErrForged) {
				t.Errorf("a byte more: got %v, want it forged", err)
			}
		})
	}
}

func FuzzReceive(f *testing.F) {
	for _, body := range []string{webhook, `{"ticket":1}`, `{"type":"zen:event-type:ticket.x","detail":null}`, `{`, `{"time":"0001-01-01T00:00:00Z","ticket":"1"}`} {
		f.Add(body, "01INV")
	}
	c := &connector{}
	f.Fuzz(func(t *testing.T, body, id string) {
		r := notice(body)
		r.Header.Set(invocationHeader, id)
		got, err := c.Receive(t.Context(), r)
		if err != nil {
			if _, malformed := errors.AsType[*connectors.Malformed](err); !malformed {
				t.Errorf("error %v is not ours", err)
			}
			return
		}
		for _, change := range got.Changes {
			if !number.MatchString(change.Ref.ID) || len(change.ID) > 200 {
				t.Errorf("change %+v", change)
			}
		}
	})
}
