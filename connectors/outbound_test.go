package connectors_test

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// pair is a certificate that signed itself, as files.
type pair struct{ cert, key string }

func newPair(t testing.TB) (pair, *x509.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "drawbridge test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return pair{writePEM(t, "CERTIFICATE", der), writePEM(t, "PRIVATE KEY", private)}, cert
}

func writePEM(t testing.TB, kind string, der []byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file.pem")
	if err := os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestOutboundReportsEveryFaultAtOnce(t *testing.T) {
	t.Parallel()
	noPEM := filepath.Join(t.TempDir(), "hunter2")
	if err := os.WriteFile(noPEM, []byte("hunter2"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := connectors.Outbound{
		Timeout: -1, MaxResponse: -1, Proxy: "http://u:hunter2@proxy:3128", CA: noPEM, Cert: "only.pem",
		AllowHosts: []string{"", "https://jira", "jira:443", "*.corp", "jira/x"},
		Headers: map[string]connectors.Secret{
			"Bad Name": connectors.SecretValue("x"), "host": connectors.SecretValue("x"), "X-Empty": {},
			"Accept-Encoding": connectors.SecretValue("x"),
		},
	}
	err := o.Validate()
	if err == nil {
		t.Fatal("got no error")
	}
	if _, made := connectors.NewClient(o, &connectors.Vault{}, time.Now); made == nil || made.Error() != err.Error() {
		t.Errorf("NewClient: got %v", made)
	}
	for _, want := range []string{
		"outbound.timeout is negative", "outbound.max_response is negative", "outbound.proxy holds credentials",
		"outbound.ca: ", "outbound.cert and outbound.key belong together",
		`outbound.allow_hosts: "" is`, `outbound.allow_hosts: "https://jira" is`, `outbound.allow_hosts: "jira:443" is`,
		`outbound.allow_hosts: "*.corp" is`, `outbound.allow_hosts: "jira/x" is`,
		`outbound.headers: "Bad Name" is no name`, "outbound.headers: host is set by the exchange itself",
		"outbound.headers: Accept-Encoding is set by", "outbound.headers: X-Empty has no secret",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in:\n%v", want, err)
		}
	}
	if strings.Contains(strings.ReplaceAll(err.Error(), noPEM, ""), "hunter2") {
		t.Errorf("the error holds a credential:\n%v", err)
	}
}

func TestOutboundRefuses(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "missing.pem")
	tests := []struct {
		name string
		o    connectors.Outbound
		want string
	}{
		{"a proxy that is no URL", connectors.Outbound{Proxy: "proxy:3128"}, "outbound.proxy is not"},
		{"a proxy of another kind", connectors.Outbound{Proxy: "ftp://proxy"}, "outbound.proxy is not"},
		{"a proxy without a host", connectors.Outbound{Proxy: "http://:3128"}, "outbound.proxy is not"},
		{"a user without a proxy", connectors.Outbound{ProxyUser: "u"}, "outbound.proxy is missing"},
		{"a CA that is missing", connectors.Outbound{CA: missing}, "outbound.ca: "},
		{"a certificate that is missing", connectors.Outbound{Cert: missing, Key: missing}, "outbound.cert: "},
	}
	for _, tt := range tests {
		if err := tt.o.Validate(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v", tt.name, err)
		}
	}
	good := connectors.Outbound{Proxy: "socks5://[::1]:1080", ProxyUser: "u", AllowHosts: []string{"jira.corp", "10.0.0.1", "::1", "[fd00::1]"}}
	if err := good.Validate(); err != nil {
		t.Errorf("got %v", err)
	}
}

func TestClientReachesNoPrivateAddress(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	s := serve(t, func(http.ResponseWriter, *http.Request) { asked.Add(1) })
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	tests := []struct {
		name, url string
		allow     []string
		taken     bool
	}{
		{"an address", s.URL, nil, false},
		{"a name", "http://localhost:" + port, nil, false},
		{"an address in another spelling", "http://[::ffff:127.0.0.1]:" + port, nil, false},
		{"all addresses", "http://0.0.0.0:" + port, nil, false},
		{"allowed, but by another name", s.URL, []string{"localhost"}, false},
		{"an address that is allowed", s.URL, []string{"127.0.0.1"}, true},
		{"a name that is allowed", "http://LocalHost:" + port, []string{"LOCALHOST"}, true},
	}
	for _, tt := range tests {
		before := asked.Load()
		_, err := post(t, client(t, func(o *connectors.Outbound) { o.AllowHosts = tt.allow }), tt.url)
		if tt.taken {
			if err != nil || asked.Load() != before+1 {
				t.Errorf("%s: got %v", tt.name, err)
			}
			continue
		}
		e := asError(t, err)
		if e.Kind != connectors.Unwell || e.Sent || !strings.Contains(err.Error(), "outbound.allow_hosts") || asked.Load() != before {
			t.Errorf("%s: got %+v, asked %d times", tt.name, e, asked.Load()-before)
		}
	}
}

// tlsServer starts a server with a certificate of its own, and returns the file that makes it trusted.
func tlsServer(t testing.TB, clients *x509.CertPool) (s *httptest.Server, ca string) {
	t.Helper()
	s = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.TLS.PeerCertificates) > 0 {
			_, _ = io.WriteString(w, r.TLS.PeerCertificates[0].Subject.CommonName)
		}
	}))
	s.Config.ErrorLog = quiet()
	s.TLS = &tls.Config{}
	if clients != nil {
		s.TLS.ClientAuth, s.TLS.ClientCAs = tls.RequireAndVerifyClientCert, clients
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s, writePEM(t, "CERTIFICATE", s.Certificate().Raw)
}

