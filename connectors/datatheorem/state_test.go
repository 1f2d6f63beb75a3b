package datatheorem

import (
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	"github.com/drawbridge-itsm/drawbridge/connectors/datatheorem/datatheoremstandin"
)

// against opens a connector on a stand-in whose key it has.
func against(t *testing.T, o datatheoremstandin.Options, settings string) (*connector, *datatheoremstandin.Server) {
	t.Helper()
	o.APIKey = "canary-key"
	var n int
	o.NewID = func() string { n++; return fmt.Sprintf("id-%d", n) }
	o.Now = func() time.Time { return connectortest.Now }
	standin := datatheoremstandin.New(o)
	server := httptest.NewServer(standin)
	t.Cleanup(server.Close)
	return mustOpen(t, "base_url: "+server.URL+"\napi_key: {value: canary-key}\n"+settings), standin
}

func TestStateOfAViolation(t *testing.T) {
	t.Parallel()
	k, standin := against(t, datatheoremstandin.Options{PageSize: 2}, "")
	var ids []string
	for range 7 {
		ids = append(ids, standin.OpenViolation(datatheoremstandin.Violation{}))
	}
	ask := func(id string) (connectors.Outcome, error) {
		s, err := k.State(t.Context(), connectors.Decision{Kind: connectors.FindingOpened, RequestID: id})
		return s.Outcome, err
	}
	for _, id := range []string{ids[0], ids[6], strings.ToUpper(ids[3])} {
		if got, err := ask(id); err != nil || got != connectors.Pending {
			t.Errorf("open: %q, %v", got, err)
		}
	}
	if err := errors.Join(standin.Dismiss(ids[5], "accepted"), standin.Resolve(ids[6])); err != nil {
		t.Fatal(err)
	}
	if got, err := ask(ids[5]); err != nil || got != connectors.Approved {
		t.Errorf("exception granted: %q, %v", got, err)
	}
	if _, err := ask(ids[6]); !errors.Is(err, connectors.ErrNotFound) {
		t.Errorf("resolved: %v, want not found", err)
	}
	if _, err := ask(".."); err == nil || connectors.AsError(err).Kind != connectors.Permanent {
		t.Errorf("an id that is none: %v", err)
	}
}

func TestStateReadsNoMorePagesThanAllowed(t *testing.T) {
	t.Parallel()
	k, standin := against(t, datatheoremstandin.Options{PageSize: 1}, "violations: {max_pages: 2}")
	for range 3 {
		standin.OpenViolation(datatheoremstandin.Violation{})
	}
	last := standin.Violations()[2].ID
	_, err := k.State(t.Context(), connectors.Decision{RequestID: last})
	if err == nil || !strings.Contains(err.Error(), "settings.violations.max_pages") || errors.Is(err, connectors.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

func TestStateOfAMobileFindingTarget(t *testing.T) {
	t.Parallel()
	k, standin := against(t, datatheoremstandin.Options{}, "")
	id := standin.OpenTarget("app-1", "Backups hold a token")
	ask := func(id string) (connectors.Outcome, error) {
		s, err := k.State(t.Context(), connectors.Decision{RequestID: id, IDs: map[string]string{"security_finding_id": "f-1"}})
		return s.Outcome, err
	}
	if got, err := ask(id); err != nil || got != connectors.Pending {
		t.Errorf("open: %q, %v", got, err)
	}
	for status, want := range map[string]connectors.Outcome{
		"CLOSED_FIXED": connectors.Expired, "CLOSED_RISK_ACCEPTED": connectors.Approved, "CLOSED_COMPENSATING_CONTROL": connectors.Approved,
	} {
		if err := standin.CloseTarget(id, status); err != nil {
			t.Fatal(err)
		}
		if got, err := ask(id); err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", status, got, err, want)
		}
	}
	if _, err := ask("id-99"); !errors.Is(err, connectors.ErrNotFound) {
		t.Errorf("no such target: %v", err)
	}
	k.config.Targets.Status = []string{"/elsewhere/0"}
	if _, err := ask(id); err == nil || !strings.Contains(err.Error(), "settings.targets.status") {
		t.Errorf("no known status: %v", err)
	}
}

func TestWithoutAKeyNothingIsAsked(t *testing.T) {
	t.Parallel()
	k := mustOpen(t, "base_url: http://127.0.0.1:1")
	if err := k.Ping(t.Context()); err != nil {
		t.Errorf("Ping() = %v", err)
	}
	if _, err := k.State(t.Context(), connectors.Decision{RequestID: "v-1"}); !errors.Is(err, connectors.ErrUnsupported) {
		t.Errorf("State() = %v, want unsupported", err)
	}
}

func TestPing(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, settings, words string
		options               datatheoremstandin.Options
		kind                  connectors.Kind
	}{
		{"works", "", "", datatheoremstandin.Options{}, 0},
		{"wrong key", "api_key: {value: canary-other}", "settings.api_key", datatheoremstandin.Options{}, connectors.Unwell},
		{"no right", "", "give the API key the right", datatheoremstandin.Options{WithoutRight: true}, connectors.Permanent},
		{"no right to mobile results that nobody needs", "", "", datatheoremstandin.Options{WithoutMobile: true}, 0},
		{"no right to mobile results", updateBody, "list mobile finding targets", datatheoremstandin.Options{WithoutMobile: true}, connectors.Permanent},
		{"wrong path", "ping_path: /apis/x", "settings.ping_path", datatheoremstandin.Options{}, connectors.Permanent},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			k, _ := against(t, tt.options, "")
			if tt.settings != "" {
				k = mustOpen(t, "base_url: "+k.base+"\n"+withKey(tt.settings))
			}
			err := k.Ping(t.Context())
			if tt.words == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if err == nil || connectors.AsError(err).Kind != tt.kind || !strings.Contains(err.Error(), tt.words) || strings.Contains(err.Error(), "canary") {
				t.Errorf("Ping() = %v, want %s with %q", err, tt.kind, tt.words)
			}
		})
	}
}

func withKey(settings string) string {
	if strings.Contains(settings, "api_key") {
		return settings
	}
	return "api_key: {value: canary-key}\n" + settings
}
