package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/gateway"
	"github.com/drawbridge-itsm/drawbridge/store"
)

func (tool) Samples() []connectors.Sample {
	return []connectors.Sample{{Kind: connectors.AccessRequested, Name: "one", Body: []byte("r-sample")}, {Kind: connectors.Audit, Name: "odd", Header: http.Header{"X-Do": {"malformed"}}}}
}

func (tool) Try(_ context.Context, r connectors.Record) (connectors.Trial, error) {
	return connectors.Trial{Method: http.MethodPost, Body: fmt.Sprint(r.Event["test"], r.Event["kind"]), Taken: true, Meaning: "taken"}, nil
}

// answer reads a JSON answer.
func (e edge) answer(r *http.Response, status int, into any) {
	e.Helper()
	body := text(e, r)
	if r.StatusCode != status {
		e.Fatalf("got %d %s, want %d", r.StatusCode, body, status)
	}
	if err := json.Unmarshal([]byte(body), into); err != nil {
		e.Fatal(err)
	}
}

func TestEverythingAboutConnectionsNeedsTheToken(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	for _, line := range []string{
		"GET /api/v1/connections", "GET /api/v1/connections/tool", "DELETE /api/v1/connections/tool", "GET /api/v1/connections/tool/sample",
		"POST /api/v1/connections/tool/sample", "POST /api/v1/connections/tool/test", "POST /api/v1/connections/tool/state",
		"POST /api/v1/connections/tool/clear-queue", "GET /api/v1/notices", "POST /api/v1/notices/x/close",
	} {
		method, path, _ := strings.Cut(line, " ")
		e.problem(e.do(method, path, ""), http.StatusUnauthorized)
	}
}

func TestAConnectionIsListedTestedAndPaused(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	var list gateway.ConnectionList
	e.answer(e.do("GET", "/api/v1/connections", "", signedIn), http.StatusOK, &list)
	if len(list.Connections) != 1 || list.Connections[0].Name != "tool" || list.Connections[0].State != "active" || list.Connections[0].Health != "well" {
		t.Errorf("listed %+v", list)
	}
	var works struct{ Works bool }
	e.answer(e.do("POST", "/api/v1/connections/tool/test", "", signedIn), http.StatusOK, &works)
	if !works.Works {
		t.Error("it does not work")
	}
	var shown connectors.Trial
	e.answer(e.do("POST", "/api/v1/connections/tool/test", `{"send":true}`, signedIn), http.StatusOK, &shown)
	if !shown.Taken || shown.Method != http.MethodPost || shown.Body != "truetest" {
		t.Errorf("the exchange is shown as %+v", shown)
	}
	var state struct{ Changed bool }
	e.answer(e.do("POST", "/api/v1/connections/tool/state", `{"state":"disabled","why":"for a test"}`, signedIn), http.StatusOK, &state)
	if !state.Changed {
		t.Error("nothing changed")
	}
	e.problem(e.do("POST", "/in/tool", "r-1"), http.StatusForbidden)
	for name, test := range map[string]struct {
		method, path, body string
		status             int
		says               string
	}{
		"unknown state":        {"POST", "/api/v1/connections/tool/state", `{"state":"asleep"}`, 400, "active, paused or disabled"},
		"unknown key":          {"POST", "/api/v1/connections/tool/state", `{"stat":"active"}`, 400, "documented names"},
		"two values":           {"POST", "/api/v1/connections/tool/state", `{} {}`, 400, "documented names"},
		"unknown connection":   {"GET", "/api/v1/connections/nobody", "", 404, "there are tool"},
		"a record of disabled": {"POST", "/api/v1/connections/tool/test", `{"send":true}`, 409, "is disabled"},
		"test of nobody":       {"POST", "/api/v1/connections/nobody/test", "", 404, "no connection"},
		"queue without count":  {"POST", "/api/v1/connections/tool/clear-queue", `{}`, 400, "count is how many"},
		"negative count":       {"POST", "/api/v1/connections/tool/clear-queue", `{"count":-1}`, 400, "count is how many"},
		"odd word in deletion": {"DELETE", "/api/v1/connections/tool?cancel=perhaps", "", 400, "true or false"},
		"unknown sample":       {"POST", "/api/v1/connections/tool/sample", `{"kind":"nothing"}`, 404, "offers no sample"},
		"sample while shut":    {"POST", "/api/v1/connections/tool/sample", `{"kind":"one"}`, 403, "disabled"},
		"unknown notice":       {"POST", "/api/v1/notices/nothing/close", "", 404, "no such notice"},
	} {
		if detail := e.problem(e.do(test.method, test.path, test.body, signedIn), test.status); !strings.Contains(detail, test.says) {
			t.Errorf("%s: the detail is %q", name, detail)
		}
	}
}

