package connectortest

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/verify"
)

// Notices is an address that a desk's script tells, and what it was told.
type Notices struct {
	URL string

	mu  sync.Mutex
	all []connectors.Request
}

// ListenForNotices listens until the test ends.
func ListenForNotices(t testing.TB) *Notices {
	t.Helper()
	n := &Notices{}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the script is gone
		}
		n.mu.Lock()
		defer n.mu.Unlock()
		n.all = append(n.all, connectors.Request{Method: r.Method, URL: r.URL, Header: r.Header, Body: body})
	}))
	t.Cleanup(server.Close)
	n.URL = server.URL
	return n
}

// All is every notice so far.
func (n *Notices) All() []connectors.Request {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.all)
}

// SignedReceiver is a connector of a desk whose script signs what it sends.
type SignedReceiver interface {
	connectors.Receiver
	connectors.Signer
}

// Changes is what c makes of the notices so far. Each is signed with secret, is refused with a changed body, and tells of
// one named change.
func (n *Notices) Changes(t testing.TB, c SignedReceiver, secret string) []connectors.Change {
	t.Helper()
	given := connectors.Verification{HMAC: &connectors.HMACCheck{Secrets: []connectors.Secret{connectors.SecretValue(secret)}}}
	verifier, err := verify.New(c.Verification(), given, verify.Env{Vault: &connectors.Vault{}, Now: time.Now})
	Must(t, err)
	var all []connectors.Change
	for _, r := range n.All() {
		if _, err := verifier.Verify(t.Context(), r, ""); err != nil {
			t.Errorf("verify: %v", err)
		}
		changed := r
		changed.Body = append(bytes.Clone(r.Body), ' ')
		if _, err := verifier.Verify(t.Context(), changed, ""); err == nil {
			t.Error("a changed body was taken")
		}
		got, err := c.Receive(t.Context(), r)
		if err != nil || len(got.Changes) != 1 || got.Changes[0].ID == "" {
			t.Errorf("receive = %+v, %v", got, err)
			continue
		}
		all = append(all, got.Changes[0])
	}
	return all
}
