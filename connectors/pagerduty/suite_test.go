package pagerduty

import (
	"net/http"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	pd "github.com/drawbridge-itsm/drawbridge/connectors/pagerduty/pagerdutystandin"
)

func TestPromisesOfEveryConnector(t *testing.T) {
	t.Parallel()
	connectortest.Run(t, connectortest.Suite{
		New: func(t *testing.T, baseURL string) connectors.Connector {
			t.Helper()
			conf := settings()
			conf.BaseURL, conf.Key = baseURL, connectors.SecretValue(connectortest.Canary)
			c, err := conf.Open(connectortest.Env(t))
			connectortest.Must(t, err)
			return c
		},
		Standin: func(*testing.T) http.Handler {
			return pd.New(pd.Options{Now: func() time.Time { return connectortest.Now }, Key: connectortest.Canary})
		},
		Ticket: request(), Change: connectors.Ticket{Summary: "Ana asks again", Fields: map[string]any{"department": "IT"}},
		Note: connectors.Note{Key: "note", Body: "accepted"}, Move: connectors.Move{Status: "resolved", Fields: map[string]any{"resolution": "granted"}},
		Place: connectors.Place{Project: "Access requests"}, Account: "PKIM", Ref: connectors.Ref{ID: "Q0000001"},
		Inbound: []connectors.Request{notice(webhook), notice(noted)},
		Verification: connectors.Verification{
			HMAC: &connectors.HMACCheck{Secrets: []connectors.Secret{connectors.SecretValue(connectortest.Canary)}},
		},
	})
}
