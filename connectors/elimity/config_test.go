package elimity

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
)

// open builds a connector from settings.
func open(t testing.TB, settings string) (connectors.Connector, error) {
	t.Helper()
	c := New().(*Config)
	if settings != "" { // an empty document would decode to nothing at all
		if err := yaml.UnmarshalWithOptions([]byte(settings), c, yaml.Strict()); err != nil {
			t.Fatal(err)
		}
	}
	return c.Open(connectortest.Env(t))
}

func mustOpen(t testing.TB, settings string) connectors.Connector {
	t.Helper()
	k, err := open(t, settings)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

const (
	journalSettings = "journal: {source_id: 90, token: {value: canary-token}}\n"
	checkSettings   = "check: {token_id: bridge, token_secret: {value: canary-secret}}\n"
)

func TestOpenReportsEveryFaultWithItsPath(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, settings string
		wants          []string
	}{
		{"everything wrong", `
max_changes: 0
base_url: http://elimity.example
journal: {source_id: -1}
check: {token_id: a, condition: "", link: " "}
`, []string{
			"settings.max_changes: ", "settings.base_url: has to start with https", "settings.journal.source_id: ", "settings.journal.token: is missing",
			"settings.check.token_secret: is missing", "settings.check.condition: is missing", "settings.check.link: is missing",
		}},
		{"a journal nowhere", journalSettings, []string{"settings.base_url: is missing"}},
		{"a token for no source", "base_url: https://elimity.example\njournal: {token: {value: x}}", []string{"settings.journal.source_id: "}},
		{"a secret for no token", "base_url: https://elimity.example\ncheck: {token_secret: {value: x}}", []string{"settings.check.token_id: is missing"}},
		{"no URL", "base_url: https://user:pass@elimity.example", []string{"settings.base_url: is no plain URL"}},
	} {
		_, err := open(t, tt.settings)
		if err == nil {
			t.Errorf("%s: was accepted", tt.name)
			continue
		}
		for _, want := range tt.wants {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: no fault %q in:\n%v", tt.name, want, err)
			}
		}
		if got := strings.Count(err.Error(), "settings."); got != len(tt.wants) {
			t.Errorf("%s: %d faults, want %d:\n%v", tt.name, got, len(tt.wants), err)
		}
	}
}

func TestWhatAConnectionCanDoFollowsFromItsSettings(t *testing.T) {
	t.Parallel()
	const base = "base_url: https://elimity.example\n"
	for _, tt := range []struct {
		settings string
		tells    bool
		polls    bool
		says     string
	}{
		{"", false, false, "requestedAt"},
		{base + checkSettings, false, true, "idInBooleanExpression"},
		{base + journalSettings, true, false, "connector logs"},
		{base + journalSettings + checkSettings, true, true, "directlyLinkedTo"},
	} {
		k := mustOpen(t, tt.settings)
		if _, follows, polls := connectors.AsPoller(k); polls != tt.polls || polls && follows != 30*24*time.Hour {
			t.Errorf("%q: polls %v, for %s after an approval, want %v, for 30 days", tt.settings, polls, follows, tt.polls)
		}
		if !tt.tells {
			err := k.(connectors.Decider).Decide(t.Context(), connectors.Decision{RequestID: "elm-1", Outcome: connectors.Approved, At: connectortest.Now})
			if kept, ok := errors.AsType[*connectors.Kept](err); !ok || !strings.Contains(kept.Why, "settings.journal") {
				t.Errorf("%q: a decision ends with %v, want it kept", tt.settings, err)
			}
		}
		if got := strings.Join(connectors.Unverified(k), "\n"); !strings.Contains(got, tt.says) {
			t.Errorf("%q: unverified lacks %q:\n%s", tt.settings, tt.says, got)
		}
		if _, ok := connectors.AsReceiver(k); !ok || connectors.CanAskState(k) || connectors.Emits(k) == nil || connectors.Identifiers(k) == nil || connectors.DefaultVerification(k).Token == nil {
			t.Errorf("%q: a capability is missing, or one too many is there", tt.settings)
		}
	}
}
