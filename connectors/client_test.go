package connectors_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	"github.com/google/go-cmp/cmp"
)

// serve starts a server for one test.
func serve(t testing.TB, f http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	return s
}

// quiet drops what a server logs about the connections a test breaks.
func quiet() *log.Logger { return log.New(io.Discard, "", 0) }

func client(t testing.TB, change ...func(*connectors.Outbound)) *connectors.Client {
	t.Helper()
	return connectortest.Env(t, change...).Client
}

func post(t testing.TB, c *connectors.Client, url string) (connectors.Answer, error) {
	t.Helper()
	return c.Do(t.Context(), connectors.Call{Name: "create issue", Method: "POST", URL: url, JSON: map[string]string{"a": "b"}})
}

// asError returns what a call failed with.
func asError(t testing.TB, err error) *connectors.Error {
	t.Helper()
	e, ok := errors.AsType[*connectors.Error](err)
	if !ok {
		t.Fatalf("got %v, want a *connectors.Error", err)
	}
	return e
}

func TestClientSendsWhatItIsGiven(t *testing.T) {
	t.Parallel()
	type seen struct{ Method, Path, Accept, Type, Agent, Own, Body string }
	var got seen
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = seen{r.Method, r.URL.String(), r.Header.Get("Accept"), r.Header.Get("Content-Type"), r.UserAgent(), r.Header.Get("X-Own"), string(body)}
		w.Header().Set("X-Answer", "yes")
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, `{"id":"7"}`)
	})
	c := client(t, func(o *connectors.Outbound) {
		o.Headers = map[string]connectors.Secret{"x-own": connectors.SecretValue("gateway-key")}
	})
	tests := []struct {
		name string
		call connectors.Call
		want seen
	}{
		{
			"JSON", connectors.Call{Method: "POST", URL: s.URL + "/a?b=c", JSON: map[string]string{"x": "y"}},
			seen{"POST", "/a?b=c", "application/json", "application/json", "drawbridge", "gateway-key", `{"x":"y"}`},
		},
		{
			"bytes and headers", connectors.Call{Method: "PUT", URL: s.URL + "/f", Body: []byte("raw"), Header: http.Header{"content-type": {"text/plain"}, "Accept": {"text/xml"}}},
			seen{"PUT", "/f", "text/xml", "text/plain", "drawbridge", "gateway-key", "raw"},
		},
		{
			"nothing", connectors.Call{Method: "GET", URL: s.URL + "/n"},
			seen{"GET", "/n", "application/json", "", "drawbridge", "gateway-key", ""},
		},
	}
	for _, tt := range tests { // one after the other: they share got
		answer, err := c.Do(t.Context(), tt.call)
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
		var out struct{ ID string }
		if err := answer.DecodeJSON("create", &out); err != nil || out.ID != "7" || answer.Status != 201 || answer.Header.Get("X-Answer") != "yes" {
			t.Errorf("%s: got %+v, %v", tt.name, answer, err)
		}
	}
}

