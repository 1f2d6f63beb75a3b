package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/store"
)

func (s *serving) get(path, token string) (int, string) {
	s.Helper()
	req, err := http.NewRequestWithContext(s.Context(), http.MethodGet, "http://"+s.address+path, nil)
	must(s.T, err)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	must(s.T, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	must(s.T, err)
	return resp.StatusCode, string(body)
}

var bootstrap = regexp.MustCompile(`db_[0-9a-f]{48}`)

func TestBootstrapTokenIsPrintedOnceAndNeverLogged(t *testing.T) {
	t.Parallel()
	p := newProgram(t)
	first := p.serve("--log-level", "debug")
	token := bootstrap.FindString(first.out.String())
	if token == "" || strings.Count(first.out.String(), token) != 1 {
		t.Fatalf("the first start prints %q", first.out)
	}
	if strings.Contains(first.log.String(), token) {
		t.Errorf("the token stands in the log:\n%s", first.log)
	}
	if status, _ := first.get("/api/v1/cases", token); status != http.StatusOK {
		t.Errorf("the token is answered %d", status)
	}
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 200, "/": 200, "/api/v1/cases": 401} {
		if status, body := first.get(path, ""); status != want {
			t.Errorf("%s: got %d %s", path, status, body)
		}
	}
	first.stop()
	second := p.serve()
	if got := second.out.String(); got != "" {
		t.Errorf("the second start prints %q", got)
	}
	if status, _ := second.get("/api/v1/cases", token); status != http.StatusOK {
		t.Errorf("after a restart the token is answered %d", status)
	}
	second.stop()
}

func TestTwoServersDoNotShareAnSQLiteDatabase(t *testing.T) {
	t.Parallel()
	p := newProgram(t)
	first := p.serve()
	r := p.run("serve", "--listen", "127.0.0.1:0")
	if r.code != 1 || !strings.Contains(r.err, "drawbridge: ") || strings.Contains(r.out, "db_") {
		t.Errorf("the second server: exit %d, %s%s", r.code, r.out, r.err)
	}
	if r := p.run("serve", "--listen", first.address, "--database", "sqlite:other.db"); r.code != 1 || !strings.Contains(r.err, "address already in use") || r.out != "" {
		t.Errorf("on a taken port: exit %d, %s%s", r.code, r.out, r.err)
	}
	first.stop()
}

func TestStopFinishesWhatIsUnderWayAndGivesBackLeases(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			p := newProgram(t)
			p.starterFolder()
			p.fine("migrate")
			p.fine("apply", "-y", "-f", "docs")
			s := p.serve()
			db := p.open()
			must(t, eventually(t.Context(), func() error {
				for _, connection := range leased {
					if l, err := db.LeaseOf(t.Context(), connection); err != nil || l.Epoch == 0 {
						return fmt.Errorf("the lease of %s is %+v, %v", connection, l, err)
					}
				}
				return nil
			}))
			body := `{"EventType":"URM_Native_Ticket_Created","RequestId":"r-1","TenantId":"t-100","User":"CORP\\ana"}`
			conn, err := net.Dial("tcp", s.address)
			must(t, err)
			defer conn.Close()
			req, err := http.NewRequest(http.MethodPost, "/", nil)
			must(t, err)
			req.SetBasicAuth("epm", "topsecret-door")
			_, err = fmt.Fprintf(conn, "POST /in/epm HTTP/1.1\r\nHost: bridge\r\nAuthorization: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n",
				req.Header.Get("Authorization"), len(body))
			must(t, err)
			reader := bufio.NewReader(conn)
			// The handler asks for the body: the request is under way.
			line, err := reader.ReadString('\n')
			if err != nil || !strings.Contains(line, "100 Continue") {
				t.Fatalf("got %q, %v", line, err)
			}
			_, err = reader.ReadString('\n')
			must(t, err)
			must(t, s.cmd.Process.Signal(sig))
			must(t, eventually(t.Context(), func() error {
				c, err := net.Dial("tcp", s.address)
				if err == nil {
					_ = c.Close()
					return fmt.Errorf("it still listens")
				}
				return nil
			}))
			_, err = io.WriteString(conn, body)
			must(t, err)
			resp, err := http.ReadResponse(reader, nil)
			must(t, err)
			var accepted struct{ Event string }
			must(t, json.NewDecoder(resp.Body).Decode(&accepted))
			if resp.StatusCode != http.StatusOK || accepted.Event == "" {
				t.Errorf("the request under way is answered %d %+v", resp.StatusCode, accepted)
			}
			select {
			case err := <-s.ended:
				s.ended <- err
				must(t, err)
			case <-time.After(time.Minute):
				t.Fatalf("it does not end:\n%s", s.log)
			}
			if _, err := db.Event(t.Context(), accepted.Event); err != nil {
				t.Errorf("the event that was accepted: %v", err)
			}
			for _, connection := range leased {
				if l, err := db.LeaseOf(t.Context(), connection); err != nil || l.Until.After(time.Unix(0, 0)) {
					t.Errorf("the lease of %s is %+v, %v; want it released\n%s", connection, l, err, s.log)
				}
			}
		})
	}
}

