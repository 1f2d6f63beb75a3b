package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/connectors/preset"
	"github.com/drawbridge-itsm/drawbridge/gateway"
	"github.com/drawbridge-itsm/drawbridge/mapping/starter"
)

const aponoSource = "kind: Connection\nname: apono\nconnector: apono\nsettings: { token: { env: DRAWBRIDGE_SECRET_APONO } }\ninbound: { verify: { bearer: { tokens: [{ env: DRAWBRIDGE_SECRET_APONO }] } } }\n"

// A preset of an operator's own is a connector like any other, as the page says.
func TestPresetsOfADirectory(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/presets.md")
	must(t, err)
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	p := newProgram(t)
	docs := aponoSource
	for _, block := range blocks {
		switch {
		case strings.HasPrefix(block[1], "preset: "):
			p.write("presets/acme-logs.yaml", block[1])
		case strings.Contains(block[1], "connector: acme-logs"), strings.HasPrefix(block[1], "kind: Rule"):
			docs += "---\n" + block[1]
		}
	}
	p.write("docs/all.yaml", docs)
	if got := p.fine("check", "--presets", "presets", "docs"); got != "3 documents, nothing wrong.\n" {
		t.Errorf("got %s", got)
	}
	if got := p.fine("connectors", "--presets", "presets", "acme-logs"); !strings.Contains(got, "can: send") || !strings.Contains(got, "unverified: how much may be sent") {
		t.Errorf("got %s", got)
	}
	if r := p.run("check", "docs"); r.code == 0 || !strings.Contains(r.err, `there is no "acme-logs"`) {
		t.Errorf("without the directory: %+v", r)
	}
	p.write("presets/jira.yaml", strings.Replace(blocks[2][1], "acme-logs", "jira", 1))
	if r := p.run("check", "--presets", "presets", "docs"); r.code == 0 || !strings.Contains(r.err, "no preset") {
		t.Errorf("with the name of a connector: %+v", r)
	}
	p.write("presets/jira.yaml", "preset: jira\nversion: one\n")
	if r := p.run("check", "--presets", "presets", "docs"); r.code == 0 || !strings.Contains(r.err, "jira.yaml:2: version: got string, want integer") {
		t.Errorf("with a fault: %+v", r)
	}
}

// Every preset and the starter rules make documents that can be published, with the settings that are shown as examples.
func TestStarterRulesForSinks(t *testing.T) {
	t.Parallel()
	p := newProgram(t)
	must(t, os.CopyFS(filepath.Join(p.dir, "docs"), starter.Sinks()))
	p.write("docs/apono.yaml", aponoSource)
	names := map[string]string{"splunk": "splunk-hec", "pagerduty": "pagerduty-events", "slack-channel": "slack-webhook", "webhook-out": "signed-webhook", "syslog": "syslog"}
	for name := range preset.Vendors() {
		names[name] = name
	}
	var shown []gateway.VendorView
	must(t, json.Unmarshal([]byte(p.fine("connectors", "--format", "json")), &shown))
	examples := map[string]string{}
	for _, one := range shown {
		examples[one.Name] = one.Example
	}
	for name, connector := range names {
		p.write("docs/"+name+"-connection.yaml", fmt.Sprintf("kind: Connection\nname: %s\nconnector: %s\nsettings:\n%s", name, connector, indent(examples[connector], "  ")))
	}
	p.fine("check", "docs")
}
