package redmine

import (
	"net/http"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	"github.com/drawbridge-itsm/drawbridge/connectors/desktest"
)

// world is a connector in front of a Redmine, with an account of its own.
type world struct {
	*connector
	desk    *desktest.Redmine
	account desktest.Account
}

func newWorld(t *testing.T, desk *desktest.Redmine) *world {
	t.Helper()
	account := desk.Account(t)
	return &world{connector: open(t, desk.URL, account), desk: desk, account: account}
}

const keyField = "Drawbridge Key"

// open opens a connector that keeps its key in a custom field.
func open(t *testing.T, base string, account desktest.Account, change ...func(*Config)) *connector {
	t.Helper()
	conf := &Config{BaseURL: base, Auth: Auth{Key: connectors.SecretValue(account.Token)}, Projects: []string{"access"}, KeyField: keyField}
	for _, f := range change {
		f(conf)
	}
	c, err := conf.Open(connectortest.Env(t))
	if err != nil {
		t.Fatal(err)
	}
	return c.(*connector)
}

// byLine keeps the key in the description.
func byLine(c *Config) { c.KeyField = "" }

// again is another connector for the same account.
func (w *world) again(t *testing.T, change ...func(*Config)) *connector {
	t.Helper()
	return open(t, w.desk.URL, w.account, change...)
}

// request is a ticket as a rule would open it.
func request() connectors.Ticket {
	return connectors.Ticket{
		Project: "access", Type: "Support", Summary: "Ana asks to run Setup Tool", Description: "**Reason:** <b>work</b>", Priority: "High",
		Fields: map[string]any{"Department": "Sales", "Systems": []string{"Mail", "Payroll"}, "due_date": "2031-02-03"},
	}
}

func create(t *testing.T, c *connector, key string) connectors.Ref {
	t.Helper()
	ref, err := c.Create(t.Context(), key, request())
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

func fetch(t *testing.T, c *connector, ref connectors.Ref) connectors.Snapshot {
	t.Helper()
	s, err := c.Fetch(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// door passes requests on to a Redmine, with the canary changed for the key of an account nobody worked with.
func door(t *testing.T, desk *desktest.Redmine) http.Handler {
	t.Helper()
	account := desk.Account(t)
	return desktest.Door(t, desk.URL, func(r *http.Request) {
		if r.Header.Get("X-Redmine-Api-Key") == connectortest.Canary {
			r.Header.Set("X-Redmine-Api-Key", account.Token)
		}
	})
}
