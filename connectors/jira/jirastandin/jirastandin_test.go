package jirastandin_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors/jira/jirastandin"
)

// clock is a clock tests move.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Date(2026, 11, 20, 10, 5, 30, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// desk is a stand-in behind a server, called as the bridge.
type desk struct {
	*jirastandin.Server
	t           *testing.T
	url         string
	client      *http.Client
	user, token string
	clock       *clock
}

func start(t *testing.T, o jirastandin.Options) *desk {
	t.Helper()
	d := &desk{t: t, user: "bridge@example.test", token: "token", clock: newClock()}
	if o.Now == nil {
		o.Now = d.clock.now
	}
	if o.DataCenter {
		d.user = "bridge"
	}
	d.Server = jirastandin.New(o)
	srv := httptest.NewServer(d.Server)
	t.Cleanup(srv.Close)
	d.url, d.client = srv.URL, srv.Client()
	return d
}

func (d *desk) as(user, token string) *desk {
	other := *d
	other.user, other.token = user, token
	return &other
}

// response is an answer, with its body decoded where it is JSON.
type response struct {
	status int
	header http.Header
	raw    string
	body   any
}

// at follows a path of keys and indexes into the body.
func (r response) at(path ...any) any {
	v := r.body
	for _, step := range path {
		switch step := step.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[step]
		case int:
			l, _ := v.([]any)
			if step >= len(l) {
				return nil
			}
			v = l[step]
		}
	}
	return v
}

func (d *desk) send(req *http.Request) (response, error) {
	d.t.Helper()
	if d.user != "" {
		req.SetBasicAuth(d.user, d.token)
	}
	resp, err := d.client.Do(req)
	if err != nil {
		return response{}, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return response{}, err
	}
	out := response{status: resp.StatusCode, header: resp.Header, raw: string(raw)}
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") {
		if err := json.Unmarshal(raw, &out.body); err != nil {
			d.t.Fatalf("answer is not JSON: %v\n%s", err, raw)
		}
	}
	return out, nil
}

func (d *desk) request(method, path, body string) *http.Request {
	d.t.Helper()
	req, err := http.NewRequestWithContext(d.t.Context(), method, d.url+path, bytes.NewReader([]byte(body)))
	if err != nil {
		d.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	return req
}

// call makes a call that must be answered with one of the statuses.
func (d *desk) call(method, path, body string, want int) response {
	d.t.Helper()
	out, err := d.send(d.request(method, path, body))
	if err != nil {
		d.t.Fatalf("%s %s: %v", method, path, err)
	}
	if out.status != want {
		d.t.Fatalf("%s %s: got %d, want %d\n%s", method, path, out.status, want, out.raw)
	}
	return out
}

// create opens an access request and returns its key. more are further fields, written ,"id":value.
func (d *desk) create(summary, more string) string {
	d.t.Helper()
	out := d.call("POST", "/rest/api/2/issue", `{"fields":{"project":{"key":"ITSEC"},"issuetype":{"name":"Access Request"},"summary":"`+summary+`"`+more+`}}`, 201)
	return out.at("key").(string)
}

func (d *desk) issue(key string) jirastandin.Issue {
	d.t.Helper()
	i, ok := d.Issue(key)
	if !ok {
		d.t.Fatalf("no ticket %s", key)
	}
	return i
}

func TestSignInIsDemanded(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name        string
		user, token string
		path        string
		want        int
		wantReason  string
	}{
		{"right credentials", "bridge@example.test", "token", "/rest/api/3/myself", 200, "OK"},
		{"wrong token", "bridge@example.test", "nope", "/rest/api/3/myself", 401, "AUTHENTICATED_FAILED"},
		{"somebody else's token", "kim@example.test", "token", "/rest/api/3/myself", 401, "AUTHENTICATED_FAILED"},
		{"no credentials", "", "", "/rest/api/3/myself", 401, "AUTHENTICATED_FAILED"},
		{"account without token", "ana@example.test", "", "/rest/api/3/myself", 401, "AUTHENTICATED_FAILED"},
		{"wrong token elsewhere", "bridge@example.test", "nope", "/rest/api/3/issue/ITSEC-1", 401, "AUTHENTICATED_FAILED"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := start(t, jirastandin.Options{}).as(tt.user, tt.token).call("GET", tt.path, "", tt.want)
			if reason := got.header.Get("X-Seraph-LoginReason"); reason != tt.wantReason {
				t.Errorf("login reason: got %q, want %q", reason, tt.wantReason)
			}
		})
	}
}

func TestBearerTokenSignsIn(t *testing.T) {
	t.Parallel()
	d := start(t, jirastandin.Options{DataCenter: true}).as("", "")
	req := d.request("GET", "/rest/api/2/myself", "")
	req.Header.Set("Authorization", "Bearer token")
	got, err := d.send(req)
	if err != nil || got.at("name") != "bridge" || got.at("accountId") != nil {
		t.Errorf("got %v %v, want the bridge by its name", got, err)
	}
}