func TestClientTrustsOnlyKnownCertificates(t *testing.T) {
	t.Parallel()
	s, ca := tlsServer(t, nil)
	if _, err := post(t, client(t, func(o *connectors.Outbound) { o.CA = ca }), s.URL); err != nil {
		t.Errorf("with the CA: %v", err)
	}
	_, err := post(t, client(t), s.URL)
	if e := asError(t, err); e.Kind != connectors.Unwell || e.Sent || !strings.Contains(err.Error(), "the certificate is not trusted") {
		t.Errorf("without the CA: got %+v", e)
	}
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	_, err = post(t, client(t, func(o *connectors.Outbound) { o.CA = ca }), "https://localhost:"+port)
	if e := asError(t, err); e.Kind != connectors.Unwell || e.Sent {
		t.Errorf("by a name that is not in the certificate: got %+v", e)
	}
}

func TestClientShowsItsCertificate(t *testing.T) {
	t.Parallel()
	ours, cert := newPair(t)
	clients := x509.NewCertPool()
	clients.AddCert(cert)
	s, ca := tlsServer(t, clients)
	answer, err := post(t, client(t, func(o *connectors.Outbound) { o.CA, o.Cert, o.Key = ca, ours.cert, ours.key }), s.URL)
	if err != nil || string(answer.Body) != "drawbridge test" {
		t.Errorf("got %q, %v", answer.Body, err)
	}
	_, err = post(t, client(t, func(o *connectors.Outbound) { o.CA = ca }), s.URL)
	if e := asError(t, err); e.Kind != connectors.Unwell {
		t.Errorf("without a certificate: got %+v", e)
	}
	other, _ := newPair(t)
	_, err = post(t, client(t, func(o *connectors.Outbound) { o.CA, o.Cert, o.Key = ca, other.cert, other.key }), s.URL)
	if e := asError(t, err); e.Kind != connectors.Unwell {
		t.Errorf("with another certificate: got %+v", e)
	}
}

// proxy is a forward proxy for plain HTTP and for tunnels.
type proxy struct {
	*httptest.Server
	mu     sync.Mutex
	asked  []string
	auth   string
	refuse int
}

func newProxy(t testing.TB) *proxy {
	t.Helper()
	p := &proxy{}
	p.Server = serve(t, func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		p.asked = append(p.asked, r.Method+" "+r.Host)
		p.auth = r.Header.Get("Proxy-Authorization")
		p.mu.Unlock()
		if p.refuse != 0 {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_, _ = io.WriteString(conn, "HTTP/1.1 407 no "+r.Header.Get("Proxy-Authorization")+"\r\nContent-Length: 0\r\n\r\n")
				conn.Close()
			}
			return
		}
		if r.Method == http.MethodConnect {
			tunnel(w, r.Host)
			return
		}
		r.RequestURI = ""
		r.Header.Del("Proxy-Authorization")
		resp, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer resp.Body.Close()
		w.WriteHeader(resp.StatusCode)
		_, _ = io.Copy(w, resp.Body)
	})
	return p
}

