package main

import (
	"context"

	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"

	"sync"
	"sync/atomic"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/epm/epmstandin"
	"github.com/drawbridge-itsm/drawbridge/connectors/jira/jirastandin"
	"github.com/drawbridge-itsm/drawbridge/gateway"
	"github.com/drawbridge-itsm/drawbridge/mapping"
	"github.com/drawbridge-itsm/drawbridge/mapping/starter"
	"github.com/drawbridge-itsm/drawbridge/store"
)

type demoCommand struct {
	Check   bool `help:"Run the whole loop unattended, print a transcript and fail when a step is wrong."`
	Port    int  `default:"8480" help:"First of three ports on 127.0.0.1; 0 takes free ones."`
	Verbose bool `short:"v" help:"Print the bridge's log."`
}

func (c *demoCommand) Run(s *surroundings) error {
	log := slog.New(slog.DiscardHandler)
	if c.Verbose {
		log = slog.New(slog.NewTextHandler(s.stderr, nil))
	}
	dir, err := os.MkdirTemp("", "drawbridge-demo-")
	if err != nil {
		return fmt.Errorf("make a directory for the demo's database: %w", err)
	}
	defer os.RemoveAll(dir)
	port := c.Port
	if c.Check {
		port = 0
	}
	w, err := newWorld(s.ctx, worldOptions{Database: "sqlite:" + filepath.Join(dir, "demo.db"), Port: port, Log: log})
	if err != nil {
		return err
	}
	defer w.close()
	if c.Check {
		return checkDemo(s.ctx, w, s.stdout)
	}
	return c.show(s, w)
}

// show runs the world until it is interrupted, with two first requests in it.
func (c *demoCommand) show(s *surroundings, w *world) error {
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	done := w.start(ctx)
	var senders sync.WaitGroup
	senders.Go(func() { _ = w.epm.Run(ctx) })
	senders.Go(func() { _ = w.jira.Run(ctx) })
	w.epm.RequestApplication(anaAsksForATool)
	w.epm.RequestAdmin(maxAsksForRights)
	fmt.Fprintf(s.stdout, `Drawbridge is running, with stand-ins for BeyondTrust EPM and Jira on this machine.

  The bridge          %[1]s/#token=%[4]s
  Jira (stand-in)     %[2]s/
  EPM (stand-in)      %[3]s/

Two requests wait in Jira already. Open a ticket there, act as Kim or Lee, and approve or decline it:
the decision reaches EPM, and the ticket gets a comment that says so. Then try it as Max, who may not
decide, or as Ana, who asked. New requests are raised on the EPM page. Everything that happened to a
request is on the bridge's page.

Nothing is kept: Ctrl-C ends it all.
`, w.urls.bridge, w.urls.jira, w.urls.epm, w.token)
	err := <-done
	cancel()
	senders.Wait()
	return err
}

var (
	anaAsksForATool = epmstandin.AppRequest{
		User: `CORP\ana`, Hostname: "PC-7", ComputerGroup: "Finance", Reason: "I need it to install the new scanner's driver",
		ProductName: "ACME Scanner Setup", Publisher: "ACME Ltd", FilePath: `C:\Users\ana\Downloads\setup.exe`,
		CmdArgs: `setup.exe /lang "en"`, Sha256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
	}
	maxAsksForRights = epmstandin.AdminRequest{
		UserName: `CORP\max`, UserID: "S-1-5-21-7", ComputerID: "PC-9", Reason: "Changing the network card's settings", Duration: time.Hour,
	}
)

const (
	demoTenant   = "t-100"
	demoClient   = "drawbridge-demo"
	demoHookUser = "epm"
)

// world is the whole demo in one process: the bridge, the stand-ins, and the documents that join them.
type world struct {
	jira   *jirastandin.Server
	epm    *epmstandin.Server
	bridge *bridge
	store  *store.Store
	token  string       // full rights
	lag    atomic.Int64 // how long Jira's search misses a change, in nanoseconds; 0 draws it

	hookPassword string // EPM's, at our door
	hookSecret   string // Jira's
	urls         struct{ bridge, jira, epm string }

	listener net.Listener
	servers  []*http.Server
}

// worldOptions say what a world is like.
type worldOptions struct {
	Database string
	Port     int // first of three; 0: free ones
	Log      *slog.Logger
	Jira     func(*jirastandin.Options)
	EPM      func(*epmstandin.Options)
	Gateway  gateway.Options
}

