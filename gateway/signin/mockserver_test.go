package signin_test

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/gateway/signin"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

// mockServer is an issuer nobody here wrote: oauth2-mock-server. It ends with its standard input.
const mockServer = `
const { OAuth2Server } = await import(process.argv[2]);
const server = new OAuth2Server();
await server.issuer.keys.generate("RS256");
server.service.on("beforeTokenSigning", (token) => {
  token.payload.email = "kim@corp.example";
  token.payload.email_verified = true;
  token.payload.name = "Kim";
});
await server.start(0, "127.0.0.1");
console.log(server.issuer.url);
process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
`

// TestSignInAtOAuth2MockServer skips where the server is not installed, and fails there when DRAWBRIDGE_REQUIRE, a list
// separated by commas, has "oauth2-mock-server".
func TestSignInAtOAuth2MockServer(t *testing.T) {
	t.Parallel()
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
	p, err := signin.New(signin.Options{
		Issuer: strings.TrimSpace(line), ClientID: "drawbridge", Secret: connectors.SecretValue("any"), BaseURL: base,
		Store: storetest.New(t, storetest.SQLite), Vault: vault(),
	})
	if err != nil {
		t.Fatal(err)
	}
	address, _, kept, err := p.Begin(t.Context(), "/vote/x")
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
