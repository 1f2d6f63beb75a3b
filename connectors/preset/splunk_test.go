package preset

import (
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	"github.com/drawbridge-itsm/drawbridge/connectors/preset/presetstandin"
)

// acknowledged opens Splunk with acknowledgements, asked for without delay.
func acknowledged(t *testing.T, address string) connectors.Connector {
	t.Helper()
	p := *shipped(t, "splunk-hec")
	quick := *p.confirm
	quick.every, quick.most = time.Millisecond, 100*time.Millisecond
	p.confirm = &quick
	given := settings(t, &p, address)
	given["ack"], given["channel"] = true, "0aeeac95-ac74-4aa9-b30d-6c4c0ac581ba"
	c, err := open(t, &p, given)
	connectortest.Must(t, err)
	return c
}

func TestSplunkIsAskedUntilTheIndexerHasIt(t *testing.T) {
	t.Parallel()
	stand := presetstandin.New("splunk-hec", canary)
	server := httptest.NewServer(stand)
	t.Cleanup(server.Close)
	if got := mustSend(t, acknowledged(t, server.URL), records(2))[1].ID; got != "1" {
		t.Errorf("got %q", got)
	}
	if !strings.Contains(stand.Requests(), "X-Splunk-Request-Channel: 0aeeac95") {
		t.Errorf("no channel:\n%s", stand.Requests())
	}
}

func TestSplunkThatDoesNotAcknowledgeLeavesItInDoubt(t *testing.T) {
	t.Parallel()
	for _, answer := range []string{`{"acks":{"1":false}}`, `{}`} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/services/collector/ack" {
				_, _ = w.Write([]byte(answer))
				return
			}
			_, _ = w.Write([]byte(`{"text":"Success","code":0,"ackId":1}`))
		}))
		t.Cleanup(server.Close)
		_, err := send(t, acknowledged(t, server.URL), records(1))
		if e := connectors.AsError(err); err == nil || e.Kind != connectors.Temporary || !e.Sent {
			t.Errorf("got %v", err)
		}
	}
}

// A token that acknowledges nothing is the connection's fault: what it took is not sent again, and the rest waits.
func TestSplunkWithoutAcknowledgementDoublesAndLosesNothing(t *testing.T) {
	t.Parallel()
	acknowledges := false
	taken := map[string]int{}
	address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		for _, at := range regexp.MustCompile(`"fields":{"event_id":"(evt-[0-9]+)"}`).FindAllSubmatch(body, -1) {
			taken[string(at[1])]++
		}
		switch {
		case r.URL.Path == "/services/collector/ack":
			_, _ = io.WriteString(w, `{"acks":{"1":true}}`)
		case acknowledges:
			_, _ = io.WriteString(w, `{"text":"Success","code":0,"ackId":1}`)
		default:
			_, _ = io.WriteString(w, `{"text":"Success","code":0}`)
		}
	})
	c := acknowledged(t, address)
	now := connectortest.Now
	sinkOf(c).env.Now = func() time.Time { return now }
	trier, _ := connectors.AsTrier(c)
	if trial, err := trier.Try(t.Context(), records(1)[0]); err != nil || !trial.Taken || !strings.Contains(trial.Meaning, "taken, but the token has no acknowledgement") {
		t.Errorf("got %+v, %v", trial, err)
	}
	clear(taken)
	rs := records(502) // more than one request
	results, err := send(t, c, rs)
	connectortest.Must(t, err)
	for i, one := range results {
		e := connectors.AsError(one.Err)
		if waits := i >= 500; waits != (e != nil) || waits && (e.Kind != connectors.Unwell || e.Sent) {
			t.Fatalf("record %d: %v", i, one.Err)
		}
	}
	for range 2 {
		if _, err := send(t, c, rs[500:]); err == nil || connectors.AsError(err).Kind != connectors.Unwell || !strings.Contains(err.Error(), "set ack: false") {
			t.Errorf("got %v", err)
		}
		if err := c.Ping(t.Context()); err == nil || connectors.AsError(err).Kind != connectors.Unwell {
			t.Errorf("pinged: %v", err)
		}
	}
	acknowledges, now = true, now.Add(withheld)
	connectortest.Must(t, c.Ping(t.Context()))
	mustSend(t, c, rs[500:])
	for id, n := range taken {
		if n != 1 {
			t.Errorf("%s was sent %d times", id, n)
		}
	}
	if len(taken) != len(rs) {
		t.Errorf("%d records were taken", len(taken))
	}
}
