package api_test

import (
	"bufio"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/gateway/api"
	"github.com/drawbridge-itsm/drawbridge/store"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

func TestOtherMethods(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	for _, path := range []string{"/", "/app.js", "/healthz", "/readyz", "/api/v1/cases"} {
		if r := e.do("HEAD", path, "", signedIn); r.StatusCode != http.StatusOK {
			t.Errorf("HEAD %s: got %d", path, r.StatusCode)
		}
		r := e.do("OPTIONS", path, "", signedIn)
		if allow := r.Header.Get("Allow"); r.StatusCode != http.StatusNoContent || !strings.Contains(allow, "GET") {
			t.Errorf("OPTIONS %s: got %d, Allow %q", path, r.StatusCode, allow)
		}
		if r.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("OPTIONS %s lets other sites in", path)
		}
	}
}

func TestPageIsServedSafely(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	for path, want := range map[string]struct{ body, kind string }{
		"/": {"the page", "text/html"}, "/app.js": {"code", "text/javascript"},
	} {
		r := e.do("GET", path, "")
		if body := text(t, r); r.StatusCode != http.StatusOK || !strings.Contains(body, want.body) || !strings.HasPrefix(r.Header.Get("Content-Type"), want.kind) {
			t.Errorf("%s: got %d %s %q", path, r.StatusCode, r.Header.Get("Content-Type"), body)
		}
		policy := r.Header.Get("Content-Security-Policy")
		if !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") || !strings.Contains(policy, "frame-ancestors 'none'") {
			t.Errorf("%s: the content security policy is %q", path, policy)
		}
		if r.Header.Get("X-Content-Type-Options") != "nosniff" || r.Header.Get("Referrer-Policy") != "no-referrer" || r.Header.Get("Cache-Control") != "no-cache" {
			t.Errorf("%s: headers are %v", path, r.Header)
		}
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	if body := text(t, e.do("GET", "/healthz", "")); !strings.Contains(body, `"status":"ok"`) || !strings.Contains(body, `"version":"1.2.3"`) {
		t.Errorf("got %s", body)
	}
	if body := text(t, e.do("GET", "/readyz", "")); !strings.Contains(body, `"status":"ready"`) {
		t.Errorf("got %s", body)
	}
}

func TestReadyzTellsWhenTheDatabaseIsGone(t *testing.T) {
	t.Parallel()
	closed, err := store.Open(t.Context(), storetest.DSN(t, storetest.SQLite), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	e := newEdge(t, func(o *api.Options) { o.Store = closed })
	if detail := e.problem(e.do("GET", "/readyz", ""), http.StatusServiceUnavailable); detail != "the database does not answer" {
		t.Errorf("got %q", detail)
	}
	if log := e.log.String(); !strings.Contains(log, "cause=") || !strings.Contains(log, "closed") {
		t.Errorf("the log does not tell the cause:\n%s", log)
	}
	if r := e.do("GET", "/healthz", ""); r.StatusCode != http.StatusOK {
		t.Errorf("alive: got %d", r.StatusCode)
	}
}

func TestPeerIsWhoCallsUnlessAProxyIsTrusted(t *testing.T) {
	t.Parallel()
	networks := func(texts ...string) (out []netip.Prefix) {
		for _, s := range texts {
			out = append(out, netip.MustParsePrefix(s))
		}
		return out
	}
	tests := []struct {
		name    string
		trusted []netip.Prefix
		headers []string
		want    string
	}{
		{"nobody is trusted", nil, []string{"X-Forwarded-For: 203.0.113.9", "X-Real-Ip: 203.0.113.9", "Forwarded: for=203.0.113.9"}, "192.0.2.1"},
		{"another is trusted", networks("10.0.0.0/8"), []string{"X-Forwarded-For: 203.0.113.9"}, "192.0.2.1"},
		{"the caller is trusted", networks("192.0.2.0/24"), []string{"X-Forwarded-For: 203.0.113.9"}, "203.0.113.9"},
		{"what the caller's caller claims is not", networks("192.0.2.0/24"), []string{"X-Forwarded-For: 198.51.100.7, 203.0.113.9"}, "203.0.113.9"},
		{"a chain of trusted ones", networks("192.0.2.0/24", "10.0.0.0/8"), []string{"X-Forwarded-For: 203.0.113.9, 10.1.2.3"}, "203.0.113.9"},
		{"the trusted caller says nothing", networks("192.0.2.0/24"), nil, "192.0.2.1"},
		{"the trusted caller says nonsense", networks("192.0.2.0/24"), []string{"X-Forwarded-For: nonsense"}, "192.0.2.1"},
		{"loopback is not trusted by itself", networks("10.0.0.0/8"), []string{"X-Forwarded-For: 127.0.0.1"}, "192.0.2.1"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			e := newEdge(t, func(o *api.Options) { o.Proxies = test.trusted })
			r := e.do("POST", "/in/tool", "", append(test.headers, "X-Do: peer")...)
			if body := text(t, r); body != test.want || r.Header.Get("X-Tool") != "yes" || r.Header.Get("Content-Type") != "text/plain" {
				t.Errorf("the peer is %q, want %s (headers %v)", body, test.want, r.Header)
			}
		})
	}
}

func TestBearerMayBeSpeltInAnyCase(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	if r := e.do("GET", "/api/v1/cases", "", "Authorization: bearer "+token); r.StatusCode != http.StatusOK {
		t.Errorf("got %d", r.StatusCode)
	}
}

func TestTokensInAddressesStayOutOfTheLog(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	e.do("POST", "/in/tool/secret-in-the-path?token=secret-in-the-query", "r-1", "X-Do: forged")
	e.do("POST", "/in/tool/secret-in-the-path?token=secret-in-the-query", "r-1", "X-Do: panic")
	if log := e.log.String(); strings.Contains(log, "secret-in-the-path") || strings.Contains(log, "secret-in-the-query") {
		t.Errorf("the log holds a token:\n%s", log)
	}
}

// What net/http refuses before a handler sees it, seen over a real connection.
func TestOversizedAndBrokenRequests(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	server := httptest.NewUnstartedServer(e)
	server.Config.MaxHeaderBytes = 64 << 10
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)
	server.Start()
	defer server.Close()
	for name, test := range map[string]struct {
		request string
		status  int
	}{
		"headers without end": {"GET / HTTP/1.1\r\nHost: x\r\nA: " + strings.Repeat("a", 128<<10) + "\r\n\r\n", 431},
		"no host":             {"GET / HTTP/1.1\r\n\r\n", 400},
		"gibberish":           {"\x16\x03\x01 hello\r\n\r\n", 400},
		"body cut off":        {"POST /in/tool HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nshort", 400},
		"body of lies":        {"POST /in/tool HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400},
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := net.Dial("tcp", server.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err := io.WriteString(conn, test.request); err != nil {
				t.Logf("the server hung up early: %v", err)
			}
			if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
				t.Logf("close: %v", err)
			}
			r, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Body.Close()
			if r.StatusCode != test.status {
				t.Errorf("got %d, want %d", r.StatusCode, test.status)
			}
		})
	}
	if r := e.do("GET", "/healthz", ""); r.StatusCode != http.StatusOK {
		t.Errorf("alive afterwards: got %d", r.StatusCode)
	}
}
