package preset

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	"github.com/drawbridge-itsm/drawbridge/connectors/preset/presetstandin"
)

// In no window of the vendor's time are there more requests than it takes; the rest is told how long to wait.
func TestAConnectionKeepsBelowItsVendorsRate(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		limit int
		per   time.Duration
	}{{"slack-webhook", 1, time.Second}, {"pagerduty-events", 120, time.Minute}, {"grafana-oncall", 300, 5 * time.Minute}} {
		now := connectortest.Now
		stand := presetstandin.New(tt.name, canary)
		p := shipped(t, tt.name)
		c, err := open(t, p, settings(t, p, serve(t, stand.ServeHTTP)), func(e *connectors.Env) { e.Now = func() time.Time { return now } })
		connectortest.Must(t, err)
		results, err := send(t, c, records(tt.limit+2))
		connectortest.Must(t, err)
		for i, one := range results {
			e, refused := errors.AsType[*connectors.Error](one.Err)
			if refused != (i >= tt.limit) || refused && (e.Kind != connectors.Throttled || e.RetryAfter != tt.per || e.Sent) {
				t.Fatalf("%s, record %d: got %v", tt.name, i, one.Err)
			}
		}
		now = now.Add(tt.per - time.Millisecond)
		_, err = send(t, c, records(1))
		if e := connectors.AsError(err); err == nil || e.Kind != connectors.Throttled || e.RetryAfter != time.Millisecond || stand.Count() != tt.limit {
			t.Errorf("%s, too early: got %v after %d requests", tt.name, err, stand.Count())
		}
		now = now.Add(time.Millisecond)
		if _, err := c.(connectors.Creator).Create(t.Context(), "k-1", question()); err != nil {
			t.Errorf("%s: got %v", tt.name, err)
		}
	}
}

// A vendor that refuses an old token by a status and words of its own is given a new one, once in a batch.
func TestAnOldTokenIsRenewedOnceInABatch(t *testing.T) {
	t.Parallel()
	text := strings.Replace(string(readFile(t, "presets/sentinel.yaml")), "\nresponse:\n", "\nresponse:\n  reauth: [{status: [403], contains: expired}]\n", 1)
	text = strings.Replace(text, "max_items: 500", "max_items: 1", 1)
	p, err := Parse("sentinel.yaml", []byte(text))
	connectortest.Must(t, err)
	for _, tt := range []struct {
		name          string
		old           string // tokens that are refused
		minted, taken int
	}{{"the first", "minted-1", 2, 3}, {"every", "minted-", 2, 0}} {
		stand := presetstandin.New("sentinel", canary)
		tries := 0
		base := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, "/streams/") && strings.Contains(r.Header.Get("Authorization"), tt.old) {
				if tries++; tries > 1 || tt.old == "minted-" { // the first record is taken
					w.WriteHeader(http.StatusForbidden)
					_, _ = io.WriteString(w, `{"error":{"code":"expired"}}`)
					return
				}
			}
			stand.ServeHTTP(w, r)
		})
		c, err := open(t, p, settings(t, p, base))
		connectortest.Must(t, err)
		results, err := send(t, c, records(3))
		if tt.taken == 0 && (err == nil || connectors.AsError(err).Kind != connectors.Unwell) {
			t.Errorf("%s: got %v, want unwell", tt.name, err)
		}
		for _, one := range results {
			if one.Err != nil {
				t.Errorf("%s: got %v", tt.name, one.Err)
			}
		}
		if stand.Minted() != tt.minted || len(results) != tt.taken {
			t.Errorf("%s: %d tokens and %d results, want %d and %d", tt.name, stand.Minted(), len(results), tt.minted, tt.taken)
		}
	}
}
