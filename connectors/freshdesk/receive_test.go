package freshdesk

import (
	"errors"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/freshdesk/freshdeskstandin"
)

func TestReceive(t *testing.T) {
	t.Parallel()
	w := newWorld(t, freshdeskstandin.Options{})
	for body, id := range map[string]string{
		`{"ticket_id":"42"}`: "42", `{"ticket_id":42}`: "42", `{"freshdesk_webhook":{"ticket_id":42,"ticket_status":"Pending"}}`: "42",
		`{"freshdesk_webhook":{}}`: "", `{"freshdesk_webhook":42}`: "", `{"ticket_id":"x"}`: "", `[42]`: "", `{"freshdesk_webhook":{"ticket_id":"42`: "",
	} {
		got, err := w.Receive(t.Context(), notice(body))
		if id == "" {
			if _, ok := errors.AsType[*connectors.Malformed](err); !ok {
				t.Errorf("%s = %+v, %v", body, got, err)
			}
			continue
		}
		if err != nil || len(got.Changes) != 1 || got.Changes[0].Ref.ID != id {
			t.Errorf("%s = %+v, %v", body, got, err)
		}
	}
}

func FuzzReceive(f *testing.F) {
	for _, seed := range []string{`{"ticket_id":"42"}`, `{"freshdesk_webhook":{"ticket_id":42}}`, `{"freshdesk_webhook":null}`, `{`, ``} {
		f.Add([]byte(seed))
	}
	w := newWorld(f, freshdeskstandin.Options{})
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := w.Receive(t.Context(), notice(string(body)))
		if err != nil {
			return
		}
		if _, _, err := w.desk.Handle(got.Changes[0].Ref); err != nil || len(got.Changes) != 1 {
			t.Fatalf("%q: %+v, %v", body, got, err)
		}
	})
}
