package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/store"
)

const body = `{"EventType":"URM_Native_Ticket_Created","RequestId":"r-1","TenantId":"t-100","User":"CORP\\ana","ProductName":"Tool"}`

// accepting is a gateway with the connections published that commits what arrives. It delivers nothing.
func accepting(t *testing.T, docs ...string) *Gateway {
	t.Helper()
	g := published(t, docs...)
	commits(t, g)
	return g
}

// published opens a gateway with documents; nothing is committed.
func published(t *testing.T, docs ...string) *Gateway {
	t.Helper()
	g := newTestGateway(t)
	if _, err := g.Apply(t.Context(), texts(docs...), "tester", ""); err != nil {
		t.Fatal(err)
	}
	return g
}

// commits runs the gateway's committer until the test ends.
func commits(t *testing.T, g *Gateway) {
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		g.commits.run(ctx, 1)
	}()
	t.Cleanup(func() { stop(); <-done })
}

// sent is a request as EPM would send it.
func sent(body string, change ...func(*connectors.Request)) connectors.Request {
	r := connectors.Request{
		Method: http.MethodPost, URL: &url.URL{Path: "/in/epm"}, Body: []byte(body), Time: time.Date(2026, 1, 5, 10, 0, 0, 0, time.UTC),
		Header: http.Header{"Content-Type": {"application/json"}},
	}
	(&http.Request{Header: r.Header}).SetBasicAuth("epm", canary+"-new")
	for _, f := range change {
		f(&r)
	}
	return r
}

func TestAcceptRefuses(t *testing.T) {
	t.Parallel()
	g := accepting(t, epmConnection, jiraConnection,
		strings.Replace(epmConnection, "name: epm", "name: closed\nstate: disabled", 1))
	g.catalogue().connections["broken"] = &connection{doc: ConnectionDoc{Name: "broken"}, fault: errors.New("its secret cannot be opened")}
	tests := []struct {
		name, connection string
		request          connectors.Request
		status           int
		says             string
	}{
		{"unknown connection", "nobody", sent(body), 404, "there is no such connection"},
		{"faulty connection", "broken", sent(body), 503, "not usable at the moment"},
		{"disabled connection", "closed", sent(body), 403, "disabled"},
		{"no credentials", "epm", sent(body, func(r *connectors.Request) { r.Header.Del("Authorization") }), 401, "missing or wrong"},
		{"wrong password", "epm", sent(body, func(r *connectors.Request) { (&http.Request{Header: r.Header}).SetBasicAuth("epm", "guess") }), 401, "missing or wrong"},
		{"wrong credentials of a disabled connection", "closed", sent(body, func(r *connectors.Request) { r.Header.Del("Authorization") }), 401, "missing or wrong"},
		{"unsigned webhook of a desk", "jira", sent("{}"), 401, "missing or wrong"},
		{"another content type", "epm", sent("<a/>", func(r *connectors.Request) { r.Header.Set("Content-Type", "text/xml") }), 415, "application/json"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := g.Accept(t.Context(), test.connection, "", test.request)
			refusal, ok := errors.AsType[*Refusal](err)
			if !ok || refusal.Status != test.status || !strings.Contains(refusal.Text, test.says) {
				t.Fatalf("got %#v, want %d with %q", err, test.status, test.says)
			}
			if strings.Contains(refusal.Text, canary) || strings.Contains(refusal.Text, "guess") {
				t.Errorf("the refusal gives something away: %s", refusal.Text)
			}
		})
	}
}

func TestAcceptKeepsWhatItDoesNotUnderstand(t *testing.T) {
	t.Parallel()
	g := accepting(t, epmConnection)
	for name, test := range map[string]struct{ body, reason string }{
		"no JSON":          {`{"RequestId": `, "no JSON"},
		"two RequestIds":   {`{"RequestId":"r-2","TenantId":"t-100","RequestId":"r-3"}`, "RequestId"},
		"another tenant":   {strings.Replace(body, "t-100", "t-999", 1), `tenant "t-999"`},
		"no tenant":        {strings.Replace(body, `"TenantId":"t-100",`, "", 1), "names no tenant"},
		"nothing of sense": {"\x00\xff", "not UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			accepted, err := g.Accept(t.Context(), "epm", "", sent(test.body))
			if err != nil {
				t.Fatal(err)
			}
			if accepted.Status != http.StatusUnprocessableEntity || !accepted.Quarantined || !strings.Contains(accepted.Reason, test.reason) {
				t.Errorf("got %+v, want quarantine for %q", accepted, test.reason)
			}
			kept, err := g.store.Quarantine(t.Context(), accepted.Quarantine)
			if err != nil || string(kept.Body) != test.body || kept.State != "waiting" {
				t.Errorf("kept is %+v, %v; want the body as it came", kept, err)
			}
		})
	}
	if cases, err := g.Cases(t.Context(), store.CaseFilter{}); err != nil || len(cases.Cases) != 0 {
		t.Errorf("%d cases were opened, %v; want none", len(cases.Cases), err)
	}
}

