package epmstandin_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors/epm/epmstandin"
)

var noon = time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)

type tenant struct {
	*epmstandin.Server
	url string
	now time.Time
}

func start(t *testing.T, o epmstandin.Options) *tenant {
	t.Helper()
	x := &tenant{now: noon}
	var n int
	o.Now = func() time.Time { return x.now }
	o.NewID = func() string { n++; return fmt.Sprintf("r-%d", n) }
	x.Server = epmstandin.New(o)
	server := httptest.NewServer(x.Server)
	t.Cleanup(server.Close)
	x.url = server.URL
	return x
}

func (x *tenant) token(t *testing.T, form url.Values) (int, map[string]any) {
	t.Helper()
	resp, err := http.PostForm(x.url+"/oauth/connect/token", form)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var body map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&body); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, body
}

func account() url.Values {
	return url.Values{"grant_type": {"client_credentials"}, "client_id": {"bridge"}, "client_secret": {"standin-secret"}}
}

func (x *tenant) login(t *testing.T) string {
	t.Helper()
	status, body := x.token(t, account())
	if status != http.StatusOK {
		t.Fatalf("token: %d %v", status, body)
	}
	return body["access_token"].(string)
}

// call sends one request with token and returns status and body.
func (x *tenant) call(t *testing.T, token, method, path, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, x.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func decision(id string, edits map[string]any) string {
	body := map[string]any{
		"itsmRequestId": id, "systemId": "10042", "ticketId": "ITSEC-42", "ticketUrl": "https://desk.example/ITSEC-42",
		"decision": "Approved", "status": "2000", "decisionTime": "2026-01-05 10:21:00", "duration": "3600",
		"decisionPerformedByUser": "Lee", "message": "fine",
	}
	for name, value := range edits {
		body[name] = value
		if value == nil {
			delete(body, name)
		}
	}
	text, _ := json.Marshal(body)
	return string(text)
}

const (
	applicationPath = "/management-api/v2/AuthorizationRequest/notification"
	adminPath       = "/management-api/v3/AdminAccessRequest/notification"
)

func TestTokensAreGivenToTheAccountOnly(t *testing.T) {
	t.Parallel()
	x := start(t, epmstandin.Options{})
	status, body := x.token(t, account())
	if status != http.StatusOK || body["token_type"] != "Bearer" || body["expires_in"] != 3600.0 {
		t.Errorf("token: %d %v", status, body)
	}
	for name, value := range map[string]string{"client_secret": "wrong", "client_id": "wrong", "grant_type": "password"} {
		form := account()
		form.Set(name, value)
		if status, body := x.token(t, form); status != http.StatusBadRequest || body["error"] == nil {
			t.Errorf("wrong %s: %d %v", name, status, body)
		}
	}
}

func TestCallsNeedATokenThatIsStillGood(t *testing.T) {
	t.Parallel()
	x := start(t, epmstandin.Options{})
	const list = "/management-api/v3/AdminAccessRequest"
	token := x.login(t)
	if status, text := x.call(t, token, "GET", list, ""); status != http.StatusOK {
		t.Errorf("good token: %d %s", status, text)
	}
	if status, _ := x.call(t, "made-up", "GET", list, ""); status != http.StatusUnauthorized {
		t.Errorf("made-up token: %d", status)
	}
	x.RevokeTokens()
	if status, _ := x.call(t, token, "GET", list, ""); status != http.StatusUnauthorized {
		t.Errorf("revoked token: %d", status)
	}
	token = x.login(t)
	x.now = x.now.Add(time.Hour)
	if status, _ := x.call(t, token, "GET", list, ""); status != http.StatusUnauthorized {
		t.Errorf("token after an hour: %d", status)
	}
}

func TestApplicationDecisionsAreCheckedStrictly(t *testing.T) {
	t.Parallel()
	x := start(t, epmstandin.Options{})
	token, id := x.login(t), x.RequestApplication(epmstandin.AppRequest{User: "ana"})
	for _, field := range []string{"itsmRequestId", "systemId", "ticketId", "ticketUrl", "decision", "status", "decisionTime", "duration", "decisionPerformedByUser", "message"} {
		for _, value := range []any{nil, "", 7, true} {
			status, text := x.call(t, token, "POST", applicationPath, decision(id, map[string]any{field: value}))
			if status != http.StatusBadRequest || !strings.Contains(text, field) {
				t.Errorf("%s = %v: %d %s", field, value, status, text)
			}
		}
	}
	for _, edits := range []map[string]any{
		{"decision": "approved"}, {"status": "2001"}, {"decision": "Denied"}, {"decisionTime": "2026-01-05T10:21:00Z"}, {"duration": "1h"},
	} {
		if status, _ := x.call(t, token, "POST", applicationPath, decision(id, edits)); status != http.StatusBadRequest {
			t.Errorf("%v: %d", edits, status)
		}
	}
	if status, _ := x.call(t, token, "POST", applicationPath, decision("r-9", nil)); status != http.StatusNotFound {
		t.Errorf("unknown request: %d", status)
	}
	if got := x.Requests()[0].State; got != epmstandin.Pending {
		t.Errorf("after refusals the request is %s", got)
	}
}

func TestDecidingTwice(t *testing.T) {
	t.Parallel()
	x := start(t, epmstandin.Options{})
	token, id := x.login(t), x.RequestApplication(epmstandin.AppRequest{User: "ana"})
	var answered []int
	for _, edits := range []map[string]any{nil, nil, {"decision": "Denied", "status": "2001"}} {
		status, _ := x.call(t, token, "POST", applicationPath, decision(id, edits))
		answered = append(answered, status)
	}
	if want := []int{200, 200, 409}; !slices.Equal(answered, want) {
		t.Errorf("answered %v, want %v", answered, want)
	}
	var recorded []int
	for _, d := range x.Decisions(id) {
		recorded = append(recorded, d.Answered)
	}
	if !slices.Equal(recorded, answered) {
		t.Errorf("recorded %v, want %v", recorded, answered)
	}
	if r := x.Requests()[0]; r.State != epmstandin.Approved || r.By != "Lee" || r.TicketID != "ITSEC-42" {
		t.Errorf("request = %+v", r)
	}
}

func TestAdministratorRightsCanBeTakenBack(t *testing.T) {
	t.Parallel()
	x := start(t, epmstandin.Options{})
	token, id := x.login(t), x.RequestAdmin(epmstandin.AdminRequest{UserName: "ana"})
	for _, tt := range []struct {
		body string
		want int
	}{
		{`{"decision":"Approved"}`, 400},
		{`{"requestId":"` + id + `","decision":"Maybe"}`, 400},
		{`{"requestId":"` + id + `","decision":"Approved","duration":"60"}`, 400},
		{`{"requestId":"` + id + `","decision":"Approved","duration":3600}`, 400},
		{`{"requestId":"` + id + `","decision":"Approved","duration":"3600","message":null}`, 200},
		{`{"requestId":"` + id + `","decision":"Denied"}`, 200},
		{`{"requestId":"` + id + `","decision":"Approved"}`, 409},
		{`[]`, 400},
	} {
		if status, text := x.call(t, token, "POST", adminPath, tt.body); status != tt.want {
			t.Errorf("%s: %d %s, want %d", tt.body, status, text, tt.want)
		}
	}
	if status, _ := x.call(t, token, "POST", applicationPath, decision(id, nil)); status != http.StatusNotFound {
		t.Errorf("an administrator request decided as an application: %d", status)
	}
}

func TestStatesAreFoundByEitherId(t *testing.T) {
	t.Parallel()
	for _, only := range []bool{false, true} {
		x := start(t, epmstandin.Options{OnlyBySystemID: only})
		token, id := x.login(t), x.RequestApplication(epmstandin.AppRequest{User: "ana"})
		byID, text := x.call(t, token, "GET", "/management-api/v2/AuthorizationRequest/"+id, "")
		if want := map[bool]int{false: 200, true: 404}[only]; byID != want || byID == 200 && !strings.Contains(text, `"status":"1000"`) {
			t.Errorf("by RequestId: %d %s, want %d", byID, text, want)
		}
		x.call(t, token, "POST", applicationPath, decision(id, nil))
		status, text := x.call(t, token, "GET", "/management-api/v3/AuthorizationRequest/10042", "")
		if status != http.StatusOK || !strings.Contains(text, `"status":"2000"`) || !strings.Contains(text, `"systemId":"10042"`) {
			t.Errorf("by system id: %d %s", status, text)
		}
	}
}

func TestAdministratorRequestsAreListedAndRead(t *testing.T) {
	t.Parallel()
	x := start(t, epmstandin.Options{})
	token, id := x.login(t), x.RequestAdmin(epmstandin.AdminRequest{UserName: "ana"})
	x.RequestApplication(epmstandin.AppRequest{User: "max"})
	_, list := x.call(t, token, "GET", "/management-api/v3/AdminAccessRequest?Pagination.PageSize=1", "")
	if !strings.Contains(list, `"totalRecordCount":1`) || !strings.Contains(list, id) {
		t.Errorf("list: %s", list)
	}
	status, one := x.call(t, token, "GET", "/management-api/v3/AdminAccessRequest/"+id, "")
	if status != http.StatusOK || !strings.Contains(one, `"decision":"Pending"`) {
		t.Errorf("one: %d %s", status, one)
	}
	if status, _ := x.call(t, token, "GET", "/management-api/v3/AdminAccessRequest/r-9", ""); status != http.StatusNotFound {
		t.Errorf("unknown: %d", status)
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	x := start(t, epmstandin.Options{})
	token, id := x.login(t), x.RequestApplication(epmstandin.AppRequest{User: "ana"})
	x.FailNext(2, http.StatusBadGateway)
	for _, want := range []int{502, 502, 200} {
		if status, _ := x.call(t, token, "GET", "/management-api/v3/AdminAccessRequest", ""); status != want {
			t.Errorf("status %d, want %d", status, want)
		}
	}
	x.CutNext()
	if status, _ := x.call(t, token, "POST", applicationPath, decision(id, nil)); status != 0 {
		t.Errorf("a cut call was answered %d", status)
	}
	if d := x.Decisions(id); len(d) != 1 || x.Requests()[0].State != epmstandin.Approved {
		t.Errorf("a cut decision was not taken: %+v", d)
	}
	if status, _ := x.call(t, token, "POST", applicationPath, decision(id, nil)); status != 200 {
		t.Errorf("the call after the cut: %d", status)
	}
}

func TestWithoutJITEveryCallIsForbidden(t *testing.T) {
	t.Parallel()
	x := start(t, epmstandin.Options{WithoutJIT: true})
	if status, _ := x.call(t, x.login(t), "GET", "/management-api/v3/AdminAccessRequest", ""); status != http.StatusForbidden {
		t.Errorf("status %d", status)
	}
}

func TestResetForgetsEverything(t *testing.T) {
	t.Parallel()
	x := start(t, epmstandin.Options{})
	token, id := x.login(t), x.RequestApplication(epmstandin.AppRequest{User: "ana"})
	x.call(t, token, "POST", applicationPath, decision(id, nil))
	x.FailNext(5, 500)
	x.Reset()
	if len(x.Requests()) != 0 || len(x.Decisions(id)) != 0 || x.Queued() != 0 {
		t.Error("something is left")
	}
	if status, _ := x.call(t, token, "GET", "/management-api/v3/AdminAccessRequest", ""); status != http.StatusUnauthorized {
		t.Errorf("the old token is answered %d", status)
	}
}
