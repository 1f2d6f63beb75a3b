package rt

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	"github.com/drawbridge-itsm/drawbridge/connectors/desktest"
)

// world is a connector in front of a Request Tracker, with an account of its own.
type world struct {
	*connector
	rt      *desktest.RequestTracker
	account desktest.Account
}

func newWorld(t *testing.T, desk *desktest.RequestTracker) *world {
	t.Helper()
	account := desk.Account(t)
	return &world{connector: open(t, desk.URL, account), rt: desk, account: account}
}

func open(t *testing.T, base string, account desktest.Account, change ...func(*Config)) *connector {
	t.Helper()
	conf := &Config{
		BaseURL: base, User: account.Login, Auth: Auth{Token: connectors.SecretValue(account.Token)}, Queues: []string{"Access"},
	}
	for _, f := range change {
		f(conf)
	}
	c, err := conf.Open(connectortest.Env(t))
	if err != nil {
		t.Fatal(err)
	}
	return c.(*connector)
}

// request is a ticket as a rule would open it.
func request() connectors.Ticket {
	return connectors.Ticket{
		Project: "Access", Summary: "Ana asks to run Setup Tool", Description: "**Reason:** <b>work</b>", Priority: "High",
		Fields: map[string]any{"Department": "Sales", "Systems": []string{"Mail", "Payroll"}, "Requestor": "ana@example.test"},
	}
}

func (w *world) create(t *testing.T, key string) connectors.Ref {
	t.Helper()
	ref, err := w.Create(t.Context(), key, request())
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

func (w *world) fetch(t *testing.T, ref connectors.Ref) connectors.Snapshot {
	t.Helper()
	s, err := w.Fetch(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// doors hands each test of the suite a Request Tracker that looks fresh: an account of its own behind a door that
// takes the canary in place of its token.
type doors struct {
	desk *desktest.RequestTracker

	mu    sync.Mutex
	whose map[string]desktest.Account // by test
}

func (d *doors) open(t *testing.T) http.Handler {
	account := d.desk.Account(t)
	d.mu.Lock()
	d.whose[t.Name()] = account
	d.mu.Unlock()
	return desktest.Door(t, d.desk.URL, func(r *http.Request) {
		if r.Header.Get("Authorization") == "token "+connectortest.Canary {
			r.Header.Set("Authorization", "token "+account.Token)
		}
	})
}

func (d *doors) account(t *testing.T) desktest.Account {
	d.mu.Lock()
	defer d.mu.Unlock()
	return desktest.Account{Login: d.whose[t.Name()].Login, Token: connectortest.Canary}
}

// between runs f after the connector's first request that matches was answered, as somebody who acts in the meantime.
func (w *world) between(t *testing.T, match func(*http.Request) bool, f func()) {
	t.Helper()
	target, err := url.Parse(w.rt.URL)
	if err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ModifyResponse = func(r *http.Response) error {
		if match(r.Request) {
			once.Do(f)
		}
		return nil
	}
	server := httptest.NewServer(proxy)
	t.Cleanup(server.Close)
	w.conf.BaseURL = server.URL
}
