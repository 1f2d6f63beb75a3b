package webhook

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/parser"
	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
)

var noon = time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)

func testEnv(t testing.TB) connectors.Env {
	t.Helper()
	return connectortest.EnvAt(t, connectortest.NewClock(noon))
}

func open(t testing.TB, settings string) (connectors.Connector, error) {
	t.Helper()
	return openWith(t, testEnv(t), settings)
}

func openIn(t testing.TB, env connectors.Env, settings string) connectors.Connector {
	t.Helper()
	k, err := openWith(t, env, settings)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func openWith(t testing.TB, env connectors.Env, settings string) (connectors.Connector, error) {
	t.Helper()
	c := New()
	if err := yaml.UnmarshalWithOptions([]byte(settings), c, yaml.Strict()); err != nil {
		t.Fatalf("read settings: %v", err)
	}
	return c.Open(env)
}

func mustOpen(t testing.TB, settings string) connectors.Connector {
	t.Helper()
	return openIn(t, testEnv(t), settings)
}

func TestSettingsReportEveryFault(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, settings string
		want           []string
	}{
		{"nothing", "{}", []string{
			"settings.paths.id: is missing", "settings.paths.kind: is missing",
		}},
		{"many at once", `
format: xml
time_format: iso
max_batch: 0
headers: ["", Authorization, X-Event, x-event, "a b"]
handshake: {rate: -1, origins: ["*"]}
paths: {id: event, kind: made.up, request_id: same, reason: "${boby.x}", subject: /a~2b, severity: '${header["x-other"]}'}
kinds: {a: access.request}
data:
  1st: /a
  Empty: {type: text}
  Odd: {at: /a, type: string}
  Carried: {at: /a, type: list, carry: true}
`, []string{
			"settings.format: is one of json, cloudevents, standard_webhooks",
			"settings.time_format: is one of [rfc3339 unix unix_ms]",
			"settings.paths.id: is the same for every event",
			"settings.paths.request_id: is the same for every event",
			`settings.paths.kind: is always "made.up", which settings.kinds does not list`,
			`settings.kinds.a: "access.request" is no kind of event`,
			`settings.headers[0]: "" is no name`, "settings.headers[1]: Authorization holds credentials",
			"settings.headers[3]: X-Event is there twice", "settings.headers[4]",
			"settings.data.1st: is no name", "settings.data.Empty: has no path", "settings.data.Odd.type: is one of text",
			"settings.data.Carried.carry: is for texts", "settings.max_batch: is from 1 to 1000",
			"settings.handshake.rate: is negative", "settings.handshake.origins[0]: is no name", "settings.handshake: is for the format cloudevents",
			"settings.paths.subject: in a JSON pointer ~ is written ~0", "settings.paths.reason: unknown name boby", "settings.paths.severity: unknown field x-other",
		}},
		{"identity of formats", "format: cloudevents\npaths: {id: /id}", []string{"settings.paths.id: is not used: a CloudEvent is known by its source and id"}},
		{"identity of Standard Webhooks", "format: standard_webhooks\npaths: {id: /id}", []string{"settings.paths.id: is not used: the header webhook-id"}},
		{"a kind that is none of ours", "paths: {id: /id, kind: made.up}", []string{`settings.paths.kind: is always "made.up", which is no kind of event`}},
		{"a call", smallest + `
auth: {basic: {}, bearer: {}, header: {name: Host}, oauth: {token_url: "http://tool.example/token"}}
ping: {}
decision:
  method: SEND
  url: "${decision.request_id}"
  encoding: xml
  headers: {Host: x, Authorization: Bearer abc, X-A: "${decision.nobody}", x-a: b, "a b": c}
  body: {a: ["${decision.ids.Nr}", "${answer.status}"]}
  words: {pending: x, denied: approved}
  ok: [500, 401, 409]
  taken: /a~
  state:
    url: https://host/x#y
    body: "${"
    words: {odd: maybe, approved: denied, Odd: pending}
`, []string{
			"settings.auth.basic.user: is missing", "settings.auth.basic.password: is missing", "settings.auth.bearer.token: is missing",
			"settings.auth.header.name: Host is set by the exchange", "settings.auth.header.value: is missing",
			"settings.auth.oauth.token_url: has to start with https://", "settings.auth.oauth.client_id: is missing", "settings.auth.oauth.client_secret: is missing",
			"settings.auth: is one of basic, bearer, header and oauth",
			"settings.ping.url: is missing",
			"settings.decision.method: is one of", "settings.decision.encoding: is one of",
			"settings.decision.headers.Authorization: holds credentials", "settings.decision.headers.Host: Host is set by the exchange",
			`settings.decision.headers.a b: "a b" is no name of a header`, "settings.decision.headers.x-a: is there twice",
			"settings.decision.url: starts with https:// and a host, written out",
			"settings.decision.body.a[0]: ", "settings.decision.body.a[1]: unknown name answer", "settings.decision.headers.X-A: unknown field nobody",
			"settings.decision.words.pending: the outcomes are approved and denied", "settings.decision.words: approved and denied are the same",
			"settings.decision.ok[0]: 500 cannot mean", "settings.decision.ok[1]: 401 cannot mean", "settings.decision.ok: lists no success",
			"settings.decision.taken: in a JSON pointer ~ is written ~0",
			"settings.decision.state.outcome: is missing", "settings.decision.state.url: is no plain URL", "settings.decision.state.body: ${ has no }",
			"settings.decision.state.words.odd: means pending, approved, denied or expired", "settings.decision.state.words.approved: is what we tell as approved",
			"settings.decision.state.words.odd: already means",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := open(t, tt.settings)
			if err == nil {
				t.Fatal("got no error")
			}
			lines := strings.Split(err.Error(), "\n")
			for _, want := range tt.want {
				if !slices.ContainsFunc(lines, func(line string) bool { return strings.HasPrefix(line, want) }) {
					t.Errorf("no line begins with %q", want)
				}
			}
			if len(lines) != len(tt.want) {
				t.Errorf("got %d faults, want %d:\n%s", len(lines), len(tt.want), err)
			}
		})
	}
}

