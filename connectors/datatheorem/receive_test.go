package datatheorem

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	"github.com/drawbridge-itsm/drawbridge/connectors/datatheorem/datatheoremstandin"
)

func receive(t testing.TB, k *connector, body []byte) (connectors.Event, error) {
	t.Helper()
	got, err := k.Receive(t.Context(), connectors.Request{Method: http.MethodPost, Header: http.Header{}, Body: body, Time: connectortest.Now})
	if err != nil {
		return connectors.Event{}, err
	}
	if len(got.Events) != 1 || got.Changes != nil || got.Votes != nil || got.Reply != nil {
		t.Fatalf("received %+v, want exactly one event", got)
	}
	return got.Events[0], nil
}

func TestReceiveCases(t *testing.T) {
	t.Parallel()
	k := mustOpen(t, "")
	for _, dir := range connectortest.Cases(t, "receive") {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			t.Parallel()
			event, err := receive(t, k, connectortest.Body(t, dir))
			if want, readErr := os.ReadFile(filepath.Join(dir, "want.err")); readErr == nil {
				m, ok := errors.AsType[*connectors.Malformed](err)
				if !ok || !strings.Contains(m.Reason, strings.TrimSpace(string(want))) {
					t.Fatalf("got %v, want *Malformed with %q", err, want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			connectortest.GoldenJSON(t, filepath.Join(dir, "want.json"), map[string]any{"dedupe": event.Dedupe, "event": event})
		})
	}
}

func TestDeepAndLargeBodiesAreRefused(t *testing.T) {
	t.Parallel()
	k := mustOpen(t, "")
	for name, body := range map[string]string{
		"a megabyte of brackets": strings.Repeat("[", 1<<20),
		"a megabyte of objects":  `{"event":` + strings.Repeat(`{"a":`, 1<<18),
		"deep data":              `{"event":{"type":"X","data":` + strings.Repeat(`{"a":`, 100) + `1` + strings.Repeat("}", 102),
		"many values":            `{"event":{"type":"X","data":{"a":[` + strings.Repeat("1,", 1<<17) + `1]}}}`,
	} {
		if _, err := receive(t, k, []byte(body)); err == nil {
			t.Errorf("%s was accepted", name)
		} else if _, ok := errors.AsType[*connectors.Malformed](err); !ok {
			t.Errorf("%s: got %v, want *Malformed", name, err)
		}
	}
}

// TestEveryMemberMayBeOfAnyType gives each member of the documented example another type, one after the other.
func TestEveryMemberMayBeOfAnyType(t *testing.T) {
	t.Parallel()
	k := mustOpen(t, "")
	var walk func(v any, found func(object map[string]any, key string))
	walk = func(v any, found func(map[string]any, string)) {
		object, _ := v.(map[string]any)
		for _, key := range slices.Sorted(maps.Keys(object)) {
			walk(object[key], found)
			found(object, key)
		}
	}
	var example map[string]any
	if err := json.Unmarshal(datatheoremstandin.Example, &example); err != nil {
		t.Fatal(err)
	}
	fields := map[string]string{}
	for _, f := range findingFields {
		fields[f.ID] = f.Type
	}
	walk(example, func(object map[string]any, key string) {
		held := object[key]
		defer func() { object[key] = held }()
		for _, other := range []any{nil, true, 5, 1e15, "text", "", []any{}, []any{"a", 1}, map[string]any{}, map[string]any{"a": nil}} {
			object[key] = other
			body, err := json.Marshal(example)
			if err != nil {
				t.Fatal(err)
			}
			event, err := receive(t, k, body)
			if err != nil {
				if _, ok := errors.AsType[*connectors.Malformed](err); !ok {
					t.Errorf("%s = %v: got %v, want *Malformed", key, other, err)
				}
				continue
			}
			for name, value := range event.Data {
				if _, isText := value.(string); !isText && (fields[name] == "text" || fields[name] == "time") {
					t.Errorf("%s = %v: data %s is a %T, declared as %s", key, other, name, value, fields[name])
				}
			}
		}
	})
}

func TestContentTypes(t *testing.T) {
	t.Parallel()
	k := mustOpen(t, "")
	for _, tt := range []struct {
		header string
		want   bool
	}{
		{"", true}, {"application/json", true}, {"Application/JSON; charset=utf-8", true}, {"application/vnd.dt+json", true},
		{"text/plain", true}, {"application/x-www-form-urlencoded", true},
		{"application/xml", false}, {"text/html", false}, {"multipart/form-data; boundary=x", false},
	} {
		_, err := k.Receive(t.Context(), connectors.Request{Header: http.Header{"Content-Type": {tt.header}}, Body: datatheoremstandin.Check})
		if _, refused := errors.AsType[*connectors.WrongType](err); refused == tt.want || !refused && err != nil {
			t.Errorf("content type %q: %v", tt.header, err)
		}
	}
}

func TestRoutesComeBeforeNames(t *testing.T) {
	t.Parallel()
	k := mustOpen(t, `types: [{type: "mobile_protect__*", kind: finding.opened}, {type: "*__USER_LOGIN_FAILED", kind: anomaly}, {type: "*__USER_*", kind: unknown}]`)
	for _, tt := range []struct{ kind, want string }{
		{"MOBILE_PROTECT__X", connectors.FindingOpened}, {"MOBILE_SECURE__USER_LOGIN_FAILED", connectors.Anomaly},
		{"MOBILE_SECURE__USER_CREATED", unknown}, {"API_PROTECT__X", connectors.Anomaly},
	} {
		event, err := receive(t, k, []byte(`{"event":{"type":"`+tt.kind+`","data":{},"version":1},"time":1767603600}`))
		if err != nil || event.Kind != tt.want {
			t.Errorf("%s: got %q, %v, want %q", tt.kind, event.Kind, err, tt.want)
		}
		if hasCase := event.RequestID != ""; hasCase == (tt.want == unknown) {
			t.Errorf("%s: request id %q", tt.kind, event.RequestID)
		}
	}
}

// The status counts where it is known, the type's name where it is not, and only whole words of either.
func TestTheStateOfAFinding(t *testing.T) {
	t.Parallel()
	const (
		violation = "API_SECURE__POLICY_VIOLATION_"
		target    = "MOBILE_SECURE__FINDING_TARGET_"
		opened    = connectors.FindingOpened
		resolved  = connectors.FindingResolved
		dismissed = connectors.FindingDismissed
	)
	for _, tt := range []struct {
		kind, status, want string
		warned             bool
	}{
		{violation + "RESOLVED", "RESOLVED", resolved, false},
		{violation + "RESOLVED", "OPEN", opened, false},
		{violation + "RESOLVED", "CLOSED", resolved, true},
		{violation + "RESOLVED", "FIXED", resolved, true},
		{violation + "RESOLVED", "UNRESOLVED", opened, true},
		{violation + "RESOLVED", "NOT_APPLICABLE", resolved, true},
		{violation + "WONT_FIX", "CLOSED", dismissed, true},
		{violation + "WONT_FIX", "OPEN", dismissed, false},
		{violation + "CLOSED_AS_WONTFIX", "", dismissed, false},
		{violation + "WONT_FIX_REVOKED", "", opened, false},
		{violation + "UPDATED", "WONTFIX", dismissed, true},
		{violation + "UPDATED", "WontFix", dismissed, true},
		{violation + "UPDATED", "NOT YET FIXED", opened, true},
		{violation + "OPENED", "WON'T FIX", dismissed, true},
		{violation + "UPDATED", "CLOSED", opened, true},
		{violation + "UPDATED", "FIXED", opened, true},
		{violation + "UNRESOLVED", "", opened, false},
		{violation + "EXCEPTION_REVOKED", "", opened, false},
		{target + "NOT_FIXED", "OPEN", opened, false},
		{target + "UNRESOLVED", "", opened, false},
		{target + "FIXED", "", resolved, false},
		{target + "CLOSED_RISK_ACCEPTED", "", dismissed, false},
		{target + "UPDATED", "CLOSED_FIXED", resolved, false},
		{target + "UPDATED", "MENDED", opened, true},
		{target + "UPDATED", "WontFix", dismissed, true},
		{"MOBILE_PROTECT__USER_BLOCKED", "", connectors.Anomaly, false},
		{"MOBILE_SECURE__USER_BLOCKED", "", connectors.Audit, false},
		{"MOBILE_SECURE__USER_FINDING_TARGET_CREATED", "", connectors.Audit, false},
	} {
		k := mustOpen(t, "")
		var log bytes.Buffer
		k.log = slog.New(slog.NewTextHandler(&log, nil))
		event, err := receive(t, k, fmt.Appendf(nil, `{"event":{"type":%q,"data":{"uuid":"v-1","policy_violation_status":%q,"status":%q},"version":1},"time":1767603600}`, tt.kind, tt.status, tt.status))
		if err != nil || event.Kind != tt.want {
			t.Errorf("%s with status %q: got %q, %v; want %q", tt.kind, tt.status, event.Kind, err, tt.want)
		}
		if warned := strings.Contains(log.String(), "settings.statuses"); warned != tt.warned {
			t.Errorf("%s with status %q: warned %v, want %v", tt.kind, tt.status, warned, tt.warned)
		}
	}
}

func TestRepeatedEventsHaveOneIdentity(t *testing.T) {
	t.Parallel()
	k := mustOpen(t, "")
	identity := func(body string) string {
		event, err := receive(t, k, []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		return event.Dedupe
	}
	const opened = `{"event":{"type":"API_SECURE__POLICY_VIOLATION_OPENED","data":{"uuid":"v-1","policy_violation_status":"OPEN","relevance":"IMPORTANT"},"version":1},"time":1767603600}`
	const login = `{"event":{"type":"MOBILE_SECURE__USER_LOGIN_FAILED","data":{"user_login_email":"ana@corp.example","ip_address":"192.0.2.7"},"version":1},"time":1767603600}`
	for _, tt := range []struct {
		name, body, old, new string
		same                 bool
	}{
		{"sent again", opened, "", "", true},
		{"members in another order", opened, `"uuid":"v-1","policy_violation_status":"OPEN"`, `"policy_violation_status":"OPEN","uuid":"v-1"`, true},
		{"a member added", opened, `"uuid":"v-1"`, `"uuid":"v-1","new":1`, true},
		{"opened again later", opened, "1767603600", "1767690000", false},
		{"another status at the same second", opened, `"OPEN"`, `"RESOLVED"`, false},
		{"another type at the same second", opened, "_OPENED", "_RESOLVED", false},
		{"another violation", opened, "v-1", "v-2", false},
		{"a login sent again", login, "", "", true},
		{"another user at the same second", login, "ana@", "max@", false},
		{"from elsewhere at the same second", login, "192.0.2.7", "192.0.2.8", false},
		{"without a time, another content", strings.Replace(opened, `,"time":1767603600`, "", 1), "IMPORTANT", "URGENT", false},
	} {
		if got := identity(strings.Replace(tt.body, tt.old, tt.new, 1)) == identity(tt.body); got != tt.same {
			t.Errorf("%s: same identity: %v, want %v", tt.name, got, tt.same)
		}
	}
}

// A finding that opens, is resolved and opens again is three events, also where none of them has a time.
func TestWithoutATimeAFindingOpensAgain(t *testing.T) {
	t.Parallel()
	k := mustOpen(t, "")
	seen := map[string]bool{}
	for i, kind := range []string{"OPENED", "RESOLVED", "OPENED"} {
		got, err := k.Receive(t.Context(), connectors.Request{
			Header: http.Header{}, Time: connectortest.Now.Add(time.Duration(i) * time.Millisecond),
			Body: []byte(`{"event":{"type":"API_SECURE__POLICY_VIOLATION_` + kind + `","data":{"uuid":"v-1"},"version":2}}`),
		})
		if err != nil {
			t.Fatal(err)
		}
		e := got.Events[0]
		if seen[e.Dedupe] || e.RequestID != "v-1" {
			t.Errorf("event %d, %s, counts as one that was there: %s", i, kind, e.Dedupe)
		}
		seen[e.Dedupe] = true
		if e.Data["event_version"] != 2.0 {
			t.Errorf("the event's version is %v", e.Data["event_version"])
		}
	}
}

func TestARepeatedConnectivityCheckIsSeen(t *testing.T) {
	t.Parallel()
	k := mustOpen(t, "")
	at := func(now time.Time) string {
		got, err := k.Receive(t.Context(), connectors.Request{Header: http.Header{}, Body: datatheoremstandin.Check, Time: now})
		if err != nil {
			t.Fatal(err)
		}
		return got.Events[0].Dedupe
	}
	if at(connectortest.Now) == at(connectortest.Now.Add(time.Minute)) {
		t.Error("a check a minute later counts as the same event")
	}
}

func TestMalformedRepeatsNoValue(t *testing.T) {
	t.Parallel()
	k := mustOpen(t, "")
	for _, dir := range connectortest.Cases(t, "receive") {
		body := bytes.ReplaceAll(connectortest.Body(t, dir), []byte("v-1"), []byte("canary-value"))
		if _, err := receive(t, k, body); err != nil && strings.Contains(err.Error(), "canary-value") {
			t.Errorf("%s: the reason repeats a value: %v", dir, err)
		}
	}
}

func FuzzReceive(f *testing.F) {
	for _, dir := range connectortest.Cases(f, "receive") {
		f.Add(connectortest.Body(f, dir))
	}
	k := mustOpen(f, "")
	kinds := map[string]bool{}
	for _, e := range k.Emits() {
		kinds[e.Kind] = true
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		event, err := receive(t, k, body)
		if err != nil {
			if _, ok := errors.AsType[*connectors.Malformed](err); !ok {
				t.Fatalf("neither understood nor *Malformed: %v", err)
			}
			return
		}
		if !kinds[event.Kind] || event.Dedupe == "" || len(event.Dedupe) > 600 || len(event.RequestID) > 200 {
			t.Fatalf("event without a known kind or a usable identity: %+v", event)
		}
		text, err := json.Marshal(event)
		if err != nil {
			t.Fatal(err)
		}
		var again map[string]any
		if err := json.Unmarshal(text, &again); err != nil {
			t.Fatalf("the stored event cannot be read again: %v", err)
		}
	})
}

func BenchmarkReceive(b *testing.B) {
	k := mustOpen(b, "")
	b.Run("receive", func(b *testing.B) {
		for b.Loop() {
			if _, err := receive(b, k, datatheoremstandin.Example); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("unmarshal", func(b *testing.B) {
		for b.Loop() {
			var v any
			if err := json.Unmarshal(datatheoremstandin.Example, &v); err != nil {
				b.Fatal(err)
			}
		}
	})
}
