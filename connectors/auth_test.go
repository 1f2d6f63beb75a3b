package connectors_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
)

func TestAuthSignsEveryCall(t *testing.T) {
	t.Parallel()
	s := serve(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Header.Get("Authorization")) })
	tests := []struct {
		name string
		auth connectors.Auth
		want string
	}{
		{"basic", connectors.Basic{User: "u", Password: connectors.SecretValue("p")}, "Basic dTpw"},
		{"basic without a password", connectors.Basic{User: "key"}, "Basic a2V5Og=="},
		{"bearer", connectors.Bearer{Token: connectors.SecretValue("t")}, "Bearer t"},
		{"a scheme of the vendor's", connectors.Scheme{Word: "GenieKey", Token: connectors.SecretValue("t")}, "GenieKey t"},
		{"a scheme that names its token", connectors.Scheme{Word: "Token", Name: "token", Token: connectors.SecretValue("t")}, "Token token=t"},
	}
	for _, tt := range tests {
		answer, err := post(t, client(t).With(tt.auth), s.URL)
		if err != nil || string(answer.Body) != tt.want {
			t.Errorf("%s: got %q, %v", tt.name, answer.Body, err)
		}
	}
}

func TestAuthAsksNobodyWithoutItsSecret(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	s := serve(t, func(http.ResponseWriter, *http.Request) { asked.Add(1) })
	unset := secretFrom(t, "{env: DRAWBRIDGE_SECRET_UNSET}")
	for name, auth := range map[string]connectors.Auth{
		"basic":              connectors.Basic{User: "u", Password: unset},
		"bearer":             connectors.Bearer{Token: unset},
		"bearer, none":       connectors.Bearer{},
		"client credentials": connectors.ClientCredentials{TokenURL: s.URL, ID: "id", Secret: unset},
	} {
		_, err := post(t, client(t).With(auth), s.URL)
		if e := asError(t, err); e.Kind != connectors.Unwell || e.Sent {
			t.Errorf("%s: got %+v", name, e)
		}
	}
	if asked.Load() != 0 {
		t.Errorf("somebody was asked %d times", asked.Load())
	}
}

// A vendor that repeats the key alone, without the name it is sent under, must not bring it into an error.
func TestATokenWithANameIsHidden(t *testing.T) {
	t.Parallel()
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, key, _ := strings.Cut(r.Header.Get("Authorization"), "=")
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, "no rights for "+key)
	})
	_, err := post(t, client(t).With(connectors.Scheme{Word: "Token", Name: "token", Token: connectors.SecretValue("s3cret-key")}), s.URL)
	answered, ok := errors.AsType[*connectors.Answered](err)
	if !ok || strings.Contains(string(answered.Body), "s3cret") {
		t.Errorf("got %v", err)
	}
}

// tokens is a token server and the API behind it.
type tokens struct {
	mu      sync.Mutex
	given   int // tokens given out
	calls   []string
	bodies  []string
	refused func(token string) bool
	answer  http.HandlerFunc // of the token server, instead of its own
	life    int
}

func (s *tokens) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.URL.Path != "/token" {
		token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		s.calls, s.bodies = append(s.calls, token), append(s.bodies, string(body))
		if s.refused != nil && s.refused(token) {
			w.WriteHeader(http.StatusUnauthorized)
		}
		return
	}
	s.given++
	if s.answer != nil {
		s.answer(w, r)
		return
	}
	if string(body) != "client_id=id&client_secret=hunter2&grant_type=client_credentials&scope=a+b" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = fmt.Fprintf(w, `{"access_token":"tok-%d","token_type":"bearer","expires_in":%d}`, s.given, s.life)
}

func (s *tokens) seen() (given int, calls, bodies []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.given, s.calls, s.bodies
}