func TestAcceptAnswersADuplicateWithTheFirstEvent(t *testing.T) {
	t.Parallel()
	g := accepting(t, epmConnection)
	first, err := g.Accept(t.Context(), "epm", "", sent(body))
	if err != nil || first.Event == "" || first.Duplicate || first.Status != 200 {
		t.Fatalf("got %+v, %v", first, err)
	}
	second, err := g.Accept(t.Context(), "epm", "", sent(body))
	if err != nil || second.Event != first.Event || !second.Duplicate {
		t.Errorf("got %+v, %v; want the duplicate of %s", second, err, first.Event)
	}
	if text, err := json.Marshal(second); err != nil || string(text) != `{"event":"`+first.Event+`","duplicate":true}` {
		t.Errorf("the answer is %s, %v", text, err)
	}
}

func TestMaxBodyIsTheConnections(t *testing.T) {
	t.Parallel()
	g := accepting(t, strings.Replace(epmConnection, "status: 200", "max_body: 4096", 1))
	if n, ok := g.MaxBody("epm"); n != 4096 || !ok {
		t.Errorf("got %d, %v", n, ok)
	}
	if _, ok := g.MaxBody("nobody"); ok {
		t.Error("a connection that is not there reads bodies")
	}
}

// arriving is an event that is stored under an identity.
func arriving(id, kind string) store.Arrival {
	return store.Arrival{
		Event: store.Event{Connection: "epm", Dedupe: id, Kind: kind, RequestID: id, Body: []byte("{}"), Normal: []byte("{}"), ReceivedAt: decidedAt},
		Case:  store.Case{Connection: "epm", RequestID: id, Kind: kind, Requester: "{}", OpenedAt: decidedAt},
	}
}

func TestABadArrivalHarmsOnlyItself(t *testing.T) {
	t.Parallel()
	g := published(t, epmConnection)
	// The database refuses one of them, whatever the reason.
	if _, err := g.store.DB().ExecContext(t.Context(), `CREATE TRIGGER refuse BEFORE INSERT ON events WHEN NEW.kind = 'poison' BEGIN SELECT RAISE(ABORT, 'poisoned'); END`); err != nil {
		t.Fatal(err)
	}
	var group []waiting[[]store.Arrival, []store.Receipt]
	var answers []chan outcome[[]store.Receipt]
	for _, a := range []store.Arrival{arriving("r-1", "access.requested"), arriving("r-2", "poison"), arriving("r-3", "access.requested")} {
		done := make(chan outcome[[]store.Receipt], 1)
		group, answers = append(group, waiting[[]store.Arrival, []store.Receipt]{[]store.Arrival{a}, done}), append(answers, done)
	}
	g.commits.flush(group)
	for i, done := range answers {
		o := <-done
		if bad := i == 1; (o.err != nil) != bad || (len(o.result) == 1) == bad {
			t.Errorf("arrival %d: %+v", i+1, o)
		}
	}
	for id, kept := range map[string]bool{"r-1": true, "r-2": false, "r-3": true} {
		if _, err := g.store.CaseByRequest(t.Context(), "epm", "", id); (err == nil) != kept {
			t.Errorf("case %s: %v", id, err)
		}
	}
}

func TestCommitterAnswersWhatWaitsBeforeItStops(t *testing.T) {
	t.Parallel()
	g := published(t, epmConnection)
	done := make(chan outcome[[]store.Receipt], 1)
	g.commits.queue <- waiting[[]store.Arrival, []store.Receipt]{[]store.Arrival{arriving("r-1", "access.requested")}, done}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	g.commits.run(stopped, 1)
	if o := <-done; o.err != nil || len(o.result) != 1 {
		t.Errorf("got %+v, want a receipt", o)
	}
}

