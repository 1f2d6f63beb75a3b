package standin_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors/standin"
)

func TestFaults(t *testing.T) {
	t.Parallel()
	var f standin.Faults
	var performed atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.Serve(w, r, strings.TrimPrefix(r.URL.Path, "/"), func(w http.ResponseWriter, status int) { w.WriteHeader(status) },
			func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Query().Has("bad") {
					w.WriteHeader(http.StatusBadRequest)
					return
				}
				performed.Add(1)
				w.WriteHeader(http.StatusCreated)
			})
	}))
	t.Cleanup(server.Close)
	call := func(op string) (*http.Response, error) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/"+op, strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := server.Client().Do(req)
		if err == nil {
			_ = resp.Body.Close()
		}
		return resp, err
	}
	want := func(op string, status int, did int32) *http.Response {
		t.Helper()
		resp, err := call(op)
		if err != nil || resp.StatusCode != status || performed.Load() != did {
			t.Fatalf("%s: got %+v, %v and %d performed, want %d and %d", op, resp, err, performed.Load(), status, did)
		}
		return resp
	}
	want("create", 201, 1)
	f.FailOn("create", 1, 429, http.Header{"retry-after": {"7"}})
	want("get", 201, 2)
	if resp := want("create", 429, 2); resp.Header.Get("Retry-After") != "7" {
		t.Errorf("the header of the failure is missing: %v", resp.Header)
	}
	want("create", 201, 3)
	f.CutNext("create")
	want("create?bad", 400, 3)
	if resp, err := call("create"); err == nil || performed.Load() != 4 {
		t.Errorf("cut: got %+v and %d performed, want no answer and 4", resp, performed.Load())
	}
	f.FailNext(5, 503, nil)
	want("get", 503, 4)
	f.Heal()
	f.Delay(time.Millisecond)
	want("get", 201, 5)
}

func TestHooksAreSentInOrderAndAgain(t *testing.T) {
	t.Parallel()
	statuses := []int{200, 503, 400}
	var got []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = append(got, r.URL.Path)
		w.WriteHeader(statuses[(len(got)-1)%len(statuses)])
	}))
	t.Cleanup(server.Close)
	h := standin.Hooks{Client: server.Client(), Tries: 2, Retry: time.Minute, Again: func(status int) bool { return status >= 500 }}
	queue := func(name string) {
		h.Queue(func(ctx context.Context, _ int) (*http.Request, error) {
			return http.NewRequestWithContext(ctx, http.MethodPost, server.URL+"/"+name, nil)
		})
	}
	for _, name := range []string{"a", "b", "c"} {
		queue(name)
	}
	h.Drop(true)
	queue("dropped")
	h.Drop(false)
	if err := h.Flush(t.Context()); err == nil || h.Pending() != 1 {
		t.Errorf("the first round: %v and %d wait, want an error and 1", err, h.Pending())
	}
	if err := h.Flush(t.Context()); err != nil || h.Pending() != 0 || strings.Join(got, "") != "/a/b/c/b" {
		t.Errorf("the second round: %v, %d wait, sent %v", err, h.Pending(), got)
	}
	statuses = []int{503}
	queue("d")
	for range 3 {
		_ = h.Flush(t.Context()) // the answers are told below
	}
	if h.Pending() != 0 || strings.Join(got[4:], "") != "/d/d" {
		t.Errorf("tried %v, and %d wait", got[4:], h.Pending())
	}
}

func TestRunSendsAsTheyCome(t *testing.T) {
	t.Parallel()
	arrived := make(chan string, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { arrived <- r.URL.Path }))
	t.Cleanup(server.Close)
	h := standin.Hooks{Client: server.Client(), Tries: 1, Retry: time.Hour}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- h.Run(ctx) }()
	h.Queue(func(ctx context.Context, _ int) (*http.Request, error) {
		return http.NewRequestWithContext(ctx, http.MethodPost, server.URL+"/x", nil)
	})
	if path := <-arrived; path != "/x" {
		t.Errorf("sent to %s", path)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestALineGoesOnOnceTheFirstIsTaken(t *testing.T) {
	t.Parallel()
	answers := []int{503, 200, 200}
	var sent, taken []string
	l := standin.Line[string]{
		Post: func(_ context.Context, hook string) (int, error) {
			sent = append(sent, hook)
			if len(answers) == 0 {
				return 500, nil
			}
			status := answers[0]
			answers = answers[1:]
			return status, nil
		},
		Taken: func(hook string) { taken = append(taken, hook) },
	}
	l.Add("a")
	l.Add("b")
	if statuses, err := l.Flush(t.Context()); err == nil || len(statuses) != 1 || l.Queued() != 2 {
		t.Errorf("refused: %v, %v, %d wait", statuses, err, l.Queued())
	}
	if !l.Waits(func(hook string) bool { return hook == "b" }) {
		t.Error("b does not wait")
	}
	if statuses, err := l.Flush(t.Context()); err != nil || len(statuses) != 2 || strings.Join(sent, "") != "aab" || strings.Join(taken, "") != "ab" {
		t.Errorf("then: %v, %v, sent %v, taken %v", statuses, err, sent, taken)
	}
	l.Add("c")
	for range 12 {
		if l.Queued() != 1 {
			t.Fatal("it was given up too early")
		}
		_, _ = l.Flush(t.Context()) // it is refused each time
	}
	if l.Queued() != 0 || strings.Join(taken, "") != "ab" {
		t.Errorf("%d wait, taken %v", l.Queued(), taken)
	}
	l.Add("d")
	l.ClearQueue()
	if l.Queued() != 0 {
		t.Error("it is not empty")
	}
}
