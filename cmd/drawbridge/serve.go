package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/builtin"
	"github.com/drawbridge-itsm/drawbridge/gateway"
	"github.com/drawbridge-itsm/drawbridge/gateway/api"
	"github.com/drawbridge-itsm/drawbridge/gateway/console"
	"github.com/drawbridge-itsm/drawbridge/store"
)

type serveCommand struct {
	databaseSettings
	serverSettings
	Migrate bool `default:"true" negatable:"" help:"Bring the schema up to date first."`
}

func (c *serveCommand) Run(s *surroundings) error {
	if err := c.checkTLS(); err != nil {
		return err
	}
	log := c.logger(s.stderr)
	vault, err := c.vault()
	if err != nil {
		return err
	}
	db, err := c.create(s.ctx, log)
	if err != nil {
		return err
	}
	defer db.Close()
	if c.Migrate {
		if err := db.Migrate(s.ctx); err != nil {
			return err
		}
	}
	if err := db.CheckSchema(s.ctx); err != nil {
		return err
	}
	if err := c.noteSigner(s.ctx, db, vault); err != nil {
		return err
	}
	vendors, err := c.vendors()
	if err != nil {
		return err
	}
	// First, because the token is shown once and should not be lost in a start that fails.
	listener, err := c.listen()
	if err != nil {
		return err
	}
	defer listener.Close()
	b := bridge{store: db, vault: vault, log: log, settings: c.serverSettings, options: gateway.Options{Vendors: vendors}}
	fresh, err := b.open(s.ctx)
	if err != nil {
		return err
	}
	if fresh != "" {
		fmt.Fprintf(s.stdout, "The bootstrap token, shown this once; it has full rights:\n\n    %s\n\n", fresh)
	}
	log.Info("ready", "listen", listener.Addr().String(), "database", db.Engine(), "tls", c.TLSCert != "", "version", version)
	return b.serve(s.ctx, listener)
}

// bridge is where all parts meet: store, gateway and HTTP edge.
type bridge struct {
	store    *store.Store
	vault    *connectors.Vault
	log      *slog.Logger
	settings serverSettings
	options  gateway.Options // what tests and the demo add

	gateway *gateway.Gateway
	handler http.Handler
}

// open builds the gateway and its edge. It returns the bootstrap token when it was made just now.
func (b *bridge) open(ctx context.Context) (fresh string, err error) {
	hash, fresh, err := bootstrapToken(ctx, b.store)
	if err != nil {
		return "", err
	}
	o := b.options
	if o.Vendors == nil {
		o.Vendors = builtin.Vendors()
	}
	people, err := b.settings.signIn(b.store, b.vault)
	if err != nil {
		return "", err
	}
	o.Store, o.Vault, o.Log, o.BaseURL, o.SignIn = b.store, b.vault, b.log, b.settings.BaseURL, people
	if b.gateway, err = gateway.New(ctx, o); err != nil {
		return "", err
	}
	b.handler = api.New(api.Options{Gateway: b.gateway, Store: b.store, Page: console.Page(), Token: hash, Log: b.log, Proxies: b.settings.TrustedProxy, Version: version, SignIn: people})
	return fresh, nil
}

const bootstrapSetting = "bootstrap_token_sha256"

// bootstrapToken returns the hash of the token with full rights. The token itself is made at first start and stored
// nowhere.
func bootstrapToken(ctx context.Context, db *store.Store) (hash [32]byte, fresh string, err error) {
	random := make([]byte, 24)
	_, _ = rand.Read(random) // never fails since Go 1.24
	token := "db_" + hex.EncodeToString(random)
	hash = sha256.Sum256([]byte(token))
	offered := hex.EncodeToString(hash[:])
	var stored string
	err = db.InTx(ctx, func(tx *store.Tx) error {
		stored, err = tx.AddSettingOnce(ctx, bootstrapSetting, offered)
		return err
	})
	if err != nil {
		return hash, "", fmt.Errorf("store bootstrap token: %w", err)
	}
	if stored == offered {
		return hash, token, nil
	}
	text, err := hex.DecodeString(stored)
	if err != nil || len(text) != len(hash) {
		return hash, "", errors.New("the stored hash of the bootstrap token is damaged")
	}
	return [32]byte(text), "", nil
}

// serve answers and works until ctx ends. Then it stops to listen, answers what it has accepted, finishes the calls
// under way and gives back the rest.
func (b *bridge) serve(ctx context.Context, listener net.Listener) error {
	server := &http.Server{
		Handler:           b.handler,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      60 * time.Second,
		IdleTimeout:       120 * time.Second,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(b.log.Handler(), slog.LevelWarn),
	}
	// The gateway outlives the listener: what was accepted is committed before it stops.
	workCtx, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWork()
	failed := make(chan error, 2)
	var running sync.WaitGroup
	running.Go(func() {
		if err := b.gateway.Run(workCtx); err != nil {
			failed <- err
		}
	})
	running.Go(func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			failed <- fmt.Errorf("serve: %w", err)
		}
	})
	var fault error
	select {
	case <-ctx.Done():
	case fault = <-failed:
	}
	grace, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	if err := server.Shutdown(grace); err != nil {
		b.log.Warn("some requests were cut off", "error", err)
	}
	stopWork()
	running.Wait()
	return fault
}
