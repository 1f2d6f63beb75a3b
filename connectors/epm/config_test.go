package epm

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

// open builds a connector from settings, which need not hold the credentials.
func open(t *testing.T, settings string) (*connector, error) {
	t.Helper()
	c := New().(*Config)
	c.ClientID, c.ClientSecret = "bridge", connectors.SecretValue("canary-secret")
	c.BaseURL = "https://acme-services.pm.beyondtrustcloud.com"
	if settings != "" { // an empty document would decode to nothing at all
		if err := yaml.UnmarshalWithOptions([]byte(settings), c, yaml.Strict()); err != nil {
			t.Fatal(err)
		}
	}
	k, err := c.Open(testEnv(t))
	if err != nil {
		return nil, err
	}
	return k.(*connector), nil
}

func mustOpen(t *testing.T, settings string) *connector {
	t.Helper()
	k, err := open(t, settings)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func mustOpenAt(t *testing.T, server *httptest.Server, settings string) *connector {
	t.Helper()
	return mustOpen(t, "base_url: "+server.URL+"\n"+settings)
}

func TestSettingsKeepTheDefaultsTheyDoNotName(t *testing.T) {
	t.Parallel()
	k := mustOpen(t, `
base_url: https://example-services.pm.beyondtrustcloud.com/
admin:
  decision_path: /management-api/v3/AdminAccessRequest/decision
  names: {message: note}
statuses: {approved: "3000"}
`)
	want := *New().(*Config)
	want.BaseURL = "https://example-services.pm.beyondtrustcloud.com/"
	want.ClientID, want.ClientSecret = "bridge", k.config.ClientSecret
	want.Admin.DecisionPath = "/management-api/v3/AdminAccessRequest/decision"
	want.Admin.Names.Message = "note"
	want.Statuses.Approved = "3000"
	if diff := cmp.Diff(want, k.config, cmp.Comparer(func(a, b connectors.Secret) bool { return a == b })); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
	if want := "https://example-services.pm.beyondtrustcloud.com"; k.base != want {
		t.Errorf("base = %q, want %q", k.base, want)
	}
}

func TestOpenReportsEveryFaultWithItsPath(t *testing.T) {
	t.Parallel()
	_, err := open(t, `
base_url: http://epm.example
token_url: token
client_id: ""
ping_path: ping
application: {path: //elsewhere.example/x}
admin:
  decision_path: x
  names: {request_id: "", message: decision}
state:
  application: [/management-api/v2/AuthorizationRequest]
  admin: ["/a/{id}"]
  outcome: [status]
  words: {done: finished, approved: denied}
date_format: "2006-01-02"
duration: {once: "", lengths: {soon: "1", 1h: ""}}
statuses: {approved: "1", denied: "1"}
fields:
  1st: [/a]
  Reason: []
  User: [/who]
  Extra: [/WHO, b]
`)
	if err == nil {
		t.Fatal("settings full of faults were accepted")
	}
	got := strings.Split(err.Error(), "\n")
	for _, path := range []string{
		"base_url: has to start with https", "token_url: ", "client_id: is missing", "ping_path: ", "application.path: ",
		"admin.decision_path: ", "admin.names.request_id: is missing", `admin.names: "decision" is used twice`,
		"state.application[0]: ", "state.admin[0]: ", "state.outcome[0]: ", "state.words.done: ",
		"state.words.approved: already means approved", "date_format: ", "duration.once: is missing",
		"duration.lengths.soon: ", "duration.lengths.1h: is missing", "statuses: approved and denied are the same",
		"fields.1st: ", "fields.Reason: lists no", "fields.User: /who is used by Extra", "fields.Extra[1]: ",
	} {
		if !slices.ContainsFunc(got, func(line string) bool { return strings.HasPrefix(line, "settings."+path) }) {
			t.Errorf("no fault starts with %q", "settings."+path)
		}
	}
	if t.Failed() {
		t.Log(err)
	}
}

func TestOpenNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	_, err := New().Open(testEnv(t))
	for _, want := range []string{"settings.base_url: is missing", "settings.client_id: is missing", "settings.client_secret: is missing"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Open() = %v, want it to contain %q", err, want)
		}
	}
}

