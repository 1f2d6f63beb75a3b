package jira

import (
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

func decode(t *testing.T, text string) *Config {
	t.Helper()
	c := New()
	if err := yaml.UnmarshalWithOptions([]byte(text), c, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	return c.(*Config)
}

func TestOpenNamesEveryFaultAtOnce(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, yaml string
		want       []string
	}{
		{"nothing set", `{}`, []string{"base_url is missing", "auth needs exactly one of"}},
		{
			"much wrong",
			`{base_url: "http://jira.example.org", site_url: "x", deployment: server, projects: ["A B"], key_property: "a/b", index_lag: -1s, overlap: 100h,
			  auth: {basic: {user: ""}, oauth: {token_url: "ftp://x"}}}`,
			[]string{
				"base_url must be https", "site_url is not a URL", "deployment is cloud or data_center", "projects:", "key_property", "index_lag", "overlap",
				"auth.basic.user is missing", "auth.basic.token is missing", "auth.oauth.client_id is missing", "auth.oauth.client_secret is missing",
				"auth.oauth.token_url must be https", "auth needs exactly one of",
			},
		},
		{"gateway without a cloud id", `{base_url: "https://api.atlassian.com", auth: {basic: {user: a, token: {value: b}}}}`, []string{"/ex/jira/CLOUD-ID"}},
		{"too much of an address", `{base_url: "https://x.atlassian.net/rest/api/3", auth: {basic: {user: a, token: {value: b}}}}`, []string{"ends before /rest"}},
		{"credentials in the address", `{base_url: "https://u:p@x.atlassian.net", auth: {basic: {user: a, token: {value: b}}}}`, []string{"holds more than"}},
		{"access token at Cloud", `{base_url: "https://x.atlassian.net", auth: {token: {value: b}}}`, []string{"auth.token is a Data Center"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, err := decode(t, tc.yaml).Open(connectors.Env{})
			if err == nil {
				t.Fatal("opened")
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("fault %q is missing in:\n%v", want, err)
				}
			}
			if strings.Contains(err.Error(), "u:p") {
				t.Errorf("credentials in %v", err)
			}
		})
	}
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	c := decode(t, `{base_url: "https://jira.example.org/ctx/", deployment: data_center, index_lag: 10m, auth: {oauth: {client_id: a, client_secret: {value: b}}}}`).withDefaults()
	if err := c.faults(); err != nil {
		t.Fatal(err)
	}
	got := []any{c.BaseURL, c.SiteURL, c.KeyProperty, c.Auth.OAuth.TokenURL, c.Overlap}
	want := []any{"https://jira.example.org/ctx", "https://jira.example.org/ctx", "drawbridge", "https://jira.example.org/ctx/rest/oauth2/latest/token", 10 * time.Minute}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("defaults (-want +got):\n%s", d)
	}
	gateway := decode(t, `{base_url: "https://api.atlassian.com/ex/jira/1-2", auth: {oauth: {client_id: a, client_secret: {value: b}}}}`).withDefaults()
	if gateway.SiteURL != "" || gateway.Auth.OAuth.TokenURL != cloudTokenURL || gateway.faults() != nil {
		t.Errorf("gateway %+v, %v", gateway, gateway.faults())
	}
}

func TestUnverifiedTellsWhatThisConnectionReliesOn(t *testing.T) {
	t.Parallel()
	for deployment, want := range map[string]string{cloud: "token_url", dataCenter: "version 10"} {
		c := &connector{conf: Config{Deployment: deployment, Auth: Auth{OAuth: &OAuth{TokenURL: cloudTokenURL}}}}
		if got := strings.Join(connectors.Unverified(c), "\n"); !strings.Contains(got, want) || !strings.Contains(got, "index_lag") {
			t.Errorf("%s: %s", deployment, got)
		}
	}
}
