package jira

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/jira/jirastandin"
	"github.com/drawbridge-itsm/drawbridge/connectors/verify"
)

func TestASignedWebhookBecomesAChange(t *testing.T) {
	t.Parallel()
	var notices []connectors.Request
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		notices = append(notices, connectors.Request{Method: r.Method, URL: r.URL, Header: r.Header, Body: body})
	}))
	defer hook.Close()
	w := newWorld(t, worldOptions{jira: jirastandin.Options{HookURL: hook.URL, HookSecret: "s3cret"}})
	ref := w.create(t, "k1")
	if err := w.jira.Move(ref.Key, "acc-kim", "Approved", nil); err != nil {
		t.Fatal(err)
	}
	if err := w.jira.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	given := connectors.Verification{HMAC: &connectors.HMACCheck{Secrets: []connectors.Secret{connectors.SecretValue("s3cret")}}}
	verifier, err := verify.New(w.Verification(), given, verify.Env{Vault: &connectors.Vault{}, Now: w.time.Now})
	if err != nil {
		t.Fatal(err)
	}
	if len(notices) != 2 {
		t.Fatalf("%d webhooks, want one for the create and one for the move", len(notices))
	}
	for _, r := range notices {
		if _, err := verifier.Verify(t.Context(), r, ""); err != nil {
			t.Errorf("verify: %v", err)
		}
		got, err := w.Receive(t.Context(), r)
		if err != nil || len(got.Changes) != 1 || got.Changes[0].Ref != ref || got.Changes[0].ID == "" {
			t.Errorf("receive = %+v, %v, want a change of %v", got, err, ref)
		}
		r.Body = append(r.Body, ' ')
		if _, err := verifier.Verify(t.Context(), r, ""); err == nil {
			t.Error("a changed body was taken")
		}
	}
}
