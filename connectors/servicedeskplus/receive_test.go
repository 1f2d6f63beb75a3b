package servicedeskplus

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	desk "github.com/drawbridge-itsm/drawbridge/connectors/servicedeskplus/servicedeskplusstandin"
	"github.com/drawbridge-itsm/drawbridge/connectors/verify"
)

func notice(body []byte) connectors.Request {
	return connectors.Request{
		Method: http.MethodPost, URL: &url.URL{Path: "/in/servicedeskplus"}, Header: http.Header{"Content-Type": {"application/json; charset=UTF-8"}}, Body: body,
	}
}

// Each file of testdata/receive is a notice; beside it stands what it was read as.
func TestNoticesAsReceived(t *testing.T) {
	t.Parallel()
	c := spoken(t, nil)
	files, err := filepath.Glob(filepath.Join("testdata", "receive", "*.json"))
	connectortest.Must(t, err)
	if len(files) == 0 {
		t.Fatal("there are no notices")
	}
	for _, file := range files {
		body, err := os.ReadFile(file)
		connectortest.Must(t, err)
		got, err := c.Receive(t.Context(), notice(body))
		text := ""
		if err != nil {
			text = "error: " + err.Error() + "\n"
		}
		for _, change := range got.Changes {
			line, err := json.Marshal(change)
			connectortest.Must(t, err)
			text += string(line) + "\n"
		}
		connectortest.Golden(t, "receive-"+strings.TrimSuffix(filepath.Base(file), ".json"), text)
	}
}

func TestOtherMediaTypesAreRefused(t *testing.T) {
	t.Parallel()
	c := spoken(t, nil)
	r := notice([]byte("request_id=1"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if _, err := c.Receive(t.Context(), r); err == nil {
		t.Error("a form was taken")
	} else if _, ok := errors.AsType[*connectors.WrongType](err); !ok {
		t.Errorf("got %v", err)
	}
	if _, err := c.Receive(t.Context(), notice(bytes.Repeat([]byte(" "), maxNotice+1))); err == nil {
		t.Error("a large body was taken")
	}
}

func FuzzReceive(f *testing.F) {
	files, err := filepath.Glob(filepath.Join("testdata", "receive", "*.json"))
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	c := &connector{conf: Config{}.withDefaults()}
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := c.Receive(t.Context(), notice(body))
		if err == nil && (len(got.Changes) != 1 || !requestID.MatchString(got.Changes[0].Ref.ID)) {
			t.Errorf("received %+v", got)
		}
		if _, malformed := errors.AsType[*connectors.Malformed](err); err != nil && !malformed {
			t.Errorf("got %v", err)
		}
	})
}

func verifier(t *testing.T, c *connector, secret string, now func() time.Time) *verify.Verifier {
	t.Helper()
	secrets := []connectors.Secret{connectors.SecretValue(secret)}
	given := connectors.Verification{Header: &connectors.HeaderCheck{Values: secrets}}
	if c.conf.Edition == onprem {
		given = connectors.Verification{HMAC: &connectors.HMACCheck{Secrets: secrets}}
	}
	v, err := verify.New(c.Verification(), given, verify.Env{Vault: &connectors.Vault{}, Now: now})
	connectortest.Must(t, err)
	return v
}

const hookSecret = "thirty-two-characters-of-a-secret"

func TestAWebhookBecomesAChange(t *testing.T) {
	t.Parallel()
	for _, edition := range []string{desk.Cloud, desk.OnPrem} {
		w := newWorld(t, desk.Options{Edition: edition})
		listener := connectortest.ListenForNotices(t)
		w.desk.SetHook(listener.URL, hookSecret)
		ref := create(t, w.connector, "k1")
		connectortest.Must(t, w.desk.Answer(ref.ID, desk.Kim, desk.Approved))
		connectortest.Must(t, w.desk.Flush(t.Context()))
		notices := listener.All()
		if len(notices) != 2 {
			t.Fatalf("%s: %d notices, want 2", edition, len(notices))
		}
		for _, r := range notices {
			if _, err := verifier(t, w.connector, hookSecret, w.time.Now).Verify(t.Context(), r, ""); err != nil {
				t.Errorf("%s: verify: %v", edition, err)
			}
			if _, err := verifier(t, w.connector, "another", w.time.Now).Verify(t.Context(), r, ""); !errors.Is(err, connectors.ErrForged) {
				t.Errorf("%s: another secret: %v", edition, err)
			}
			got, err := w.Receive(t.Context(), r)
			if err != nil || len(got.Changes) != 1 || got.Changes[0].Ref.ID != ref.ID {
				t.Errorf("%s: received %+v, %v", edition, got, err)
			}
		}
	}
}

// The script runs as the desk would run it, where there is a Python to run it with.
func TestTheDeskScriptSigns(t *testing.T) {
	t.Parallel()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("there is no python3")
	}
	listener := connectortest.ListenForNotices(t)
	dir := t.TempDir()
	script := (&Config{}).DeskScript(listener.URL)
	if strings.Contains(script, "bridge.example.com") || !strings.Contains(script, listener.URL) {
		t.Fatalf("the script does not call the address:\n%s", script)
	}
	for name, text := range map[string]string{
		"drawbridge.py": script, "drawbridge.secret": hookSecret + "\n", "request.json": `{"request":{"id":100000000000123456,"subject":"ü"}}`, "broken.json": "{",
	} {
		connectortest.Must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	run := func(file string) string {
		out, err := exec.CommandContext(t.Context(), python, filepath.Join(dir, "drawbridge.py"), filepath.Join(dir, file)).CombinedOutput()
		connectortest.Must(t, err)
		return string(out)
	}
	if out := run("request.json"); out != `{"result": "success", "message": "Drawbridge was told"}`+"\n" {
		t.Errorf("the script says %s", out)
	}
	if out := run("broken.json"); !strings.Contains(out, `"result": "failure"`) || strings.Contains(out, hookSecret) {
		t.Errorf("the script says %s", out)
	}
	notices := listener.All()
	if len(notices) != 1 {
		t.Fatalf("%d notices, want 1", len(notices))
	}
	c := spoken(t, nil)
	if _, err := verifier(t, c, hookSecret, time.Now).Verify(t.Context(), notices[0], ""); err != nil {
		t.Errorf("verify: %v", err)
	}
	got, err := c.Receive(t.Context(), notices[0])
	if err != nil || len(got.Changes) != 1 || got.Changes[0].Ref.ID != "100000000000123456" {
		t.Errorf("received %+v, %v", got, err)
	}
}
