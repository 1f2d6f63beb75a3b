// Package mockissuer starts oauth2-mock-server for tests: an issuer of tokens that nobody here wrote.
package mockissuer

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// script starts the server, which ends with its standard input.
const script = `
const { OAuth2Server } = await import(process.argv[2]);
const server = new OAuth2Server();
HOOKS
await server.start(0, "127.0.0.1");
console.log(server.issuer.url);
process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
`

// Start returns the issuer's address. hooks are lines of JavaScript that give server its keys and change its tokens. It
// skips the test where the server is not installed, and fails it instead when DRAWBRIDGE_REQUIRE, a list separated by
// commas, has "oauth2-mock-server".
func Start(t *testing.T, hooks string) string {
	t.Helper()
	_, here, _, _ := runtime.Caller(0)
	module := filepath.Join(filepath.Dir(here), "../../../.ci/node/node_modules/oauth2-mock-server/dist/index.mjs")
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
	file := filepath.Join(t.TempDir(), "server.mjs")
	if err := os.WriteFile(file, []byte(strings.Replace(script, "HOOKS", hooks, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(node, file, "file://"+module)
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
