package servicenow

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	"github.com/drawbridge-itsm/drawbridge/connectors/servicenow/servicenowstandin"
)

func TestPromisesOfEveryConnector(t *testing.T) {
	t.Parallel()
	canary := connectors.SecretValue(connectortest.Canary)
	for name, auth := range map[string]Auth{
		"basic":    {Basic: &BasicAuth{canary}},
		"oauth":    {OAuth: &OAuth{ClientID: "client", ClientSecret: canary}},
		"password": {Password: &PasswordAuth{OAuth{ClientID: "client", ClientSecret: canary}, canary}},
		"api key":  {APIKey: &APIKey{Key: canary}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			connectortest.Run(t, suite(auth))
		})
	}
}

func suite(auth Auth) connectortest.Suite {
	return connectortest.Suite{
		New: func(t *testing.T, baseURL string) connectors.Connector {
			t.Helper()
			c, err := (&Config{BaseURL: baseURL, User: "drawbridge", Auth: auth, Tables: []string{"incident", "sc_req_item"}}).Open(connectortest.Env(t))
			if err != nil {
				t.Fatal(err)
			}
			return c
		},
		Standin: func(*testing.T) http.Handler {
			return servicenowstandin.New(servicenowstandin.Options{
				Password: connectortest.Canary, ClientID: "client", ClientSecret: connectortest.Canary, APIKey: connectortest.Canary,
				Now: func() time.Time { return connectortest.Now },
			})
		},
		TokenPath: "/oauth_token.do",
		Ticket:    connectors.Ticket{Project: "incident", Summary: "Ana asks", Description: "**Reason:** work", Priority: "High", Fields: map[string]any{"caller_id": "ana"}},
		Change:    connectors.Ticket{Summary: "Ana asks again"},
		Note:      connectors.Note{Key: "note", Body: "accepted"},
		Move:      connectors.Move{Status: "Resolved", Fields: map[string]any{"close_code": "Solved", "close_notes": "done"}},
		File:      connectors.File{Name: "a.txt", Type: "text/plain", Content: []byte("x")},
		Place:     connectors.Place{Project: "incident"},
		Account:   "kim",
		Ref:       connectors.Ref{ID: "incident/" + strings.Repeat("0", 32), Key: "INC0010001"},
		Inbound:   []connectors.Request{notice(`{"event":"ticket.changed","table":"incident","sys_id":"` + strings.Repeat("a", 32) + `","number":"INC0010001","event_id":"` + strings.Repeat("a", 32) + `:3"}`)},
		Verification: connectors.Verification{
			HMAC: &connectors.HMACCheck{Secrets: []connectors.Secret{connectors.SecretValue(connectortest.Canary)}},
		},
	}
}

func notice(body string) connectors.Request {
	return connectors.Request{Method: http.MethodPost, Header: http.Header{"Content-Type": {"application/json"}}, Body: []byte(body)}
}