func TestAURLKeepsItsHost(t *testing.T) {
	t.Parallel()
	for url, good := range map[string]bool{
		"https://tool.example":                                    true,
		"https://tool.example/${decision.request_id}":             true,
		"https://tool.example:8443/a?b=${decision.request_id}":    true,
		"https://tool.example?b=${decision.request_id}":           true,
		"http://127.0.0.1:8080/${decision.request_id}":            true,
		"http://localhost/x":                                      true,
		"https://${decision.request_id}/":                         false,
		"https://tool.example${decision.request_id}/":             false,
		"https://tool.example:${decision.request_id}/":            false,
		"https://a:b@tool.example/${decision.request_id}":         false,
		"https://tool.example/${decision.request_id}#fragment":    false,
		"https://tool.example/../${decision.request_id}":          false,
		"https://tool.example/%2${decision.request_id}":           false,
		"http://tool.example/${decision.request_id}":              false,
		"//tool.example/${decision.request_id}":                   false,
		"ftp://tool.example/${decision.request_id}":               false,
		"https:tool.example/${decision.request_id}":               false,
		"${decision.request_id}://tool.example/":                  false,
		"https://tool.example/a b\n${decision.request_id}":        false,
		"https://[::1/${decision.request_id}":                     false,
		"https://tool.example\\@evil.example/${decision.outcome}": false,
	} {
		_, err := open(t, smallest+"decision: {url: "+strconv.Quote(url)+"}")
		if (err == nil) != good {
			t.Errorf("%s: %v, want it taken: %v", url, err, good)
		}
	}
}

func TestAConnectionCanDoWhatItsSettingsSay(t *testing.T) {
	t.Parallel()
	const told = smallest + "decision: {url: https://tool.example/"
	for _, tt := range []struct {
		name, settings string
		decide, ask    bool
	}{
		{"only receives", smallest, false, false},
		{"is told", told + "}", true, false},
		{"is told and asked", told + ", state: {url: https://tool.example/, outcome: /status}}", true, true},
	} {
		k := mustOpen(t, tt.settings)
		if got := connectors.Can(k, connectors.Decide); got != tt.decide {
			t.Errorf("%s: can decide is %v", tt.name, got)
		}
		if got := connectors.CanAskState(k); got != tt.ask {
			t.Errorf("%s: can be asked is %v", tt.name, got)
		}
		if _, ok := connectors.AsReceiver(k); !ok || len(connectors.Emits(k)) != 1 {
			t.Errorf("%s: does not receive one kind of event", tt.name)
		}
	}
}

