package jira

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/jira/jirastandin"
	"github.com/drawbridge-itsm/drawbridge/connectors/verify"
)

const appSecret = "secret-of-the-app-0123456789abcdefghij"

func standinApp() *jirastandin.App {
	return &jirastandin.App{ID: "app", Secret: appSecret, Refresh: "consented"}
}

// consented is a connector behind the gateway that works for a person who consented to its app.
func consented() worldOptions {
	return worldOptions{jira: jirastandin.Options{App: standinApp()}, change: func(c *Config) {
		c.Auth = Auth{Consent: &Consent{
			TokenURL: c.BaseURL + "/oauth/token", ClientID: "app", ClientSecret: connectors.SecretValue(appSecret),
			RefreshToken: connectors.SecretValue("consented"), Webhooks: true,
		}}
		c.BaseURL += gatewayPrefix
	}}
}

// serviceAccount is one that has access tokens by its client credentials.
func serviceAccount() worldOptions {
	return worldOptions{jira: jirastandin.Options{App: standinApp()}, change: func(c *Config) {
		c.Auth = Auth{OAuth: &OAuth{TokenURL: c.BaseURL + "/oauth/token", ClientID: "app", ClientSecret: connectors.SecretValue(appSecret)}}
		c.BaseURL += gatewayPrefix
	}}
}

// scoped is one that has an API token with scopes.
func scoped() worldOptions {
	accounts := jirastandin.DefaultAccounts()
	accounts[0].Scopes = jirastandin.AllScopes()
	return worldOptions{jira: jirastandin.Options{Accounts: accounts}, change: func(c *Config) { c.BaseURL += gatewayPrefix }}
}

func TestTheLoopClosesByEveryWayToSignIn(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]worldOptions{
		"service account behind the gateway": serviceAccount(),
		"scoped token behind the gateway":    scoped(),
		"app with consent":                   consented(),
		"personal access token": {jira: jirastandin.Options{DataCenter: true}, change: func(c *Config) {
			c.Auth = Auth{Token: connectors.SecretValue("token")}
		}},
		"service account of a Data Center": {jira: jirastandin.Options{DataCenter: true, App: standinApp()}, change: func(c *Config) {
			c.Auth = Auth{OAuth: &OAuth{ClientID: "app", ClientSecret: connectors.SecretValue(appSecret)}}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, o)
			journey(t, w)
			w.time.Advance(2 * time.Hour) // past the end of every access token
			if err := w.Ping(t.Context()); err != nil {
				t.Errorf("after two hours: %v", err)
			}
		})
	}
}

func TestAnExpiredTokenIsRenewedInMidFlight(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]worldOptions{"client credentials": serviceAccount(), "consent": consented()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, o)
			ref := w.create(t, "k1")
			w.jira.Revoke(false)
			if err := w.Comment(t.Context(), ref, connectors.Note{Key: "n", Body: "x"}); err != nil {
				t.Fatal(err)
			}
			if got := w.issue(t, ref).Comments; len(got) != 1 {
				t.Errorf("%d comments, want one", len(got))
			}
			w.jira.Revoke(true)
			w.jira.FailOn("token", 100, http.StatusForbidden, nil)
			err := w.Comment(t.Context(), ref, connectors.Note{Key: "m", Body: "x"})
			if e := connectors.AsError(err); e == nil || e.Kind != connectors.Unwell || e.Sent || strings.Contains(err.Error(), appSecret) {
				t.Errorf("without consent: %+v", e)
			}
		})
	}
}

func TestATokenWithScopesIsNotTakenAtTheSite(t *testing.T) {
	t.Parallel()
	o := scoped()
	o.change = nil
	w := newWorld(t, o)
	err := w.Ping(t.Context())
	if e := connectors.AsError(err); e == nil || e.Kind != connectors.Unwell || !strings.Contains(err.Error(), "/ex/jira/CLOUD-ID") {
		t.Errorf("ping = %v, want a word on where scoped tokens are taken", err)
	}
}

func TestPingNamesEveryScopeThatIsMissing(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]worldOptions{"scoped token": scoped(), "service account": serviceAccount(), "consent": consented()} {
		for _, scope := range jirastandin.AllScopes() {
			if scope == "manage:jira-webhook" && name != "consent" {
				continue // only an app with webhooks needs it
			}
			t.Run(name+" without "+scope, func(t *testing.T) {
				t.Parallel()
				o := o
				change := o.change
				o.change = func(c *Config) { change(c); c.Projects = []string{"ITSEC", "DESK"} }
				w := newWorld(t, o)
				if err := w.Ping(t.Context()); err != nil {
					t.Fatalf("with all of them: %v", err)
				}
				w.jira.SetScopes(slices.DeleteFunc(jirastandin.AllScopes(), func(s string) bool { return s == scope })...)
				err := w.Ping(t.Context())
				if e := connectors.AsError(err); e == nil || e.Kind != connectors.Unwell || e.Sent || !strings.Contains(err.Error(), scope) {
					t.Errorf("ping = %v, want unwell and %s", err, scope)
				}
				if n := len(w.jira.Issues()); n != 0 {
					t.Errorf("ping made %d tickets", n)
				}
			})
		}
	}
}

func TestPingNamesEveryPermissionThatIsMissing(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{cloud, dataCenter} {
		for _, permission := range append(slices.Clone(needed), agent) {
			t.Run(kind+" without "+permission, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, worldOptions{
					jira:   jirastandin.Options{DataCenter: kind == dataCenter},
					change: func(c *Config) { c.Projects = []string{"DESK"} },
				})
				if err := w.Ping(t.Context()); err != nil {
					t.Fatal(err)
				}
				w.jira.Deny(permission)
				if err := w.Ping(t.Context()); err == nil || !strings.Contains(err.Error(), permission) {
					t.Errorf("ping = %v, want %s", err, permission)
				}
			})
		}
	}
}

