package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/mapping/starter"
)

// program is the program as a stranger has it: a directory, an environment and nothing else.
type program struct {
	*testing.T
	dir string
	env []string
}

// ran is what one command line came to.
type ran struct {
	out, err string
	code     int
}

func newProgram(t *testing.T) *program {
	t.Helper()
	return &program{T: t, dir: t.TempDir()}
}

// write puts a file into the directory.
func (p *program) write(name, text string) {
	p.Helper()
	path := filepath.Join(p.dir, name)
	must(p.T, os.MkdirAll(filepath.Dir(path), 0o700))
	must(p.T, os.WriteFile(path, []byte(text), 0o600))
}

func (p *program) command(args ...string) *exec.Cmd {
	ctx, cancel := context.WithTimeout(p.Context(), time.Minute)
	p.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Dir = p.dir
	cmd.Env = append([]string{asProgram + "=1", "PATH=" + os.Getenv("PATH"), "HOME=" + p.dir, "TMPDIR=" + os.TempDir()}, p.env...)
	return cmd
}

// run carries out one command line with nothing on standard input.
func (p *program) run(args ...string) ran { return p.feed("", args...) }

// feed carries out one command line with a text on standard input.
func (p *program) feed(stdin string, args ...string) ran {
	p.Helper()
	cmd := p.command(args...)
	var out, fault bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &fault
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		p.Fatalf("drawbridge %s: %v", strings.Join(args, " "), err)
	} else if ok {
		return ran{out.String(), fault.String(), exit.ExitCode()}
	}
	return ran{out.String(), fault.String(), 0}
}

// fine carries out a command line that must succeed and returns what it printed.
func (p *program) fine(args ...string) string {
	p.Helper()
	r := p.run(args...)
	if r.code != 0 || r.err != "" {
		p.Fatalf("drawbridge %s: exit %d, %s%s", strings.Join(args, " "), r.code, r.out, r.err)
	}
	return r.out
}

// starterFolder fills docs with the starter rules and two connections whose credentials hold the word topsecret.
func (p *program) starterFolder() {
	p.Helper()
	must(p.T, os.CopyFS(filepath.Join(p.dir, "docs"), starter.Files()))
	p.write("docs/connections.yaml", `kind: Connection
name: jira
connector: jira
settings:
  base_url: https://jira.example
  auth:
    basic: {user: bridge@example.test, token: {value: topsecret-jira}}
inbound:
  verify: {hmac: {secrets: [{value: topsecret-hook}]}}
---
# The security tool.
kind: Connection
name: epm
connector: epm
tenant: t-100
settings:
  base_url: https://epm.example
  client_id: drawbridge
  client_secret: {value: topsecret-epm}
inbound:
  verify: {basic: {user: epm, passwords: [{value: topsecret-door}]}}
  status: 200
  quarantine_status: 200
`)
}

// serving is a running `drawbridge serve`.
type serving struct {
	*program
	cmd     *exec.Cmd
	address string
	out     *watched
	log     *watched
	ended   chan error
}

// watched is output that can be read while it is written.
type watched struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (w *watched) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(b)
}

func (w *watched) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

var readyLine = regexp.MustCompile(`msg=ready listen=(\S+)`)

// serve starts a server and waits until it is ready. It is killed when the test ends and it has not.
func (p *program) serve(args ...string) *serving {
	p.Helper()
	s := &serving{program: p, out: &watched{}, log: &watched{}, ended: make(chan error, 1)}
	s.cmd = p.command(append([]string{"serve", "--listen", "127.0.0.1:0"}, args...)...)
	s.cmd.Stdout, s.cmd.Stderr = s.out, s.log
	must(p.T, s.cmd.Start())
	go func() { s.ended <- s.cmd.Wait() }()
	p.Cleanup(func() { _ = s.cmd.Process.Kill() })
	must(p.T, eventually(p.Context(), func() error {
		select {
		case err := <-s.ended:
			s.ended <- err
			p.Fatalf("serve ended: %v\n%s", err, s.log)
		default:
		}
		m := readyLine.FindStringSubmatch(s.log.String())
		if m == nil {
			return fmt.Errorf("serve is not ready: %s", s.log)
		}
		s.address = m[1]
		return nil
	}))
	return s
}

// stop asks a server to end and waits until it has.
func (s *serving) stop() {
	s.Helper()
	must(s.T, s.cmd.Process.Signal(syscall.SIGTERM))
	select {
	case err := <-s.ended:
		s.ended <- err
		if err != nil {
			s.Errorf("serve ended with %v\n%s", err, s.log)
		}
	case <-time.After(time.Minute):
		s.Fatalf("serve does not end\n%s", s.log)
	}
}
