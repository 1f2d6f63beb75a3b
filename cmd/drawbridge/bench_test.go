package main

import (
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/store"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

// BenchmarkProgram starts the program as a process of its own on a database that waits for the disk, with the stand-ins
// in this process, and tells how long it takes to be ready and what memory it holds: idle, and at most while requests
// come in and become tickets.
func BenchmarkProgram(b *testing.B) {
	const requests, clients = 1000, 32
	for _, engine := range []string{storetest.SQLite, storetest.Postgres} {
		b.Run(engine, func(b *testing.B) {
			dsn := storetest.DSN
			if engine == storetest.Postgres {
				dsn = func(t testing.TB, _ string) string { return storetest.Durable(t) }
			}
			c, p := prepare(b, dsn(b, engine))
			var ready []time.Duration
			for range 9 {
				began := time.Now()
				p.start(0)
				for !answers(p.addresses[0]) {
					time.Sleep(200 * time.Microsecond) // asks another process
				}
				ready = append(ready, time.Since(began))
				p.kill(0)
			}
			slices.Sort(ready)
			p.start(0)
			defer p.stopAll()
			time.Sleep(3 * time.Second) // idle
			pid := p.running[0].Process.Pid
			idle := resident(b, pid, "VmRSS")
			for b.Loop() {
				var next atomic.Int64
				var senders sync.WaitGroup
				for range clients {
					senders.Go(func() {
						for next.Add(1) <= requests {
							if id := store.NewID(); !c.deliverTo(p.addresses[0], id) {
								b.Errorf("request %s was not accepted", id)
							}
						}
					})
				}
				senders.Wait()
				for c.owed(b) > 0 {
					time.Sleep(200 * time.Millisecond) // polls the database of another process
				}
			}
			b.ReportMetric(float64(ready[len(ready)/2].Microseconds())/1000, "ready-ms")
			b.ReportMetric(idle, "idle-MB")
			b.ReportMetric(resident(b, pid, "VmHWM"), "most-MB")
		})
	}
}

// prepare makes ready for the program on a database: a world whose own bridge does not run.
func prepare(b *testing.B, dsn string) (*check, *programs) {
	b.Helper()
	w, err := newWorld(b.Context(), worldOptions{Database: dsn, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(w.close)
	keys := filepath.Join(b.TempDir(), "keys")
	if err := os.WriteFile(keys, []byte("demo "+base64.StdEncoding.EncodeToString(w.bridge.vault.Keys["demo"])+"\n"), 0o600); err != nil {
		b.Fatal(err)
	}
	if err := w.listener.Close(); err != nil { // the program listens there
		b.Fatal(err)
	}
	p := &programs{t: b, args: []string{"--database", dsn, "--key-file", keys, "--log-level", "warn"}, addresses: []string{w.listener.Addr().String()}, running: make([]*exec.Cmd, 1)}
	return &check{world: w, ctx: b.Context()}, p
}

func answers(address string) bool {
	resp, err := http.Get("http://" + address + "/readyz")
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// owed counts what is still to be done: events to be planned and deliveries.
func (c *check) owed(b *testing.B) (n int) {
	b.Helper()
	err := c.store.DB().QueryRowContext(c.ctx, `SELECT (SELECT COUNT(*) FROM events WHERE state = 'accepted')
		+ (SELECT COUNT(*) FROM deliveries WHERE state IN ('pending', 'running'))`).Scan(&n)
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// resident reads a line of a process's status, in megabytes.
func resident(b *testing.B, pid int, line string) float64 {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Skip("skipped: linux: memory of other processes")
	}
	for l := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(l, line+":"); ok {
			kilobytes, err := strconv.ParseFloat(strings.Fields(value)[0], 64)
			if err != nil {
				b.Fatal(err)
			}
			return kilobytes / 1000
		}
	}
	b.Fatalf("status has no %s", line)
	return 0
}
