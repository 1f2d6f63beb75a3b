package jira

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	"github.com/drawbridge-itsm/drawbridge/connectors/jira/jirastandin"
)

func TestPromisesOfEveryConnector(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{cloud, dataCenter} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			connectortest.Run(t, suite(kind))
		})
	}
}

func suite(kind string) connectortest.Suite {
	s := connectortest.Suite{
		New: func(t *testing.T, baseURL string) connectors.Connector {
			t.Helper()
			conf := &Config{
				BaseURL: baseURL, Deployment: kind,
				Auth: Auth{Basic: &BasicAuth{User: "bridge@example.test", Token: connectors.SecretValue(connectortest.Canary)}},
			}
			if kind == dataCenter {
				conf.Auth.Basic.User = "bridge"
			}
			c, err := conf.Open(connectortest.Env(t))
			if err != nil {
				t.Fatal(err)
			}
			return c
		},
		Standin: func(*testing.T) http.Handler {
			return jirastandin.New(jirastandin.Options{
				DataCenter: kind == dataCenter,
				Now:        func() time.Time { return connectortest.Now },
				Accounts: []jirastandin.Account{
					{ID: "acc-bridge", Name: "Drawbridge", Mail: "bridge@example.test", Login: "bridge", Zone: "Europe/Berlin", Token: connectortest.Canary, Groups: []string{"users"}},
					{ID: "acc-kim", Name: "Kim", Mail: "kim@example.test", Groups: []string{"users"}},
					{ID: "acc-lee", Name: "Lee", Mail: "lee@example.test", Groups: []string{"users"}},
				},
			})
		},
		Reads: func(r *http.Request) bool {
			return strings.HasSuffix(r.URL.Path, "/search/jql") || strings.HasSuffix(r.URL.Path, "/search") || strings.HasSuffix(r.URL.Path, "/bulkfetch")
		},
		Ticket: connectors.Ticket{
			Project: "ITSEC", Type: "Access Request", Summary: "Ana asks", Description: "**Reason:** work", Priority: "High", Labels: []string{"epm"},
			Fields: map[string]any{"customfield_10042": "Sales"},
		},
		Change:  connectors.Ticket{Summary: "Ana asks again"},
		Note:    connectors.Note{Key: "note", Body: "accepted"},
		Move:    connectors.Move{Status: "Approved"},
		File:    connectors.File{Name: "a.txt", Type: "text/plain", Content: []byte("x")},
		Place:   connectors.Place{Project: "ITSEC", Type: "Access Request"},
		Account: "acc-kim",
		Ref:     connectors.Ref{ID: "10001", Key: "ITSEC-1"},
		Inbound: []connectors.Request{notification(webhook)},
		Verification: connectors.Verification{
			HMAC: &connectors.HMACCheck{Secrets: []connectors.Secret{connectors.SecretValue(connectortest.Canary)}},
		},
	}
	if kind == dataCenter {
		s.Account = "kim"
	}
	return s
}
