package freshservice

import (
	"errors"
	"strings"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/freshservice/freshservicestandin"
)

func TestReceive(t *testing.T) {
	t.Parallel()
	w := newWorld(t, freshservicestandin.Options{})
	tests := []struct{ body, id, key string }{
		{`{"ticket_id":"SR-42"}`, "42", "SR-42"},
		{`{"ticket_id":"INC-42","ref":"x"}`, "42", "INC-42"},
		{`{"ticket_id":42}`, "42", "#42"},
		{`{"ticket_id":"#42"}`, "42", "#42"},
		{`{"change_id":"CHN-7"}`, "CHN-7", "CHN-7"},
		{`{"ticket_id":"","change_id":7}`, "CHN-7", "#7"},
		{`{}`, "", ""}, {`{"ticket_id":0}`, "", ""}, {`{"ticket_id":-1}`, "", ""}, {`{"ticket_id":"42/../43"}`, "", ""}, {`{"ticket_id":1.5}`, "", ""},
		{`{"ticket_id":"sr-42"}`, "", ""}, {`{"ticket_id":{}}`, "", ""}, {`{"ticket_id":9999999999999999999}`, "", ""}, {`[]`, "", ""}, {`{"ticket_id":1}{}`, "", ""},
		{`{"subject":"a "quote"","ticket_id":1}`, "", ""},
	}
	for _, tt := range tests {
		got, err := w.Receive(t.Context(), notice(tt.body))
		if tt.id == "" {
			if _, ok := errors.AsType[*connectors.Malformed](err); !ok {
				t.Errorf("%s = %+v, %v", tt.body, got, err)
			}
			continue
		}
		if err != nil || len(got.Changes) != 1 || got.Changes[0].Ref.ID != tt.id || got.Changes[0].Ref.Key != tt.key || len(got.Votes)+len(got.Events) != 0 {
			t.Errorf("%s = %+v, %v", tt.body, got, err)
		}
	}
}

func FuzzReceive(f *testing.F) {
	for _, seed := range []string{`{"ticket_id":"SR-42"}`, `{"change_id":7}`, `{"ticket_id":null}`, `{"ticket_id":"-"}`, `{`, ``} {
		f.Add([]byte(seed))
	}
	w := newWorld(f, freshservicestandin.Options{})
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := w.Receive(t.Context(), notice(string(body)))
		if err != nil {
			return
		}
		if len(got.Changes) != 1 {
			t.Fatalf("%q: %+v", body, got)
		}
		if _, _, err := w.desk.Handle(got.Changes[0].Ref); err != nil {
			t.Fatalf("%q: %v", body, err)
		}
	})
}

func TestSettings(t *testing.T) {
	t.Parallel()
	good := func() Config {
		return Config{BaseURL: "https://corp.freshservice.com", Key: connectors.SecretValue("k"), Account: "8"}
	}
	for name, tt := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"as they should be": {func(*Config) {}, ""},
		"no address":        {func(c *Config) { c.BaseURL = "" }, "base_url is missing"},
		"own name":          {func(c *Config) { c.BaseURL = "https://help.corp.example" }, "freshservice.com"},
		"another's":         {func(c *Config) { c.BaseURL = "https://freshservice.com.evil.example" }, "freshservice.com"},
		"plain":             {func(c *Config) { c.BaseURL = "http://corp.freshservice.com" }, "https"},
		"with a path":       {func(c *Config) { c.BaseURL = "https://corp.freshservice.com/api/v2" }, "more than"},
		"no key":            {func(c *Config) { c.Key = connectors.Secret{} }, "key is missing"},
		"no account":        {func(c *Config) { c.Account = "kim" }, "account"},
		"workspace 0":       {func(c *Config) { c.Workspaces = []int64{0} }, "workspaces"},
		"field":             {func(c *Config) { c.ItemKeyField = "a b" }, "item_key_field"},
		"answer":            {func(c *Config) { c.Answers = []string{"Yes."} }, "answers"},
		"overlap":           {func(c *Config) { c.Overlap = 1 }, "overlap"},
		"recent":            {func(c *Config) { c.Recent = 1 }, "recent"},
		"batch":             {func(c *Config) { c.Batch = 1000 }, "batch"},
		"automation":        {func(c *Config) { c.Automation = []string{"kim"} }, "automation"},
	} {
		c := good()
		tt.change(&c)
		err := c.withDefaults().faults()
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

func TestDeskScriptNamesTheAddressAndNoSecret(t *testing.T) {
	t.Parallel()
	const url = "https://drawbridge.corp.example/in/fs"
	script := (&Config{Key: connectors.SecretValue("s3cret")}).DeskScript(url)
	if !strings.Contains(script, url) || strings.Contains(script, "bridge.example.com") || strings.Contains(script, "s3cret") || !strings.Contains(script, "X-Drawbridge-Secret") {
		t.Errorf("script:\n%s", script)
	}
	if !strings.Contains(script, `{"ticket_id"`) {
		t.Error("the script has no body")
	}
}
