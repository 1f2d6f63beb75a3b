package freshservice

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	"github.com/drawbridge-itsm/drawbridge/connectors/freshservice/freshservicestandin"
	"github.com/drawbridge-itsm/drawbridge/connectors/freshworks"
)

func TestPromisesOfEveryConnector(t *testing.T) {
	t.Parallel()
	for name, ticket := range map[string]connectors.Ticket{"ticket": request(), "service request": serviceOrder(), "change": changeOrder()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			connectortest.Run(t, suite(ticket))
		})
	}
}

func suite(ticket connectors.Ticket) connectortest.Suite {
	s := connectortest.Suite{
		New: func(t *testing.T, baseURL string) connectors.Connector {
			t.Helper()
			conf := &Config{BaseURL: baseURL, Key: connectors.SecretValue(connectortest.Canary), Account: "8", Items: []int64{12}, Changes: true}
			c, err := conf.Open(connectortest.Env(t))
			if err != nil {
				t.Fatal(err)
			}
			return c
		},
		Standin: func(*testing.T) http.Handler {
			accounts := freshservicestandin.Accounts()
			accounts[0].Key = connectortest.Canary
			return freshservicestandin.New(freshservicestandin.Options{Now: func() time.Time { return connectortest.Now }, Accounts: accounts})
		},
		Ticket: ticket, Change: connectors.Ticket{Summary: "Ana asks again"},
		Note: connectors.Note{Key: "note", Body: "accepted"}, Move: connectors.Move{Status: "Approved"},
		File: connectors.File{Name: "a.txt", Type: "text/plain", Content: []byte("x")}, Place: connectors.Place{Type: "Incident"}, Account: "11",
		Inbound: []connectors.Request{notice(`{"ticket_id":"SR-42"}`), notice(`{"change_id":7}`)},
		Verification: connectors.Verification{
			Header: &connectors.HeaderCheck{Name: freshworks.SecretHeader, Values: []connectors.Secret{connectors.SecretValue(connectortest.Canary)}},
		},
	}
	if ticket.Type == "Change" {
		s.Move.Status = "Planning"
	}
	return s
}

func notice(body string) connectors.Request {
	return connectors.Request{
		Method: http.MethodPost, URL: &url.URL{Path: "/in/freshservice"}, Header: http.Header{"Content-Type": {"application/json; charset=utf-8"}}, Body: []byte(body),
	}
}
