package zendeskstandin_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors/zendesk/zendeskstandin"
)

type caller struct {
	t   *testing.T
	url string
	now time.Time
	mu  sync.Mutex
}

func newCaller(t *testing.T, o zendeskstandin.Options) (*caller, *zendeskstandin.Server) {
	c := &caller{t: t, now: time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)}
	o.APIToken = "token"
	o.Now = func() time.Time {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.now
	}
	server := zendeskstandin.New(o)
	listen := httptest.NewServer(server)
	t.Cleanup(listen.Close)
	c.url = listen.URL
	return c, server
}

// call makes one call and wants its status; it returns the body.
func (c *caller) call(want int, method, path, body string, headers ...string) string {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), method, c.url+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	req.SetBasicAuth("bridge@corp.example/token", "token")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != want {
		c.t.Errorf("%s %s: %d %s, want %d (%v)", method, path, resp.StatusCode, text, want, err)
	}
	return string(text)
}

const ticket = `{"ticket":{"subject":"s","external_id":"k1","comment":{"body":"b","public":false}}}`

func TestItRefusesWhatZendeskRefuses(t *testing.T) {
	t.Parallel()
	c, server := newCaller(t, zendeskstandin.Options{Scopes: []string{"tickets:read", "write"}})
	c.call(401, "GET", "/api/v2/tickets/1", "", "Authorization", "Bearer x")
	c.call(401, "GET", "/api/v2/tickets/1", "", "Authorization", "Basic eDp5")
	c.call(403, "GET", "/api/v2/groups", "")
	c.call(404, "GET", "/api/v2/tickets/1", "")
	for _, body := range []string{
		`{"ticket":{"subject":"s"}}`,
		`{"ticket":{"subject":"s","comment":{"body":""}}}`,
		`{"ticket":{"subject":"s","comment":{"body":"b"},"priority":"P1"}}`,
		`{"ticket":{"subject":"s","comment":{"body":"b"},"nonsense":1}}`,
		`{"ticket":{"subject":"s","comment":{"body":"b"},"tags":["two words"]}}`,
		`{"ticket":{"subject":"s","comment":{"body":"b"},"group_id":7}}`,
		`{"ticket":{"subject":"s","comment":{"body":"b","uploads":["x"]}}}`,
	} {
		c.call(422, "POST", "/api/v2/tickets", body)
	}
	c.call(400, "POST", "/api/v2/tickets", `{}`)
	if n := len(server.Tickets()); n != 0 {
		t.Errorf("%d tickets are left of what was refused", n)
	}
	c.call(201, "POST", "/api/v2/tickets", ticket)
	id := server.Tickets()[0].ID
	c.call(200, "PUT", "/api/v2/tickets/"+id, `{"ticket":{"status":"closed"}}`)
	c.call(422, "PUT", "/api/v2/tickets/"+id, `{"ticket":{"comment":{"body":"x"}}}`)
	c.call(409, "PUT", "/api/v2/tickets/"+func() string {
		c.call(201, "POST", "/api/v2/tickets", ticket)
		return server.Tickets()[1].ID
	}(), `{"ticket":{"status":"open","safe_update":true,"updated_stamp":"2026-11-20T09:00:00Z"}}`)
}

func TestACreateWithAKeyIsDoneOnce(t *testing.T) {
	t.Parallel()
	c, server := newCaller(t, zendeskstandin.Options{})
	first := c.call(201, "POST", "/api/v2/tickets", ticket, "Idempotency-Key", "a")
	if again := c.call(201, "POST", "/api/v2/tickets", ticket, "Idempotency-Key", "a"); again != first || len(server.Tickets()) != 1 {
		t.Errorf("again: %s, first %s", again, first)
	}
	if text := c.call(400, "POST", "/api/v2/tickets", strings.Replace(ticket, `"s"`, `"x"`, 1), "Idempotency-Key", "a"); !strings.Contains(text, "IdempotentRequestError") {
		t.Errorf("another body: %s", text)
	}
	c.mu.Lock()
	c.now = c.now.Add(2 * time.Hour)
	c.mu.Unlock()
	c.call(201, "POST", "/api/v2/tickets", ticket, "Idempotency-Key", "a")
	if n := len(server.Tickets()); n != 2 {
		t.Errorf("%d tickets after two hours, want 2", n)
	}
}

func TestTheExportAnswersTenTimesAMinute(t *testing.T) {
	t.Parallel()
	c, _ := newCaller(t, zendeskstandin.Options{})
	c.call(422, "GET", "/api/v2/incremental/tickets/cursor?start_time=1795169999", "") // too recent
	c.call(201, "POST", "/api/v2/tickets", ticket)
	path := "/api/v2/incremental/tickets/cursor?start_time=1700000000"
	var page struct {
		Tickets []any
		End     bool `json:"end_of_stream"`
	}
	if err := json.Unmarshal([]byte(c.call(200, "GET", path, "")), &page); err != nil || len(page.Tickets) != 0 || !page.End {
		t.Errorf("within the minute: %+v, %v", page, err)
	}
	for range 8 {
		c.call(200, "GET", path, "")
	}
	c.call(429, "GET", path, "")
	c.mu.Lock()
	c.now = c.now.Add(time.Minute)
	c.mu.Unlock()
	if err := json.Unmarshal([]byte(c.call(200, "GET", path, "")), &page); err != nil || len(page.Tickets) != 1 {
		t.Errorf("after the minute: %+v, %v", page, err)
	}
}
