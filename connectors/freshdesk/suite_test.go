package freshdesk

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	"github.com/drawbridge-itsm/drawbridge/connectors/freshdesk/freshdeskstandin"
	"github.com/drawbridge-itsm/drawbridge/connectors/freshworks"
)

func TestPromisesOfEveryConnector(t *testing.T) {
	t.Parallel()
	connectortest.Run(t, connectortest.Suite{
		New: func(t *testing.T, baseURL string) connectors.Connector {
			t.Helper()
			conf := &Config{BaseURL: baseURL, Key: connectors.SecretValue(connectortest.Canary)}
			c, err := conf.Open(connectortest.Env(t))
			if err != nil {
				t.Fatal(err)
			}
			return c
		},
		Standin: func(*testing.T) http.Handler {
			accounts := freshdeskstandin.Accounts()
			accounts[0].Key = connectortest.Canary
			return freshdeskstandin.New(freshdeskstandin.Options{Now: func() time.Time { return connectortest.Now }, Accounts: accounts})
		},
		Ticket: request(), Change: connectors.Ticket{Summary: "Ana asks again"},
		Note: connectors.Note{Key: "note", Body: "accepted"}, Move: connectors.Move{Status: "Approved"},
		File: connectors.File{Name: "a.txt", Type: "text/plain", Content: []byte("x")}, Place: connectors.Place{Type: "Question"}, Account: "11",
		Inbound: []connectors.Request{notice(`{"freshdesk_webhook":{"ticket_id":42}}`), notice(`{"ticket_id":"42"}`)},
		Verification: connectors.Verification{
			Header: &connectors.HeaderCheck{Name: freshworks.SecretHeader, Values: []connectors.Secret{connectors.SecretValue(connectortest.Canary)}},
		},
	})
}

func notice(body string) connectors.Request {
	return connectors.Request{
		Method: http.MethodPost, URL: &url.URL{Path: "/in/freshdesk"}, Header: http.Header{"Content-Type": {"application/json; charset=utf-8"}}, Body: []byte(body),
	}
}