func TestDateFormatIsWrittenInTheVendorsNotation(t *testing.T) {
	t.Parallel()
	for format, want := range map[string]string{
		"yyyy-MM-dd HH:mm:ss":  "2006-01-02 15:04:05",
		"yyyyMMddTHHmmssZ":     "20060102T150405Z",
		"dd/MM/yyyy HH.mm.ss":  "02/01/2006 15.04.05",
		"yyyy-MM-dd":           "",
		"yyyy-MM-dd HH:mm:ssx": "",
		"yyyy-MM-dd HH:mm:mm":  "",
	} {
		var f faults
		got := f.layout(format)
		if got != want || (want == "") != (len(f) > 0) {
			t.Errorf("layout(%q) = %q, faults %v, want %q", format, got, f, want)
		}
	}
}

func TestUnverifiedListsOnlySettingsInUse(t *testing.T) {
	t.Parallel()
	plain := strings.Join(mustOpen(t, "").Unverified(), "\n")
	for _, absent := range []string{"admin.decision_path", "correlation_header", "scope", "mixed_events"} {
		if strings.Contains(plain, absent) {
			t.Errorf("%s is listed though it is not in use", absent)
		}
	}
	full := strings.Join(mustOpen(t, `
scope: urn:management:api
correlation_header: true
mixed_events: true
admin: {decision_path: /x}
state: {application: [], admin: []}
`).Unverified(), "\n")
	for _, present := range []string{"admin.decision_path /x", "correlation_header", "scope", "mixed_events", "application.path", "statuses"} {
		if !strings.Contains(full, present) {
			t.Errorf("%s is not listed", present)
		}
	}
	if strings.Contains(full, "settings.state ") {
		t.Error("a state path is listed though none is set")
	}
}

func TestEmitsDeclaresEveryDocumentedVariable(t *testing.T) {
	t.Parallel()
	emitted := map[string]map[string]string{}
	for _, e := range mustOpen(t, "fields: {CostCenter: [/cost]}").Emits() {
		emitted[e.Kind] = map[string]string{}
		for _, f := range e.Data {
			emitted[e.Kind][f.ID] = f.Type
		}
	}
	count := map[string]int{}
	for kind, fields := range emitted {
		count[kind] = len(fields)
	}
	// the documented tables, RequestVersion for applications, and the field from the settings
	want := map[string]int{
		"access.requested": 5 + 45 + 2, "access.approved": 5 + 4 + 1, "access.denied": 5 + 4 + 1,
		"admin.requested": 5 + 6 + 1, "admin.approved": 5 + 7 + 1, "admin.denied": 5 + 7 + 1,
	}
	if diff := cmp.Diff(want, count); diff != "" {
		t.Errorf("fields declared by kind (-want +got):\n%s", diff)
	}
	for _, f := range []struct{ kind, field, want string }{
		{"access.requested", "TrustedOwnership", "bool"}, {"access.requested", "ClsID", "text"},
		{"access.requested", "Hostname", "text"}, {"access.requested", "Timestamp", "time"},
		{"access.approved", "Duration", "number"}, {"admin.approved", "Duration", "any"},
		{"admin.requested", "DurationRequested", "any"}, {"access.denied", "CostCenter", "text"},
	} {
		if got := emitted[f.kind][f.field]; got != f.want {
			t.Errorf("%s of %s is %q, want %q", f.field, f.kind, got, f.want)
		}
	}
}

func TestDefaultsForTheGateway(t *testing.T) {
	t.Parallel()
	k := mustOpen(t, "")
	if got := connectors.Identifiers(k); !slices.Equal(got, []string{"TicketNumber"}) {
		t.Errorf("identifiers %q", got)
	}
	if got := connectors.DefaultVerification(k); got.Basic == nil || got.None {
		t.Errorf("verification %+v, want Basic", got)
	}
}
