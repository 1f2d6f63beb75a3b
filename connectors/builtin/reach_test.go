package builtin_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/builtin"
	"github.com/drawbridge-itsm/drawbridge/connectors/syslog"
	"github.com/drawbridge-itsm/drawbridge/connectors/syslog/syslogstandin"
)

// wholeURL finds credentials that are a whole URL in settings.
var wholeURL = regexp.MustCompile(`(?m)^\w*url: \{env:`)

// reached are the vendors' hosts, which stand behind a proxy: no other way leads there, nobody knows who vouches for them,
// and they ask for a certificate. They answer everything with an object that may be an access token.
type reached struct {
	proxy      string
	authority  authority
	mu         sync.Mutex
	calls      []string
	strangers  []string // calls without a certificate or the further header
	tunnels    int
	connection chan net.Conn
}

func reach(t *testing.T) *reached {
	t.Helper()
	r := &reached{connection: make(chan net.Conn), authority: newAuthority(t)}
	vendors := &http.Server{Handler: http.HandlerFunc(r.answer), ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
	go func() { _ = vendors.Serve(tls.NewListener(r, r.authority.server())) }()
	t.Cleanup(func() { vendors.Close() })
	proxy := httptest.NewServer(http.HandlerFunc(r.tunnel))
	t.Cleanup(proxy.Close)
	r.proxy = proxy.URL
	return r
}

// tunnel is the proxy.
func (r *reached) tunnel(w http.ResponseWriter, req *http.Request) {
	if req.Method != http.MethodConnect {
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n")
	r.mu.Lock()
	r.tunnels++
	r.mu.Unlock()
	r.connection <- conn
}

func (r *reached) answer(w http.ResponseWriter, req *http.Request) {
	call := req.Method + " " + req.Host + req.URL.Path
	r.mu.Lock()
	r.calls = append(r.calls, call)
	if len(req.TLS.PeerCertificates) == 0 || req.Header.Get("X-Tenant") != "a-further-header" {
		r.strangers = append(r.strangers, call)
	}
	r.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"access_token":"a-token","token_type":"Bearer","expires_in":3600}`)
}

// Accept, Close and Addr make the tunnels a listener.
func (r *reached) Accept() (net.Conn, error) {
	conn, open := <-r.connection
	if !open {
		return nil, net.ErrClosed
	}
	return conn, nil
}
func (r *reached) Close() error   { close(r.connection); return nil }
func (r *reached) Addr() net.Addr { return &net.TCPAddr{} }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// client is a client of a connection with everything set that there is, and with credentials that may also be a key of
// Standard Webhooks or a whole URL.
func client(t *testing.T, out connectors.Outbound, a authority) *connectors.Client {
	t.Helper()
	out.CA, out.Cert, out.Key, out.Timeout = a.cert, a.cert, a.key, 5*time.Second
	out.Headers = map[string]connectors.Secret{"X-Tenant": connectors.SecretValue("a-further-header")}
	c, err := connectors.NewClient(out, &connectors.Vault{Getenv: func(name string) string {
		if strings.HasSuffix(name, "_URL") {
			return "https://whole.example/" + name
		}
		return "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
	}}, time.Now)
	must(t, err)
	t.Cleanup(c.Close)
	return c
}

func opened(t *testing.T, c connectors.Config, settings string, client *connectors.Client) connectors.Connector {
	t.Helper()
	must(t, yaml.NewDecoder(strings.NewReader(settings), yaml.Strict()).Decode(c))
	opened, err := c.Open(connectors.Env{Name: "reached", Client: client, Log: slog.New(slog.DiscardHandler), Now: time.Now})
	must(t, err)
	return opened
}

var aRecord = []connectors.Record{{EventID: "evt-1", Source: "epm", Group: "req-1", At: time.Now(), Event: map[string]any{"kind": "audit", "reason": "for a test"}}}

// Every call of every connector goes through the proxy, shows our certificate, trusts our authority and carries the
// further header: those for access tokens and those that send records as well.
func TestEveryConnectorGoesTheConfiguredWay(t *testing.T) {
	everyNameIsKnown(t)
	further := map[string]string{ // what the example leaves out
		"webhook": "ping: {url: https://tool.example/ping}\n", "logpoint": "record: {incident_ids: [i-1]}\n",
	}
	for vendor, config := range builtin.Vendors() {
		if vendor == "syslog" || vendor == "mail" {
			continue // are not HTTP: see the test below
		}
		t.Run(vendor, func(t *testing.T) {
			t.Parallel()
			c := config()
			settings := connectors.Example(c) + further[vendor]
			if wholeURL.MatchString(settings) && vendor != "teams" { // ours is none of the vendor's hosts
				settings += "address: https://relay.example\n"
			}
			way := reach(t)
			one := opened(t, c, settings, client(t, connectors.Outbound{Proxy: way.proxy}, way.authority))
			ended := one.Ping(t.Context()) // the answer is no vendor's
			own := func(call string) bool { return !strings.Contains(call, "token") }
			if connectors.Can(one, connectors.Send) {
				_, ended = connectors.SendAll(t.Context(), one, aRecord)
				own = func(call string) bool {
					return !strings.Contains(call, "token") && !strings.HasPrefix(call, http.MethodHead)
				}
			}
			way.mu.Lock()
			defer way.mu.Unlock()
			if way.tunnels == 0 || !slices.ContainsFunc(way.calls, own) {
				t.Errorf("nobody was reached, or for a token only: %v, calls %v", ended, way.calls)
			}
			if len(way.strangers) > 0 {
				t.Errorf("calls without our certificate or header: %v", way.strangers)
			}
		})
	}
}

// Syslog is no HTTP: there are no headers, and a proxy that is asked for calls over HTTP is no way for it. With one set it
// reaches nobody; certificate and authority hold as they do elsewhere.
func TestSyslogShowsOurCertificateAndTrustsOurAuthority(t *testing.T) {
	t.Parallel()
	way := reach(t)
	receiver, err := syslogstandin.New(way.authority.server())
	must(t, err)
	t.Cleanup(receiver.Close)
	settings := fmt.Sprintf("host: 127.0.0.1\nport: %d\n", receiver.Port())
	local := []string{"127.0.0.1"}

	behind := opened(t, syslog.New(), settings, client(t, connectors.Outbound{Proxy: way.proxy, AllowHosts: local}, way.authority))
	if err := behind.Ping(t.Context()); err == nil {
		t.Error("it went past the proxy")
	}
	sink := opened(t, syslog.New(), settings, client(t, connectors.Outbound{AllowHosts: local}, way.authority))
	must(t, sink.Ping(t.Context()))
	results, err := connectors.SendAll(t.Context(), sink, aRecord)
	must(t, err)
	receiver.Close()
	if got, faults := receiver.Taken(); len(results) != 1 || results[0].Err != nil || len(got) != 1 || len(faults) > 0 {
		t.Errorf("%v, taken %v, %v", results, got, faults)
	}
	way.mu.Lock()
	defer way.mu.Unlock()
	if way.tunnels > 0 {
		t.Errorf("%d tunnels", way.tunnels)
	}
}
