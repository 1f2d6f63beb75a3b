package aponostandin_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors/apono/aponostandin"
)

var noon = time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)

type service struct {
	*aponostandin.Server
	url string
}

func start(t *testing.T, o aponostandin.Options) *service {
	t.Helper()
	var n int
	o.Now = func() time.Time { return noon }
	o.NewID = func() string { n++; return fmt.Sprintf("r-%d", n) }
	x := &service{Server: aponostandin.New(o)}
	server := httptest.NewServer(x.Server)
	t.Cleanup(server.Close)
	x.url = server.URL
	return x
}

// call sends one request with token and returns status and body.
func (x *service) call(t *testing.T, token, method, path, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, x.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, strings.TrimSpace(string(text))
}

const (
	token  = "aup_standin"
	client = "/api/client/v1/access-requests/"
	public = "/api/v3/access-requests/"
)

var (
	ana  = aponostandin.Person{ID: "user-ana", Name: "Ana Silva", Email: "ana@corp.example"}
	kim  = aponostandin.Person{ID: "user-kim", Name: "Kim Okafor", Email: "kim@corp.example"}
	ours = aponostandin.Person{ID: "user-bridge", Name: "Drawbridge", Email: "drawbridge@corp.example"}
	asks = aponostandin.AccessRequest{
		Requester: ana, Justification: "because", Integration: "prod db", Type: "Postgresql",
		Resources: []aponostandin.Resource{{Name: "orders", Type: "Database", Permission: "Read"}},
	}
)

func (x *service) state(t *testing.T, id string) aponostandin.State {
	t.Helper()
	for _, r := range x.Requests() {
		if r.ID == id {
			return r.State
		}
	}
	t.Fatalf("there is no request %s", id)
	return ""
}

func TestCallsNeedTheToken(t *testing.T) {
	t.Parallel()
	x := start(t, aponostandin.Options{})
	if status, body := x.call(t, "made-up", "GET", public+"r-1", ""); status != 401 || body != `{"code":"Unauthorized","status":"401"}` {
		t.Errorf("made-up token: %d %s", status, body)
	}
	if status, body := x.call(t, token, "GET", "/api/v3/access-requests", ""); status != 200 || !strings.Contains(body, `"total":0`) {
		t.Errorf("good token: %d %s", status, body)
	}
}

func TestATokenMayLackPermissions(t *testing.T) {
	t.Parallel()
	x := start(t, aponostandin.Options{ReadOnly: true})
	id := x.Request(asks)
	for _, tt := range []struct {
		method, path string
		want         int
	}{
		{"GET", public + id, 200}, {"GET", client + id, 403}, {"POST", client + id + "/approve", 403}, {"POST", "/api/v3/access-requests-bulk/revoke", 403},
	} {
		if status, _ := x.call(t, token, tt.method, tt.path, `{"request_ids":["r-1"]}`); status != tt.want {
			t.Errorf("%s %s: %d, want %d", tt.method, tt.path, status, tt.want)
		}
	}
	if len(x.Decisions(id)) != 0 {
		t.Error("a forbidden call left a decision")
	}
}

func TestApprovalPolicies(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		relation aponostandin.Relation
		act      []string // what is done, one after another, to a request of ours and Kim
		answers  []int
		want     aponostandin.State
	}{
		{"one of any", "", []string{"approve"}, []int{200}, aponostandin.Granted},
		{"a second answer of the same", aponostandin.AllOf, []string{"approve", "approve"}, []int{200, 409}, aponostandin.Pending},
		{"one of all", aponostandin.AllOf, []string{"approve"}, []int{200}, aponostandin.Pending},
		{"all of all", aponostandin.AllOf, []string{"approve", "kim approves"}, []int{200, 0}, aponostandin.Granted},
		{"one rejects", aponostandin.AllOf, []string{"kim rejects", "approve"}, []int{0, 409}, aponostandin.Rejected},
		{"rejected", aponostandin.AnyOf, []string{"reject", "approve"}, []int{200, 409}, aponostandin.Rejected},
		{"taken back", "", []string{"approve", "revoke", "revoke"}, []int{200, 200, 409}, aponostandin.Revoking},
		{"taken back before it was given", "", []string{"revoke"}, []int{409}, aponostandin.Pending},
	} {
		x := start(t, aponostandin.Options{})
		a := asks
		a.Relation, a.Approvers = tt.relation, []aponostandin.Person{ours, kim}
		id := x.Request(a)
		for i, what := range tt.act {
			switch what {
			case "kim approves":
				if err := x.ApproveInPortal(id, kim.Email); err != nil {
					t.Errorf("%s: %v", tt.name, err)
				}
			case "kim rejects":
				if err := x.RejectInPortal(id, kim.Email); err != nil {
					t.Errorf("%s: %v", tt.name, err)
				}
			default:
				if status, body := x.call(t, token, "POST", client+id+"/"+what, ""); status != tt.answers[i] {
					t.Errorf("%s: %s answered %d %s, want %d", tt.name, what, status, body, tt.answers[i])
				}
			}
		}
		if got := x.state(t, id); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
		var recorded []int
		for _, d := range x.Decisions(id) {
			recorded = append(recorded, d.Answered)
		}
		if want := slices.DeleteFunc(slices.Clone(tt.answers), func(n int) bool { return n == 0 }); !slices.Equal(recorded, want) {
			t.Errorf("%s: recorded %v, want %v", tt.name, recorded, want)
		}
	}
}