// newWorld starts the stand-ins and opens the bridge on them. start runs the bridge.
func newWorld(ctx context.Context, o worldOptions) (*world, error) {
	w := &world{}
	var listeners [3]net.Listener
	for i := range listeners {
		port := o.Port
		if port != 0 {
			port += i
		}
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			return nil, fmt.Errorf("listen: %w (--port chooses others)", err)
		}
		listeners[i] = l
	}
	w.listener = listeners[0]
	w.urls.bridge, w.urls.jira, w.urls.epm = "http://"+listeners[0].Addr().String(), "http://"+listeners[1].Addr().String(), "http://"+listeners[2].Addr().String()

	clientSecret := store.NewID()
	w.hookPassword, w.hookSecret = store.NewID(), store.NewID()
	jiraOptions := jirastandin.Options{HookURL: w.urls.bridge + "/in/jira", HookSecret: w.hookSecret, BaseURL: w.urls.jira, IndexLag: w.indexLag}
	if o.Jira != nil {
		o.Jira(&jiraOptions)
	}
	epmOptions := epmstandin.Options{ClientID: demoClient, ClientSecret: clientSecret, Tenant: demoTenant, HookURL: w.urls.bridge + "/in/epm", HookUser: demoHookUser, HookPassword: w.hookPassword, EchoDecisions: true}
	if o.EPM != nil {
		o.EPM(&epmOptions)
	}
	w.jira, w.epm = jirastandin.New(jiraOptions), epmstandin.New(epmOptions)
	w.serve(listeners[1], w.jira)
	w.serve(listeners[2], w.epm)

	if err := w.open(ctx, o); err != nil {
		w.close()
		return nil, err
	}
	texts, err := demoDocuments(w, clientSecret)
	if err == nil {
		_, err = w.bridge.gateway.Apply(ctx, texts, "demo", "the demo's documents")
	}
	if err != nil {
		w.close()
		return nil, fmt.Errorf("publish the demo's documents: %w", err)
	}
	return w, nil
}

// indexLag is how long a change stays unseen by Jira's search: drawn at random unless it was set.
func (w *world) indexLag() time.Duration {
	if set := w.lag.Load(); set != 0 {
		return time.Duration(set)
	}
	return 20*time.Millisecond + rand.N(400*time.Millisecond)
}

func (w *world) serve(l net.Listener, h http.Handler) {
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	w.servers = append(w.servers, server)
	go func() { _ = server.Serve(l) }()
}

func (w *world) open(ctx context.Context, o worldOptions) error {
	var err error
	if w.store, err = store.Open(ctx, o.Database, store.Options{Log: o.Log}); err != nil {
		return err
	}
	if err := w.store.Migrate(ctx); err != nil {
		return err
	}
	vault := &connectors.Vault{Keys: map[string][]byte{"demo": []byte("the demo keeps nothing afterwards")[:32]}, Current: "demo", Getenv: os.Getenv}
	w.bridge = &bridge{store: w.store, vault: vault, log: o.Log, settings: serverSettings{BaseURL: w.urls.bridge}, options: o.Gateway}
	w.token, err = w.bridge.open(ctx)
	return err
}

// start runs the bridge until ctx ends.
func (w *world) start(ctx context.Context) <-chan error {
	done := make(chan error, 1)
	go func() { done <- w.bridge.serve(ctx, w.listener) }()
	return done
}

func (w *world) close() {
	for _, s := range w.servers {
		_ = s.Close()
	}
	_ = w.listener.Close()
	if w.store != nil {
		_ = w.store.Close()
	}
}

// demoDocuments are the starter rules, with connections to the stand-ins.
func demoDocuments(w *world, clientSecret string) ([][]byte, error) {
	jira := fmt.Sprintf(`kind: Connection
name: jira
connector: jira
settings:
  base_url: %q
  auth:
    basic: {user: bridge@example.test, token: {value: token}}
  index_lag: 1s
  search_every: 500ms
inbound:
  verify: {hmac: {secrets: [{value: %q}]}}
outbound: {allow_hosts: [127.0.0.1]}
# Short times, so that what takes minutes in earnest can be watched.
delivery: {timeout: 2s, first: 200ms}
watch: {every: 1s}
`, w.urls.jira, w.hookSecret)
	epm := fmt.Sprintf(`kind: Connection
name: epm
connector: epm
tenant: %q
settings:
  base_url: %q
  client_id: %q
  client_secret: {value: %q}
  admin:
    # Not documented by the vendor; to be looked up in the tenant's own interface description.
    decision_path: /management-api/v3/AdminAccessRequest/notification
inbound:
  verify: {basic: {user: %q, passwords: [{value: %q}]}}
  status: 200
  quarantine_status: 200
outbound: {allow_hosts: [127.0.0.1]}
delivery: {timeout: 2s, first: 200ms}
`, demoTenant, w.urls.epm, demoClient, clientSecret, demoHookUser, w.hookPassword)
	texts := [][]byte{[]byte(jira), []byte(epm)}
	files, err := readFS(starter.Files())
	return append(texts, files...), err
}

// eventually waits until f is content; the error is f's last.
func eventually(ctx context.Context, f func() error) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for {
		err := f()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// readFS reads the documents of an embedded directory.
func readFS(files fs.FS) ([][]byte, error) {
	names, err := fs.Glob(files, "*.yaml")
	if err != nil {
		return nil, err
	}
	var texts [][]byte
	for _, name := range names {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		docs, err := mapping.SplitDocuments(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		texts = append(texts, docs...)
	}
	return texts, nil
}
