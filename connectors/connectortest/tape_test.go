package connectortest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestATapeWritesRequestsWithoutCredentials(t *testing.T) {
	t.Parallel()
	var passed []string
	tape := &Tape{TokenPath: "/token", Headers: []string{"If-Match"}, Next: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		passed = append(passed, string(body))
	})}
	send := func(method, target, kind, body string) {
		r := httptest.NewRequest(method, target, strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+Canary)
		r.Header.Set("X-Api-Key", Canary)
		r.Header.Set("If-Match", "7")
		if kind != "" {
			r.Header.Set("Content-Type", kind)
		}
		tape.ServeHTTP(httptest.NewRecorder(), r)
	}
	send(http.MethodPost, "/token", "application/json", `{"client_secret":"`+Canary+`"}`)
	send(http.MethodGet, "/tickets?b=2&a=x%20y&a=z", "", "")
	send(http.MethodPost, "/tickets", "application/json", `{"a":[1]}`)
	send(http.MethodPost, "/tickets", "application/x-www-form-urlencoded", "input=%7B%22a%22%3A1%7D&b=2")
	send(http.MethodPut, "/files", "text/plain", "one\r\ntwo")
	want := `GET /tickets
  a=x y
  a=z
  b=2
If-Match: 7

POST /tickets
Content-Type: application/json
If-Match: 7
{
  "a": [
    1
  ]
}

POST /tickets
Content-Type: application/x-www-form-urlencoded
If-Match: 7
  b=2
  input={
    "a": 1
  }

PUT /files
Content-Type: text/plain
If-Match: 7
one
two
`
	if d := cmp.Diff(want, tape.Take()); d != "" {
		t.Errorf("written (-want +got):\n%s", d)
	}
	if again := tape.Take(); again != "" {
		t.Errorf("taken twice: %s", again)
	}
	if len(passed) != 5 || passed[4] != "one\r\ntwo" || !strings.Contains(passed[0], Canary) {
		t.Errorf("passed on %q", passed)
	}
}
