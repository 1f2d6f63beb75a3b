package verify_test

import (
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/verify"
	"github.com/drawbridge-itsm/drawbridge/connectors/verify/mockissuer"
)

// hooks make the tokens of oauth2-mock-server those of a tool.
const hooks = `
for (const alg of ["RS256", "PS384", "ES256", "EdDSA"]) await server.issuer.keys.generate(alg);
server.service.on("beforeTokenSigning", (token, request) => {
  token.payload.aud = "drawbridge";
  token.payload.sub = request.body.client_id;
});
`

func TestVerifyTokensOfOAuth2MockServer(t *testing.T) {
	t.Parallel()
	issuer := mockissuer.Start(t, hooks)
	client, err := connectors.NewClient(connectors.Outbound{AllowHosts: []string{"127.0.0.1", "localhost"}}, &connectors.Vault{}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	env := verify.Env{Vault: &connectors.Vault{}, Now: time.Now, Client: client}
	v := newWith(t, connectors.Verification{Issuer: &connectors.IssuerCheck{URL: issuer, Audience: "drawbridge", Subject: "epm", Claims: map[string]string{"scope": "events"}}}, env)
	ask := func(id string) string {
		t.Helper()
		config := clientcredentials.Config{ClientID: id, ClientSecret: "any", TokenURL: issuer + "/token", Scopes: []string{"events", "more"}, AuthStyle: oauth2.AuthStyleInParams}
		token, err := config.Token(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return token.AccessToken
	}
	for range 4 { // one of each key
		if err := v.Verify(bearing(ask("epm")), ""); err != nil {
			t.Error(err)
		}
	}
	wantForged(t, v.Verify(bearing(ask("apono")), ""), "another subject", "apono")
	other := newWith(t, connectors.Verification{Issuer: &connectors.IssuerCheck{URL: issuer, Audience: "another", Subject: "epm"}}, env)
	wantForged(t, other.Verify(bearing(ask("epm")), ""), "another audience")
	good := ask("epm")
	at := strings.LastIndex(good, ".") + 10
	wantForged(t, v.Verify(bearing(good[:at]+string(good[at]^1)+good[at+1:]), ""), "not signed")
	// The clock of ours is an hour ahead of theirs.
	env.Now = func() time.Time { return time.Now().Add(61*time.Minute + 5*time.Second) }
	late := newWith(t, connectors.Verification{Issuer: &connectors.IssuerCheck{URL: issuer, Audience: "drawbridge", Subject: "epm"}}, env)
	wantForged(t, late.Verify(bearing(ask("epm")), ""), "has expired")
}
