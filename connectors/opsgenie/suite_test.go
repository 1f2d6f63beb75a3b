package opsgenie

import (
	"net/http"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	og "github.com/drawbridge-itsm/drawbridge/connectors/opsgenie/opsgeniestandin"
)

func TestPromisesOfEveryConnector(t *testing.T) {
	t.Parallel()
	for host := range hosts {
		if host == "opsgenie-us" {
			continue // as opsgenie-eu, but for the address
		}
		t.Run(host, func(t *testing.T) {
			t.Parallel()
			connectortest.Run(t, suite(host))
		})
	}
}

func suite(host string) connectortest.Suite {
	return connectortest.Suite{
		New: func(t *testing.T, baseURL string) connectors.Connector {
			t.Helper()
			conf := settings()
			conf.Host, conf.BaseURL, conf.Key = host, baseURL+"/v2", connectors.SecretValue(connectortest.Canary)
			c, err := conf.Open(connectortest.Env(t))
			connectortest.Must(t, err)
			return c
		},
		Standin: func(*testing.T) http.Handler {
			return og.New(og.Options{Now: func() time.Time { return connectortest.Now }, Key: connectortest.Canary})
		},
		Ticket: request(), Change: connectors.Ticket{Summary: "Ana asks again", Priority: "P1", Fields: map[string]any{"department": "IT"}},
		Note: connectors.Note{Key: "note", Body: "accepted"}, Move: connectors.Move{Status: "closed"}, Place: connectors.Place{Project: "Access"},
		Ref: connectors.Ref{ID: "70413a06-38d6-4c85-92b8-5ebc900d42e2"}, Inbound: []connectors.Request{notice(webhook)},
		Verification: connectors.Verification{
			Header: &connectors.HeaderCheck{Values: []connectors.Secret{connectors.SecretValue(connectortest.Canary)}},
		},
	}
}