func TestASampleIsSentThroughTheFrontDoor(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	var offered struct {
		Samples []struct{ Kind, Name, Body string }
	}
	e.answer(e.do("GET", "/api/v1/connections/tool/sample", "", signedIn), http.StatusOK, &offered)
	if len(offered.Samples) != 2 || offered.Samples[0].Body != "r-sample" {
		t.Errorf("offered %+v", offered)
	}
	var sent struct{ Sent []gateway.SentSample }
	e.answer(e.do("POST", "/api/v1/connections/tool/sample", `{"kind":"access.requested"}`, signedIn), http.StatusAccepted, &sent)
	if len(sent.Sent) != 1 || len(sent.Sent[0].Cases) != 1 {
		t.Fatalf("sent %+v", sent)
	}
	var view gateway.CaseView
	e.answer(e.do("GET", "/api/v1/cases/"+sent.Sent[0].Cases[0], "", signedIn), http.StatusOK, &view)
	if !view.Events[0].Test || !strings.HasSuffix(view.RequestID, "-r-sample") {
		t.Errorf("the case is %+v", view)
	}
	if detail := e.problem(e.do("POST", "/api/v1/connections/tool/sample", `{"kind":"odd"}`, signedIn), http.StatusUnprocessableEntity); !strings.Contains(detail, "it makes no sense") {
		t.Errorf("got %q", detail)
	}
}

func TestAQueueIsClearedAndAConnectionDeleted(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	e.do("POST", "/in/tool", "r-1")
	if err := e.store.InTx(t.Context(), func(tx *store.Tx) error {
		_, err := tx.AddDelivery(t.Context(), store.Delivery{Connection: "tool", Kind: "decide", State: store.Dead, CreatedAt: time.Now()})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	e.problem(e.do("POST", "/api/v1/connections/tool/clear-queue", `{"count":0}`, signedIn), http.StatusConflict)
	var cleared gateway.Cleared
	e.answer(e.do("POST", "/api/v1/connections/tool/clear-queue", `{"count":1,"why":"for a test"}`, signedIn), http.StatusOK, &cleared)
	if cleared.Canceled != 1 {
		t.Errorf("cleared %+v", cleared)
	}
	if detail := e.problem(e.do("DELETE", "/api/v1/connections/tool", "", signedIn), http.StatusConflict); !strings.Contains(detail, "cases that are not closed") {
		t.Errorf("got %q", detail)
	}
	var deleted gateway.Deletion
	e.answer(e.do("DELETE", "/api/v1/connections/tool?cancel=true&why=test", "", signedIn), http.StatusOK, &deleted)
	if deleted.Cases != 1 {
		t.Errorf("deleted %+v", deleted)
	}
	e.problem(e.do("POST", "/in/tool", "r-2"), http.StatusNotFound)
}

func TestNoticesAreListedAndClosed(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	var raised store.Notice
	if err := e.store.InTx(t.Context(), func(tx *store.Tx) (err error) {
		raised, _, err = tx.RaiseNotice(t.Context(), "shape", "tool/access.requested/a", "a is gone", time.Now())
		return err
	}); err != nil {
		t.Fatal(err)
	}
	var list gateway.NoticeList
	e.answer(e.do("GET", "/api/v1/notices", "", signedIn), http.StatusOK, &list)
	if len(list.Notices) != 1 || list.Notices[0].Text != "a is gone" {
		t.Errorf("listed %+v", list)
	}
	var closed gateway.NoticeView
	e.answer(e.do("POST", "/api/v1/notices/"+raised.ID+"/close", "", signedIn), http.StatusOK, &closed)
	if closed.ClosedBy == "" || closed.Closed.IsZero() {
		t.Errorf("closed %+v", closed)
	}
	e.problem(e.do("POST", "/api/v1/notices/"+raised.ID+"/close", "", signedIn), http.StatusConflict)
	e.answer(e.do("GET", "/api/v1/notices", "", signedIn), http.StatusOK, &list)
	if len(list.Notices) != 0 {
		t.Errorf("still listed: %+v", list)
	}
	e.answer(e.do("GET", "/api/v1/notices?closed=true", "", signedIn), http.StatusOK, &list)
	if len(list.Notices) != 1 {
		t.Errorf("all: %+v", list)
	}
}