func TestClientTellsWhatAFailedCallMeans(t *testing.T) {
	t.Parallel()
	cutting := func(partly string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				return
			}
			_, _ = io.WriteString(conn, partly)
			conn.Close()
		}
	}
	tests := []struct {
		name   string
		url    string // instead of a server
		answer http.HandlerFunc
		kind   connectors.Kind
		sent   bool
		says   string
	}{
		{"refused to connect", "http://127.0.0.1:1", nil, connectors.Unwell, false, "connection refused"},
		{"no such scheme", "ftp://127.0.0.1/", nil, connectors.Permanent, false, "not an http or https URL"},
		{"no URL", "http://%zz/", nil, connectors.Permanent, false, "the URL is not valid"},
		{"credentials in the URL", "http://u:hunter2@127.0.0.1/", nil, connectors.Permanent, false, "the URL holds credentials"},
		{"cut before the answer", "", cutting(""), connectors.Temporary, true, "closed before the answer was complete"},
		{"cut in the headers", "", cutting("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"), connectors.Temporary, true, "closed before the answer was complete"},
		{"cut in the body", "", cutting("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{}"), connectors.Temporary, true, "read answer: the connection was closed"},
		{"cut in the body of a refusal", "", cutting("HTTP/1.1 400 Bad Request\r\nContent-Length: 10\r\n\r\n{}"), connectors.Permanent, false, "bad request (HTTP 400)"},
		{"not HTTP", "", cutting("220 hunter2 ESMTP\r\n\r\n"), connectors.Temporary, true, "not valid HTTP"},
		{"not a header", "", cutting("HTTP/1.1 200 OK\r\nhunter2\r\n\r\n"), connectors.Temporary, true, "not valid HTTP"},
		{"never answers", "", func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		}, connectors.Temporary, true, "no answer in time"},
		{"never ends", "", func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}, connectors.Temporary, true, "read answer: no answer in time"},
		{"a page to sign in", "", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, "\n <html>hunter2")
		}, connectors.Temporary, true, "a web page, perhaps to sign in (HTTP 200)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			url := tt.url
			if tt.answer != nil {
				url = serve(t, tt.answer).URL
			}
			c := client(t, func(o *connectors.Outbound) {
				if strings.HasPrefix(tt.name, "never") {
					o.Timeout = 200 * time.Millisecond
				}
			})
			_, err := post(t, c, url)
			e := asError(t, err)
			if e.Kind != tt.kind || e.Sent != tt.sent || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %s, sent %t, %q; want %s, %t, %q", e.Kind, e.Sent, err, tt.kind, tt.sent, tt.says)
			}
			if strings.Contains(err.Error(), "hunter2") || !strings.HasPrefix(err.Error(), "create issue: ") {
				t.Errorf("got %q", err)
			}
		})
	}
}

func TestClientClassifiesEveryStatus(t *testing.T) {
	t.Parallel()
	tests := []struct {
		status int
		header string // Retry-After
		kind   connectors.Kind
		sent   bool
		wait   time.Duration
	}{
		{300, "", connectors.Permanent, false, 0},
		{301, "", connectors.Unwell, false, 0},
		{302, "", connectors.Unwell, true, 0},
		{303, "", connectors.Unwell, true, 0},
		{304, "", connectors.Permanent, false, 0},
		{307, "", connectors.Unwell, false, 0},
		{308, "", connectors.Unwell, false, 0},
		{400, "", connectors.Permanent, false, 0},
		{401, "", connectors.Unwell, false, 0},
		{403, "", connectors.Permanent, false, 0},
		{404, "", connectors.Permanent, false, 0},
		{407, "", connectors.Unwell, false, 0},
		{408, "", connectors.Temporary, true, 0},
		{409, "", connectors.Temporary, false, 0},
		{412, "", connectors.Temporary, false, 0},
		{410, "", connectors.Permanent, false, 0},
		{413, "", connectors.Permanent, false, 0},
		{422, "", connectors.Permanent, false, 0},
		{423, "", connectors.Temporary, false, 0},
		{425, "", connectors.Temporary, false, 0},
		{429, "", connectors.Throttled, false, 0},
		{429, "30", connectors.Throttled, false, 30 * time.Second},
		{429, " 1.5 ", connectors.Throttled, false, 1500 * time.Millisecond},
		{429, "-5", connectors.Throttled, false, 0},
		{429, "NaN", connectors.Throttled, false, 0},
		{429, "99999999999", connectors.Throttled, false, 24 * time.Hour},
		{429, "Mon, 02 Mar 2026 09:31:00 GMT", connectors.Throttled, false, time.Minute},
		{429, "Mon, 02 Mar 2026 09:29:00 GMT", connectors.Throttled, false, 0},
		{429, "Mon, 02 Mar 2099 09:29:00 GMT", connectors.Throttled, false, 24 * time.Hour},
		{429, "soon", connectors.Throttled, false, 0},
		{500, "", connectors.Temporary, true, 0},
		{502, "", connectors.Temporary, true, 0},
		{503, "", connectors.Temporary, true, 0},
		{503, "12", connectors.Throttled, true, 12 * time.Second},
		{504, "", connectors.Temporary, true, 0},
		{599, "", connectors.Temporary, true, 0},
	}
	c := client(t)
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.status, " ", tt.header), func(t *testing.T) {
			t.Parallel()
			s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				if tt.header != "" {
					w.Header().Set("Retry-After", tt.header)
				}
				w.Header().Set("Location", "http://%zz/") // one that cannot be followed must not hide the status
				w.WriteHeader(tt.status)
			})
			_, err := post(t, c, s.URL)
			e := asError(t, err)
			if e.Kind != tt.kind || e.Sent != tt.sent || e.RetryAfter != tt.wait || e.Status != tt.status {
				t.Errorf("got %s, sent %t, %s, %d: %v", e.Kind, e.Sent, e.RetryAfter, e.Status, err)
			}
			if errors.Is(err, connectors.ErrNotFound) != (tt.status == 404 || tt.status == 410) {
				t.Errorf("ErrNotFound: got %v", err)
			}
		})
	}
}

