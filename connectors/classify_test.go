package connectors_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Whatever the vendor answers, an error repeats no credential that was sent to it.
func TestClientErrorsHoldNoCredential(t *testing.T) {
	t.Parallel()
	const password, key, inURL = "hunter2-password", "hunter2-key", "hunter2-url"
	echo := func(r *http.Request) string {
		user, given, _ := r.BasicAuth()
		return fmt.Sprintf("%s %s %s %s %s", user, given, r.Header.Get("Authorization"), r.Header.Get("X-Key"), r.URL)
	}
	answers := map[string]func(w http.ResponseWriter, r *http.Request){
		"a refusal":  func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(400); _, _ = io.WriteString(w, echo(r)) },
		"a fault":    func(w http.ResponseWriter, r *http.Request) { http.Error(w, echo(r), 500) },
		"a redirect": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/x?k="+key, http.StatusFound) },
		"not JSON":   func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, echo(r)) },
		"a type of its own": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", key)
			_, _ = io.WriteString(w, "x")
		},
		"not HTTP": func(w http.ResponseWriter, r *http.Request) {
			if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
				_, _ = io.WriteString(conn, echo(r)+"\r\n\r\n")
				conn.Close()
			}
		},
		"a foreign status": func(w http.ResponseWriter, r *http.Request) {
			if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
				_, _ = io.WriteString(conn, "HTTP/1.1 "+key+" "+password+"\r\n\r\n")
				conn.Close()
			}
		},
	}
	for name, answer := range answers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, func(w http.ResponseWriter, r *http.Request) { answer(w, r) })
			c := client(t, func(o *connectors.Outbound) {
				o.Headers = map[string]connectors.Secret{"X-Key": connectors.SecretValue(key)}
			}).With(connectors.Basic{User: "u", Password: connectors.SecretValue(password)})
			got, err := post(t, c, s.URL+"/hook/?token="+inURL)
			if err == nil {
				err = got.DecodeJSON("create issue", &struct{}{})
			}
			for _, text := range []string{fmt.Sprint(err), fmt.Sprintf("%+v", asError(t, err))} {
				for _, secret := range []string{password, key, inURL, "aHVudGVy"} {
					if strings.Contains(text, secret) {
						t.Errorf("%q holds %q", text, secret)
					}
				}
			}
		})
	}
}

func TestClassifyHidesCredentialsInTheVendorsWords(t *testing.T) {
	t.Parallel()
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_, password, _ := r.BasicAuth()
		_, _ = fmt.Fprintf(w, "field summary: %s %s %s", r.Header.Get("Authorization"), password, r.Header.Get("X-Key"))
	})
	c := client(t, func(o *connectors.Outbound) {
		o.Headers = map[string]connectors.Secret{"x-key": connectors.SecretValue("hunter2-key")}
	}).With(connectors.Basic{User: "u", Password: connectors.SecretValue("hunter2-password")})
	resp, err := c.HTTP().Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	e := c.Classify("create issue", resp, body, string(body))
	const want = "create issue: field summary: [secret] [secret] [secret] (HTTP 400)"
	if e.Error() != want {
		t.Errorf("got %q, want %q", e, want)
	}
	answered, ok := errors.AsType[*connectors.Answered](e)
	if !ok || !strings.HasPrefix(string(answered.Body), "field summary: ") || strings.Contains(string(answered.Body), "hunter2") {
		t.Errorf("got %+v", answered)
	}
}

func TestClassifyNamesTheAdviceWithoutTheVendorsWords(t *testing.T) {
	t.Parallel()
	c := client(t)
	for status, want := range map[int]string{
		401: "ping: the credentials were refused (HTTP 401)",
		403: "ping: the account may not do this (HTTP 403)",
		404: "ping: there is no such thing there, or the account may not see it: not found at the vendor (HTTP 404)",
		429: "ping: too many calls (HTTP 429)",
		301: "ping: the vendor answers with a redirect, which is refused; set the address it really has (HTTP 301)",
		418: "ping: the vendor answered i'm a teapot (HTTP 418)",
		477: "ping: the vendor answered with an unknown status (HTTP 477)",
	} {
		if got := c.Classify("ping", &http.Response{StatusCode: status}, nil, " \n").Error(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestClean(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, text string
		n          int
		want       string
	}{
		{"spaces and lines", " a\r\n\tb\u2028c\u00a0 d ", 50, "a b c d"},
		{"control characters", "a\x00b\x1b[31mc\x7f", 50, "a b [31mc"},
		{"marks that turn text around", "a\u202eb\u200bc", 50, "a b c"},
		{"not UTF-8", "a\xffb", 50, "a\ufffdb"},
		{"as long as is allowed", "äöü", 3, "äöü"},
		{"longer", "äöüß", 3, "äö…"},
		{"no room", "äö", 0, "…"},
		{"nothing", "", 5, ""},
	}
	for _, tt := range tests {
		if got := connectors.Clean(tt.text, tt.n); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}
