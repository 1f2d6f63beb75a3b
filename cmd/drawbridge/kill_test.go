package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors/jira/jirastandin"
	"github.com/drawbridge-itsm/drawbridge/store"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

// TestKill ends the program with SIGKILL again and again while events and decisions flow, and then counts.
func TestKill(t *testing.T) {
	storetest.Engines(t, func(t *testing.T, engine string) {
		killRun{kills: 4, every: 700 * time.Millisecond, pause: 8 * time.Millisecond, replicas: 1}.run(t, engine)
	})
}

// TestKillReplicas does the same with two replicas on one database, one of which is killed at a time.
func TestKillReplicas(t *testing.T) {
	t.Parallel()
	storetest.Need(t)
	killRun{kills: 4, every: 700 * time.Millisecond, pause: 8 * time.Millisecond, replicas: 2}.run(t, storetest.Postgres)
}

// TestSoakKill is the minute of the published figures: a kill a second at 300 events a second.
func TestSoakKill(t *testing.T) {
	if os.Getenv("DRAWBRIDGE_SOAK") == "" {
		t.Skip("skipped: soak: set DRAWBRIDGE_SOAK (make soak)")
	}
	for _, r := range []struct {
		engine   string
		replicas int
	}{{storetest.SQLite, 1}, {storetest.Postgres, 1}, {storetest.Postgres, 2}} {
		t.Run(fmt.Sprintf("%s with %d", r.engine, r.replicas), func(t *testing.T) {
			killRun{kills: 60, every: time.Second, pause: 3 * time.Millisecond, replicas: r.replicas}.run(t, r.engine)
		})
	}
}

type killRun struct {
	kills    int
	every    time.Duration // between kills
	pause    time.Duration // between events
	replicas int
}

// programs are the replicas under test, each a process of its own.
type programs struct {
	t         testing.TB
	args      []string
	addresses []string

	mu      sync.Mutex
	running []*exec.Cmd
}

func (k killRun) run(t *testing.T, engine string) {
	dsn := storetest.DSN(t, engine)
	w, err := newWorld(t.Context(), worldOptions{Database: dsn, Log: testLog(t)})
	must(t, err)
	defer w.close()
	p := w.programs(t, dsn, k.replicas)
	defer p.stopAll()

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	c := &check{world: w, out: io.Discard, ctx: ctx}
	var parts sync.WaitGroup
	var accepted []string
	var taken atomic.Int32
	parts.Go(func() { accepted = c.flood(ctx, p.addresses, k.pause, &taken) })
	deskCtx, closeDesk := context.WithCancel(t.Context())
	parts.Go(func() { _ = w.jira.Run(deskCtx) })
	parts.Go(func() { c.approveAll(deskCtx) })

	for n := range k.kills {
		time.Sleep(k.every) // the load runs meanwhile; when exactly a kill falls is meant to vary
		i := n % k.replicas
		p.kill(i)
		p.start(i)
	}
	// A slow machine has not accepted much by now; the counting below needs something to count.
	for end := time.Now().Add(time.Minute); taken.Load() < 40 && time.Now().Before(end); {
		time.Sleep(50 * time.Millisecond)
	}
	stop()
	settled := &check{world: w, out: io.Discard, ctx: t.Context()}
	err = settled.quiet(&parts, closeDesk)
	closeDesk()
	must(t, err)
	settled.count(t, accepted)
}

// programs starts replicas as programs of their own, in place of the world's own bridge.
func (w *world) programs(t testing.TB, dsn string, replicas int) *programs {
	t.Helper()
	keys := filepath.Join(t.TempDir(), "keys")
	must(t, os.WriteFile(keys, []byte("demo "+base64.StdEncoding.EncodeToString(w.bridge.vault.Keys["demo"])+"\n"), 0o600))
	// The programs listen where the world's own bridge would have.
	must(t, w.listener.Close())
	p := &programs{t: t, args: []string{"--database", dsn, "--key-file", keys, "--log-level", "warn"}, running: make([]*exec.Cmd, replicas)}
	p.addresses = []string{w.listener.Addr().String()}
	for range replicas - 1 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		must(t, err)
		p.addresses = append(p.addresses, l.Addr().String())
		must(t, l.Close())
	}
	for i := range replicas {
		p.start(i)
	}
	return p
}

// ready waits until every program answers: a tool tells of a request only so many times.
func (p *programs) ready() {
	p.t.Helper()
	for _, address := range p.addresses {
		for end := time.Now().Add(2 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
			resp, err := http.Get("http://" + address + "/readyz")
			if err == nil {
				resp.Body.Close()
				if resp.StatusCode == http.StatusOK {
					break
				}
				err = fmt.Errorf("it answers %d", resp.StatusCode)
			}
			if time.Now().After(end) {
				p.t.Fatalf("program at %s is not ready: %v", address, err)
			}
		}
	}
}

