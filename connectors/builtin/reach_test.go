package builtin_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/builtin"
)

// host finds the hosts in settings.
var host = regexp.MustCompile(`https://([^/\s:"]+)`)

// reached are the vendors' hosts, which stand behind a proxy: no other way leads there, nobody knows their certificate, and
// they ask for one. They answer everything with an object that may be an access token.
type reached struct {
	proxy      string
	cert, key  string // the one there is: the authority, the hosts' and ours
	mu         sync.Mutex
	calls      []string
	strangers  []string // calls without a certificate or the further header
	tunnels    int
	connection chan net.Conn
}

func reach(t *testing.T, hosts []string) *reached {
	t.Helper()
	r := &reached{connection: make(chan net.Conn)}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority of a test"}, DNSNames: hosts,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	must(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	dir := t.TempDir()
	r.cert, r.key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	must(t, os.WriteFile(r.cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	must(t, os.WriteFile(r.key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600))
	ours, err := tls.LoadX509KeyPair(r.cert, r.key)
	must(t, err)
	pool := x509.NewCertPool()
	cert, err := x509.ParseCertificate(der)
	must(t, err)
	pool.AddCert(cert)

	vendors := &http.Server{Handler: http.HandlerFunc(r.answer), ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
	go func() {
		_ = vendors.Serve(tls.NewListener(r, &tls.Config{Certificates: []tls.Certificate{ours}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool}))
	}()
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

// Every call of every connector goes through the proxy, shows our certificate, trusts our authority and carries the
// further header: those for access tokens as well.
func TestEveryConnectorGoesTheConfiguredWay(t *testing.T) {
	t.Parallel()
	further := map[string]string{"webhook": "ping: {url: https://tool.example/ping}\n"} // what the example leaves out
	hosts := map[string][]string{                                                       // that settings need not name
		"apono": {"api.apono.io"}, "datatheorem": {"api.securetheorem.com"}, "servicedeskplus": {"accounts.zoho.eu"},
	}
	for vendor, config := range builtin.Vendors() {
		t.Run(vendor, func(t *testing.T) {
			t.Parallel()
			c := config()
			settings := connectors.Example(c) + further[vendor]
			must(t, yaml.NewDecoder(strings.NewReader(settings), yaml.Strict()).Decode(c))
			names := slices.Clone(hosts[vendor])
			for _, found := range host.FindAllStringSubmatch(settings, -1) {
				names = append(names, found[1])
			}
			way := reach(t, names)
			client, err := connectors.NewClient(connectors.Outbound{
				Proxy: way.proxy, CA: way.cert, Cert: way.cert, Key: way.key, AllowHosts: append(names, "127.0.0.1"), Timeout: 5 * time.Second,
				Headers: map[string]connectors.Secret{"X-Tenant": connectors.SecretValue("a-further-header")},
			}, &connectors.Vault{Getenv: func(name string) string { return "secret of " + name }}, time.Now)
			must(t, err)
			t.Cleanup(client.Close)
			opened, err := c.Open(connectors.Env{Name: vendor, Client: client, Log: slog.New(slog.DiscardHandler), Now: time.Now})
			must(t, err)
			pinged := opened.Ping(t.Context()) // the answer is no vendor's
			way.mu.Lock()
			defer way.mu.Unlock()
			if way.tunnels == 0 || !slices.ContainsFunc(way.calls, func(call string) bool { return !strings.Contains(call, "token") }) {
				t.Errorf("nobody was reached, or for a token only: %v, calls %v", pinged, way.calls)
			}
			if len(way.strangers) > 0 {
				t.Errorf("calls without our certificate or header: %v", way.strangers)
			}
		})
	}
}