// leased are the connections of the starter folder.
var leased = []string{"epm", "jira"}

// open opens the program's database beside it.
func (p *program) open() *store.Store {
	p.Helper()
	db, err := store.Open(p.Context(), "sqlite:"+filepath.Join(p.dir, "drawbridge.db"), store.Options{})
	must(p.T, err)
	p.Cleanup(func() { _ = db.Close() })
	return db
}

func TestReplayListsAndPutsBackToWork(t *testing.T) {
	t.Parallel()
	p := newProgram(t)
	p.starterFolder()
	p.fine("migrate")
	if got := p.fine("replay"); got != "Nothing is dead and nothing is in quarantine.\n" {
		t.Errorf("with nothing to list: %s", got)
	}
	p.fine("apply", "-y", "-f", "docs")
	s := p.serve()
	s.post(`{"EventType":"URM_Native_Ticket_Created","RequestId":"r-1","TenantId":"t-999","User":"CORP\\ana"}`)
	s.post(`{"RequestId": nonsense`)
	list := p.fine("replay")
	if rows := strings.Split(strings.TrimSpace(list), "\n"); len(rows) != 3 || !strings.HasPrefix(rows[0], "ID ") || !strings.Contains(list, "quarantine  epm") {
		t.Fatalf("the list is\n%s", list)
	}
	var wrongTenant, nonsense string
	for row := range lines(list) {
		switch id := strings.Fields(row)[0]; {
		case strings.Contains(row, `"t-999"`):
			wrongTenant = id
		case strings.Contains(row, "no JSON"):
			nonsense = id
		}
	}
	r := p.run("replay", wrongTenant, nonsense, "nope", "--why", "trying")
	for _, want := range []string{
		wrongTenant + ` stays in quarantine: the event is of tenant "t-999"`,
		nonsense + " stays in quarantine: the body is no JSON",
		"no delivery and no quarantined body has the id nope",
	} {
		if r.code != 1 || !strings.Contains(r.err, want) {
			t.Errorf("exit %d: %swant %s", r.code, r.err, want)
		}
	}
	if r := p.run("replay", "--cancel", "nope"); r.code != 1 || !strings.Contains(r.err, "nope") {
		t.Errorf("giving up what is not there: exit %d, %s", r.code, r.err)
	}
	text := p.fine("export")
	p.write("epm.yaml", strings.Replace(text, "tenant: t-100", "tenant: t-999", 1))
	p.fine("apply", "-y", "-f", "epm.yaml")
	if got := p.fine("replay", wrongTenant); !strings.Contains(got, wrongTenant+" is now event ") {
		t.Errorf("after the tenant was set: %s", got)
	}
	if r := p.run("replay", wrongTenant); r.code != 1 || !strings.Contains(r.err, "is not waiting to be replayed") {
		t.Errorf("a second time: exit %d, %s", r.code, r.err)
	}
	s.stop()
}

// post sends a body as EPM does and expects it to be taken.
func (s *serving) post(body string) {
	s.Helper()
	req, err := http.NewRequestWithContext(s.Context(), http.MethodPost, "http://"+s.address+"/in/epm", strings.NewReader(body))
	must(s.T, err)
	req.Header.Set("Content-Type", "application/json")
	req.SetBasicAuth("epm", "topsecret-door")
	resp, err := http.DefaultClient.Do(req)
	must(s.T, err)
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		s.Fatalf("got %d", resp.StatusCode)
	}
}