func (p *programs) start(i int) {
	p.t.Helper()
	cmd := exec.Command(os.Args[0], append([]string{"serve", "--listen", p.addresses[i]}, p.args...)...)
	cmd.Env = append(os.Environ(), asProgram+"=1")
	cmd.Stdout, cmd.Stderr = io.Discard, io.Discard
	if testing.Verbose() {
		cmd.Stderr = p.t.Output()
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	must(p.t, cmd.Start())
	p.mu.Lock()
	p.running[i] = cmd
	p.mu.Unlock()
}

func (p *programs) kill(i int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.running[i].Process.Kill()
	_ = p.running[i].Wait()
}

func (p *programs) stopAll() {
	for i := range p.running {
		p.kill(i)
	}
}

// flood sends requests until ctx ends, each until some replica has accepted it, and returns the RequestIds accepted.
func (c *check) flood(ctx context.Context, addresses []string, pause time.Duration, taken *atomic.Int32) []string {
	var mu sync.Mutex
	var accepted []string
	var senders sync.WaitGroup
	for n := 0; ctx.Err() == nil; n++ {
		id := c.epm.RequestApplication(anaAsksForATool)
		c.epm.ClearQueue() // sent here instead, to several replicas at once
		senders.Go(func() {
			if c.deliverTo(addresses[n%len(addresses)], id) || c.deliverTo(addresses[(n+1)%len(addresses)], id) {
				mu.Lock()
				accepted = append(accepted, id)
				taken.Add(1)
				mu.Unlock()
			}
		})
		time.Sleep(pause) // the rate of the load
	}
	senders.Wait()
	return accepted
}

// deliverTo sends one request once and tells whether it was accepted.
func (c *check) deliverTo(address, id string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	body := fmt.Sprintf(`{"EventType":"URM_Native_Ticket_Created","RequestId":%q,"TenantId":%q,"TicketNumber":"EPM1","requestInfo":{"user":"CORP\\ana","productName":"Tool"}}`, id, demoTenant)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+"/in/epm", strings.NewReader(body))
	if err != nil {
		return false
	}
	req.Header.Set("Content-Type", "application/json")
	req.SetBasicAuth(demoHookUser, c.hookPassword)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode == http.StatusOK
}

// approveAll decides every ticket that is open, every third with a decline.
func (c *check) approveAll(ctx context.Context) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for ctx.Err() == nil {
		for n, issue := range c.jira.Issues() {
			if issue.Status != "Open" {
				continue
			}
			status := "Approved"
			if n%3 == 0 {
				status = "Declined"
			}
			_ = c.jira.Move(issue.Key, "acc-kim", status, nil) // a twin may be closed at the same moment
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// quiet waits until everything accepted was decided and nothing is owed any more, as long as that gets on: a busy
// machine may take its time.
func (c *check) quiet(parts *sync.WaitGroup, closeDesk func()) error {
	least, deadline := math.MaxInt, time.Now().Add(time.Minute)
	for {
		open, err := c.unsettled()
		if err == nil && open == 0 {
			closeDesk()
			parts.Wait()
			return nil
		}
		if err == nil && open < least {
			least, deadline = open, time.Now().Add(time.Minute)
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%d cases or deliveries are not settled, and none was for a minute (%v)", open, err)
		}
		time.Sleep(200 * time.Millisecond) // polls the database of another process
	}
}

func (c *check) unsettled() (int, error) {
	var n int
	err := c.store.DB().QueryRowContext(c.ctx, `SELECT (SELECT COUNT(*) FROM cases WHERE state <> 'closed')
		+ (SELECT COUNT(*) FROM deliveries WHERE state IN ('pending', 'running'))
		+ (SELECT COUNT(*) FROM events WHERE state = 'accepted') + (SELECT COUNT(*) FROM changes)`).Scan(&n)
	return n, err
}

// count compares what was accepted with the tickets at the desk and the decisions at the source.
func (c *check) count(t *testing.T, accepted []string) {
	t.Helper()
	if len(accepted) < 20 {
		t.Fatalf("only %d events were accepted; the test proves nothing", len(accepted))
	}
	live, twins := map[string]int{}, 0
	for _, issue := range c.jira.Issues() {
		if isTwin(issue) {
			twins++
			continue
		}
		key := mark(issue)
		if len(key) != 1 {
			t.Errorf("%s has the marks %v", issue.Key, key)
			continue
		}
		live[key[0]]++
	}
	for _, id := range accepted {
		found, err := c.store.CaseByRequest(c.ctx, "epm", demoTenant, id)
		if err != nil {
			t.Errorf("accepted request %s: %v", id, err)
			continue
		}
		links, err := c.store.LinksOfCase(c.ctx, found.ID)
		must(t, err)
		linked := 0
		for _, l := range links {
			if l.State != store.LinkLinked {
				continue
			}
			linked++
			if live["drawbridge-"+l.Key] != 1 {
				t.Errorf("request %s has %d live tickets with key %s, want 1", id, live["drawbridge-"+l.Key], l.Key)
			}
		}
		if linked != 1 {
			t.Errorf("request %s has %d linked tickets, want 1", id, linked)
		}
		if told := c.epm.Decisions(id); len(told) != 1 {
			t.Errorf("EPM was told of request %s %d times, want once: %+v", id, len(told), told)
		}
	}
	t.Logf("%d events accepted, %d tickets, %d twins closed", len(accepted), len(live), twins)
}

func isTwin(i jirastandin.Issue) bool {
	for _, comment := range i.Comments {
		if strings.Contains(comment.Text, "a second time for the same request") {
			return true
		}
	}
	return false
}
