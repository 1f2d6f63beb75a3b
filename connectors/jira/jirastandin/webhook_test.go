package jirastandin_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors/jira/jirastandin"
)

// inbox takes webhooks, failing first as often as it is told.
type inbox struct {
	mu    sync.Mutex
	fail  []int
	heads []http.Header
	raws  []string
	seen  chan struct{}
}

func (b *inbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	raw, _ := io.ReadAll(r.Body)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.heads, b.raws = append(b.heads, r.Header), append(b.raws, string(raw))
	if len(b.fail) > 0 {
		w.WriteHeader(b.fail[0])
		b.fail = b.fail[1:]
	}
	select {
	case b.seen <- struct{}{}:
	default:
	}
}

// events names what arrived, in order.
func (b *inbox) events(t *testing.T) []string {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []string
	for _, raw := range b.raws {
		var body struct {
			Event string `json:"webhookEvent"`
			Type  string `json:"issue_event_type_name"`
		}
		if err := json.Unmarshal([]byte(raw), &body); err != nil {
			t.Fatal(err)
		}
		out = append(out, strings.TrimSuffix(body.Event+" "+body.Type, " "))
	}
	return out
}

func startHooked(t *testing.T, o jirastandin.Options) (*desk, *inbox) {
	t.Helper()
	box := &inbox{seen: make(chan struct{}, 100)}
	srv := httptest.NewServer(box)
	t.Cleanup(srv.Close)
	o.HookURL = srv.URL
	return start(t, o), box
}

func TestWebhooksTellWhatHappened(t *testing.T) {
	t.Parallel()
	d, box := startHooked(t, jirastandin.Options{HookSecret: "s3cret"})
	key := d.create("a", `,"labels":["x"]`)
	if err := d.Move(key, "acc-kim", "Approved", nil); err != nil {
		t.Fatal(err)
	}
	if err := d.CommentAs(key, "acc-kim", "fine"); err != nil {
		t.Fatal(err)
	}
	if err := d.SetProperty(key, "p", 1); err != nil {
		t.Fatal(err)
	}
	if err := d.Delete(key, "acc-max"); err != nil {
		t.Fatal(err)
	}
	if err := d.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []string{"jira:issue_created issue_created", "jira:issue_updated issue_generic", "comment_created", "jira:issue_updated issue_commented", "jira:issue_deleted"}
	if got := box.events(t); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	var moved struct {
		Timestamp int64
		User      struct{ AccountID string }
		Issue     struct {
			ID, Key string
			Fields  struct{ Status struct{ Name string } }
		}
		Changelog struct {
			ID    string
			Items []struct{ FieldID, FromString, ToString string }
		}
	}
	if err := json.Unmarshal([]byte(box.raws[1]), &moved); err != nil {
		t.Fatal(err)
	}
	if moved.Timestamp != d.clock.now().UnixMilli() || moved.User.AccountID != "acc-kim" || moved.Issue.Key != key ||
		moved.Issue.Fields.Status.Name != "Approved" || moved.Changelog.Items[0].FieldID != "status" || moved.Changelog.Items[0].FromString != "Open" {
		t.Errorf("got %+v", moved)
	}
	mac := hmac.New(sha256.New, []byte("s3cret"))
	mac.Write([]byte(box.raws[1]))
	if got, want := box.heads[1].Get("X-Hub-Signature"), "sha256="+hex.EncodeToString(mac.Sum(nil)); got != want {
		t.Errorf("signature: got %q, want %q", got, want)
	}
	if d.Pending() != 0 {
		t.Errorf("pending: got %d", d.Pending())
	}
}

func TestWebhookRetriesKeepTheirIdentifier(t *testing.T) {
	t.Parallel()
	d, box := startHooked(t, jirastandin.Options{})
	box.fail = []int{503, 429}
	d.create("a", "")
	for range 2 {
		if err := d.Flush(t.Context()); err == nil {
			t.Error("want an error while the receiver fails")
		}
		if d.Pending() != 1 {
			t.Errorf("pending: got %d, want 1", d.Pending())
		}
	}
	if err := d.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	first := box.heads[0].Get("X-Atlassian-Webhook-Identifier")
	for n, head := range box.heads {
		if got := head.Get("X-Atlassian-Webhook-Identifier"); got != first || got == "" {
			t.Errorf("try %d: identifier %q, want %q", n, got, first)
		}
		if retried := head.Get("X-Atlassian-Webhook-Retry") != ""; retried != (n > 0) {
			t.Errorf("try %d: retry header is %v", n, retried)
		}
		if head.Get("X-Hub-Signature") != "" {
			t.Error("signed without a secret")
		}
	}
}

func TestWebhooksAreGivenUp(t *testing.T) {
	t.Parallel()
	d, box := startHooked(t, jirastandin.Options{})
	box.fail = []int{403}
	d.create("a", "")
	if err := d.Flush(t.Context()); err == nil || d.Pending() != 0 {
		t.Errorf("a refused webhook is final: %v, pending %d", err, d.Pending())
	}
	box.fail = []int{500, 500, 500, 500, 500, 500}
	d.create("b", "")
	for range 6 {
		_ = d.Flush(t.Context())
	}
	if d.Pending() != 0 {
		t.Errorf("pending after six tries: got %d", d.Pending())
	}
}

func TestWebhooksGetLostAndDoubled(t *testing.T) {
	t.Parallel()
	d, box := startHooked(t, jirastandin.Options{HookDuplicate: 1, Seed: 7})
	d.DropWebhooks(true)
	d.create("a", "")
	d.DropWebhooks(false)
	d.LoseWebhooks(1)
	d.create("b", "")
	d.LoseWebhooks(0)
	if d.Pending() != 0 {
		t.Errorf("pending: got %d, want none", d.Pending())
	}
	d.create("c", "")
	if err := d.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(box.heads) != 2 || box.heads[0].Get("X-Atlassian-Webhook-Identifier") != box.heads[1].Get("X-Atlassian-Webhook-Identifier") {
		t.Errorf("got %d webhooks, want two with one identifier", len(box.heads))
	}
}

func TestRunDeliversInTheBackground(t *testing.T) {
	t.Parallel()
	d, box := startHooked(t, jirastandin.Options{HookRetry: time.Millisecond})
	box.fail = []int{500}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- d.Run(ctx) }()
	d.create("a", "")
	<-box.seen // failed
	<-box.seen // tried again
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
