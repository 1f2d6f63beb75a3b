package jirastandin_test

import (
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/drawbridge-itsm/drawbridge/connectors/jira/jirastandin"
)

func startApp(t *testing.T, o jirastandin.Options) *desk {
	t.Helper()
	o.App = &jirastandin.App{ID: "app", Secret: "s3cret", Refresh: "first"}
	return start(t, o).as("", "")
}

// token asks for tokens with a body in JSON.
func (d *desk) tokens(body string, want int) response {
	d.t.Helper()
	return d.call("POST", "/oauth/token", body, want)
}

const gate = "/ex/jira/" + jirastandin.CloudID

// through is a call through the gateway with an access token.
func (d *desk) through(token, method, path, body string) *http.Request {
	d.t.Helper()
	req := d.request(method, gate+path, body)
	req.Header.Set("Authorization", "Bearer "+token)
	return req
}

func (d *desk) passes(token, method, path, body string, want int) response {
	d.t.Helper()
	got, err := d.send(d.through(token, method, path, body))
	if err != nil || got.status != want {
		d.t.Fatalf("%s %s: got %d, %v, want %d\n%s", method, path, got.status, err, want, got.raw)
	}
	return got
}

func TestARefreshTokenIsGoodOnce(t *testing.T) {
	t.Parallel()
	d := startApp(t, jirastandin.Options{})
	const head = `{"grant_type":"refresh_token","client_id":"app","client_secret":"s3cret","refresh_token":`
	first := d.tokens(head+`"first"}`, 200)
	d.tokens(head+`"first"}`, 403)
	next, _ := first.at("refresh_token").(string)
	second := d.tokens(head+`"`+next+`"}`, 200)
	for _, answer := range []response{first, second} {
		d.passes(answer.at("access_token").(string), "GET", "/rest/api/3/myself", "", 200)
	}
	d.clock.pass(2 * time.Hour)
	d.passes(second.at("access_token").(string), "GET", "/rest/api/3/myself", "", 401)
	d.tokens(`{"grant_type":"client_credentials","client_id":"app","client_secret":"wrong"}`, 401)
	d.tokens(`{"grant_type":"password","client_id":"app","client_secret":"s3cret"}`, 400)
	form := d.request("POST", "/oauth/token", "grant_type=client_credentials&client_id=app&client_secret=s3cret")
	form.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if got, err := d.send(form); err != nil || got.status != 200 || got.at("refresh_token") != nil {
		t.Errorf("a form: %+v, %v", got, err)
	}
}

func TestTheGatewayWantsAScopeForEachCall(t *testing.T) {
	t.Parallel()
	accounts := jirastandin.DefaultAccounts()
	accounts[2].Scopes = jirastandin.AllScopes()
	d := startApp(t, jirastandin.Options{Accounts: accounts})
	token := d.tokens(`{"grant_type":"client_credentials","client_id":"app","client_secret":"s3cret"}`, 200).at("access_token").(string)
	d.passes(token, "GET", "/rest/api/3/myself", "", 200)
	d.SetScopes("read:jira-work")
	if got := d.passes(token, "GET", "/rest/api/3/myself", "", 401); !strings.Contains(got.raw, "scope does not match") {
		t.Errorf("got %s", got.raw)
	}
	d.passes(token, "GET", "/rest/api/3/issue/ITSEC-9", "", 404)
	d.passes(token, "POST", "/rest/api/3/issue", `{"fields":{}}`, 401)
	d.passes(token, "GET", "/rest/servicedeskapi/servicedesk", "", 401)
	kim := d.as("kim@example.test", "token-kim")
	kim.call("GET", gate+"/rest/api/3/issue/ITSEC-9", "", 404)
	kim.call("GET", "/rest/api/3/issue/ITSEC-9", "", 401) // a token with scopes, at the site
	site := d.request("GET", "/rest/api/3/myself", "")
	site.Header.Set("Authorization", "Bearer "+token)
	if got, err := d.send(site); err != nil || got.status != 401 {
		t.Errorf("an access token at the site: %d, %v", got.status, err)
	}
}

func TestAppWebhooksEndAfterThirtyDays(t *testing.T) {
	t.Parallel()
	var heads []http.Header
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		heads = append(heads, r.Header)
	}))
	t.Cleanup(hook.Close)
	d := startApp(t, jirastandin.Options{})
	bridge := d.as("bridge@example.test", "token")
	refresh, token := "first", ""
	renew := func() {
		answer := d.tokens(`{"grant_type":"refresh_token","client_id":"app","client_secret":"s3cret","refresh_token":"`+refresh+`"}`, 200)
		refresh, token = answer.at("refresh_token").(string), answer.at("access_token").(string)
	}
	sent := func(want int) {
		t.Helper()
		heads = nil
		bridge.create("a", "")
		if err := d.Flush(t.Context()); err != nil || len(heads) != want {
			t.Fatalf("%d webhooks, %v, want %d", len(heads), err, want)
		}
	}
	var doc *openapi3.T
	check := func(method, path, body, described string, want int) response {
		t.Helper()
		if doc == nil {
			return d.passes(token, method, "/rest/api/3"+path, body, want)
		}
		return conform(t, doc, d, d.through(token, method, "/rest/api/3"+path, body), "/rest/api/3"+described, want)
	}
	if specsAtHand() {
		doc = loadSpec(t, "jira-cloud-platform-v3.2025-12.json")
	}
	renew()
	check("GET", "/webhook", "", "/webhook", 200)
	check("POST", "/webhook", `{"url":"`+hook.URL+`","webhooks":[{"events":["jira:issue_created"],"jqlFilter":"labels = a"},{"events":["jira:issue_created"],"jqlFilter":"project = \"ITSEC\""}]}`, "/webhook", 200)
	check("POST", "/webhook", `{"url":"https://elsewhere.example","webhooks":[]}`, "/webhook", 400)
	sent(1)
	parts := strings.Split(strings.TrimPrefix(heads[0].Get("Authorization"), "Bearer "), ".")
	if claims, err := base64.RawURLEncoding.DecodeString(parts[1]); len(parts) != 3 || err != nil || !strings.Contains(string(claims), `"iss":"app"`) || heads[0].Get("X-Hub-Signature") != "" {
		t.Errorf("signed by %v", heads[0])
	}
	d.clock.pass(20 * 24 * time.Hour)
	renew()
	check("PUT", "/webhook/refresh", `{"webhookIds":[1]}`, "/webhook/refresh", 200)
	d.clock.pass(20 * 24 * time.Hour)
	sent(1)
	d.clock.pass(11 * 24 * time.Hour)
	sent(0)
	renew()
	check("POST", "/webhook", `{"url":"`+hook.URL+`","webhooks":[{"events":["jira:issue_created"],"jqlFilter":"project != EMPTY"}]}`, "/webhook", 200)
	sent(1)
	check("DELETE", "/webhook", `{"webhookIds":[2]}`, "/webhook", 202)
	check("DELETE", "/webhook", `{"webhookIds":[]}`, "/webhook", 400)
	sent(0)
	account := d.tokens(`{"grant_type":"client_credentials","client_id":"app","client_secret":"s3cret"}`, 200).at("access_token").(string)
	token = account
	check("GET", "/webhook", "", "/webhook", 403)
}