// withTokens returns a client that gets its tokens from s.
func withTokens(t testing.TB, s *tokens, now func() time.Time) (c *connectors.Client, url string) {
	t.Helper()
	server := serve(t, s.ServeHTTP)
	c, err := connectors.NewClient(connectors.Outbound{AllowHosts: []string{"127.0.0.1"}}, &connectors.Vault{}, now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c.With(connectors.ClientCredentials{
		TokenURL: server.URL + "/token", ID: "id", Secret: connectors.SecretValue("hunter2"), Scopes: []string{"a", "b"},
	}), server.URL
}

func fixed() time.Time { return connectortest.Now }

func TestClientCredentialsRenewBeforeTheEnd(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		life int // as the token server says, in seconds
		old  time.Duration
		want int // tokens asked for by two calls that far apart
	}{
		{"fresh", 3600, time.Minute, 1},
		{"a little more than a minute left", 3600, 58 * time.Minute, 1},
		{"a minute left", 3600, 59*time.Minute + time.Second, 2},
		{"at the end", 3600, time.Hour, 2},
		{"a short life, three quarters of it left", 40, 10 * time.Second, 1},
		{"a short life, a quarter of it left", 40, 31 * time.Second, 2},
		{"no end named", 0, 1000 * time.Hour, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var later atomic.Int64
			s := &tokens{life: tt.life}
			c, url := withTokens(t, s, func() time.Time { return connectortest.Now.Add(time.Duration(later.Load())) })
			for _, at := range []time.Duration{0, tt.old} {
				later.Store(int64(at))
				if _, err := post(t, c, url); err != nil {
					t.Fatal(err)
				}
			}
			if given, calls, _ := s.seen(); given != tt.want || calls[1] != fmt.Sprintf("tok-%d", tt.want) {
				t.Errorf("got %d tokens, want %d; calls with %v", given, tt.want, calls)
			}
		})
	}
}

func TestClientCredentialsRenewOnceAfter401(t *testing.T) {
	t.Parallel()
	s := &tokens{life: 3600, refused: func(token string) bool { return token == "tok-1" }}
	c, url := withTokens(t, s, fixed)
	if _, err := post(t, c, url); err != nil {
		t.Fatal(err)
	}
	given, calls, bodies := s.seen()
	if given != 2 || len(calls) != 2 || bodies[0] != `{"a":"b"}` || bodies[1] != bodies[0] {
		t.Errorf("got %d tokens, calls with %v carrying %q", given, calls, bodies)
	}

	never := &tokens{life: 3600, refused: func(string) bool { return true }}
	c, url = withTokens(t, never, fixed)
	_, err := post(t, c, url)
	if e := asError(t, err); e.Kind != connectors.Unwell || e.Sent || e.Status != 401 {
		t.Errorf("got %+v", e)
	}
	if given, calls, _ := never.seen(); given != 2 || len(calls) != 2 {
		t.Errorf("refused for good: got %d tokens and %d calls, want 2 and 2", given, len(calls))
	}
}

func TestClientCredentialsSendAStreamOnce(t *testing.T) {
	t.Parallel()
	s := &tokens{life: 3600, refused: func(string) bool { return true }}
	c, url := withTokens(t, s, fixed)
	req, err := http.NewRequestWithContext(t.Context(), "POST", url, io.MultiReader(strings.NewReader("stream")))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.HTTP().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if _, calls, bodies := s.seen(); resp.StatusCode != 401 || len(calls) != 1 || bodies[0] != "stream" {
		t.Errorf("got status %d after %d calls carrying %q", resp.StatusCode, len(calls), bodies)
	}
}

func TestClientCredentialsAskOnceForManyCalls(t *testing.T) {
	t.Parallel()
	s := &tokens{life: 3600}
	c, url := withTokens(t, s, fixed)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			if _, err := post(t, c, url); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if given, calls, _ := s.seen(); given != 1 || len(calls) != 16 {
		t.Errorf("got %d tokens for %d calls", given, len(calls))
	}
}