func TestAnonymousReadsLookEmpty(t *testing.T) {
	t.Parallel()
	d := start(t, jirastandin.Options{AnonymousReads: true})
	key := d.create("a", "")
	nobody := d.as("bridge@example.test", "expired")
	found := nobody.call("POST", "/rest/api/3/search/jql", `{"jql":"project = ITSEC"}`, 200)
	if n := len(found.at("issues").([]any)); n != 0 || found.header.Get("X-Seraph-LoginReason") != "AUTHENTICATED_FAILED" {
		t.Errorf("got %d issues and reason %q", n, found.header.Get("X-Seraph-LoginReason"))
	}
	nobody.call("GET", "/rest/api/3/issue/"+key, "", 404)
	nobody.call("GET", "/rest/api/3/myself", "", 401)
	nobody.call("POST", "/rest/api/3/issue", `{}`, 401)
}

func TestUnknownCallsAreRefused(t *testing.T) {
	t.Parallel()
	cloud, server := start(t, jirastandin.Options{}), start(t, jirastandin.Options{DataCenter: true})
	cloud.call("GET", "/rest/api/3/nothing", "", 404)
	cloud.call("GET", "/rest/api/latest/myself", "", 404)
	cloud.call("DELETE", "/rest/api/3/myself", "", 405)
	server.call("GET", "/rest/api/3/myself", "", 404)
	server.call("GET", "/rest/api/latest/myself", "", 200)
	server.call("GET", "/rest/api/2/user/groups?username=kim", "", 404)
	server.call("GET", "/rest/api/2/issue/ITSEC-1/changelog", "", 404)
	cloud.call("GET", "/rest/api/2/search?jql=project=ITSEC", "", 410)
	cloud.call("POST", "/rest/api/3/search", `{"jql":"project=ITSEC"}`, 410)
}

func TestRequestsAreCounted(t *testing.T) {
	t.Parallel()
	d := start(t, jirastandin.Options{})
	d.create("a", "")
	d.create("b", "")
	if got := d.Requests()["POST /rest/api/2/issue"]; got != 2 {
		t.Errorf("got %d, want 2", got)
	}
}

func TestMissingPermissionsAreTold(t *testing.T) {
	t.Parallel()
	d := start(t, jirastandin.Options{Denied: []string{"TRANSITION_ISSUES"}})
	path := "/rest/api/3/mypermissions?permissions=CREATE_ISSUES,TRANSITION_ISSUES,ADMINISTER"
	got := d.call("GET", path, "", 200)
	for key, want := range map[string]bool{"CREATE_ISSUES": true, "TRANSITION_ISSUES": false, "ADMINISTER": false} {
		if have := got.at("permissions", key, "havePermission"); have != want {
			t.Errorf("%s: got %v, want %v", key, have, want)
		}
	}
	d.call("GET", "/rest/api/3/mypermissions", "", 400)
	d.call("GET", "/rest/api/3/mypermissions?permissions=FLY", "", 400)
	d.call("GET", "/rest/api/3/mypermissions?permissions=CREATE_ISSUES&projectKey=NOPE", "", 404)

	key := d.create("a", "")
	d.call("POST", "/rest/api/3/issue/"+key+"/transitions", `{"transition":{"id":"21"}}`, 400)
	if n := len(d.call("GET", "/rest/api/3/issue/"+key+"/transitions", "", 200).at("transitions").([]any)); n != 0 {
		t.Errorf("got %d transitions, want none", n)
	}
	d.Deny("BROWSE_PROJECTS")
	d.call("GET", "/rest/api/3/issue/"+key, "", 404)
	d.Allow("BROWSE_PROJECTS", "TRANSITION_ISSUES")
	d.call("POST", "/rest/api/3/issue/"+key+"/transitions", `{"transition":{"id":"21"}}`, 204)

	for permission, call := range map[string][2]string{
		"CREATE_ISSUES":      {"/rest/api/3/issue", `{"fields":{"project":{"key":"ITSEC"},"issuetype":{"name":"Task"},"summary":"a"}}`},
		"ADD_COMMENTS":       {"/rest/api/2/issue/" + key + "/comment", `{"body":"a"}`},
		"LINK_ISSUES":        {"/rest/api/2/issueLink", `{"type":{"name":"Relates"}}`},
		"CREATE_ATTACHMENTS": {"/rest/api/2/issue/" + key + "/attachments", "x"},
	} {
		d.Deny(permission)
		d.call("POST", call[0], call[1], 403)
	}
	d.Deny("EDIT_ISSUES", "USER_PICKER")
	d.call("PUT", "/rest/api/3/issue/"+key, `{"fields":{"summary":"b"}}`, 403)
	d.call("PUT", "/rest/api/3/issue/"+key+"/properties/p", `1`, 403)
	d.call("GET", "/rest/api/3/users/search", "", 403)
}
