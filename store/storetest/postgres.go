package storetest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/store"
)

// template is the migrated database every test's own is a copy of.
const template = "drawbridge_template"

// postgres is a throw-away server of this test binary.
type postgres struct {
	durable bool // waits for the disk, as a server in earnest does
	start   sync.Once
	err     error // why it did not start
	missing bool  // because it is not installed
	folder  string
	cmd     *exec.Cmd
	ended   chan struct{}
	admin   *store.Store
	last    atomic.Int64 // number of the last database
	copying sync.Mutex
}

var (
	server  postgres
	durable = postgres{durable: true}
)

// Need skips the test where PostgreSQL is not installed. It fails it instead when DRAWBRIDGE_REQUIRE, a list separated
// by commas, has "postgres".
func Need(t testing.TB) {
	t.Helper()
	server.need(t)
}

// Durable makes a migrated database of its own on a PostgreSQL that waits for the disk as it does in earnest, and gives
// its address: for measurements. It skips or fails as Need does.
func Durable(t testing.TB) string {
	t.Helper()
	return durable.database(t, " TEMPLATE "+template)
}

func (p *postgres) need(t testing.TB) {
	t.Helper()
	p.start.Do(func() { p.err = p.run() })
	required := slices.Contains(strings.Split(os.Getenv("DRAWBRIDGE_REQUIRE"), ","), "postgres")
	switch {
	case p.missing && !required:
		t.Skip("skipped: postgres: no server binaries (make deps)")
	case p.err != nil:
		t.Fatalf("start postgres: %v", p.err)
	}
}

func postgresDatabase(t testing.TB) string {
	t.Helper()
	return server.database(t, " TEMPLATE "+template)
}

func emptyPostgresDatabase(t testing.TB) string {
	t.Helper()
	return server.database(t, "")
}

func (p *postgres) database(t testing.TB, from string) string {
	t.Helper()
	p.need(t)
	name := fmt.Sprintf("t%d", p.last.Add(1))
	p.copying.Lock()
	_, err := p.admin.DB().ExecContext(t.Context(), `CREATE DATABASE `+name+from)
	p.copying.Unlock()
	if err != nil {
		t.Fatalf("create database: %v", err)
	}
	t.Cleanup(func() {
		if _, err := p.admin.DB().ExecContext(context.Background(), `DROP DATABASE `+name+` WITH (FORCE)`); err != nil {
			t.Errorf("drop database: %v", err)
		}
	})
	return p.dsn(name)
}

func (p *postgres) dsn(database string) string {
	v := url.Values{"host": {p.folder}, "user": {"postgres"}}
	return (&url.URL{Scheme: "postgres", Path: "/" + database, RawQuery: v.Encode()}).String()
}

// run starts a server on a socket in a folder of its own and makes the template. Nothing it holds outlives the tests,
// so it waits for a disk only where that is what is measured.
func (p *postgres) run() error {
	bin := binaries()
	if bin == "" {
		p.missing = true
		return errors.New("no server binaries (make deps)")
	}
	var err error
	if p.folder, err = os.MkdirTemp("", "drawbridge-pg-"); err != nil {
		return err
	}
	if err := giveToServer(p.folder); err != nil {
		return err
	}
	data := filepath.Join(p.folder, "data")
	initdb := exec.Command(filepath.Join(bin, "initdb"), "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8",
		"--locale=C", "--no-sync")
	initdb.Dir, initdb.SysProcAttr = p.folder, asServer()
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	args := []string{"-D", data, "-k", p.folder, "-c", "listen_addresses=", "-c", "max_connections=300",
		"-c", "shared_buffers=128MB", "-c", "max_wal_size=4GB"}
	if !p.durable {
		args = append(args, "-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off", "-c", "deadlock_timeout=100ms")
	}
	p.cmd = exec.Command(filepath.Join(bin, "postgres"), args...)
	p.cmd.Dir, p.cmd.SysProcAttr = p.folder, asServer()
	var log bytes.Buffer
	p.cmd.Stdout, p.cmd.Stderr = &log, &log
	if err := p.launch(); err != nil {
		return err
	}
	return p.prepare(&log)
}

// launch starts the server from a thread that lives as long as it does: the signal that ends it with its parent is
// sent when the thread that started it ends.
func (p *postgres) launch() error {
	p.ended = make(chan struct{})
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			p.cmd.Wait() // it is ended by a signal, which is no error
		}
		close(p.ended)
	}()
	return <-started
}

func (p *postgres) prepare(log *bytes.Buffer) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var err error
	if p.admin, err = p.connect(ctx, log); err != nil {
		return err
	}
	if _, err := p.admin.DB().ExecContext(ctx, `CREATE DATABASE `+template); err != nil {
		return err
	}
	return migrate(p.dsn(template))
}

func (p *postgres) connect(ctx context.Context, log *bytes.Buffer) (*store.Store, error) {
	for {
		s, err := store.Open(ctx, p.dsn("postgres"), store.Options{})
		if err == nil {
			return s, nil
		}
		select {
		case <-p.ended:
			return nil, fmt.Errorf("server ended: %s", log)
		case <-ctx.Done():
			return nil, fmt.Errorf("connect: %w", err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func (p *postgres) stop() {
	if p.admin != nil {
		p.admin.Close() // the server ends next
	}
	if p.cmd != nil && p.cmd.Process != nil {
		if err := quit(p.cmd.Process); err == nil {
			<-p.ended
		}
	}
	if p.folder != "" {
		os.RemoveAll(p.folder) // a folder in the system's temporary one
	}
}

// binaries finds the newest installed server.
func binaries() string {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres") // the pattern is well formed
	if len(found) == 0 {
		path, err := exec.LookPath("postgres")
		if err != nil {
			return ""
		}
		return filepath.Dir(path)
	}
	newest := slices.MaxFunc(found, func(a, b string) int {
		return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) // 9 before 15
	})
	return filepath.Dir(newest)
}
