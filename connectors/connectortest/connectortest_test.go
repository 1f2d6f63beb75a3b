package connectortest

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

func fakeSuite(f flaw) Suite {
	return Suite{
		New: func(t *testing.T, baseURL string) connectors.Connector {
			client := Env(t).Client.With(connectors.Bearer{Token: connectors.SecretValue(Canary)})
			return &fake{client: client, base: baseURL, flaw: f}
		},
		Standin:  func(*testing.T) http.Handler { return newStandin() },
		Ticket:   connectors.Ticket{Summary: "Ana asks to run a tool"},
		Change:   connectors.Ticket{Summary: "Ana asks to run another tool"},
		Note:     connectors.Note{Key: "n1", Body: "seen"},
		Move:     connectors.Move{Status: "Approved"},
		File:     connectors.File{Name: "event.json", Content: []byte("{}")},
		Place:    connectors.Place{Project: "SEC"},
		Account:  "ana",
		Records:  []connectors.Record{{EventID: "e1"}, {EventID: "e2"}},
		Decision: connectors.Decision{RequestID: "r1", Outcome: connectors.Approved},
		Inbound:  []connectors.Request{{Body: []byte(`{"id":"r1","product":"a product with a long name"}`)}},
		Verification: connectors.Verification{
			HMAC: &connectors.HMACCheck{Secrets: []connectors.Secret{connectors.SecretValue(Canary)}},
		},
	}
}

func TestRunPassesAConnectorThatKeepsItsPromises(t *testing.T) {
	t.Parallel()
	Run(t, fakeSuite(none))
}

func TestRunPassesWithoutAStandin(t *testing.T) {
	t.Parallel()
	s := fakeSuite(none)
	s.Standin = nil
	s.Ref = connectors.Ref{ID: "1"}
	Run(t, s)
}

func TestRunPassesOverAccessTokens(t *testing.T) {
	t.Parallel()
	s := fakeSuite(none)
	s.Standin, s.TokenPath, s.Ref = nil, "/token", connectors.Ref{ID: "1"}
	s.New = func(t *testing.T, baseURL string) connectors.Connector {
		client := Env(t).Client.With(connectors.ClientCredentials{
			TokenURL: baseURL + "/token", ID: "id", Secret: connectors.SecretValue(Canary),
		})
		return &fake{client: client, base: baseURL}
	}
	Run(t, s)
}

// pinger can do nothing but Ping.
type pinger struct{ fake *fake }

func (p pinger) Ping(ctx context.Context) error { return p.fake.Ping(ctx) }

func TestRunSkipsWhatAConnectorCannotDo(t *testing.T) {
	t.Parallel()
	s := Suite{
		New: func(t *testing.T, baseURL string) connectors.Connector {
			return pinger{&fake{client: Env(t).Client.With(connectors.Bearer{Token: connectors.SecretValue(Canary)}), base: baseURL}}
		},
		Standin: func(*testing.T) http.Handler { return newStandin() },
	}
	Run(t, s)
}

