package connectortest

import (
	"encoding/pem"
	"log/slog"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Canary is the credential every connector under test is configured with, wherever it takes one. It must never appear
// in an error.
const Canary = "canary-b7d1f0c2e94a"

// Now is what the clock of Env shows, always.
var Now = time.Date(2026, time.March, 2, 9, 30, 0, 0, time.UTC)

// Env returns surroundings for a connector under test: a client that may reach loopback, a logger that drops
// everything and a clock that stands at Now. Each function may change how the client reaches out.
func Env(t testing.TB, change ...func(*connectors.Outbound)) connectors.Env {
	t.Helper()
	return EnvAt(t, NewClock(Now), change...)
}

// EnvAt is Env with a clock that the test moves.
func EnvAt(t testing.TB, at *Clock, change ...func(*connectors.Outbound)) connectors.Env {
	t.Helper()
	outbound := connectors.Outbound{AllowHosts: []string{"127.0.0.1", "::1", "localhost"}}
	for _, f := range change {
		f(&outbound)
	}
	client, err := connectors.NewClient(outbound, &connectors.Vault{}, at.Now)
	if err != nil {
		t.Fatalf("make client: %v", err)
	}
	t.Cleanup(client.Close)
	return connectors.Env{Name: "under-test", Client: client, Log: slog.New(slog.DiscardHandler), Now: at.Now}
}

// TrustStandins has the client trust the certificate that stand-ins borrow from httptest, which is for 127.0.0.1.
func TrustStandins(t testing.TB) func(*connectors.Outbound) {
	t.Helper()
	lender := httptest.NewTLSServer(nil)
	lender.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	Must(t, os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: lender.Certificate().Raw}), 0o600))
	return func(o *connectors.Outbound) { o.CA = ca }
}

// At reads the address New is given where a suite has a Peer.
func At(t testing.TB, baseURL string) (host string, port int) {
	t.Helper()
	host, text, err := net.SplitHostPort(strings.TrimPrefix(baseURL, "tcp://"))
	Must(t, err)
	port, err = strconv.Atoi(text)
	Must(t, err)
	return host, port
}
