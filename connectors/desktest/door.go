package desktest

import (
	"net/http"
	"net/http/httputil"
	"net/url"
	"testing"
	"time"
)

// Door passes requests on to a desk after change looked at them.
func Door(t testing.TB, desk string, change func(*http.Request)) http.Handler {
	t.Helper()
	target, err := url.Parse(desk)
	if err != nil {
		t.Fatal(err)
	}
	return &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(target)
			change(p.Out)
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
}

// Eventually waits until f is content: desks run their scripts after they answered.
func Eventually(t testing.TB, f func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if f() {
			return
		}
	}
	t.Fatal("it did not happen in time")
}