func TestClientFollowsNoRedirect(t *testing.T) {
	t.Parallel()
	var followed atomic.Int32
	target := serve(t, func(http.ResponseWriter, *http.Request) { followed.Add(1) })
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, target.URL, http.StatusTemporaryRedirect)
	})
	c := client(t)
	if _, err := post(t, c, s.URL); asError(t, err).Kind != connectors.Unwell {
		t.Errorf("got %v", err)
	}
	library := *c.HTTP()
	library.CheckRedirect = nil // as a library may have it
	resp, err := library.Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusTemporaryRedirect || followed.Load() != 0 {
		t.Errorf("got status %d, followed %d times", resp.StatusCode, followed.Load())
	}
}

func TestClientTakesPlainWordsUnderTheTypeOfAPage(t *testing.T) {
	t.Parallel()
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, map[string]string{"/ok": "ok", "/page": "<html>"}[r.URL.Path])
	})
	c := client(t)
	if answer, err := post(t, c, s.URL+"/ok"); err != nil || string(answer.Body) != "ok" {
		t.Errorf("got %q, %v", answer.Body, err)
	}
	answer, err := c.Do(t.Context(), connectors.Call{Name: "get page", Method: "GET", URL: s.URL + "/page", Header: http.Header{"Accept": {"text/html"}}})
	if err != nil || string(answer.Body) != "<html>" {
		t.Errorf("got %q, %v", answer.Body, err)
	}
}

func TestClientLimitsAnswers(t *testing.T) {
	t.Parallel()
	const limit = 64 << 10
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, _ = w.Write(make([]byte, 32<<20))
	w.Close()
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/exact":
			_, _ = w.Write(make([]byte, limit))
		case "/more":
			_, _ = w.Write(make([]byte, limit+1))
		case "/bomb":
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(packed.Bytes())
		case "/refusal":
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write(make([]byte, limit+1))
		}
	})
	c := client(t, func(o *connectors.Outbound) { o.MaxResponse = limit })
	if answer, err := post(t, c, s.URL+"/exact"); err != nil || len(answer.Body) != limit {
		t.Errorf("as much as is allowed: got %d bytes, %v", len(answer.Body), err)
	}
	for _, path := range []string{"/more", "/bomb"} {
		_, err := post(t, c, s.URL+path)
		e := asError(t, err)
		if !e.Sent || e.Kind != connectors.Temporary || e.Status != 200 || !strings.Contains(err.Error(), "larger than outbound.max_response") {
			t.Errorf("%s: got %+v", path, e)
		}
		resp, err := c.HTTP().Get(s.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(resp.Body); err == nil || !connectors.FromExchange(err).Sent {
			t.Errorf("%s by a library: got %v", path, err)
		}
		resp.Body.Close()
	}
	if _, err := post(t, c, s.URL+"/refusal"); asError(t, err).Kind != connectors.Permanent {
		t.Errorf("a long refusal: got %v", err)
	}
}

