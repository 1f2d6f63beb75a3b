package servicedeskplus

import (
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
)

func valid() Config {
	secret := connectors.SecretValue("s")
	return Config{
		Edition: cloud, BaseURL: "https://sdpondemand.manageengine.eu/app/itdesk", Account: "drawbridge@example.com", KeyField: "udf_char1",
		Auth: Auth{OAuth: &OAuth{ClientID: "1000.A", ClientSecret: secret, RefreshToken: secret, DataCenter: "eu"}},
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	secret := connectors.SecretValue("s")
	onPremises := func(c *Config) {
		c.Edition, c.BaseURL, c.Auth = onprem, "https://desk.example.com:8443", Auth{AuthToken: secret}
	}
	for _, tt := range []struct {
		name   string
		change func(*Config)
		want   string // empty: it opens
	}{
		{"cloud", func(*Config) {}, ""},
		{"on premises", onPremises, ""},
		{"a domain of one's own", func(c *Config) { c.BaseURL = "https://help.example.com/app/itdesk/" }, ""},
		{"no edition", func(c *Config) { c.Edition = "" }, "edition is cloud or onprem"},
		{"authtoken at the cloud", func(c *Config) { c.Auth = Auth{AuthToken: secret} }, "auth needs oauth"},
		{"both at the cloud", func(c *Config) { c.Auth.AuthToken = secret }, "auth needs oauth"},
		{"oauth on premises", func(c *Config) { c.Edition = onprem }, "auth needs authtoken"},
		{"no address", func(c *Config) { c.BaseURL = "" }, "base_url is missing"},
		{"http", func(c *Config) { c.BaseURL = "http://desk.example.com" }, "base_url must be https"},
		{"too much of the address", func(c *Config) { c.BaseURL += "/api/v3" }, "base_url ends before"},
		{"credentials in the address", func(c *Config) { c.BaseURL = "https://a:b@desk.example.com" }, "holds more than"},
		{"no client", func(c *Config) { c.Auth.OAuth.ClientID = "" }, "client_id, client_secret and refresh_token"},
		{"no data center", func(c *Config) { c.Auth.OAuth.DataCenter = "" }, "either data_center or accounts_url"},
		{"two accounts servers", func(c *Config) { c.Auth.OAuth.AccountsURL = "https://accounts.example.com" }, "either data_center or accounts_url"},
		{"no such data center", func(c *Config) { c.Auth.OAuth.DataCenter = "mars" }, "one of: au, ca, cn"},
		{"another data center", func(c *Config) { c.Auth.OAuth.DataCenter = "us" }, "base_url lies in eu"},
		{"accounts over http", func(c *Config) { c.Auth.OAuth.DataCenter, c.Auth.OAuth.AccountsURL = "", "http://accounts.example.com" }, "accounts_url must be https"},
		{"no account", func(c *Config) { c.Account = "" }, "account is"},
		{"an account by name", func(c *Config) { c.Account = "Drawbridge" }, "account is"},
		{"an automation by name", func(c *Config) { c.Automations = []string{"System"} }, "automations"},
		{"a field by its label", func(c *Config) { c.KeyField = "Drawbridge Key" }, "key_field"},
		{"a name in both", func(c *Config) { c.ApprovalStatuses.Denied = []string{"APPROVED"} }, "under approved and under denied"},
		{"a wrong choice", func(c *Config) { c.BackupAnswers, c.NoteWrapper, c.SearchWords = "x", "y", "z" }, "backup_answers is one of: nobody"},
		{"a path", func(c *Config) { c.History = "../x" }, "uploads and history"},
		{"no id in the address", func(c *Config) { c.TicketURL = "https://x.example/" }, "ticket_url"},
		{"no overlap", func(c *Config) { c.Overlap = time.Second }, "overlap lies between"},
	} {
		c := valid()
		tt.change(&c)
		_, err := c.Open(connectortest.Env(t))
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestTheExampleDecodes(t *testing.T) {
	t.Parallel()
	c := &Config{}
	connectortest.Must(t, yaml.NewDecoder(strings.NewReader(c.Example()), yaml.Strict()).Decode(c))
	opened, err := c.Open(connectortest.Env(t))
	connectortest.Must(t, err)
	text := strings.Join(connectors.Unverified(opened), "\n")
	for _, word := range []string{"approval_statuses", "backup_answers", "history", "udf_char1", "created_by", "merged requests"} {
		if !strings.Contains(text, word) {
			t.Errorf("what is unverified does not tell of %s:\n%s", word, text)
		}
	}
	if opened.(*connector).ref("100000000000123456", "812").URL != "https://sdpondemand.manageengine.eu/app/itdesk/ui/requests/100000000000123456/details" {
		t.Error("the address for people is another")
	}
}