func tunnel(w http.ResponseWriter, host string) {
	up, err := net.Dial("tcp", host)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		up.Close()
		return
	}
	_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n")
	go func() {
		_, _ = io.Copy(up, bufio.NewReader(buffered))
		up.Close()
	}()
	go func() {
		_, _ = io.Copy(conn, up)
		conn.Close()
	}()
}

func (p *proxy) requests() (asked []string, auth string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked, p.auth
}

func TestClientAsksTheProxy(t *testing.T) {
	t.Parallel()
	plain := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Proxy-Authorization") != "" {
			t.Error("the vendor saw the proxy's credentials")
		}
		_, _ = io.WriteString(w, "plain")
	})
	secure, ca := tlsServer(t, nil)
	for _, target := range []string{plain.URL, secure.URL} {
		p := newProxy(t)
		c := client(t, func(o *connectors.Outbound) {
			o.CA, o.Proxy, o.ProxyUser, o.ProxyPassword = ca, p.URL, "bridge", connectors.SecretValue("hunter2")
		})
		if _, err := post(t, c, target); err != nil {
			t.Fatalf("%s: %v", target, err)
		}
		asked, auth := p.requests()
		u, _ := url.Parse(target)
		if len(asked) != 1 || !strings.HasSuffix(asked[0], " "+u.Host) || auth != "Basic YnJpZGdlOmh1bnRlcjI=" {
			t.Errorf("%s: the proxy was asked %v with %q", target, asked, auth)
		}
	}
}

func TestClientRefusesAPrivateTargetBeforeTheProxyIsAsked(t *testing.T) {
	t.Parallel()
	p := newProxy(t)
	c := client(t, func(o *connectors.Outbound) { o.Proxy, o.AllowHosts = p.URL, nil })
	for _, target := range []string{
		"http://127.0.0.1/", "https://10.1.2.3/", "http://169.254.169.254/latest/meta-data", "http://localhost:9/", "http://[::1]/",
		"http://[::ffff:10.0.0.1]/", "http://[fe80::1%25eth0]/", "http://0.0.0.0/",
	} {
		_, err := post(t, c, target)
		if e := asError(t, err); e.Kind != connectors.Unwell || e.Sent || !strings.Contains(err.Error(), "outbound.allow_hosts") {
			t.Errorf("%s: got %+v", target, e)
		}
	}
	if asked, _ := p.requests(); len(asked) > 0 {
		t.Errorf("the proxy was asked %v", asked)
	}
}

func TestClientErrorsHoldNoProxyPassword(t *testing.T) {
	t.Parallel()
	p := newProxy(t)
	p.refuse = http.StatusProxyAuthRequired
	c := client(t, func(o *connectors.Outbound) {
		o.Proxy, o.ProxyUser, o.ProxyPassword = p.URL, "bridge", connectors.SecretValue("hunter2")
	})
	for _, target := range []string{"http://127.0.0.1/", "https://127.0.0.1/"} {
		_, err := post(t, c, target)
		if e := asError(t, err); e.Kind != connectors.Unwell || e.Sent || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "aHVudGVy") || strings.Contains(err.Error(), "YnJpZGdl") {
			t.Errorf("%s: got %+v: %v", target, e, err)
		}
	}
	unset := client(t, func(o *connectors.Outbound) {
		o.Proxy, o.ProxyUser, o.ProxyPassword = p.URL, "bridge", secretFrom(t, "{env: DRAWBRIDGE_SECRET_UNSET}")
	})
	_, err := post(t, unset, "http://127.0.0.1/")
	if e := asError(t, err); e.Kind != connectors.Unwell || e.Sent || !strings.Contains(err.Error(), "DRAWBRIDGE_SECRET_UNSET is not set") {
		t.Errorf("got %+v", e)
	}
}

func TestClientAsksForTheCertificateAgain(t *testing.T) {
	t.Parallel()
	first, _ := newPair(t)
	second, cert := newPair(t)
	clients := x509.NewCertPool()
	clients.AddCert(cert)
	s, ca := tlsServer(t, clients)
	c := client(t, func(o *connectors.Outbound) { o.CA, o.Cert, o.Key = ca, first.cert, first.key })
	if _, err := post(t, c, s.URL); err == nil {
		t.Fatal("the first certificate was taken")
	}
	for from, to := range map[string]string{second.cert: first.cert, second.key: first.key} {
		text, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, bytes.Clone(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := post(t, c, s.URL); err != nil {
		t.Errorf("after the files changed: %v", err)
	}
}
