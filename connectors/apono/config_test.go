package apono

import (
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
)

var noon = time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)

func testEnv(t testing.TB) connectors.Env {
	t.Helper()
	return connectortest.EnvAt(t, connectortest.NewClock(noon))
}

// open builds a connector from settings, with a token unless they choose a way without.
func open(t testing.TB, settings string) (connectors.Connector, error) {
	t.Helper()
	c := New().(*Config)
	c.Token = connectors.SecretValue("canary-token")
	if settings != "" { // an empty document would decode to nothing at all
		if err := yaml.UnmarshalWithOptions([]byte(settings), c, yaml.Strict()); err != nil {
			t.Fatal(err)
		}
	}
	return c.Open(testEnv(t))
}

func mustOpen(t testing.TB, settings string) connectors.Connector {
	t.Helper()
	k, err := open(t, settings)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// byCall opens a connector that decides by calls to server.
func byCall(t testing.TB, server *httptest.Server, settings string) *approver {
	t.Helper()
	return mustOpen(t, "base_url: "+server.URL+"\n"+settings).(*approver)
}

func withoutToken(t testing.TB, way string) connectors.Connector {
	t.Helper()
	c := New().(*Config)
	c.Way = way
	k, err := c.Open(testEnv(t))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestWhatAConnectionCanDoFollowsFromItsSettings(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name                  string
		k                     connectors.Connector
		decide, revoke, state bool
	}{
		{"api", mustOpen(t, ""), true, true, true},
		{"manual", withoutToken(t, "manual"), true, false, false},
		{"manual with a token", mustOpen(t, "way: manual"), true, true, true},
		{"none", withoutToken(t, "none"), true, false, false},
		{"none with a token", mustOpen(t, "way: none"), true, true, true},
	} {
		if got := connectors.Can(tt.k, connectors.Decide); got != tt.decide {
			t.Errorf("%s: can decide: %v", tt.name, got)
		}
		if got := connectors.Can(tt.k, connectors.Revoke); got != tt.revoke {
			t.Errorf("%s: can revoke: %v", tt.name, got)
		}
		if got := connectors.CanAskState(tt.k); got != tt.state {
			t.Errorf("%s: can be asked: %v", tt.name, got)
		}
		if _, ok := connectors.AsReceiver(tt.k); !ok {
			t.Errorf("%s: cannot receive", tt.name)
		}
		if len(connectors.Emits(tt.k)) != len(kinds) || len(connectors.Unverified(tt.k)) == 0 {
			t.Errorf("%s: emits or marks nothing", tt.name)
		}
		if got := connectors.Identifiers(tt.k); !slices.Equal(got, []string{"friendly_id"}) {
			t.Errorf("%s: identifiers %q", tt.name, got)
		}
		if got := connectors.DefaultVerification(tt.k); got.Bearer == nil || got.None {
			t.Errorf("%s: verification %+v, want Bearer", tt.name, got)
		}
	}
}

func TestAConnectionWithoutATokenCallsNobody(t *testing.T) {
	t.Parallel()
	for _, way := range []string{"manual", "none"} {
		if err := withoutToken(t, way).Ping(t.Context()); err != nil {
			t.Errorf("%s: Ping() = %v", way, err)
		}
	}
}

func TestSettingsKeepTheDefaultsTheyDoNotName(t *testing.T) {
	t.Parallel()
	k := mustOpen(t, `
base_url: https://api.eu.apono.example/
decision: {reason_limit: 60}
types: {SomethingOdd: anomaly}
`).(*approver)
	want := *New().(*Config)
	want.BaseURL = "https://api.eu.apono.example/"
	want.Token = k.config.Token
	want.Decision.ReasonLimit = 60
	want.Types = map[string]string{"SomethingOdd": "anomaly"}
	if diff := cmp.Diff(want, k.config, cmp.Comparer(connectors.Secret.Equal)); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
	if want := "https://api.eu.apono.example"; k.base != want {
		t.Errorf("base = %q, want %q", k.base, want)
	}
}

func TestOpenReportsEveryFaultWithItsPath(t *testing.T) {
	t.Parallel()
	_, err := open(t, `
base_url: http://apono.example
way: sometimes
decision:
  approve_path: //elsewhere.example/{request_id}
  reject_path: /a/{id}
  body: '{"justification":"{reason}"}'
  reason_limit: 0
  tasks_path: tasks
state: {path: x, words: {done: finished}}
revoke_path: https://elsewhere.example
ping_path: ""
answer_status: 404
types: {RequestGone: over, RequestCreated: access.failed}
fields:
  1st: [/a]
  justification: []
  id: [/who]
  extra: [/WHO, b]
`)
	if err == nil {
		t.Fatal("settings full of faults were accepted")
	}
	got := strings.Split(err.Error(), "\n")
	for _, path := range []string{
		"base_url: has to start with https", "way: is api, manual or none", "decision.approve_path: ", "decision.reject_path: holds {request_id}",
		"decision.body: is no JSON", "decision.reason_limit: ", "decision.tasks_path: ", "state.path: ", "state.words.done: ",
		"revoke_path: ", "ping_path: ", "answer_status: ", "types.RequestGone: ", "types.RequestCreated: already means access.requested",
		"fields.1st: ", "fields.justification: lists no", "fields.id: /who is used by extra", "fields.extra[1]: ",
	} {
		if !slices.ContainsFunc(got, func(line string) bool { return strings.HasPrefix(line, "settings."+path) }) {
			t.Errorf("no fault starts with %q", "settings."+path)
		}
	}
	if t.Failed() {
		t.Log(err)
	}
}

func TestDecidingByCallNeedsAToken(t *testing.T) {
	t.Parallel()
	_, err := New().Open(testEnv(t))
	if err == nil || !strings.Contains(err.Error(), "settings.token: is missing") {
		t.Errorf("Open() = %v", err)
	}
}

func TestUnverifiedListsOnlySettingsInUse(t *testing.T) {
	t.Parallel()
	api := strings.Join(connectors.Unverified(mustOpen(t, "decision: {tasks_path: ''}")), "\n")
	for _, present := range []string{"approve_path", "decision.body", "service account", "answer_status", "$.data."} {
		if !strings.Contains(api, present) {
			t.Errorf("%s is not listed", present)
		}
	}
	for _, absent := range []string{"unescape", "settings.types", "tasks_path", "manual webhook:"} {
		if strings.Contains(api, absent) {
			t.Errorf("%s is listed though it is not in use", absent)
		}
	}
	asked := strings.Join(connectors.Unverified(mustOpen(t, "way: manual\nunescape: true\ntypes: {X: audit}")), "\n")
	for _, present := range []string{"unescape", "settings.types", "manual webhook:"} {
		if !strings.Contains(asked, present) {
			t.Errorf("%s is not listed", present)
		}
	}
	if strings.Contains(asked, "approve_path") {
		t.Error("a call is listed that is never made")
	}
}

func TestEmitsDeclaresTheDocumentedVariables(t *testing.T) {
	t.Parallel()
	emitted := map[string]map[string]string{}
	for _, e := range connectors.Emits(mustOpen(t, "fields: {cost_center: [/cost]}")) {
		emitted[e.Kind] = map[string]string{}
		for _, f := range e.Data {
			if f.Doc == "" {
				t.Errorf("%s of %s says nothing of itself", f.ID, e.Kind)
			}
			emitted[e.Kind][f.ID] = f.Type
		}
	}
	want := []string{
		"access.approved", "access.denied", "access.expired", "access.failed", "access.granted", "access.requested",
		"anomaly", "audit", "integration.warning",
	}
	var got []string
	for kind := range emitted {
		got = append(got, kind)
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("kinds (-want +got):\n%s", diff)
	}
	for _, f := range []struct{ kind, field, want string }{
		{"access.requested", "id", "text"}, {"access.requested", "event_time", "time"}, {"access.approved", "approvals", "list"},
		{"access.requested", "access_duration_in_seconds", "number"}, {"access.failed", "access_groups", "list"},
		{"audit", "current_target_object", "any"}, {"audit", "actor_id", "text"}, {"audit", "id", ""}, {"access.requested", "action", ""},
		{"integration.warning", "status", "text"}, {"anomaly", "request_id", "text"}, {"audit", "cost_center", "text"},
	} {
		if got := emitted[f.kind][f.field]; got != f.want {
			t.Errorf("%s of %s is %q, want %q", f.field, f.kind, got, f.want)
		}
	}
}
