package main

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/connectors/preset"
	"github.com/drawbridge-itsm/drawbridge/connectors/preset/presetstandin"
	"github.com/drawbridge-itsm/drawbridge/gateway"
	"github.com/drawbridge-itsm/drawbridge/mapping/starter"
)

const aponoSource = "kind: Connection\nname: apono\nconnector: apono\nsettings: { token: { env: DRAWBRIDGE_SECRET_APONO } }\ninbound: { verify: { bearer: { tokens: [{ env: DRAWBRIDGE_SECRET_APONO }] } } }\n"

const ownSources = `---
kind: Connection
name: datatheorem
connector: datatheorem
settings: { api_key: { env: DRAWBRIDGE_SECRET_DATATHEOREM } }
inbound: { verify: { bearer: { tokens: [{ env: DRAWBRIDGE_SECRET_DATATHEOREM_HOOK }] } } }
---
kind: Connection
name: tool
connector: webhook
settings: { paths: { id: /id, kind: /event }, data: { logpoint_incident: /logpoint/incident } }
inbound: { verify: { hmac: { header: X-Signature, secrets: [{ env: DRAWBRIDGE_SECRET_TOOL_HOOK }] } } }
`

// A preset of an operator's own is a connector like any other, as the page says.
func TestPresetsOfADirectory(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/presets.md")
	must(t, err)
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	p := newProgram(t)
	docs, own := aponoSource, ""
	for _, block := range blocks {
		switch {
		case strings.HasPrefix(block[1], "preset: "):
			own = block[1]
			p.write("presets/acme-logs.yaml", own)
		case strings.Contains(block[1], "connector: acme-logs"):
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
	p.write("presets/jira.yaml", strings.Replace(own, "acme-logs", "jira", 1))
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
	p.write("docs/sources.yaml", aponoSource+ownSources)
	names := append(slices.Collect(maps.Keys(preset.Vendors())), "syslog")
	for _, name := range names {
		if _, err := fs.Stat(starter.Sinks(), "sinks/"+name+".yaml"); err != nil {
			t.Errorf("there is no rule for %s", name)
		}
	}
	p.exampleConnections(names...)
	p.fine("check", "docs")
}

// exampleConnections writes a connection to each connector, of its name, with the settings that are shown for it.
func (p *program) exampleConnections(names ...string) {
	p.Helper()
	var shown []gateway.VendorView
	must(p.T, json.Unmarshal([]byte(p.fine("connectors", "--format", "json")), &shown))
	examples := map[string]string{}
	for _, one := range shown {
		examples[one.Name] = one.Example
	}
	for _, name := range names {
		p.write("docs/"+name+"-connection.yaml", fmt.Sprintf("kind: Connection\nname: %[1]s\nconnector: %[1]s\nsettings:\n%s", name, indent(examples[name], "  ")))
	}
}

// The starter rules for desks of people on call can be published with the settings that are shown as examples, and the end
// of Opsgenie is told before anybody relies on it.
func TestStarterRulesForDesksOfPeopleOnCall(t *testing.T) {
	t.Parallel()
	p := newProgram(t)
	p.starterFolder()
	must(t, os.CopyFS(filepath.Join(p.dir, "docs"), starter.Desks()))
	p.exampleConnections("pagerduty", "opsgenie")
	change := func(name string, text func(string) string) {
		path := filepath.Join("docs", name+"-connection.yaml")
		old, err := os.ReadFile(filepath.Join(p.dir, path))
		must(t, err)
		p.write(path, text(string(old)))
	}
	for name, verify := range map[string]string{"pagerduty": "hmac: {secrets", "opsgenie": "header: {values"} {
		change(name, func(text string) string {
			return text + "inbound: {verify: {" + verify + ": [{value: topsecret-hook}]}}}\n"
		})
	}
	const end = "switched off on 5 April 2027"
	if got := p.fine("check", "--offline", "docs"); strings.Contains(got, end) || !strings.Contains(got, "nothing wrong.") {
		t.Errorf("checked with jsm, which stays: %s", got)
	}
	change("opsgenie", func(text string) string { return strings.Replace(text, "host: jsm", "host: opsgenie-us", 1) })
	for _, args := range [][]string{{"check", "--offline", "docs"}, {"check", "docs"}} {
		if got := p.fine(args...); !strings.Contains(got, "warning: Connection opsgenie: host: Opsgenie is "+end) {
			t.Errorf("%v: %s", args, got)
		}
	}
	if got := p.fine("connectors", "opsgenie"); !strings.Contains(got, "  note: host: Opsgenie is "+end) {
		t.Errorf("listed: %s", got)
	}
}

// Records reach a sink through the whole program: a rule's, and those the preset makes, to a preset of a directory too.
func TestRecordsReachTheirSinks(t *testing.T) {
	t.Parallel()
	p := newProgram(t)
	p.starterFolder()
	p.write("presets/logz-two.yaml", strings.Replace(presetText(t, "logzio"), "preset: logzio", "preset: logz-two", 1))
	sinks := map[string]*presetstandin.Standin{}
	for _, name := range []string{"logzio", "logz-two", "pagerduty-events"} {
		stand := presetstandin.New(strings.Replace(name, "z-two", "zio", 1), "topsecret-key")
		secret := map[bool]string{true: "routing_key", false: "token"}[name == "pagerduty-events"]
		record := map[bool]string{true: ", record: { message: \"${event.reason}\" }", false: ""}[name == "logzio"]
		p.write("docs/"+name+".yaml", fmt.Sprintf(`kind: Connection
name: %[1]s
connector: %[1]s
settings: { address: %[2]q, %[3]s: { value: topsecret-key } }
outbound: { allow_hosts: [127.0.0.1] }
---
kind: Rule
name: to-%[1]s
on: epm
when: event.kind == "access.requested"
send: { at: %[1]s%[4]s }
`, name, served(t, stand), secret, record))
		sinks[name] = stand
	}
	p.env = append(p.env, "DRAWBRIDGE_PRESETS=presets")
	p.fine("migrate")
	p.fine("apply", "-y", "-f", "docs")
	s := p.serve()
	arrive := func(n int) {
		t.Helper()
		must(t, eventually(t.Context(), func() error {
			for name, stand := range sinks {
				if len(stand.Records()) != n {
					return fmt.Errorf("%s has %d records:\n%.2000s\n%s", name, len(stand.Records()), stand.Requests(), s.log)
				}
			}
			return nil
		}))
	}
	s.post(`{"EventType":"URM_Native_Ticket_Created","RequestId":"r-1","TenantId":"t-100","User":"CORP\\ana","Reason":"say \"please\""}`)
	arrive(1)
	s.post(fmt.Sprintf(`{"EventType":"URM_Native_Ticket_Created","RequestId":"r-2","TenantId":"t-100","User":"CORP\\ana","Reason":%q}`, strings.Repeat("please ", 15_000)))
	arrive(2)
	ruled := sinks["logzio"].Records()[0].(map[string]any)
	made := sinks["logz-two"].Records()[0].(map[string]any)
	if ruled["message"] != `say "please"` || ruled["event_id"] == nil || ruled["event_id"] != made["event_id"] || made["request_id"] != "r-1" {
		t.Errorf("got %v and %v", ruled, made)
	}
	if doctor := p.run("doctor", "logz-two").out; !strings.Contains(doctor, "it does not show that records would be taken") || !strings.Contains(doctor, "unverified: ") {
		t.Errorf("doctor says\n%s", doctor)
	}
	if got := p.fine("connection", "test", "logzio"); got != "logzio works\n" {
		t.Errorf("got %s", got)
	}
	if r := p.run("connection", "test", "epm", "--send"); r.code == 0 || !strings.Contains(r.err, "cannot show what it sends") {
		t.Errorf("got %+v", r)
	}
	tried := p.fine("connection", "test", "logzio", "--send")
	for _, want := range []string{"POST http://127.0.0.1:", "&token=[secret]", "Content-Type: application/x-ndjson", `"message":"[Test] Drawbridge tries the connection logzio"`, "HTTP 200 OK", "yes success: status 200", "no  pause: status 401", "=> taken"} {
		if !strings.Contains(tried, want) {
			t.Errorf("the test shows\n%s\nwithout %s", tried, want)
		}
	}
	if strings.Contains(tried, "topsecret-key") || len(sinks["logzio"].Records()) != 3 {
		t.Errorf("after a test there are %d records, and it shows\n%s", len(sinks["logzio"].Records()), tried)
	}
	if log := s.log.String(); strings.Contains(log, "topsecret-key") {
		t.Errorf("the log holds a credential:\n%s", log)
	}
	s.stop()
}

func presetText(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("../../connectors/preset/presets/" + name + ".yaml")
	must(t, err)
	return string(text)
}
