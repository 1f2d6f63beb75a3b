package signin_test

import (
	"testing"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/verify/mockissuer"
	"github.com/drawbridge-itsm/drawbridge/gateway/signin"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

// hooks make everybody who signs in at oauth2-mock-server Kim.
const hooks = `
await server.issuer.keys.generate("RS256");
server.service.on("beforeTokenSigning", (token) => {
  token.payload.email = "kim@corp.example";
  token.payload.email_verified = true;
  token.payload.name = "Kim";
});
`

func TestSignInAtOAuth2MockServer(t *testing.T) {
	t.Parallel()
	p, err := signin.New(signin.Options{
		Issuer: mockissuer.Start(t, hooks), ClientID: "drawbridge", Secret: connectors.SecretValue("any"), BaseURL: base,
		Store: storetest.New(t, storetest.SQLite), Vault: vault(),
	})
	if err != nil {
		t.Fatal(err)
	}
	address, _, kept, err := p.Begin(t.Context(), "/vote/x", "")
	if err != nil {
		t.Fatal(err)
	}
	token, to, err := p.Finish(t.Context(), kept, follow(t, address))
	if err != nil || to != "/vote/x" {
		t.Fatalf("finish: %q, %v", to, err)
	}
	if who, err := p.Who(t.Context(), token); err != nil || who.Mail != "kim@corp.example" {
		t.Errorf("who: %+v, %v", who, err)
	}
}
