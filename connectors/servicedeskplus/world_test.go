package servicedeskplus

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	desk "github.com/drawbridge-itsm/drawbridge/connectors/servicedeskplus/servicedeskplusstandin"
)

// world is a connector in front of a stand-in.
type world struct {
	*connector
	desk *desk.Server
	time *connectortest.Clock
	tape *connectortest.Tape
	url  string
	o    desk.Options
}

func newWorld(t *testing.T, o desk.Options, change ...func(*Config)) *world {
	t.Helper()
	w := &world{time: connectortest.NewClock(connectortest.Now), o: credentials(o)}
	w.o.Now = w.time.Now
	w.desk = desk.New(w.o)
	w.tape = &connectortest.Tape{Next: w.desk, TokenPath: "/oauth/v2/token"}
	server := httptest.NewServer(w.tape)
	t.Cleanup(server.Close)
	w.url = server.URL
	w.connector = open(t, server.URL, w.o, change...)
	return w
}

// again is another connector for the same account.
func (w *world) again(t *testing.T, change ...func(*Config)) *connector {
	t.Helper()
	return open(t, w.url, w.o, change...)
}

func credentials(o desk.Options) desk.Options {
	o.ClientSecret, o.RefreshToken, o.AuthToken = connectortest.Canary, connectortest.Canary, connectortest.Canary
	return o
}

func config(url string, o desk.Options) *Config {
	conf := &Config{Edition: cloud, BaseURL: url + "/app/itdesk", Account: "Drawbridge@example.com", KeyField: "udf_char1"}
	secret := connectors.SecretValue(connectortest.Canary)
	if o.Edition == desk.OnPrem {
		conf.Edition, conf.BaseURL, conf.Auth.AuthToken, conf.KeyField = onprem, url, secret, "udf_sline_301"
	} else {
		conf.Auth.OAuth = &OAuth{ClientID: "1000.ABCDEF", ClientSecret: secret, RefreshToken: secret, AccountsURL: url}
	}
	return conf
}

func open(t *testing.T, url string, o desk.Options, change ...func(*Config)) *connector {
	t.Helper()
	conf := config(url, o)
	for _, f := range change {
		f(conf)
	}
	c, err := conf.Open(connectortest.Env(t))
	if err != nil {
		t.Fatal(err)
	}
	return c.(*connector)
}

// bySubject keeps the key in the subject.
func bySubject(c *Config) { c.KeyField = "" }

// withHistory reads a history.
func withHistory(c *Config) { c.History = "history" }

// ticket is a ticket as a rule would open it.
func ticket() connectors.Ticket {
	return connectors.Ticket{
		Project: "IAM", Type: "Access request", Summary: "Ana asks to run Setup Tool", Description: "**Reason:** <b>work</b>", Priority: "High",
		Labels: []string{"left out"},
		Fields: map[string]any{"category": "Security", "requester": "ana@corp.example", "udf_char2": "Sales", "impact_details": strings.Repeat("ü", 300)},
	}
}

func create(t *testing.T, c *connector, key string) connectors.Ref {
	t.Helper()
	ref, err := c.Create(t.Context(), key, ticket())
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
