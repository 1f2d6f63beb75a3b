package servicenowstandin_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors/servicenow/servicenowstandin"
)

// caller calls a stand-in as the account.
type caller struct {
	t   *testing.T
	url string
}

func (c caller) do(method, path, body string, change ...func(*http.Request)) (int, http.Header, string) {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), method, c.url+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	req.SetBasicAuth("drawbridge", "secret")
	for _, f := range change {
		f(req)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(text)
}

func (c caller) list(path string) []map[string]any {
	c.t.Helper()
	_, _, text := c.do(http.MethodGet, path, "")
	var out struct{ Result []map[string]any }
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		c.t.Fatalf("%s: %v", text, err)
	}
	return out.Result
}

func serve(t *testing.T, o servicenowstandin.Options) (*servicenowstandin.Server, caller) {
	t.Helper()
	s := servicenowstandin.New(o)
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return s, caller{t, server.URL}
}

func TestWhatAnInstanceRefuses(t *testing.T) {
	t.Parallel()
	s, c := serve(t, servicenowstandin.Options{Unreadable: []string{"sys_audit"}})
	_, _, text := c.do(http.MethodPost, "/api/now/table/incident", `{"short_description":"a"}`)
	var made struct {
		Result struct {
			ID string `json:"sys_id"`
		}
	}
	if err := json.Unmarshal([]byte(text), &made); err != nil || made.Result.ID == "" {
		t.Fatalf("%s: %v", text, err)
	}
	ticket := "/api/now/table/incident/" + made.Result.ID
	for _, tc := range []struct {
		name, method, path, body string
		change                   func(*http.Request)
		status                   int
		want                     string
	}{
		{"wrong credentials", "GET", ticket, "", func(r *http.Request) { r.SetBasicAuth("drawbridge", "x") }, 401, "User Not Authenticated"},
		{"a key that is none", "GET", ticket, "", func(r *http.Request) { r.Header.Set("x-sn-apikey", "x") }, 401, "User Not Authenticated"},
		{"a table that is none", "GET", "/api/now/table/u_none", "", nil, 400, "Invalid table"},
		{"a table it may not read", "GET", "/api/now/table/sys_audit", "", nil, 403, "User Not Authorized"},
		{"a record that is none", "GET", "/api/now/table/incident/x", "", nil, 404, "No Record found"},
		{"no JSON", "POST", "/api/now/table/incident", "x", nil, 400, "not valid JSON"},
		{"a state without what it asks for", "PATCH", ticket, `{"state":"6"}`, nil, 403, "mandatory"},
		{"a new user", "POST", "/api/now/table/sys_user", `{"user_name":"x"}`, nil, 403, "ACL"},
		{"deleting", "DELETE", ticket, "", nil, 405, ""},
		{"a file without its name", "POST", "/api/now/attachment/file?table_name=incident&table_sys_id=" + made.Result.ID, "x", nil, 400, "Missing parameter"},
		{"a file of no record", "POST", "/api/now/attachment/file?table_name=incident&table_sys_id=x&file_name=a", "x", func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }, 404, "does not exist"},
	} {
		change := func(*http.Request) {}
		if tc.change != nil {
			change = tc.change
		}
		if status, _, text := c.do(tc.method, tc.path, tc.body, change); status != tc.status || !strings.Contains(text, tc.want) || !strings.Contains(text, `"status":"failure"`) {
			t.Errorf("%s: %d %s", tc.name, status, text)
		}
	}
	s.FailNext(1, http.StatusTooManyRequests, http.Header{"Retry-After": {"7"}, "X-RateLimit-Reset": {"1795000000"}})
	if status, header, text := c.do(http.MethodGet, ticket, ""); status != 429 || header.Get("Retry-After") != "7" || !strings.Contains(text, "Rate limit exceeded") {
		t.Errorf("limited: %d %v %s", status, header, text)
	}
	if status, _, text := c.do(http.MethodGet, ticket, ""); status != 200 {
		t.Errorf("afterwards: %d %s", status, text)
	}
}

func TestWhatAnInstanceDoesWithoutAWord(t *testing.T) {
	t.Parallel()
	now := time.Now()
	s, c := serve(t, servicenowstandin.Options{Now: func() time.Time { return now }, Dropped: []string{"incident.correlation_id"}, Lag: time.Minute})
	for _, table := range []string{"incident", "incident", "sc_task"} {
		if status, _, text := c.do(http.MethodPost, "/api/now/table/"+table, `{"short_description":"`+strings.Repeat("x", 200)+`","nonsense":"x","correlation_id":"k","work_notes":"n"}`); status != 201 {
			t.Fatalf("%d %s", status, text)
		}
	}
	all := "/api/now/table/incident?sysparm_query="
	if got := c.list(all); len(got) != 0 {
		t.Errorf("found at once: %v", got)
	}
	now = now.Add(time.Hour)
	got := c.list(all + url.QueryEscape("no_such_column=1^ORDERBYnumber"))
	if len(got) != 2 || got[0]["correlation_id"] != "" || got[0]["work_notes"] != "" || len(got[0]["short_description"].(string)) != 160 {
		t.Errorf("found %v", got)
	}
	if got := c.list(all + url.QueryEscape("short_description=a^^b^ORshort_descriptionSTARTSWITHx^state=1")); len(got) != 2 {
		t.Errorf("an alternative finds %d", len(got))
	}
	if got := c.list("/api/now/table/sc_task?sysparm_query=correlation_id%3Dk"); len(got) != 1 {
		t.Errorf("another table: %v", got)
	}
	_, header, _ := c.do(http.MethodGet, all+"&sysparm_limit=1", "")
	if header.Get("X-Total-Count") != "2" || !strings.Contains(header.Get("Link"), `rel="next"`) {
		t.Errorf("a page: %v", header)
	}
	if n := len(s.Tickets()); n != 3 || s.Requests() == 0 {
		t.Errorf("%d tickets", n)
	}
	if clone, err := s.Clone("INC0010001", "max"); err != nil || clone != "INC0010003" {
		t.Errorf("clone %s, %v", clone, err)
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	s, c := serve(t, servicenowstandin.Options{ClientID: "id", ClientSecret: "s"})
	token := func(form string) (int, string) {
		status, _, text := c.do(http.MethodPost, "/oauth_token.do", form)
		var out struct {
			Token string `json:"access_token"`
		}
		_ = json.Unmarshal([]byte(text), &out) // none: refused
		return status, out.Token
	}
	_, good := token("grant_type=client_credentials&client_id=id&client_secret=s")
	use := func() int {
		status, _, _ := c.do(http.MethodGet, "/api/now/table/incident", "", func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+good) })
		return status
	}
	if status := use(); good == "" || status != 200 {
		t.Errorf("a token is answered %d", status)
	}
	s.RevokeTokens()
	if status := use(); status != 401 {
		t.Errorf("a revoked token is answered %d", status)
	}
	for _, form := range []string{
		"grant_type=client_credentials&client_id=id&client_secret=x", "grant_type=password&client_id=id&client_secret=s&username=drawbridge&password=x",
		"grant_type=code&client_id=id&client_secret=s", "%zz",
	} {
		if status, given := token(form); status != 401 || given != "" {
			t.Errorf("%s: %d", form, status)
		}
	}
}
