package gateway

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/apono/aponostandin"
	"github.com/drawbridge-itsm/drawbridge/connectors/datatheorem/datatheoremstandin"
	"github.com/drawbridge-itsm/drawbridge/connectors/elimity/elimitystandin"
	"github.com/drawbridge-itsm/drawbridge/connectors/epm/epmstandin"
)

// Doctor says in plain words which permission a tool lacks, and which settings rest on no documented fact.
func TestDoctorNamesThePermissionATokenLacks(t *testing.T) {
	t.Parallel()
	g := newTestGateway(t)
	type tool struct {
		name, vendor, settings string
		standin                http.Handler
		bad                    string // empty: it works
		unverified             string
	}
	tools := []tool{
		{"epm-fine", "epm", "client_id: c, client_secret: {value: s}", epmstandin.New(epmstandin.Options{ClientID: "c", ClientSecret: "s"}), "", "settings.application.path"},
		{"epm-jit", "epm", "client_id: c, client_secret: {value: s}", epmstandin.New(epmstandin.Options{ClientID: "c", ClientSecret: "s", WithoutJIT: true}), "JIT permission", ""},
		{"epm-secret", "epm", "client_id: c, client_secret: {value: other}", epmstandin.New(epmstandin.Options{ClientID: "c", ClientSecret: "s"}), "token server refused", ""},
		{"apono-fine", "apono", "token: {value: s}", aponostandin.New(aponostandin.Options{Token: "s"}), "", "settings.decision.approve_path"},
		{"apono-approve", "apono", "token: {value: s}", aponostandin.New(aponostandin.Options{Token: "s", ReadOnly: true}), "may not approve requests", ""},
		{"apono-token", "apono", "token: {value: other}", aponostandin.New(aponostandin.Options{Token: "s"}), "check settings.token", ""},
		{"dt-fine", "datatheorem", "api_key: {value: s}", datatheoremstandin.New(datatheoremstandin.Options{APIKey: "s"}), "", "settings.severity"},
		{"dt-results", "datatheorem", "api_key: {value: s}", datatheoremstandin.New(datatheoremstandin.Options{APIKey: "s", WithoutRight: true}), "the right to read these results", ""},
		{"dt-mobile", "datatheorem", `api_key: {value: s}, targets: {update: {body: '{"status":{status}}'}}`,
			datatheoremstandin.New(datatheoremstandin.Options{APIKey: "s", WithoutMobile: true}), "list mobile finding targets", "settings.targets.update"},
		{"elimity-fine", "elimity", "journal: {source_id: 90, token: {value: s}}, check: {token_id: t, token_secret: {value: s}}",
			elimitystandin.New(elimitystandin.Options{TokenID: "t", TokenSecret: "s", JournalToken: "s"}), "", "settings.journal"},
		{"elimity-journal", "elimity", "journal: {source_id: 90, token: {value: other}}", elimitystandin.New(elimitystandin.Options{JournalToken: "s"}), "check the token in settings.journal", ""},
		{"elimity-check", "elimity", "check: {token_id: t, token_secret: {value: other}}", elimitystandin.New(elimitystandin.Options{TokenID: "t", TokenSecret: "s"}), "check the token in settings.check", "settings.check"},
	}
	var docs []string
	for _, one := range tools {
		server := httptest.NewServer(one.standin)
		t.Cleanup(server.Close)
		docs = append(docs, fmt.Sprintf("kind: Connection\nname: %s\nconnector: %s\nsettings: {base_url: %q, %s}\ninbound: {verify: {bearer: {tokens: [{value: hook}]}}}\noutbound: {allow_hosts: [127.0.0.1]}\n",
			one.name, one.vendor, server.URL, one.settings))
	}
	if _, err := g.Apply(t.Context(), texts(docs...), "tester", ""); err != nil {
		t.Fatal(err)
	}
	r, err := g.Doctor(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range tools {
		about := "Connection/" + one.name
		if works := found(r, about, Fine, one.vendor+" works"); works != (one.bad == "") || !works && !found(r, about, Bad, one.bad) {
			t.Errorf("%s: want %q, in %+v", one.name, one.bad, r.Findings)
		}
		if one.unverified != "" && !found(r, about, Note, "unverified: "+one.unverified) {
			t.Errorf("%s: %s is not marked as unverified", one.name, one.unverified)
		}
	}
	if slices.ContainsFunc(r.Findings, func(f Finding) bool { return strings.Contains(f.Text, "other") && f.Level == Bad }) {
		t.Error("a secret is shown")
	}
}

func TestDoctorSaysWhereNobodyWasCalled(t *testing.T) {
	t.Parallel()
	g := newTestGateway(t)
	want := map[string]string{
		"apono": "without settings.token", "datatheorem": "without settings.api_key",
		"elimity": "without settings.journal and settings.check", "webhook": "settings.ping describes no call",
	}
	settings := map[string]string{
		"apono": "{way: manual}", "datatheorem": "{}", "elimity": "{}",
		"webhook": "{paths: {id: /id, kind: /event, request_id: /id}, kinds: {made: access.requested}}",
	}
	var docs []string
	for vendor := range want {
		docs = append(docs, fmt.Sprintf("kind: Connection\nname: %s\nconnector: %[1]s\nsettings: %s\ninbound: {verify: {bearer: {tokens: [{value: hook}]}}}\n", vendor, settings[vendor]))
	}
	if _, err := g.Apply(t.Context(), texts(docs...), "tester", ""); err != nil {
		t.Fatal(err)
	}
	r, err := g.Doctor(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	for vendor, why := range want {
		about := "Connection/" + vendor
		if found(r, about, Fine, "works") || !found(r, about, Note, "nobody was called: "+why) {
			t.Errorf("%s: want it said that nobody was called, in %+v", vendor, r.Findings)
		}
	}
}

// The examples of the page about tools are documents that open, and can do what the page says.
func TestDocumentedToolsOpen(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/tools.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```yaml\n(kind: Connection.*?)```").FindAllStringSubmatch(string(page), -1)
	can := map[string][]string{}
	for _, block := range blocks {
		c, _, err := testOpener().open(t.Context(), []byte(block[1]), "")
		if err != nil {
			t.Errorf("%v\n%s", err, block[1])
			continue
		}
		can[c.doc.Name] = connectors.Capabilities(c.connector)
		_, section, _ := strings.Cut(string(page), block[1])
		section, _, _ = strings.Cut(section, "\n## ")
		_, unverified, marked := strings.Cut(section, "\nUnverified: ")
		unverified, _, _ = strings.Cut(unverified, "\n\n")
		if !marked && c.doc.Connector != "webhook" {
			t.Errorf("%s: the page does not say what is unverified", c.doc.Name)
		}
		for _, text := range connectors.Unverified(c.connector) {
			for _, setting := range regexp.MustCompile(`settings\.([a-z_]+)`).FindAllStringSubmatch(text, -1) {
				if marked && !strings.Contains(unverified, "`"+setting[1]+"`") {
					t.Errorf("%s: the page does not say that %s is unverified", c.doc.Name, setting[0])
				}
			}
		}
	}
	for name, wants := range map[string][]string{
		"epm": {"decide", "state", "sample"}, "apono": {"decide", "revoke", "state", "poll"}, "apono-gate": {"decide"},
		"datatheorem": {"decide", "state", "poll"}, "elimity": {"decide", "poll"}, "tool": {"decide", "state"},
	} {
		for _, want := range wants {
			if !slices.Contains(can[name], want) {
				t.Errorf("%s can %v, want %s among it", name, can[name], want)
			}
		}
	}
}
