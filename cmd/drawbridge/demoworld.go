package main

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/apono/aponostandin"
	"github.com/drawbridge-itsm/drawbridge/connectors/datatheorem/datatheoremstandin"
	"github.com/drawbridge-itsm/drawbridge/connectors/elimity/elimitystandin"
	"github.com/drawbridge-itsm/drawbridge/connectors/epm/epmstandin"
	"github.com/drawbridge-itsm/drawbridge/connectors/jira/jirastandin"
	"github.com/drawbridge-itsm/drawbridge/connectors/webhook/webhookstandin"
	"github.com/drawbridge-itsm/drawbridge/gateway"
	"github.com/drawbridge-itsm/drawbridge/store"
)

const (
	demoTenant   = "t-100"
	demoClient   = "drawbridge-demo"
	demoHookUser = "epm"
	demoJournal  = 90 // the source at Elimity that decisions are written into
)

// world is the whole demo in one process: the bridge, the stand-ins, and the documents that join them.
type world struct {
	jira        *jirastandin.Server
	epm         *epmstandin.Server
	apono       *aponostandin.Server
	gate        *aponostandin.Server // an account of Apono that asks by manual webhooks
	datatheorem *datatheoremstandin.Server
	elimity     *elimitystandin.Server
	tool        *webhookstandin.Server // connected by configuration alone
	bridge      *bridge
	store       *store.Store
	token       string       // full rights
	lag         atomic.Int64 // how long Jira's search misses a change, in nanoseconds; 0 draws it
	ahead       atomic.Int64 // how far Data Theorem's clock is ahead, in nanoseconds

	hookPassword string // EPM's, at our door, and the other tools' token
	hookSecret   string // Jira's
	toolSecret   string // ours, at every tool
	urls         struct{ bridge, jira, epm, apono, datatheorem, elimity, tool string }

	listener net.Listener
	servers  []*http.Server
}

// worldOptions say what a world is like.
type worldOptions struct {
	Database string
	Port     int // first of seven; 0: free ones
	Log      *slog.Logger
	Jira     func(*jirastandin.Options)
	EPM      func(*epmstandin.Options)
	Gateway  gateway.Options
	Settings serverSettings // besides the base URL
}

// newWorld starts the stand-ins and opens the bridge on them. start runs the bridge.
func newWorld(ctx context.Context, o worldOptions) (*world, error) {
	w := &world{hookPassword: store.NewID(), hookSecret: store.NewID(), toolSecret: store.NewID()}
	var listeners []net.Listener
	for i, address := range []*string{&w.urls.bridge, &w.urls.jira, &w.urls.epm, &w.urls.apono, &w.urls.datatheorem, &w.urls.elimity, &w.urls.tool} {
		port := o.Port
		if port != 0 {
			port += i
		}
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			for _, open := range listeners {
				_ = open.Close()
			}
			return nil, fmt.Errorf("listen: %w (--port chooses others)", err)
		}
		listeners = append(listeners, l)
		*address = "http://" + l.Addr().String()
	}
	w.listener = listeners[0]
	w.standIns(o)
	aponoPages := http.NewServeMux()
	aponoPages.Handle("/gate/", http.StripPrefix("/gate", w.gate))
	aponoPages.Handle("/", w.apono)
	for i, h := range []http.Handler{w.jira, w.epm, aponoPages, w.datatheorem, w.elimity, w.tool} {
		w.serve(listeners[i+1], h)
	}

	if err := w.open(ctx, o); err != nil {
		w.close()
		return nil, err
	}
	texts, err := demoDocuments(w)
	if err == nil {
		_, err = w.bridge.gateway.Apply(ctx, texts, "demo", "the demo's documents")
	}
	if err != nil {
		w.close()
		return nil, fmt.Errorf("publish the demo's documents: %w", err)
	}
	return w, nil
}

// standIns makes the tools and the desk. They send what happens to them to the bridge.
func (w *world) standIns(o worldOptions) {
	jira := jirastandin.Options{HookURL: w.urls.bridge + "/in/jira", HookSecret: w.hookSecret, BaseURL: w.urls.jira, IndexLag: w.indexLag}
	epm := epmstandin.Options{
		ClientID: demoClient, ClientSecret: w.toolSecret, Tenant: demoTenant,
		HookURL: w.urls.bridge + "/in/epm", HookUser: demoHookUser, HookPassword: w.hookPassword, EchoDecisions: true,
	}
	apono := aponostandin.Options{Token: w.toolSecret, User: aponoBridge, HookURL: w.urls.bridge + "/in/apono", HookToken: w.hookPassword}
	gate := aponostandin.Options{HookURL: w.urls.bridge + "/in/apono-gate", HookToken: w.hookPassword, AskEvery: 3 * time.Second}
	datatheorem := datatheoremstandin.Options{
		APIKey: w.toolSecret, PortalURL: w.urls.datatheorem, HookURL: w.urls.bridge + "/in/datatheorem", Authorization: "Bearer " + w.hookPassword,
		Now: func() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) },
	}
	elimity := elimitystandin.Options{
		TokenSecret: w.toolSecret, JournalID: demoJournal, JournalToken: w.toolSecret, HookURL: w.urls.bridge + "/in/elimity/" + w.hookPassword,
	}
	w.tool = webhookstandin.New(webhookstandin.Options{
		Token: w.toolSecret, HookURL: w.urls.bridge + "/in/tool", HookHeader: http.Header{"Authorization": {"Bearer " + w.hookPassword}},
	})
	if o.Jira != nil {
		o.Jira(&jira)
	}
	if o.EPM != nil {
		o.EPM(&epm)
	}
	w.jira, w.epm = jirastandin.New(jira), epmstandin.New(epm)
	w.apono, w.gate = aponostandin.New(apono), aponostandin.New(gate)
	w.datatheorem, w.elimity = datatheoremstandin.New(datatheorem), elimitystandin.New(elimity)
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
	o.Settings.BaseURL = w.urls.bridge
	w.bridge = &bridge{store: w.store, vault: vault, log: o.Log, settings: o.Settings, options: o.Gateway}
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