func TestARequestThatGivesUpWaitsForNoCommit(t *testing.T) {
	t.Parallel()
	g := newTestGateway(t) // nothing commits
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := g.commits.add(ctx, []store.Arrival{arriving("r-1", "access.requested")}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
}

func TestGroupsAreBounded(t *testing.T) {
	t.Parallel()
	g := newTestGateway(t)
	for range largestGroup + 10 {
		g.commits.queue <- waiting[[]store.Arrival, []store.Receipt]{}
	}
	if n := len(g.commits.gather(<-g.commits.queue)); n != largestGroup {
		t.Errorf("a group has %d commits, want %d", n, largestGroup)
	}
}

func TestEventIsSeenWithItsBody(t *testing.T) {
	t.Parallel()
	normal := []byte(`{"kind":"access.requested"}`)
	for body, want := range map[string]bool{` {"a": 1}`: true, "[1]": true, "text": false, `{"a": `: false} {
		v, err := value(store.Event{Normal: normal, Body: []byte(body)})
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := v["raw"]; ok != want {
			t.Errorf("%s: raw is there: %v", body, ok)
		}
	}
	if _, err := value(store.Event{ID: "e-1", Normal: []byte("{")}); err == nil || !strings.Contains(err.Error(), "e-1") {
		t.Errorf("got %v, want an error that names the event", err)
	}
}

// Whoever may send to a connection may say that a request was approved. That opens no gate: only what was judged here does.
func TestAnApprovalTheSourceTellsOfLetsNobodyThrough(t *testing.T) {
	t.Parallel()
	g := accepting(t, "kind: Connection\nname: gate\nconnector: apono\nsettings: {way: manual}\ninbound: {verify: {none: true}}\n")
	post := func(kind, id string) Accepted {
		t.Helper()
		accepted, err := g.Accept(t.Context(), "gate", "", sent(fmt.Sprintf(`{"event_type":%q,"event_time":"1696263300","data":{"id":%q}}`, kind, id)))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := g.planSome(t.Context()); err != nil {
			t.Fatal(err)
		}
		return accepted
	}
	for _, test := range []struct{ told, want string }{
		{"RequestApproved", "pending"}, {"RequestRejected", "rejected"}, {"RequestExpired", "expired"},
	} {
		post("Manual", test.told)
		post(test.told, test.told)
		var answer struct{ Status string }
		if err := json.Unmarshal(post("Manual", test.told).Response.Body, &answer); err != nil || answer.Status != test.want {
			t.Errorf("after %s it is %q, %v; want %q", test.told, answer.Status, err, test.want)
		}
	}
}

func TestOnlyPostCarriesEvents(t *testing.T) {
	t.Parallel()
	g := accepting(t,
		"kind: Connection\nname: apono\nconnector: apono\nsettings: {way: manual}\ninbound: {verify: {none: true}}\n",
		"kind: Connection\nname: plain\nconnector: webhook\nsettings: {paths: {id: /id, kind: /event, request_id: /id}}\ninbound: {verify: {none: true}}\n",
		"kind: Connection\nname: clouds\nconnector: webhook\nsettings: {format: cloudevents, paths: {request_id: /subject}}\ninbound: {verify: {none: true}}\n")
	for _, test := range []struct {
		connection, method string
		answered           bool
	}{
		{"apono", http.MethodGet, false}, {"apono", http.MethodPut, false}, {"apono", http.MethodOptions, false},
		{"plain", http.MethodGet, false}, {"plain", http.MethodOptions, false},
		{"clouds", http.MethodDelete, false}, {"clouds", http.MethodOptions, true},
	} {
		for _, body := range []string{"", `{"event_type":"RequestCreated","event_time":"1","data":{"id":"a"}}`} {
			accepted, err := g.Accept(t.Context(), test.connection, "", sent(body, func(r *connectors.Request) { r.Method = test.method }))
			if test.answered {
				if err != nil || accepted.Response == nil || accepted.Response.Status != http.StatusNoContent {
					t.Errorf("%s at %s is answered %+v, %v", test.method, test.connection, accepted, err)
				}
				continue
			}
			if refusal, ok := errors.AsType[*Refusal](err); !ok || refusal.Status != http.StatusMethodNotAllowed || refusal.Allow != http.MethodPost {
				t.Errorf("%s at %s: %+v, %v; want 405", test.method, test.connection, accepted, err)
			}
		}
	}
	if kept, err := g.store.Quarantines(t.Context(), "", 10); err != nil || len(kept) != 0 {
		t.Errorf("in quarantine are %+v, %v", kept, err)
	}
	if events, err := g.store.Events(t.Context(), store.EventFilter{}); err != nil || len(events) != 0 {
		t.Errorf("events are %+v, %v", events, err)
	}
}