func TestClientStops(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	s := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		stop()
		<-r.Context().Done()
	})
	c := client(t)
	_, err := c.Do(ctx, connectors.Call{Name: "create issue", Method: "POST", URL: s.URL, Body: []byte("x")})
	if e := asError(t, err); e.Kind != connectors.Temporary || !e.Sent || !errors.Is(err, context.Canceled) {
		t.Errorf("while it ran: got %+v", e)
	}
	_, err = c.Do(ctx, connectors.Call{Name: "create issue", Method: "POST", URL: s.URL, Body: []byte("x")})
	if e := asError(t, err); e.Kind != connectors.Temporary || e.Sent || !errors.Is(err, context.Canceled) {
		t.Errorf("before it began: got %+v", e)
	}
}

func TestClientLetsNoValueIntoTheHeaders(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	s := serve(t, func(http.ResponseWriter, *http.Request) { asked.Add(1) })
	bad := connectors.SecretValue("hunter2\r\nX-Evil: 1")
	withHeader := client(t, func(o *connectors.Outbound) { o.Headers = map[string]connectors.Secret{"X-Key": bad} })
	tests := []struct {
		name   string
		client *connectors.Client
		header http.Header
		kind   connectors.Kind
	}{
		{"a value", client(t), http.Header{"X-Case": {"hunter2\r\nX-Evil: 1"}}, connectors.Permanent},
		{"a value with NUL", client(t), http.Header{"X-Case": {"hunter2\x00"}}, connectors.Permanent},
		{"a name", client(t), http.Header{"X-Case: hunter2\r\nX-Evil": {"1"}}, connectors.Permanent},
		{"a configured header", withHeader, nil, connectors.Unwell},
		{"a token", client(t).With(connectors.Bearer{Token: bad}), nil, connectors.Permanent},
	}
	for _, tt := range tests {
		_, err := tt.client.Do(t.Context(), connectors.Call{Name: "create issue", Method: "POST", URL: s.URL, Header: tt.header})
		if e := asError(t, err); e.Kind != tt.kind || e.Sent || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: got %+v", tt.name, e)
		}
	}
	if asked.Load() != 0 {
		t.Errorf("the vendor was asked %d times", asked.Load())
	}
}

func TestDecodeJSONRefusesWhatIsNotTheJSONExpected(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, kind, body, want string
	}{
		{"a page", "text/html", "<html>hunter2", "(text/html)"},
		{"cut", "application/json; charset=utf-8", `{"id":"hunter2`, "(application/json)"},
		{"another shape", "application/json", `["hunter2"]`, "(application/json)"},
		{"more behind", "application/json", `{} hunter2`, "(application/json)"},
		{"empty", "", "", "(no content type)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			answer := connectors.Answer{Status: 200, Header: http.Header{"Content-Type": {tt.kind}}, Body: []byte(tt.body)}
			err := answer.DecodeJSON("create issue", &struct{ ID string }{})
			if e := asError(t, err); e.Kind != connectors.Temporary || !e.Sent || e.Status != 200 {
				t.Errorf("got %+v", e)
			}
			if !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("got %q, want it to say %q", err, tt.want)
			}
		})
	}
}

func TestClientRefusesWhatIsNoJSON(t *testing.T) {
	t.Parallel()
	_, err := client(t).Do(t.Context(), connectors.Call{Name: "create issue", Method: "POST", URL: "http://127.0.0.1/", JSON: func() {}})
	if e := asError(t, err); e.Kind != connectors.Permanent || e.Sent {
		t.Errorf("got %+v", e)
	}
	if _, ok := errors.AsType[*json.UnsupportedTypeError](err); !ok {
		t.Errorf("the cause is lost: %v", err)
	}
}
