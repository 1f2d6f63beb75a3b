package zendesk

import (
	"net/http"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	"github.com/drawbridge-itsm/drawbridge/connectors/zendesk/zendeskstandin"
)

func TestPromisesOfEveryConnector(t *testing.T) {
	t.Parallel()
	t.Run("OAuth", func(t *testing.T) {
		t.Parallel()
		s := suite(Auth{OAuth: &OAuth{ClientID: "drawbridge", ClientSecret: connectors.SecretValue(connectortest.Canary)}})
		s.TokenPath = "/oauth/tokens"
		connectortest.Run(t, s)
	})
	t.Run("API token", func(t *testing.T) {
		t.Parallel()
		connectortest.Run(t, suite(Auth{APIToken: &APIToken{User: "bridge@corp.example", Token: connectors.SecretValue(connectortest.Canary)}}))
	})
}

func suite(auth Auth) connectortest.Suite {
	return connectortest.Suite{
		New: func(t *testing.T, baseURL string) connectors.Connector {
			t.Helper()
			c, err := (&Config{BaseURL: baseURL, Auth: auth, Groups: []string{"Access"}}).Open(connectortest.Env(t))
			connectortest.Must(t, err)
			return c
		},
		Standin: func(*testing.T) http.Handler {
			return zendeskstandin.New(zendeskstandin.Options{
				Now: func() time.Time { return connectortest.Now }, ClientSecret: connectortest.Canary, APIToken: connectortest.Canary,
			})
		},
		Ticket:  request(),
		Change:  connectors.Ticket{Summary: "Ana asks again", Labels: []string{"again"}, Fields: map[string]any{"360002": "IT"}},
		Note:    connectors.Note{Key: "note", Body: "accepted"},
		Move:    connectors.Move{Status: "Approved", Fields: map[string]any{"360004": []any{"mail"}}},
		File:    connectors.File{Name: "a.txt", Type: "text/plain", Content: []byte("x")},
		Place:   connectors.Place{Project: "Access", Type: "task"},
		Account: "101",
		Ref:     connectors.Ref{ID: "1001"},
		Inbound: []connectors.Request{notice(webhook), notice(`{"ticket":"42"}`)},
		Verification: connectors.Verification{
			HMAC: &connectors.HMACCheck{Secrets: []connectors.Secret{connectors.SecretValue(connectortest.Canary)}},
		},
	}
}
