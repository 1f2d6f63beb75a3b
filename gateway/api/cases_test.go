package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-itsm/drawbridge/gateway"
)

func TestEveryErrorIsAProblem(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	tests := []struct {
		name, method, path, body string
		headers                  []string
		status                   int
		detail                   string
	}{
		{"page that is not there", "GET", "/nothing", "", nil, 404, "nothing at this address"},
		{"folder", "GET", "/deep", "", nil, 404, "nothing at this address"},
		{"out of the page's folder", "GET", "/../api.go", "", nil, 404, "nothing at this address"},
		{"odd path", "GET", "//", "", nil, 404, "nothing at this address"},
		{"page, posted", "POST", "/", "", nil, 405, "Allow header"},
		{"health, posted", "POST", "/healthz", "", nil, 405, "Allow header"},
		{"API without token", "GET", "/api/v1/cases", "", nil, 401, "sign in"},
		{"API with a wrong token", "GET", "/api/v1/cases", "", []string{"Authorization: Bearer db_guess"}, 401, "sign in"},
		{"API with an empty token", "GET", "/api/v1/cases", "", []string{"Authorization: Bearer "}, 401, "sign in"},
		{"API with Basic", "GET", "/api/v1/cases", "", []string{"Authorization: Basic " + token}, 401, "sign in"},
		{"one case without token", "GET", "/api/v1/cases/x", "", nil, 401, "sign in"},
		{"unknown path of the API", "GET", "/api/v1/nothing", "", []string{signedIn}, 404, "nothing at this address"},
		{"API, deleted", "DELETE", "/api/v1/cases", "", []string{signedIn}, 405, "Allow header"},
		{"no such case", "GET", "/api/v1/cases/nope", "", []string{signedIn}, 404, "no such thing"},
		{"limit", "GET", "/api/v1/cases?limit=many", "", []string{signedIn}, 400, "from 1 to 200"},
		{"limit too large", "GET", "/api/v1/cases?limit=201", "", []string{signedIn}, 400, "from 1 to 200"},
		{"limit too small", "GET", "/api/v1/cases?limit=0", "", []string{signedIn}, 400, "from 1 to 200"},
		{"unknown connection", "POST", "/in/nobody", "r-1", nil, 404, "no such connection"},
		{"connection without a name", "POST", "/in/", "r-1", nil, 404, "nothing at this address"},
		{"misspelt, posted", "POST", "/inn/tool", "r-1", nil, 404, "nothing at this address"},
		{"too large", "POST", "/in/tool", strings.Repeat("x", 1001), nil, 413, "larger"},
		{"forged", "POST", "/in/tool", "r-1", []string{"X-Do: forged"}, 401, "missing or wrong"},
		{"panic", "POST", "/in/tool", "r-1", []string{"X-Do: panic"}, 500, "something went wrong here"},
		{"fault", "POST", "/in/tool", "r-1", []string{"X-Do: fail"}, 500, "something went wrong here"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := e.do(test.method, test.path, test.body, test.headers...)
			one := e
			one.TB = t
			if detail := one.problem(r, test.status); !strings.Contains(detail, test.detail) {
				t.Errorf("the detail is %q, want %q in it", detail, test.detail)
			}
			if allow := r.Header.Get("Allow"); (test.status == http.StatusMethodNotAllowed) != (allow != "") {
				t.Errorf("the Allow header is %q", allow)
			}
		})
	}
}

func TestAFaultOfOursStandsInTheLog(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	var p struct{ Instance string }
	if err := json.Unmarshal([]byte(text(t, e.do("POST", "/in/tool", "r-1", "X-Do: panic"))), &p); err != nil {
		t.Fatal(err)
	}
	if log := e.log.String(); !strings.Contains(log, p.Instance) || !strings.Contains(log, "handler panicked") || !strings.Contains(log, "route=/in/:connection ") {
		t.Errorf("the log does not tell of %s:\n%s", p.Instance, log)
	}
}

func TestUnauthorizedSaysHow(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	// A browser answers Basic with a window of its own; the page has a form.
	if got := e.do("GET", "/api/v1/cases", "").Header.Get("WWW-Authenticate"); !strings.HasPrefix(got, "Bearer ") {
		t.Errorf("the API asks for %q", got)
	}
	// EPM and others send credentials only after they were asked for Basic.
	if got := e.do("POST", "/in/tool", "r-1", "X-Do: forged").Header.Get("WWW-Authenticate"); !strings.HasPrefix(got, "Basic ") {
		t.Errorf("the front door asks for %q", got)
	}
}

func TestQuarantineIsAnsweredWithItsReason(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	r := e.do("POST", "/in/tool", "gibberish", "X-Do: malformed")
	if body := text(t, r); r.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(body, `"quarantined":true`) || !strings.Contains(body, `"reason":"it makes no sense"`) {
		t.Errorf("got %d %s", r.StatusCode, body)
	}
}

func TestCasesArePagedAndFiltered(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	for i := range 5 {
		if r := e.do("POST", "/in/tool", fmt.Sprintf("r-%d", i)); r.StatusCode != http.StatusAccepted {
			t.Fatalf("got %d", r.StatusCode)
		}
	}
	list := func(query string) (ids []string, next string) {
		r := e.do("GET", "/api/v1/cases?"+query, "", signedIn)
		var l gateway.CaseList
		if err := json.NewDecoder(r.Body).Decode(&l); err != nil || r.StatusCode != http.StatusOK {
			t.Fatalf("got %d, %v", r.StatusCode, err)
		}
		if r.Header.Get("Cache-Control") != "no-store" {
			t.Error("cases may be cached")
		}
		for _, c := range l.Cases {
			ids = append(ids, c.RequestID)
		}
		return ids, l.Next
	}
	same := func(what string, got []string, want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	all, next := list("")
	same("all", all, "r-4", "r-3", "r-2", "r-1", "r-0")
	if next != "" {
		t.Errorf("all are followed by %q", next)
	}
	first, next := list("limit=2")
	same("first page", first, "r-4", "r-3")
	second, next := list("limit=2&before=" + next)
	same("second page", second, "r-2", "r-1")
	third, next := list("limit=2&before=" + next)
	same("third page", third, "r-0")
	if next != "" {
		t.Errorf("the last page is followed by %q", next)
	}
	if whole, next := list("limit=5"); len(whole) != 5 || next != "" {
		t.Errorf("a page that is just full has %d cases and is followed by %q", len(whole), next)
	}
	for query, want := range map[string][]string{
		"text=R-3": {"r-3"}, "text=ana%20r-1": {"r-1"}, "text=%25": nil, "state=open&text=r-2": {"r-2"}, "state=closed": nil,
		"connection=tool&text=r-0": {"r-0"}, "connection=other": nil, "text=%27%20OR%201=1": nil, "before=0": nil,
	} {
		got, _ := list(query)
		same(query, got, want...)
	}
}

func TestOneCaseIsShownWhole(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	e.do("POST", "/in/tool", "r-1")
	found, err := e.store.CaseByRequest(t.Context(), "tool", "", "r-1")
	if err != nil {
		t.Fatal(err)
	}
	r := e.do("GET", "/api/v1/cases/"+found.ID, "", signedIn)
	var view gateway.CaseView
	if err := json.NewDecoder(r.Body).Decode(&view); err != nil {
		t.Fatal(err)
	}
	if view.RequestID != "r-1" || view.Requester.Name != "Ana r-1" || len(view.Events) != 1 || view.Events[0].Body != "r-1" || len(view.Timeline) == 0 {
		t.Errorf("got %+v", view)
	}
}