// A call that is stopped while it asks for a token neither holds up nor fails those who wait for the same token.
func TestClientCredentialsOutliveAStoppedCall(t *testing.T) {
	t.Parallel()
	arrived := make(chan struct{}, 2)
	var asked atomic.Int32
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if r.URL.Path != "/token" {
			return
		}
		arrived <- struct{}{}
		if asked.Add(1) == 1 {
			<-r.Context().Done()
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"access_token":"tok","expires_in":3600}`)
	})
	c := client(t).With(connectors.ClientCredentials{TokenURL: server.URL + "/token", ID: "id", Secret: connectors.SecretValue("hunter2")})
	call := connectors.Call{Name: "create issue", Method: "POST", URL: server.URL}
	ctx, stop := context.WithCancel(t.Context())
	first, second := make(chan error, 1), make(chan error, 1)
	go func() { _, err := c.Do(ctx, call); first <- err }()
	<-arrived
	go func() { _, err := c.Do(t.Context(), call); second <- err }()
	waiting, leave := context.WithCancel(t.Context())
	leave()
	if _, err := c.Do(waiting, call); !errors.Is(err, context.Canceled) {
		t.Errorf("a call that does not wait: got %v", err)
	}
	stop()
	if err := <-first; !errors.Is(err, context.Canceled) || asError(t, err).Sent {
		t.Errorf("the stopped call: got %v", err)
	}
	if err := <-second; err != nil {
		t.Errorf("the call behind it: got %v", err)
	}
	if asked.Load() != 2 {
		t.Errorf("tokens were asked for %d times, want 2", asked.Load())
	}
}

func TestClientCredentialsTellWhatARefusalMeans(t *testing.T) {
	t.Parallel()
	reply := func(status int, kind, body string, pairs ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			for i := 0; i < len(pairs); i += 2 {
				w.Header().Set(pairs[i], pairs[i+1])
			}
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	const kind = "application/json"
	tests := []struct {
		name   string
		answer http.HandlerFunc
		kind   connectors.Kind
		wait   time.Duration
		says   string
	}{
		{"a wrong secret", reply(401, kind, `{"error":"invalid_client","error_description":"hunter2"}`), connectors.Unwell, 0, "the token server refused: invalid_client"},
		{"a wrong scope", reply(400, kind, `{"error":"invalid_scope"}`), connectors.Unwell, 0, "the token server refused: invalid_scope"},
		{"a code of its own", reply(400, kind, `{"error":"hunter2"}`), connectors.Unwell, 0, "the token server refused the client id or secret"},
		{"no code", reply(403, "text/plain", "hunter2"), connectors.Unwell, 0, "the token server refused the client id or secret"},
		{"a refusal under 200", reply(200, kind, `{"error":"invalid_grant"}`), connectors.Unwell, 0, "the token server refused: invalid_grant"},
		{"no such address", reply(404, "text/plain", "hunter2"), connectors.Unwell, 0, "HTTP 404"},
		{"a redirect", reply(302, "text/plain", "", "Location", "/login?hunter2"), connectors.Unwell, 0, "redirect"},
		{"too many", reply(429, kind, "{}", "Retry-After", "9"), connectors.Throttled, 9 * time.Second, "too many calls"},
		{"a rest", reply(503, kind, "{}", "Retry-After", "9"), connectors.Throttled, 9 * time.Second, "HTTP 503"},
		{"a fault", reply(500, "text/plain", "hunter2"), connectors.Temporary, 0, "HTTP 500"},
		{"a page to sign in", reply(200, "text/html", "<html>hunter2"), connectors.Temporary, 0, "a web page"},
		{"no JSON", reply(200, kind, "hunter2"), connectors.Temporary, 0, "holds no access token"},
		{"no token", reply(200, kind, `{"token":"hunter2"}`), connectors.Temporary, 0, "holds no access token"},
		{"no answer", func(w http.ResponseWriter, _ *http.Request) {
			if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
				conn.Close()
			}
		}, connectors.Temporary, 0, "closed before the answer was complete"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := &tokens{answer: tt.answer}
			c, url := withTokens(t, s, fixed)
			_, err := post(t, c, url)
			e := asError(t, err)
			if e.Kind != tt.kind || e.Sent || e.RetryAfter != tt.wait || !strings.Contains(err.Error(), tt.says) || !strings.Contains(err.Error(), "get access token") {
				t.Errorf("got %s, sent %t, %s, %q; want %s, false, %s, %q", e.Kind, e.Sent, e.RetryAfter, err, tt.kind, tt.wait, tt.says)
			}
			if strings.Contains(fmt.Sprintf("%v %+v", err, e), "hunter2") {
				t.Errorf("%q holds a credential", err)
			}
			if _, calls, _ := s.seen(); len(calls) > 0 {
				t.Errorf("the vendor was asked all the same")
			}
		})
	}
}
