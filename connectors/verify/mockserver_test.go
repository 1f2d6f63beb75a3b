package verify_test

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/verify"
)

// mockServer is an issuer nobody here wrote: oauth2-mock-server, with a key of each kind. It ends with its standard
// input.
const mockServer = `
const { OAuth2Server } = await import(process.argv[2]);
const server = new OAuth2Server();
for (const alg of ["RS256", "PS384", "ES256", "EdDSA"]) await server.issuer.keys.generate(alg);
server.service.on("beforeTokenSigning", (token, request) => {
  token.payload.aud = "drawbridge";
  token.payload.sub = request.body.client_id;
});
await server.start(0, "127.0.0.1");
console.log(server.issuer.url);
process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
`

// startMockServer returns the issuer's address. It skips the test where the server is not installed, and fails it instead
// when DRAWBRIDGE_REQUIRE, a list separated by commas, has "oauth2-mock-server".
func startMockServer(t *testing.T) string {
	t.Helper()
	module, err := filepath.Abs("../../.ci/node/node_modules/oauth2-mock-server/dist/index.mjs")
	if err != nil {
		t.Fatal(err)
	}
	node, err := exec.LookPath("node")
	if err == nil {
		_, err = os.Stat(module)
	}
	if err != nil {
		if slices.Contains(strings.Split(os.Getenv("DRAWBRIDGE_REQUIRE"), ","), "oauth2-mock-server") {
			t.Fatalf("find oauth2-mock-server: %v", err)
		}
		t.Skip("skipped: oauth2-mock-server: not installed (make deps)")
	}
	script := filepath.Join(t.TempDir(), "server.mjs")
	if err := os.WriteFile(script, []byte(mockServer), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(node, script, "file://"+module)
	cmd.Stderr = t.Output()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("start oauth2-mock-server: %v", err)
	}
	return strings.TrimSpace(line)
}

func TestVerifyTokensOfOAuth2MockServer(t *testing.T) {
	t.Parallel()
	issuer := startMockServer(t)
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
