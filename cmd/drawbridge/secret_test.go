package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// oauthDoor makes the tool of the starter folder one that asks for tokens.
func (p *program) oauthDoor() {
	p.Helper()
	p.starterFolder()
	p.write("docs/connections.yaml", strings.Replace(p.read("docs/connections.yaml"),
		"verify: {basic: {user: epm, passwords: [{value: topsecret-door}]}}", "verify: {oauth: {client_id: epm-prod}}", 1))
	p.fine("migrate")
	p.fine("apply", "-y", "-f", "docs")
}

var printedSecret = regexp.MustCompile(`client secret +(dbs_\S+)`)

// makeSecret makes a client secret as an admin does.
func (p *program) makeSecret() (secret, mark string) {
	p.Helper()
	out := p.fine("secret", "make", "epm", "--why", "test")
	m := printedSecret.FindStringSubmatch(out)
	if m == nil || !strings.Contains(out, "client id       epm-prod") || strings.Count(out, m[1]) != 1 {
		p.Fatalf("got %s", out)
	}
	return m[1], strings.Fields(strings.TrimPrefix(out, "The client secret "))[0]
}

// tokens are those of a tool that has a secret.
func (s *serving) tokens(secret string) oauth2.TokenSource {
	c := clientcredentials.Config{ClientID: "epm-prod", ClientSecret: secret, TokenURL: "http://" + s.address + "/oauth/token"}
	return c.TokenSource(s.Context())
}

// event sends an event with a token and tells what it is answered.
func (s *serving) event(ctx context.Context, id, token string) (int, error) {
	body := fmt.Sprintf(`{"EventType":"URM_Native_Ticket_Created","RequestId":%q,"TenantId":"t-100","User":"CORP\\ana"}`, id)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.address+"/in/epm", strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, resp.Body.Close()
}

func TestSecretsOnTheCommandLine(t *testing.T) {
	t.Parallel()
	p := newProgram(t)
	p.oauthDoor()
	if got := p.fine("secret", "list", "epm"); got != "The sender of epm has no secrets of its own.\n" {
		t.Errorf("with none: %s", got)
	}
	s := p.serve()
	first, mark := p.makeSecret()
	token, err := s.tokens(first).Token()
	must(t, err)
	if status, err := s.event(t.Context(), "r-1", token.AccessToken); status != http.StatusOK || err != nil {
		t.Errorf("got %d, %v", status, err)
	}
	second, _ := p.makeSecret()
	if r := p.run("secret", "make", "epm"); r.code != 1 || !strings.Contains(r.err, "epm has two secrets already") {
		t.Errorf("a third: exit %d, %s%s", r.code, r.out, r.err)
	}
	list := p.fine("secret", "list", "epm")
	if rows := strings.Split(strings.TrimSpace(list), "\n"); len(rows) != 3 || !strings.HasPrefix(rows[0], "MARK ") || !strings.HasPrefix(rows[1], mark) || strings.Contains(rows[1], "never") || !strings.Contains(rows[2], "never") {
		t.Errorf("the list is\n%s", list)
	}
	if r := p.feed("n\n", "secret", "drop", "epm", mark); r.code != 1 || !strings.Contains(r.out, mark+" was last used at ") || !strings.Contains(r.err, "nothing was dropped") {
		t.Errorf("not agreed to: exit %d, %s%s", r.code, r.out, r.err)
	}
	if got := p.fine("secret", "drop", "epm", mark, "-y"); !strings.Contains(got, "Dropped "+mark+" of epm.") {
		t.Errorf("got %s", got)
	}
	if r := p.run("secret", "drop", "epm", mark, "-y"); r.code != 1 || !strings.Contains(r.err, "made no secret "+mark) {
		t.Errorf("dropped twice: exit %d, %s%s", r.code, r.out, r.err)
	}
	if status, err := s.event(t.Context(), "r-2", token.AccessToken); status != http.StatusOK || err != nil {
		t.Errorf("a token of the dropped secret: got %d, %v", status, err)
	}
	if _, err := s.tokens(first).Token(); !isInvalidClient(err) {
		t.Errorf("the dropped secret: got %v", err)
	}
	next, err := s.tokens(second).Token()
	must(t, err)
	if got := p.fine("secret", "revoke", "epm"); !strings.HasPrefix(got, "Ended 2 tokens of epm.") {
		t.Errorf("got %s", got)
	}
	must(t, eventually(t.Context(), func() error {
		for _, token := range []string{token.AccessToken, next.AccessToken} {
			if status, err := s.event(t.Context(), "r-3", token); status != http.StatusUnauthorized {
				return fmt.Errorf("a revoked token is answered %d, %v", status, err)
			}
		}
		return nil
	}))
	if r := p.run("secret", "list", "nobody"); r.code != 1 || !strings.Contains(r.err, `there is no connection "nobody"`) {
		t.Errorf("exit %d, %s%s", r.code, r.out, r.err)
	}
	if log := s.log.String(); strings.Contains(log, first) || strings.Contains(log, token.AccessToken) {
		t.Errorf("the log holds a credential:\n%s", log)
	}
	s.stop()
}

func isInvalidClient(err error) bool {
	refusal, ok := errors.AsType[*oauth2.RetrieveError](err)
	return ok && refusal.ErrorCode == "invalid_client"
}

// TestRotationUnderLoadRefusesNothing rotates a secret several times as an admin does, while a tool sends without a pause
// and is given each new secret a moment after it was made.
func TestRotationUnderLoadRefusesNothing(t *testing.T) {
	t.Parallel()
	p := newProgram(t)
	p.oauthDoor()
	s := p.serve()
	secret, mark := p.makeSecret()
	var source atomic.Pointer[oauth2.TokenSource]
	given := s.tokens(secret)
	source.Store(&given)
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	var sent, asked atomic.Int64
	var tool sync.WaitGroup
	for worker := range 4 {
		tool.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				token, err := (*source.Load()).Token()
				if err != nil {
					t.Errorf("a token was refused: %v", err)
					return
				}
				status, err := s.event(ctx, fmt.Sprintf("r-%d-%d", worker, n), token.AccessToken)
				if ctx.Err() == nil && (err != nil || status != http.StatusOK) {
					t.Errorf("an event was refused: %d, %v", status, err)
					return
				}
				sent.Add(1)
			}
		})
	}
	for range 3 {
		before := sent.Load()
		next, nextMark := p.makeSecret()
		fresh := s.tokens(next)
		_, err := fresh.Token()
		must(t, err)
		source.Store(&fresh)
		asked.Add(1)
		p.fine("secret", "drop", "epm", mark, "-y")
		mark = nextMark
		must(t, eventually(t.Context(), func() error {
			if sent.Load() < before+20 {
				return errors.New("the tool does not get on")
			}
			return nil
		}))
	}
	stop()
	tool.Wait()
	t.Logf("%d events were taken during %d rotations", sent.Load(), asked.Load())
	s.stop()
}

// read is a file of the directory.
func (p *program) read(name string) string {
	p.Helper()
	text, err := os.ReadFile(filepath.Join(p.dir, name))
	must(p.T, err)
	return string(text)
}
