package builtin_test

import (
	"cmp"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/builtin"
)

// open opens a vendor's example settings.
func open(t testing.TB, vendor string) connectors.Connector {
	t.Helper()
	config := builtin.Vendors()[vendor]()
	if err := yaml.NewDecoder(strings.NewReader(connectors.Example(config)), yaml.Strict()).Decode(config); err != nil && err != io.EOF {
		t.Fatalf("example of %s: %v", vendor, err)
	}
	client, err := connectors.NewClient(connectors.Outbound{}, &connectors.Vault{Getenv: os.Getenv}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	c, err := config.Open(connectors.Env{Name: vendor, Client: client, Log: slog.New(slog.DiscardHandler), Now: time.Now})
	if err != nil {
		t.Fatalf("example of %s: %v", vendor, err)
	}
	return c
}

func TestExamplesOpen(t *testing.T) {
	t.Parallel()
	for vendor := range builtin.Vendors() {
		if connectors.Example(builtin.Vendors()[vendor]()) == "" {
			t.Errorf("%s shows no example", vendor)
		}
		if c := open(t, vendor); len(connectors.Capabilities(c)) == 0 {
			t.Errorf("%s can do nothing", vendor)
		}
	}
}

// sent is the request a sample arrives with.
func sent(vendor string, s connectors.Sample) connectors.Request {
	header := s.Header.Clone()
	if header == nil {
		header = http.Header{}
	}
	header.Set("Content-Type", cmp.Or(s.ContentType, "application/json"))
	return connectors.Request{
		Method: http.MethodPost, URL: &url.URL{Path: "/in/" + vendor, RawQuery: s.Query}, Header: header, Body: s.Body, Time: time.Now(),
	}
}

// Every source offers samples, of every kind that its vendor documents, and each is received as what it says.
func TestSamplesAreReceivedAsWhatTheySay(t *testing.T) {
	t.Parallel()
	for vendor := range builtin.Vendors() {
		c := open(t, vendor)
		receiver, receives := connectors.AsReceiver(c)
		samples := connectors.Samples(c)
		if !receives || len(connectors.Emits(c)) == 0 {
			continue
		}
		if len(samples) == 0 {
			t.Errorf("%s offers no sample", vendor)
		}
		for _, e := range connectors.Emits(c) {
			// What is found by asking is never sent, and what is unknown looks like nothing in particular.
			if e.Kind != connectors.ChangeMade && e.Kind != "unknown" && !slices.ContainsFunc(samples, func(s connectors.Sample) bool { return s.Kind == e.Kind }) {
				t.Errorf("%s offers no sample of %s", vendor, e.Kind)
			}
		}
		names := map[string]bool{}
		for _, s := range samples {
			if names[s.Name] || s.Name == "" {
				t.Errorf("%s: two samples are named %q", vendor, s.Name)
			}
			names[s.Name] = true
			got, err := receiver.Receive(t.Context(), sent(vendor, s))
			if err != nil {
				t.Errorf("%s, %s: %v", vendor, s.Name, err)
				continue
			}
			if len(got.Events) == 0 || got.Events[0].Kind != s.Kind {
				t.Errorf("%s, %s: received as %+v, want %s", vendor, s.Name, got.Events, s.Kind)
				continue
			}
			if !slices.ContainsFunc(connectors.Emits(c), func(e connectors.EventType) bool { return e.Kind == s.Kind }) {
				t.Errorf("%s, %s: %s is not among what it emits", vendor, s.Name, s.Kind)
			}
		}
	}
}

func TestTemplateOfEPMHasTheTicketNumber(t *testing.T) {
	t.Parallel()
	for _, s := range connectors.Samples(open(t, "epm")) {
		if !strings.Contains(s.Template, `"TicketNumber": "%%TicketNumber%%"`) || strings.Contains(string(s.Body), "%%") {
			t.Errorf("%s: the template is\n%s\nand the body\n%s", s.Name, s.Template, s.Body)
		}
	}
}

func TestWhereNobodyIsToldWhoChangedAField(t *testing.T) {
	t.Parallel()
	for vendor, told := range map[string]bool{
		"freshdesk": false, "freshservice": false, "opsgenie": false, "servicedeskplus": false,
		"jira": true, "pagerduty": true, "redmine": true, "rt": true, "servicenow": true, "zendesk": true,
	} {
		if _, all := connectors.Attributed(open(t, vendor)); all != told {
			t.Errorf("%s: got %t", vendor, all)
		}
	}
}

func TestWhereAMailAddressProvesNothing(t *testing.T) {
	t.Parallel()
	for vendor, want := range map[string]bool{"rt": true, "redmine": true, "pagerduty": true, "jira": false} {
		if got := connectors.MailUnproven(open(t, vendor)); got != want {
			t.Errorf("%s: got %t", vendor, got)
		}
	}
}
