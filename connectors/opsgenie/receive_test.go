package opsgenie

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
)

const webhook = `{"action":"Approve","source":{"name":"kim@corp.example","type":"web"},"integrationId":"37c8f316-17c6-49d7-899b-9c7e540c048d","integrationName":"Webhook",
 "alert":{"alertId":"70413a06-38d6-4c85-92b8-5ebc900d42e2","alias":"k1","tinyId":"42","message":"Ana asks to run Setup Tool","username":"kim@corp.example",
 "tags":["epm"],"details":{"department":"Sales"},"createdAt":1763632800123,"updatedAt":1763632860123000001}}`

func notice(body string) connectors.Request {
	return connectors.Request{
		Method: http.MethodPost, URL: &url.URL{Path: "/in/opsgenie"}, Body: []byte(body), Time: connectortest.Now,
		Header: http.Header{"Content-Type": {"application/json; charset=utf-8"}},
	}
}

// receiver works without an address.
func receiver() *connector { return &connector{conf: settings().withDefaults()} }

func TestReceive(t *testing.T) {
	t.Parallel()
	whole := connectors.Change{
		Ref: connectors.Ref{ID: "70413a06-38d6-4c85-92b8-5ebc900d42e2", Key: "#42"}, At: time.Unix(0, 1763632860123000001).UTC(),
		ID: "hook@70413a06-38d6-4c85-92b8-5ebc900d42e2@2025-11-20T10:01:00.123000001Z@Approve",
	}
	older, untimed := whole, whole
	older.At = time.UnixMilli(1763632800123).UTC()
	older.ID = "hook@70413a06-38d6-4c85-92b8-5ebc900d42e2@2025-11-20T10:00:00.123Z@Approve"
	untimed.At, untimed.ID = time.Time{}, ""
	for name, tc := range map[string]struct {
		body string
		want connectors.Change
	}{
		"a custom action":         {webhook, whole},
		"milliseconds":            {strings.Replace(webhook, `,"updatedAt":1763632860123000001`, "", 1), older},
		"no times":                {strings.Replace(webhook, `,"createdAt":1763632800123,"updatedAt":1763632860123000001`, "", 1), untimed},
		"times beyond any number": {strings.Replace(webhook, `"createdAt":1763632800123,"updatedAt":1763632860123000001`, `"createdAt":1e400,"updatedAt":-1`, 1), untimed},
	} {
		got, err := receiver().Receive(t.Context(), notice(tc.body))
		if err != nil || !cmp.Equal(got.Changes, []connectors.Change{tc.want}) || len(got.Votes)+len(got.Events) != 0 {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	for name, body := range map[string]string{
		"no JSON": "action=1", "empty": "", "a list": "[]", "no alert": `{"action":"Create"}`, "no id": `{"alert":{}}`, "an id that leads elsewhere": `{"alert":{"alertId":"../x"}}`,
		"a number for an id": `{"alert":{"alertId":7}}`, "two": webhook + "{}", "too large": `{"alert":{},"x":"` + strings.Repeat("x", connectors.MaxWebhook) + `"}`,
	} {
		_, err := receiver().Receive(t.Context(), notice(body))
		if _, ok := errors.AsType[*connectors.Malformed](err); !ok {
			t.Errorf("%s: %v, want malformed", name, err)
		}
	}
}

func TestMoment(t *testing.T) {
	t.Parallel()
	want := time.Unix(1763632800, 0).UTC()
	for _, n := range []int64{1763632800, 1763632800_000, 1763632800_000_000, 1763632800_000_000_000} {
		if got := moment(n); !got.Equal(want) {
			t.Errorf("moment(%d) = %s", n, got)
		}
	}
	if !moment(0).IsZero() || !moment(-5).IsZero() {
		t.Error("no time has become one")
	}
}

func FuzzReceive(f *testing.F) {
	for _, body := range []string{webhook, `{"alert":{"alertId":"a","updatedAt":1}}`, `{"alert":null}`, `{`, `{"alert":{"alertId":"a","createdAt":1.5}}`} {
		f.Add(body)
	}
	c := receiver()
	f.Fuzz(func(t *testing.T, body string) {
		got, err := c.Receive(t.Context(), notice(body))
		if err != nil {
			if _, malformed := errors.AsType[*connectors.Malformed](err); !malformed {
				t.Errorf("error %v is not ours", err)
			}
			return
		}
		for _, change := range got.Changes {
			if !idForm.MatchString(change.Ref.ID) || len(change.ID) > 400 {
				t.Errorf("change %+v", change)
			}
		}
	})
}