func TestDecisionsAreChecked(t *testing.T) {
	t.Parallel()
	x := start(t, aponostandin.Options{})
	a := asks
	a.NeedsReason = true
	id := x.Request(a)
	a.Approvers = []aponostandin.Person{kim}
	others := x.Request(a)
	for _, tt := range []struct {
		path, body string
		want       int
	}{
		{id + "/approve", "", 400}, {id + "/approve", "{", 400}, {id + "/approve", `{"justification":7}`, 400}, {id + "/approve", `{"justification":null}`, 400},
		{id + "/approve", `{"justification":"` + strings.Repeat("é", 124) + `"}`, 400}, {"r-9/approve", `{"justification":"x"}`, 404},
		{others + "/reject", `{"justification":"x"}`, 403}, {id + "/approve", `{"justification":"` + strings.Repeat("é", 123) + `"}`, 200},
	} {
		if status, body := x.call(t, token, "POST", client+tt.path, tt.body); status != tt.want || !strings.Contains(body, `"message"`) {
			t.Errorf("%s %.40s: %d %s, want %d", tt.path, tt.body, status, body, tt.want)
		}
	}
	for _, body := range []string{"", "{}", `{"request_ids":["r-1","r-2"]}`} {
		if status, _ := x.call(t, token, "POST", "/api/v3/access-requests-bulk/revoke", body); status != 400 {
			t.Errorf("revoke %s: %d", body, status)
		}
	}
	if status, _ := x.call(t, token, "POST", "/api/v3/access-requests-bulk/revoke", `{"request_ids":["r-1"]}`); status != 200 {
		t.Errorf("revoke: %d", status)
	}
}

func TestBothInterfacesShowARequest(t *testing.T) {
	t.Parallel()
	x := start(t, aponostandin.Options{})
	id := x.Request(asks)
	want := `{"friendly_request_id":"AR-1","integration_id":"prod db","justification":"because","permissions":["Read"],"request_id":"r-1","resource_ids":["orders"],"status":"PENDING","user_id":"user-ana"}`
	if _, body := x.call(t, token, "GET", public+"AR-1", ""); body != want {
		t.Errorf("public: %s", body)
	}
	tasks := func() string {
		_, body := x.call(t, token, "GET", "/api/client/v1/access-requests?scope=MyTasks", "")
		return body
	}
	if body := tasks(); !strings.Contains(body, `"status":{"status":"Pending"}`) || !strings.Contains(body, `"logical_relation":"AnyOf"`) {
		t.Errorf("tasks: %s", body)
	}
	x.call(t, token, "POST", client+id+"/approve", "")
	if body := tasks(); !strings.Contains(body, `"total":0`) {
		t.Errorf("tasks after the answer: %s", body)
	}
	if _, body := x.call(t, token, "GET", client+id, ""); !strings.Contains(body, `"status":{"status":"Active"}`) {
		t.Errorf("client: %s", body)
	}
	if _, body := x.call(t, token, "GET", "/api/v3/access-requests?user_id=user-ana", ""); !strings.Contains(body, `"total":1`) {
		t.Errorf("list: %s", body)
	}
	for _, path := range []string{public, client} {
		if status, _ := x.call(t, token, "GET", path+"r-9", ""); status != 404 {
			t.Errorf("%s: %d", path, status)
		}
	}
}

func TestPeopleActInThePortal(t *testing.T) {
	t.Parallel()
	x := start(t, aponostandin.Options{})
	id := x.Request(asks)
	for _, tt := range []struct {
		name string
		err  error
		want error
	}{
		{"no request", x.ApproveInPortal("r-9", ours.Email), aponostandin.ErrUnknown},
		{"no approver", x.ApproveInPortal(id, ana.Email), aponostandin.ErrNotApprover},
		{"an approver", x.ApproveInPortal(id, ours.Email), nil},
		{"again", x.RejectInPortal(id, ours.Email), aponostandin.ErrAnswered},
		{"no request to end", x.Expire("r-9"), aponostandin.ErrUnknown},
		{"no request to watch", x.Anomaly("r-9", "odd"), aponostandin.ErrUnknown},
		{"the end", x.Expire(id), nil},
	} {
		if !errors.Is(tt.err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, tt.err, tt.want)
		}
	}
	if x.Expire(id) == nil || x.Fail(id) == nil {
		t.Error("a request ended twice")
	}
	x.Reset()
	if len(x.Requests()) != 0 || x.Queued() != 0 {
		t.Error("something is left after a reset")
	}
}

func TestFaultsHappenAsOftenAsTheyWereAskedFor(t *testing.T) {
	t.Parallel()
	x := start(t, aponostandin.Options{})
	id := x.Request(asks)
	x.FailNext(2, 503)
	for _, want := range []int{503, 503, 200} {
		if status, _ := x.call(t, token, "GET", public+id, ""); status != want {
			t.Errorf("%d, want %d", status, want)
		}
	}
	x.ThrottleNext(1, 7*time.Second)
	req, _ := http.NewRequestWithContext(t.Context(), "GET", x.url+public+id, nil)
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 429 || resp.Header.Get("Retry-After") != "7" {
		t.Errorf("throttled: %d, %s", resp.StatusCode, resp.Header.Get("Retry-After"))
	}
	x.CutNext()
	if status, _ := x.call(t, token, "POST", client+id+"/approve", ""); status != 0 {
		t.Errorf("an answer came: %d", status)
	}
	if got := x.state(t, id); got != aponostandin.Granted {
		t.Errorf("the request is %s", got)
	}
}