func TestRunCatches(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		flaw  flaw
		check string
		want  string
	}{
		{"plain errors", plainErrors, "statuses are classified", "want a *connectors.Error"},
		{"a refusal that counts as sent", everSent, "statuses are classified", "the vendor refused, but the error says it may have acted"},
		{"a credential in an error", leaks, "statuses are classified", "the error holds a credential"},
		{"a doubt that counts as not sent", neverSent, "a lost answer is in doubt", "there is a ticket, but the error says there is none"},
		{"a lost change that counts as not sent", neverSent, "a lost answer is in doubt", "the vendor may have acted"},
		{"Retry-After dropped", forgetsWaits, "waiting times are read", "want throttled for 7s"},
		{"a broken answer taken", trustsStatus, "broken answers are errors", "JSON that is cut: got no error"},
		{"a panic", panics, "statuses are classified", "comment, HTTP 400: panic: no"},
		{"a ticket that is not found again", blindFind, "doing it twice leaves one ticket", "found: got false and false"},
		{"a second ticket after a lost answer", lostKey, "a lost answer is in doubt", "want 1"},
		{"other people's tickets found", wideFind, "doing it twice leaves one ticket", "another key led to the same ticket"},
		{"a key that does not come back", lostKey, "a ticket can be worked on", `got key ""`},
		{"a transition that does nothing", staysOpen, "a ticket can be worked on", `got status "Open", want "Approved"`},
		{"a change that is not told", deafWatch, "a change is seen", "missed ticket 1"},
		{"a decision that is dropped", lostDecision, "a decision is kept", `got "", want "approved"`},
		{"results left out", fewResults, "records are taken", "0 results for 2 records"},
		{"defaults that do not verify", looseSecret, "forged requests are refused", "hmac.header is empty"},
		{"a body that is no event", anyBody, "requests are received", "got no error"},
		{"a body quoted in an error", quotesEvent, "requests are received", "the error quotes the body"},
		{"events without identity", noDedupe, "requests are received", `event 0 is "" the first time`},
		{"data that is not declared", undeclared, "requests are received", "data other, which Emits does not list"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, c := range checks {
				if c.name != tt.check {
					continue
				}
				err := c.run(t, fakeSuite(tt.flaw))
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("got %v, want it to say %q", err, tt.want)
				}
				return
			}
			t.Fatalf("there is no check %q", tt.check)
		})
	}
}

func TestStopCatchesACallThatGoesOn(t *testing.T) {
	t.Parallel()
	err := checkStopWithin(t, fakeSuite(detached), 50*time.Millisecond)
	for _, want := range []string{"ping, stopped: still ran", "create, stopped before it began: asked"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want it to say %q", err, want)
		}
	}
}

func TestRunWantsASampleForEveryCapability(t *testing.T) {
	t.Parallel()
	s := fakeSuite(none)
	s.Ticket, s.Move, s.Records, s.Inbound = connectors.Ticket{}, connectors.Move{}, nil, nil
	err := errors.Join(checkStatuses(t, s), checkForged(t, s))
	for _, want := range []string{"create: the suite lacks the sample", "transition: the suite lacks the sample", "send: the suite lacks the sample", "receive: the suite lacks the sample"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want it to say %q", err, want)
		}
	}
}

func TestMeansChangesWhatAStatusMeans(t *testing.T) {
	t.Parallel()
	s := fakeSuite(none)
	s.Means = map[string]connectors.Kind{"fetch 404": NoError, "ping 403": connectors.Unwell}
	err := checkStatuses(t, s)
	for _, want := range []string{"fetch, HTTP 404: got", "ping, HTTP 403: got permanent, want unwell"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want it to say %q", err, want)
		}
	}
}

func TestForgedIsCheckedForEveryScheme(t *testing.T) {
	t.Parallel()
	canary := []connectors.Secret{connectors.SecretValue(Canary)}
	for name, given := range map[string]connectors.Verification{
		"basic":             {Basic: &connectors.BasicCheck{User: "u", Passwords: canary}},
		"bearer":            {Bearer: &connectors.BearerCheck{Tokens: canary}},
		"header":            {Header: &connectors.HeaderCheck{Name: "X-Key", Values: canary}},
		"token":             {Token: &connectors.TokenCheck{Tokens: canary}},
		"hmac":              {HMAC: &connectors.HMACCheck{Header: "X-Other", Algorithm: "sha512", Encoding: "base64", Lead: "v0:", Secrets: canary}},
		"standard webhooks": {StandardWebhooks: &connectors.StandardWebhooks{Secrets: []connectors.Secret{connectors.SecretValue("whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX")}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := fakeSuite(none)
			s.Verification = given
			if err := checkForged(t, s); err != nil {
				t.Error(err)
			}
		})
	}
	s := fakeSuite(none)
	s.Verification = connectors.Verification{None: true}
	if err := checkForged(t, s); err == nil {
		t.Error("none was taken as a proof")
	}
}
