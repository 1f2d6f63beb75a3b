package freshdesk

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	"github.com/drawbridge-itsm/drawbridge/connectors/freshdesk/freshdeskstandin"
)

func TestPingNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	tests := []struct{ denied, want string }{
		{"", ""}, {"agents", "may not do this"}, {"view", "view tickets"}, {"create", "create tickets"}, {"edit", "edit tickets"}, {"notes", "add notes"}, {"fields", "fields of tickets"},
	}
	for _, tt := range tests {
		t.Run(tt.denied, func(t *testing.T) {
			t.Parallel()
			accounts := freshdeskstandin.Accounts()
			accounts[0].Denied = []string{tt.denied}
			w := newWorld(t, freshdeskstandin.Options{Accounts: accounts})
			err := w.Ping(t.Context())
			if tt.want == "" {
				connectortest.Must(t, err)
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) || connectors.AsError(err).Kind != connectors.Permanent {
				t.Errorf("ping = %v, want %q", err, tt.want)
			}
		})
	}
	for field, want := range map[string]string{"cf_nothing": "no custom field cf_nothing", "cf_details": "single line"} {
		w := newWorld(t, freshdeskstandin.Options{}, func(c *Config) { c.KeyField = field })
		if err := w.Ping(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ping with key_field %s = %v", field, err)
		}
	}
	w := newWorld(t, freshdeskstandin.Options{}, func(c *Config) { c.Key = connectors.SecretValue("revoked") })
	if err := w.Ping(t.Context()); connectors.AsError(err).Kind != connectors.Unwell || strings.Contains(err.Error(), "revoked") {
		t.Errorf("ping with a revoked key = %v", err)
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	w := newWorld(t, freshdeskstandin.Options{})
	ref := w.create(t, "k1", request())
	w.site.FailOn("note", 1, http.StatusTooManyRequests, http.Header{"Retry-After": {"17"}})
	err := w.Comment(t.Context(), ref, connectors.Note{Body: "x"})
	if e := connectors.AsError(err); e.Kind != connectors.Throttled || e.RetryAfter != 17*time.Second || e.Sent {
		t.Errorf("comment = %v", err)
	}
	ticket := request()
	ticket.Fields = map[string]any{"cf_risk": "none"}
	_, err = w.Create(t.Context(), "k2", ticket)
	if e := connectors.AsError(err); e.Kind != connectors.Permanent || e.Sent || !strings.Contains(err.Error(), "cf_risk: It should be one of these values: [low high] (invalid_value)") {
		t.Errorf("create = %v", err)
	}
	if err := w.Attach(t.Context(), ref, connectors.File{Name: "a", Content: make([]byte, maxFiles+1)}); connectors.AsError(err).Kind != connectors.Permanent {
		t.Errorf("attach = %v", err)
	}
}

func TestDirectoryAndForm(t *testing.T) {
	t.Parallel()
	w := newWorld(t, freshdeskstandin.Options{})
	groups, err := w.Groups(t.Context(), "12")
	connectortest.Must(t, err)
	if !cmp.Equal(groups, []string{"Network", "Security"}) {
		t.Errorf("groups %v", groups)
	}
	people, next, err := w.People(t.Context(), "")
	connectortest.Must(t, err)
	if len(people) != 5 || next != "" || people[1] != (connectors.Person{Account: "11", Name: "Kim Okafor", Mail: "kim@corp.example"}) {
		t.Errorf("people %v, next %q", people, next)
	}
	form, err := w.Describe(t.Context(), connectors.Place{Type: "Question"})
	connectortest.Must(t, err)
	at := slices.IndexFunc(form.Fields, func(f connectors.Field) bool { return f.ID == "cf_risk" })
	if at < 0 || !cmp.Equal(form.Fields[at].Allowed, []string{"low", "high"}) || !slices.Contains(form.Statuses, "Approved") {
		t.Errorf("form %+v", form)
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"as they should be": {func(*Config) {}, ""},
		"no address":        {func(c *Config) { c.BaseURL = "" }, "base_url is missing"},
		"own name":          {func(c *Config) { c.BaseURL = "https://help.corp.example" }, "freshdesk.com"},
		"plain":             {func(c *Config) { c.BaseURL = "http://corp.freshdesk.com" }, "https"},
		"no key":            {func(c *Config) { c.Key = connectors.Secret{} }, "key is missing"},
		"field":             {func(c *Config) { c.KeyField = "drawbridge_key" }, "cf_"},
	} {
		c := Config{BaseURL: "https://corp.freshdesk.com/", Key: connectors.SecretValue("k")}
		tt.change(&c)
		err := c.withDefaults().faults()
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

func TestDeskScriptNamesTheAddressAndNoSecret(t *testing.T) {
	t.Parallel()
	const url = "https://drawbridge.corp.example/in/fd"
	script := (&Config{Key: connectors.SecretValue("s3cret")}).DeskScript(url)
	if !strings.Contains(script, url) || strings.Contains(script, "bridge.example.com") || strings.Contains(script, "s3cret") || !strings.Contains(script, `{"ticket_id"`) {
		t.Errorf("script:\n%s", script)
	}
}