func TestEmitsSaysWhatDataHolds(t *testing.T) {
	t.Parallel()
	k := mustOpen(t, readFile(t, "testdata/json.yaml"))
	want := []connectors.Field{
		{ID: "Due", Type: "time"}, {ID: "Host", Type: "any"}, {ID: "Number", Type: "text", Doc: "the tool's own number"},
		{ID: "Resource", Type: "any"}, {ID: "Risk", Type: "number"}, {ID: "Tags", Type: "list"}, {ID: "Urgent", Type: "bool"},
	}
	emitted := connectors.Emits(k)
	var kinds []string
	for _, e := range emitted {
		kinds = append(kinds, e.Kind)
		if diff := cmp.Diff(want, e.Data); diff != "" {
			t.Errorf("%s (-want +got):\n%s", e.Kind, diff)
		}
	}
	if diff := cmp.Diff([]string{connectors.AccessApproved, connectors.AccessDenied, connectors.AccessRequested}, kinds); diff != "" {
		t.Errorf("kinds (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"Number"}, connectors.Identifiers(k)); diff != "" {
		t.Errorf("identifiers (-want +got):\n%s", diff)
	}
}

func TestVerificationFollowsTheFormat(t *testing.T) {
	t.Parallel()
	for settings, want := range map[string]connectors.Verification{
		smallest:                    {},
		"format: cloudevents":       {Bearer: &connectors.BearerCheck{}},
		"format: standard_webhooks": {StandardWebhooks: &connectors.StandardWebhooks{}},
	} {
		if diff := cmp.Diff(want, connectors.DefaultVerification(mustOpen(t, settings))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", settings, diff)
		}
	}
}

// TestSecretsAreSealedWhereTheyStand decodes settings as a document is decoded when it is saved.
func TestSecretsAreSealedWhereTheyStand(t *testing.T) {
	t.Parallel()
	const text = `paths: {id: /id, kind: audit}
auth: {bearer: {token: {value: canary-1}}}
decision:
  url: https://tool.example/
  headers:
    X-Key: {value: canary-2}
    X-Other:
      value: canary-3
    X-Text: plain
    X-Lines: |
      folded
  body: {a: {b: [1, "${decision.outcome}"]}}
  state: {url: https://tool.example/, outcome: /a, headers: {X-Key: {env: DRAWBRIDGE_SECRET_X}}}
`
	file, err := parser.ParseBytes([]byte(text), parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	ctx := connectors.WithSealer(t.Context(), func(value string) (string, error) { return "k1:" + value[len(value)-1:], nil })
	c := New().(*Config)
	if err := yaml.NewDecoder(bytes.NewReader(nil), yaml.Strict()).DecodeFromNodeContext(ctx, file.Docs[0].Body, c); err != nil {
		t.Fatal(err)
	}
	stored := file.String()
	if strings.Contains(stored, "canary") || strings.Count(stored, "sealed: k1:") != 3 {
		t.Errorf("the stored text holds a secret, or lacks one:\n%s", stored)
	}
	if h := c.Decision.Headers; h["X-Text"].Text != "plain" || h["X-Key"].Secret.IsZero() || h["X-Key"].Text != "" {
		t.Errorf("headers: %+v", h)
	}
	if printed := fmt.Sprintf("%v %+v %#v", c, c.Decision, c.Auth.Bearer); strings.Contains(printed, "canary") {
		t.Errorf("a secret is printed: %s", printed)
	}
	for _, wrong := range []string{"X-Key: {value: a, env: DRAWBRIDGE_SECRET_B}", "X-Key: [a]", "X-Key: 1", "X-Key: {}"} {
		settings := "decision: {headers: {" + wrong + "}}"
		if err := yaml.UnmarshalWithOptions([]byte(settings), New(), yaml.Strict()); err == nil {
			t.Errorf("%s: got no error", wrong)
		}
	}
	for _, wrong := range []string{"data: {A: {at: /a, typ: text}}", "paths: {idd: /id}", "decision: {urls: x}", "decision: {state: {path: /x}}", "data: {A: [a]}"} {
		if err := yaml.UnmarshalWithOptions([]byte(wrong), New(), yaml.Strict()); err == nil {
			t.Errorf("%s: got no error", wrong)
		}
	}
}
