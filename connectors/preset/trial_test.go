package preset

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	"github.com/drawbridge-itsm/drawbridge/connectors/preset/presetstandin"
)

// Of every preset an exchange can be shown, as it took place and without a credential.
func TestAnExchangeIsShownWithoutCredentials(t *testing.T) {
	t.Parallel()
	for _, name := range presetstandin.Names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, name, nil)
			trier, _ := connectors.AsTrier(w.sink)
			trial, err := trier.Try(t.Context(), records(1)[0])
			connectortest.Must(t, err)
			if !trial.Taken || trial.Meaning != "taken" || trial.Answer == nil || trial.Method != http.MethodPost || trial.URL == "" || trial.Body == "" {
				t.Errorf("got %+v", trial)
			}
			held := false
			for _, one := range trial.Tests {
				held = held || one.Holds && strings.HasPrefix(one.Test, "success: ")
			}
			if !held {
				t.Errorf("no success holds: %+v", trial.Tests)
			}
			clean(t, trial)
			if len(w.Records()) != 1 {
				t.Errorf("%d records were taken", len(w.Records()))
			}
		})
	}
}

// clean wants nothing of a credential, and nothing that stands for one, in a trial.
func clean(t *testing.T, trial connectors.Trial) {
	t.Helper()
	text, err := json.Marshal(trial)
	connectortest.Must(t, err)
	for _, secret := range []string{canary, url.QueryEscape(canary), "mark-", "minted-"} {
		if strings.Contains(string(text), secret) {
			t.Errorf("a credential is shown: %s", text)
		}
	}
}

// A vendor may send back whatever it was sent.
func TestAnAnswerIsShownWithoutCredentials(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"logzio", "torq", "pagerduty-events", "slack-webhook", "grafana-loki", "splunk-hec"} {
		for _, status := range []int{http.StatusOK, http.StatusBadRequest, http.StatusUnauthorized} {
			p := shipped(t, name)
			base := serve(t, func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				w.Header().Set("X-Echo", r.URL.RequestURI()+" "+r.Header.Get("Authorization"))
				w.Header().Set("Set-Cookie", "session="+canary)
				w.WriteHeader(status)
				_, _ = io.WriteString(w, r.URL.RequestURI()+" "+r.Header.Get("Authorization")+" "+string(body)+strings.Repeat("x", 10000))
			})
			c, err := open(t, p, settings(t, p, base))
			connectortest.Must(t, err)
			trier, _ := connectors.AsTrier(c)
			trial, err := trier.Try(t.Context(), records(1)[0])
			connectortest.Must(t, err)
			if trial.Answer == nil || trial.Answer.Status != status || len([]rune(trial.Answer.Body)) > shownAnswer || trial.Meaning == "" {
				t.Errorf("%s, %d: got %+v", name, status, trial)
			}
			clean(t, trial)
		}
	}
}

func TestAnExchangeThatFailsIsShown(t *testing.T) {
	t.Parallel()
	p := shipped(t, "logzio")
	c, err := open(t, p, settings(t, p, "http://127.0.0.1:1"))
	connectortest.Must(t, err)
	trier, _ := connectors.AsTrier(c)
	trial, err := trier.Try(t.Context(), records(1)[0])
	connectortest.Must(t, err)
	if trial.Taken || trial.Answer != nil || trial.Meaning == "" || trial.Body == "" {
		t.Errorf("got %+v", trial)
	}
	clean(t, trial)
}
