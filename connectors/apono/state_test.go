package apono

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

func TestStateKnowsTheWordsOfBothInterfaces(t *testing.T) {
	t.Parallel()
	for status, want := range map[string]connectors.Outcome{
		`"PENDING"`: connectors.Pending, `"APPROVED"`: connectors.Approved, `"REJECTED"`: connectors.Denied, `"GRANTED"`: connectors.Approved,
		`"REVOKING"`: connectors.Expired, `"EXPIRED"`: connectors.Expired, `"FAILED"`: connectors.Expired,
		`{"status":"Initializing"}`: connectors.Pending, `{"status":"Pending"}`: connectors.Pending, `{"status":"PendingMFA"}`: connectors.Pending,
		`{"status":"Granting"}`: connectors.Approved, `{"status":"Rejected"}`: connectors.Denied, `{"status":"Active"}`: connectors.Approved,
		`{"status":"Revoking"}`: connectors.Expired, `{"status":"Revoked"}`: connectors.Expired, `{"status":"Failed"}`: connectors.Expired,
		`"OnHold"`: connectors.Pending,
	} {
		server := vendor(t, nil, says(200, "application/json", `{"request_id":"r-1","status":`+status+`}`))
		got, err := byCall(t, server, "state: {words: {onhold: pending}}").State(t.Context(), approval)
		if diff := cmp.Diff(connectors.State{Outcome: want}, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", status, err, diff)
		}
	}
}

func TestStateFailures(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, body, settings, words string
		status                      int
		is                          error
		kind                        connectors.Kind
	}{
		{"unknown request", `{"message":"none"}`, "", "Apono says: none", 404, connectors.ErrNotFound, connectors.Permanent},
		{"switched off", ``, "state: {path: ''}", "settings.state.path is empty", 200, connectors.ErrUnsupported, connectors.Permanent},
		{"no status in it", `{"state":"APPROVED"}`, "", "settings.state.words", 200, nil, connectors.Permanent},
		{"a status of another type", `{"status":[7]}`, "", "settings.state.words", 200, nil, connectors.Permanent},
		{"a list", `[]`, "", "not the JSON expected", 200, nil, connectors.Temporary},
		{"not allowed", ``, "", "may not read this request", 403, nil, connectors.Permanent},
		{"out of order", ``, "", "", 503, nil, connectors.Temporary},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := byCall(t, vendor(t, nil, says(tt.status, "application/json", tt.body)), tt.settings).State(t.Context(), approval)
			if err == nil || connectors.AsError(err).Kind != tt.kind || !strings.Contains(err.Error(), tt.words) || tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("State() = %v, want %s with %q", err, tt.kind, tt.words)
			}
		})
	}
}

func TestIdsCannotLeadElsewhere(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var asked []string
	note := func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, r.Method+" "+r.URL.EscapedPath())
		_, _ = w.Write([]byte(`{"status":"PENDING"}`))
	}
	k := byCall(t, vendor(t, note, note), "")
	d := approval
	d.RequestID = "../x/?y#z"
	if _, err := k.State(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"", ".", ".."} {
		d.RequestID = id
		_, stateErr := k.State(t.Context(), d)
		for _, err := range []error{stateErr, k.Decide(t.Context(), d), k.Revoke(t.Context(), d)} {
			if err == nil || connectors.AsError(err).Kind != connectors.Permanent {
				t.Errorf("id %q: %v, want a permanent error", id, err)
			}
		}
	}
	if want := []string{"GET /api/v3/access-requests/..%2Fx%2F%3Fy%23z"}; !cmp.Equal(want, asked) {
		t.Errorf("asked %q, want %q", asked, want)
	}
}

func TestRevokeTakesAnswers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, state string
		status      int
		words       string
	}{
		{"done", "", 200, ""},
		{"over already", `{"status":"EXPIRED"}`, 409, ""},
		{"never granted", `{"status":"PENDING"}`, 409, "conflict"},
		{"unknown", `{}`, 400, "bad request"},
		{"not allowed", `{"status":"EXPIRED"}`, 403, "may not revoke access"},
	} {
		err := byCall(t, vendor(t, says(tt.status, "application/json", `{}`), says(200, "application/json", tt.state)), "").Revoke(t.Context(), approval)
		if (err == nil) != (tt.words == "") || err != nil && !strings.Contains(err.Error(), tt.words) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.words)
		}
	}
}
