package epm

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

func TestStateReadsWhatTheTenantAnswers(t *testing.T) {
	t.Parallel()
	at := noon
	for _, tt := range []struct {
		name, body, settings string
		want                 connectors.State
	}{
		{"pending code", `{"accessDecision":{"status":"1000"}}`, "", connectors.State{Outcome: connectors.Pending}},
		{"approved code as a number", `{"accessDecision":{"status":2000}}`, "", connectors.State{Outcome: connectors.Approved}},
		{"keys in another case", `{"AccessDecision":{"Status":"denied"}}`, "", connectors.State{Outcome: connectors.Denied}},
		{"word, who and when", `{"decision":"Approved","decisionPerformedByUser":"lee","decisionTime":"2026-01-05T12:00:00Z"}`, "", connectors.State{Outcome: connectors.Approved, By: "lee", At: at}},
		{"expired", `{"status":"Expired"}`, "", connectors.State{Outcome: connectors.Expired}},
		{"our ticket", `{"serviceTicket":{"url":"https://desk.example/browse/ITSEC-42"},"accessDecision":{"status":"2001"}}`, "", connectors.State{Outcome: connectors.Denied}},
		{"the tenant's own words", `{"data":[{"result":"granted"}]}`, "state: {outcome: [/data/0/result], words: {Granted: approved}}", connectors.State{Outcome: connectors.Approved}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := tenant(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(tt.body)) })
			got, err := mustOpenAt(t, server, tt.settings).State(t.Context(), approval)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("state (-want +got):\n%s", diff)
			}
		})
	}
}

func TestStateErrors(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, body, settings, words string
		status                      int
		is                          error
		kind                        connectors.Kind
	}{
		{"unknown request", `{"message":"none"}`, "", "EPM says: none", 404, connectors.ErrNotFound, connectors.Permanent},
		{"another desk's ticket", `{"serviceTicket":{"url":"https://other.example/ITSEC-42"},"accessDecision":{"status":"2000"}}`, "", "", 200, connectors.ErrNotFound, connectors.Permanent},
		{"switched off", ``, "state: {application: []}", "settings.state.application is empty", 200, connectors.ErrUnsupported, connectors.Permanent},
		{"no outcome in it", `{"accessDecision":{"status":"half"}}`, "", "settings.state.outcome", 200, nil, connectors.Permanent},
		{"a page", `<html>`, "", "page", 200, nil, connectors.Temporary},
		{"an id of a form it does not take", ``, "", "bad request", 400, nil, connectors.Permanent},
		{"out of order", ``, "", "", 503, nil, connectors.Temporary},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := tenant(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(tt.status)
				_, _ = w.Write([]byte(tt.body))
			})
			_, err := mustOpenAt(t, server, tt.settings).State(t.Context(), approval)
			if err == nil || connectors.AsError(err).Kind != tt.kind || !strings.Contains(err.Error(), tt.words) || tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("State() = %v, want %s with %q", err, tt.kind, tt.words)
			}
		})
	}
}

func TestStateTriesTheIdsInTurn(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var asked []string
	server := tenant(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, r.URL.EscapedPath())
		switch len(asked) {
		case 1:
			w.WriteHeader(http.StatusBadRequest)
		case 2:
			w.WriteHeader(http.StatusNotFound)
		default:
			_, _ = w.Write([]byte(`{"accessDecision":{"status":"2000"}}`))
		}
	})
	d := approval
	d.Ticket.ID = "a/b?c"
	k := mustOpenAt(t, server, `state: {application: ["/management-api/a/{request_id}", "/management-api/b/{system_id}", "/management-api/a/{request_id}", "/management-api/c/{ticket_id}"]}`)
	if _, err := k.State(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	want := []string{"/management-api/a/r-1", "/management-api/b/a%2Fb%3Fc", "/management-api/c/ITSEC-42"}
	if !slices.Equal(asked, want) {
		t.Errorf("asked %q, want %q", asked, want)
	}
}

func TestStateAsksNothingWithAnIdThatIsAPath(t *testing.T) {
	t.Parallel()
	server := tenant(t, func(http.ResponseWriter, *http.Request) { t.Error("the tenant was asked") })
	d := approval
	d.RequestID = ".."
	if _, err := mustOpenAt(t, server, "").State(t.Context(), d); err == nil || connectors.AsError(err).Kind != connectors.Permanent {
		t.Errorf("State() = %v, want a permanent error", err)
	}
}
