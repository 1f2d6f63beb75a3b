package preset

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
)

// The webhook templates that customers have at these two stay as they are when they become rules.
func TestRecordsOfRulesAreSentAsTheyAre(t *testing.T) {
	t.Parallel()
	for name, data := range map[string]string{
		"logzio": `{"message":"{ \"event_type\": \"RequestCreated\", \"justification\": \"it's \\\"urgent\\\"\" }","type":"Apono"}`,
		"sentinel": `{"TimeGenerated":"2026-03-02T09:30:00Z","event_type":"RequestCreated","requester_id":"u-1","requester_name":"Ana","requester_email":"a@example.com",
			"justification":"x","resource_id":"res-7","resource_name":"db-7","permission":"admin"}`,
	} {
		w := newWorld(t, name, nil)
		rs := records(1)
		connectortest.Must(t, json.Unmarshal([]byte(data), &rs[0].Data))
		mustSend(t, w.sink, rs)
		got := w.Records()[0].(map[string]any)
		if got["event_id"] != "evt-0001" {
			t.Errorf("%s: the event's id is missing", name)
		}
		delete(got, "event_id")
		text, err := json.Marshal(got)
		connectortest.Must(t, err)
		want, err := json.Marshal(rs[0].Data)
		connectortest.Must(t, err)
		if string(text) != string(want) {
			t.Errorf("%s: got %s, want %s", name, text, want)
		}
		if name == "logzio" && !strings.HasPrefix(w.Requests(), "POST /?type=Apono&") {
			t.Errorf("the request has another type than its lines:\n%s", w.Requests())
		}
	}
}

func TestAPartOfABatchThatIsRefusedStandsAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "logzio", nil)
	rs := records(8)
	rs[5].Data = map[string]any{"malformed": true}
	results, err := send(t, w.sink, rs)
	connectortest.Must(t, err)
	for i, one := range results {
		if (one.Err != nil) != (i == 5) {
			t.Errorf("record %d: %v", i, one.Err)
		}
	}
	if e := connectors.AsError(results[5].Err); e.Kind != connectors.Permanent || e.Sent {
		t.Errorf("got %v", e)
	}
	all := map[string]bool{}
	for _, one := range w.Records() {
		all[one.(map[string]any)["event_id"].(string)] = true
	}
	if len(all) != 7 {
		t.Errorf("%d events arrived, want 7", len(all))
	}
}

func TestABatchOfWhichNothingIsTakenIsNotTriedInHalves(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "logzio", nil)
	rs := records(4)
	for i := range rs {
		rs[i].Data = map[string]any{"malformed": true}
	}
	results, err := send(t, w.sink, rs)
	connectortest.Must(t, err)
	if results[3].Err == nil || w.Count() != 1 {
		t.Errorf("%d requests, %v", w.Count(), results[3].Err)
	}
}

func TestARequestThatIsTooLargeIsHalved(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "sentinel", nil)
	w.LimitBytes(1000)
	mustSend(t, w.sink, records(8))
	got := w.Records()
	for i, one := range got {
		if want := records(8)[i].EventID; one.(map[string]any)["event_id"] != want {
			t.Errorf("record %d is %v, want %s", i, one, want)
		}
	}
	if len(got) != 8 || w.Count() < 5 {
		t.Errorf("%d records in %d requests", len(got), w.Count())
	}
	w.LimitBytes(10)
	results, err := send(t, w.sink, records(1))
	if connectors.AsError(errors.Join(err, results[0].Err)).Kind != connectors.Permanent {
		t.Errorf("alone: %v, %v", err, results)
	}
}

func TestATokenThatEndsInMidBatchIsMintedOnceMore(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "sentinel", nil)
	mustSend(t, w.sink, records(2))
	w.ExpireTokens()
	mustSend(t, w.sink, records(2))
	if len(w.Records()) != 4 || w.Minted() != 2 {
		t.Errorf("%d records, %d tokens", len(w.Records()), w.Minted())
	}
	w.FailNext(2, http.StatusUnauthorized, nil)
	if _, err := send(t, w.sink, records(1)); connectors.AsError(err).Kind != connectors.Unwell {
		t.Errorf("got %v", err)
	}
}

func TestWhatFailsAsAWholeStopsTheBatch(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "logzio", nil)
	w.FailNext(1, http.StatusTooManyRequests, http.Header{"Retry-After": {"7"}})
	results, err := send(t, w.sink, records(3))
	if e := connectors.AsError(err); results != nil || e.Kind != connectors.Throttled || e.RetryAfter != 7*time.Second || e.Sent {
		t.Errorf("got %v, %+v", results, err)
	}
	// The second request fails: the first was taken, the third is not tried.
	small := *shipped(t, "logzio")
	small.doc.Batch.MaxItems = 1
	served := 0
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		if served++; served == 2 {
			rw.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(server.Close)
	c, err := open(t, &small, settings(t, &small, server.URL))
	connectortest.Must(t, err)
	results, err = send(t, c, records(3))
	connectortest.Must(t, err)
	if results[0].Err != nil || !connectors.AsError(results[1].Err).Sent || connectors.AsError(results[2].Err).Sent || served != 2 {
		t.Errorf("%d requests: %+v", served, results)
	}
}

func TestTheTextThatIsTooLongIsCut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "logzio", nil)
	rs := records(1)
	rs[0].Data = map[string]any{"message": strings.Repeat("é\"", 300_000)}
	mustSend(t, w.sink, rs)
	got := w.Records()[0].(map[string]any)["message"].(string)
	if len(got) < 100_000 || !strings.HasSuffix(got, "…") {
		t.Errorf("%d bytes arrived", len(got))
	}
	rs[0].Data = map[string]any{"other": strings.Repeat("x", 600_000)}
	results, err := send(t, w.sink, rs)
	connectortest.Must(t, err)
	if connectors.AsError(results[0].Err).Kind != connectors.Permanent {
		t.Errorf("got %v", results[0].Err)
	}
}

func TestAnswersAreHeldToWhatTheOperatorWants(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]bool{`{"data":{"status":"ok"}}`: true, `{"data":{"status":"no"}}`: false, `{}`: false, ``: false} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }))
		t.Cleanup(server.Close)
		p := shipped(t, "logzio")
		given := settings(t, p, server.URL)
		given["validators"] = []any{map[string]any{"path": "$.data.status", "values": []any{"ok", "done"}}}
		c, err := open(t, p, given)
		connectortest.Must(t, err)
		results, err := send(t, c, records(1))
		connectortest.Must(t, err)
		if got := results[0].Err == nil; got != want {
			t.Errorf("%s: %v", body, results[0].Err)
		}
	}
}
