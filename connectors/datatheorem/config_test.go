package datatheorem

import (
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
)

// open builds a connector from settings.
func open(t testing.TB, settings string) (*connector, error) {
	t.Helper()
	c := New().(*Config)
	if settings != "" { // an empty document would decode to nothing at all
		if err := yaml.UnmarshalWithOptions([]byte(settings), c, yaml.Strict()); err != nil {
			t.Fatal(err)
		}
	}
	k, err := c.Open(connectortest.Env(t))
	if err != nil {
		return nil, err
	}
	if a, ok := k.(*asking); ok {
		return a.connector, nil
	}
	return k.(*connector), nil
}

func mustOpen(t testing.TB, settings string) *connector {
	t.Helper()
	k, err := open(t, settings)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestOpenReportsEveryFaultWithItsPath(t *testing.T) {
	t.Parallel()
	_, err := open(t, `
base_url: http://api.securetheorem.com
ping_path: violations
violations: {path: "//elsewhere.example/x", max_pages: 0}
targets: {path: "/a?b", status: [status], update: {body: "{status}}"}}
types: [{type: "[", kind: finding.opened}, {type: "X__*", kind: access.requested}]
statuses: {RESOLVED: closed}
severity: {IMPORTANT: ""}
`)
	if err == nil {
		t.Fatal("settings full of faults were accepted")
	}
	got := strings.Split(err.Error(), "\n")
	wants := []string{
		"settings.base_url: has to start with https", "settings.ping_path: ", "settings.violations.path: ", "settings.targets.path: ", "settings.targets.update.body: ",
		"settings.violations.max_pages: ", "settings.targets.status[0]: ", "settings.types[0].type: ", "settings.types[1].kind: is one of finding.opened",
		"settings.statuses.RESOLVED: ", "settings.severity.IMPORTANT: ",
	}
	for _, want := range wants {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no fault %q in:\n%v", want, err)
		}
	}
	if len(got) != len(wants) {
		t.Errorf("%d faults, want %d:\n%v", len(got), len(wants), err)
	}
}

func TestSettingsKeepTheDefaultsTheyDoNotName(t *testing.T) {
	t.Parallel()
	k := mustOpen(t, "severity: {PROACTIVE: low}\nstatuses: {IN_TRIAGE: opened}\nviolations: {max_pages: 3}")
	if k.severity["IMPORTANT"] != "high" || k.severity["PROACTIVE"] != "low" || k.statuses["RESOLVED"] != connectors.FindingResolved ||
		k.config.Violations.Path != defaultViolationsPath || k.config.Violations.MaxPages != 3 {
		t.Errorf("settings: %+v", k.config)
	}
}

func TestUnverifiedNamesWhatRestsOnNoDocument(t *testing.T) {
	t.Parallel()
	listening, asking := mustOpen(t, ""), mustOpen(t, "api_key: {value: k}\ntypes: [{type: \"X__*\", kind: audit}]\nviolations: {missing_is_resolved: true}\ntargets: {update: {body: '{\"s\":{status}}'}}")
	if got := strings.Join(listening.Unverified(), "\n"); !strings.Contains(got, "settings.severity") || strings.Contains(got, "settings.targets") {
		t.Errorf("without a key: %s", got)
	}
	if got := strings.Join(asking.Unverified(), "\n"); !strings.Contains(got, "exception_type") || !strings.Contains(got, "settings.types X__*") ||
		!strings.Contains(got, "settings.targets.update") || !strings.Contains(got, "settings.violations.missing_is_resolved") {
		t.Errorf("with a key: %s", got)
	}
}