func TestAnAppKeepsOneWebhookAlive(t *testing.T) {
	t.Parallel()
	w := newWorld(t, consented())
	s := &subscriber{w.connector}
	const here = "https://bridge.example/in/jira"
	look := func(notices string, want ...jirastandin.Webhook) {
		t.Helper()
		again, err := s.Subscribe(t.Context(), notices)
		if err != nil || again <= 0 || again > 24*time.Hour {
			t.Fatalf("subscribe: again in %s, %v", again, err)
		}
		if d := cmp.Diff(want, w.jira.Webhooks()); d != "" {
			t.Errorf("webhooks (-want +got):\n%s", d)
		}
	}
	hook := jirastandin.Webhook{URL: here, Filter: "project != EMPTY", Events: noticed, Expires: w.time.Now().Add(30 * 24 * time.Hour)}
	look(here, hook)
	look(here, hook)
	w.time.Advance(14 * 24 * time.Hour)
	look(here, hook)
	w.time.Advance(2 * 24 * time.Hour)
	hook.Expires = w.time.Now().Add(30 * 24 * time.Hour)
	look(here, hook)
	w.time.Advance(31 * 24 * time.Hour) // nobody was there to extend its life
	hook.Expires = w.time.Now().Add(30 * 24 * time.Hour)
	look(here, hook)
	s.conf.Projects = []string{"ITSEC", "DESK"}
	hook.Filter = `project in ("ITSEC", "DESK")`
	look(here, hook)
	hook.URL = "https://new.example/in/jira"
	look(hook.URL, hook)
	_, err := s.Subscribe(t.Context(), "https://new.example/in/other")
	if err == nil || !strings.Contains(err.Error(), "give each connection an app of its own") {
		t.Errorf("a second connection of the app: %v", err)
	}
	w.jira.SetScopes("read:jira-user", "read:jira-work", "write:jira-work")
	if _, err := s.Subscribe(t.Context(), hook.URL); err == nil || !strings.Contains(err.Error(), "manage:jira-webhook") {
		t.Errorf("without the scope: %v", err)
	}
}

func TestOnlyAnAppWithWebhooksIsASubscriber(t *testing.T) {
	t.Parallel()
	for _, wants := range []bool{false, true} {
		conf := &Config{BaseURL: "https://api.atlassian.com/ex/jira/1", Auth: Auth{Consent: &Consent{
			ClientID: "app", ClientSecret: connectors.SecretValue(appSecret), RefreshToken: connectors.SecretValue("x"), Webhooks: wants,
		}}}
		client, err := connectors.NewClient(connectors.Outbound{}, &connectors.Vault{}, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		c, err := conf.Open(connectors.Env{Client: client, Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		if _, does := connectors.AsSubscriber(c); does != wants {
			t.Errorf("with webhooks: %v, it subscribes: %v", wants, does)
		}
		if d := connectors.DefaultVerification(c); (d.JWT != nil) != wants || (d.HMAC == nil) != wants {
			t.Errorf("with webhooks: %v, verified by %+v", wants, d)
		}
		if text := strings.Join(connectors.Unverified(c), "\n"); strings.Contains(text, "claims") != wants {
			t.Errorf("unverified: %s", text)
		}
	}
}

func TestAnAppsWebhookIsVerifiedByItsSecret(t *testing.T) {
	t.Parallel()
	var notices []connectors.Request
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		notices = append(notices, connectors.Request{Method: r.Method, URL: r.URL, Header: r.Header, Body: body})
	}))
	defer hook.Close()
	w := newWorld(t, consented())
	if _, err := (&subscriber{w.connector}).Subscribe(t.Context(), hook.URL+"/in/jira"); err != nil {
		t.Fatal(err)
	}
	ref := w.create(t, "k1")
	if err := w.jira.Move(ref.Key, "acc-kim", "Approved", nil); err != nil {
		t.Fatal(err)
	}
	if err := w.jira.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(notices) != 2 {
		t.Fatalf("%d webhooks, want one for the create and one for the move", len(notices))
	}
	check := func(secret string, after time.Duration, r connectors.Request) error {
		conf := *w.conf.Auth.Consent
		conf.ClientSecret = connectors.SecretValue(secret)
		c := &connector{conf: Config{Auth: Auth{Consent: &conf}}}
		at := w.time.Now().Add(after)
		v, err := verify.New(c.Verification(), connectors.Verification{}, verify.Env{Vault: &connectors.Vault{}, Now: func() time.Time { return at }})
		if err != nil {
			t.Fatal(err)
		}
		_, err = v.Verify(t.Context(), r, "")
		return err
	}
	for _, r := range notices {
		if err := check(appSecret, 0, r); err != nil {
			t.Errorf("verify: %v", err)
		}
		got, err := w.Receive(t.Context(), r)
		if err != nil || len(got.Changes) != 1 || got.Changes[0].Ref != ref {
			t.Errorf("receive = %+v, %v, want a change of %v", got, err, ref)
		}
		if err := check("another-secret-0123456789abcdef-0123456", 0, r); err == nil {
			t.Error("a token of another app was taken")
		}
		if err := check(appSecret, time.Hour, r); err == nil {
			t.Error("a token of long ago was taken")
		}
	}
}
