package preset

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
)

// Each change to a good file is one fault, told with its line and field.
func TestFaultsNameFileLineAndField(t *testing.T) {
	t.Parallel()
	good := string(readFile(t, "presets/logzio.yaml"))
	for _, tt := range []struct{ old, with, want string }{
		{"framing: ndjson", "framing: xml", "body.framing: value must be one of"},
		{"group: siem", "grup: siem", "grup: there is no such field"},
		{"  success: [{status: [200]}]\n", "", "response: lacks success"},
		{`"${event.subject ?? event.kind}"`, `"${event.subject ??}"`, "body.item.message: "},
		{`type: "${group}"`, `type: "${grup}"`, "request.query.type: "},
		{`type: "${group}"`, `type: "${params.nobody}"`, "request.query.type: "},
		{"param: token, secret: token", "param: token, secret: type", "auth[0]: type is no param of type secret"},
		{"param: token, secret: token", "secret: token", "auth[0]: lacks param"},
		{"{name: port, type: int, default: 8071", "{name: port, type: int, default: many", "params[1].default: is a whole number"},
		{"{name: type, type: string", "{name: region, type: string", "params[3].name: is there twice"},
		{"cut_at: $.message", "cut_at: message", "batch.cut_at: "},
		{"on_oversize: cut, cut_at: $.message", "on_oversize: cut", "batch.cut_at: belongs to"},
		{"linger: 2s", "linger: soon", "batch.linger: "},
		{"version: 1", "version: [", ""},
		{"preset: logzio", "- preset", ""},
	} {
		text := strings.Replace(good, tt.old, tt.with, 1)
		if text == good {
			t.Fatalf("%q is not there", tt.old)
		}
		_, err := Parse("logzio.yaml", []byte(text))
		var fault Fault
		if !errors.As(err, &fault) || !strings.HasPrefix(err.Error(), "logzio.yaml") || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %s", tt.with, err, tt.want)
		}
		line := strings.Count(text[:strings.Index(text, tt.with)+1], "\n") + 1
		if tt.want != "" && tt.with != "" && !strings.Contains(err.Error(), fmt.Sprintf("logzio.yaml:%d: %s", line, tt.want)) {
			t.Errorf("%s: got %v, want it at line %d", tt.with, err, line)
		}
	}
}

func TestSettingsAreCheckedAtOnce(t *testing.T) {
	t.Parallel()
	p := shipped(t, "sentinel")
	_, err := open(t, p, map[string]any{"endpoint": "ftp://x", "rule": "../..", "stream": 7, "cloud": "moon", "nobody": 1, "address": "https://x/path", "validators": []any{map[string]any{"path": "status"}}})
	for _, want := range []string{"settings.endpoint: ", "settings.rule: ", "settings.tenant: is missing: the directory", "settings.client_secret: is missing", "settings.cloud: is one of china, public, us_government",
		"settings.nobody: there is no such setting", "settings.address: ", "settings.validators[0].path", "settings.validators[0].values"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestAServerThatIsNotTheVendorsIsRefused(t *testing.T) {
	t.Parallel()
	p := shipped(t, "logzio")
	given := settings(t, p, "")
	delete(given, "address")
	if _, err := open(t, p, given); err != nil {
		t.Error(err)
	}
	given["port"] = 22
	if _, err := open(t, p, given); err == nil || !strings.Contains(err.Error(), "port 22") {
		t.Errorf("got %v", err)
	}
}

// Ports count without hosts too: what sends anywhere, but not to any port.
func TestPortsAreWantedWithoutHosts(t *testing.T) {
	t.Parallel()
	text := strings.NewReplacer(`allow_hosts: ["listener*.logz.io"]`, "", "listener.logz.io", "logs.example.com").Replace(string(readFile(t, "presets/logzio.yaml")))
	p, err := Parse("logzio.yaml", []byte(text))
	connectortest.Must(t, err)
	for port, fine := range map[int]bool{8071: true, 443: true, 22: false} {
		given := settings(t, p, "")
		delete(given, "address")
		given["port"] = port
		if _, err := open(t, p, given); (err == nil) != fine {
			t.Errorf("port %d: got %v", port, err)
		}
	}
}

func TestThereIsNoSecretInAnError(t *testing.T) {
	t.Parallel()
	p := shipped(t, "logzio")
	given := settings(t, p, "")
	delete(given, "address")
	c, err := open(t, p, given, func(e *connectors.Env) {
		client, err := connectors.NewClient(connectors.Outbound{Proxy: "http://127.0.0.1:1"}, &connectors.Vault{}, e.Now)
		connectortest.Must(t, err)
		e.Client = client
	})
	connectortest.Must(t, err)
	_, err = send(t, c, records(1))
	if err == nil || strings.Contains(err.Error(), canary) || strings.Contains(err.Error(), "mark-") {
		t.Errorf("got %v", err)
	}
}
