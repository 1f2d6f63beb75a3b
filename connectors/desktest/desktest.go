// Package desktest starts service desks that others wrote, for tests: Request Tracker and Redmine, as Debian packages
// them (make deps). Each server listens on loopback, keeps everything in a folder of its own and ends with the test
// that started it. A test that starts one runs its parts as subtests, so that they share it.
//
// Such a test runs where DRAWBRIDGE_REQUIRE, a list separated by commas, has the desk's name (make test), and fails there
// when the desk is not installed; elsewhere it is skipped.
package desktest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// need skips the test where the desk was not asked for: starting one and driving it takes minutes. Where
// DRAWBRIDGE_REQUIRE names it, a file that is missing fails the test.
func need(t testing.TB, name string, files ...string) {
	t.Helper()
	if !slices.Contains(strings.Split(os.Getenv("DRAWBRIDGE_REQUIRE"), ","), name) {
		t.Skipf("skipped: %s: takes minutes; DRAWBRIDGE_REQUIRE=%s runs it", name, name)
	}
	for _, file := range files {
		if _, err := os.Stat(file); err != nil {
			t.Fatalf("required: %s: %s is not installed", name, file)
		}
	}
	if !mayRun() {
		t.Fatalf("required: %s: needs root or www-data, who owns its folders", name)
	}
}

// folder is a folder of the desk's own, gone when the test ends.
func folder(t testing.TB, name string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "drawbridge-"+name+"-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) }) // nothing that matters is left behind in the system's temporary folder
	return dir
}

// write puts a file into a folder of the desk's.
func write(t testing.TB, text string, path ...string) string {
	t.Helper()
	name := filepath.Join(path...)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

// run runs a program as the desk does and returns what it prints.
func run(t testing.TB, dir string, env []string, name string, args ...string) string {
	t.Helper()
	if err := give(dir); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env, cmd.SysProcAttr = append(os.Environ(), env...), asDesk()
	cmd.Dir = dir
	var out, log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &log
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s%s", name, err, out.String(), log.String())
	}
	return out.String()
}

// server is a desk at work.
type server struct {
	cmd   *exec.Cmd
	ended chan struct{}
	log   *tail
}

// launch starts a server and waits until it answers at url. It ends with the test.
func launch(t testing.TB, dir string, env []string, url, name string, args ...string) {
	t.Helper()
	if err := give(dir); err != nil {
		t.Fatal(err)
	}
	s := &server{cmd: exec.Command(name, args...), ended: make(chan struct{}), log: &tail{}}
	s.cmd.Env, s.cmd.SysProcAttr = append(os.Environ(), env...), asDesk()
	s.cmd.Dir, s.cmd.Stdout, s.cmd.Stderr = dir, s.log, s.log
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // the signal that ends a child with its parent is sent when this thread ends
		err := s.cmd.Start()
		started <- err
		if err == nil {
			_ = s.cmd.Wait() // it is ended by a signal, which is no error
		}
		close(s.ended)
	}()
	if err := <-started; err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	t.Cleanup(func() {
		s.stop()
		if t.Failed() {
			t.Logf("the end of the log of %s:\n%s", name, s.log)
		}
	})
	if err := s.await(t.Context(), url); err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
}

func (s *server) await(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			return resp.Body.Close()
		}
		select {
		case <-s.ended:
			return fmt.Errorf("it ended: %s", s.log)
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// stop ends the server and what it started, by its group.
func (s *server) stop() {
	_ = signalGroup(s.cmd.Process, false) // gone already is fine
	select {
	case <-s.ended:
	case <-time.After(10 * time.Second):
	}
	_ = signalGroup(s.cmd.Process, true)
	<-s.ended
}

// freePort finds a port below those the system hands out by itself.
func freePort(t testing.TB) int {
	t.Helper()
	for range 100 {
		port := 20000 + rand.N(12000)
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			l.Close()
			return port
		}
	}
	t.Fatal("there is no free port")
	return 0
}

// tail keeps the end of a log.
type tail struct {
	mu   sync.Mutex
	text []byte
}

func (l *tail) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, p...)
	if over := len(l.text) - 8192; over > 0 {
		l.text = append([]byte(nil), l.text[over:]...)
	}
	return len(p), nil
}

func (l *tail) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.text)
}
