package gateway

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/gateway/signin"
	"github.com/drawbridge-itsm/drawbridge/store"
)

// Options are what a Gateway is made of.
type Options struct {
	Store   *store.Store
	Vendors map[string]func() connectors.Config // the connectors there are, by name
	Vault   *connectors.Vault
	Log     *slog.Logger
	Now     func() time.Time  // nil: the clock
	BaseURL string            // where people and vendors reach us
	SignIn  *signin.Provider  // where people sign in who answer by a link; nil where they cannot
	Holder  string            // names this replica among others; empty: drawn at random
	Step    func(name string) // called at marked steps of the two flows, for fault injection; nil in production
	Poll    time.Duration     // how often loops look for work without being woken; default 1s
}

// Gateway is one replica of the bridge.
type Gateway struct {
	store   *store.Store
	opener  opener
	log     *slog.Logger
	now     func() time.Time
	holder  string
	poll    time.Duration
	baseURL string // empty: not known
	signIn  *signin.Provider
	step    func(string)
	current atomic.Pointer[catalogue]
	door    *door
	commits *committer[[]store.Arrival, []store.Receipt]
	results *committer[result, error]
	shapes  observations

	reloading sync.Mutex
	compiled  sync.Map // ruleKey → *rule: versions that cases opened with
	policies  sync.Map // ruleKey → policy

	workers sync.WaitGroup
	working map[string]context.CancelFunc // by connection; only the supervisor touches it
}

// New opens the published documents and returns a gateway that is ready to accept. Documents at fault are logged and
// left out; they never keep the others from working.
func New(ctx context.Context, o Options) (*Gateway, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Poll == 0 {
		o.Poll = time.Second
	}
	if o.Holder == "" {
		o.Holder = store.NewID()
	}
	if o.Step == nil {
		o.Step = func(string) {}
	}
	g := &Gateway{
		store: o.Store, log: o.Log, now: o.Now, holder: o.Holder, poll: o.Poll, baseURL: o.BaseURL, signIn: o.SignIn, step: o.Step,
		door:    newDoor(o.Store, o.Now),
		working: map[string]context.CancelFunc{},
	}
	g.commits = newCommitter(o.Store, "events", g.storeArrivals)
	g.results = newCommitter(o.Store, "results", g.storeResults)
	g.opener = opener{vendors: o.Vendors, vault: o.Vault, log: o.Log, now: o.Now, hashes: g.door.hashes, tokens: g.door.tokens}
	g.opener.keep = func(connection string) connectors.Keeper {
		return keeper{store: o.Store, vault: o.Vault, connection: connection, now: o.Now}
	}
	g.current.Store(emptyCatalogue())
	if err := g.reload(ctx); err != nil {
		return nil, err
	}
	return g, nil
}

func (g *Gateway) catalogue() *catalogue { return g.current.Load() }

// reload takes over what was published since. It does nothing when nothing was.
func (g *Gateway) reload(ctx context.Context) error {
	g.reloading.Lock()
	defer g.reloading.Unlock()
	version, err := g.store.CatalogueVersion(ctx)
	if err != nil {
		return fmt.Errorf("read catalogue version: %w", err)
	}
	old := g.catalogue()
	if old.version == version && version != 0 {
		return nil
	}
	docs, err := g.store.Documents(ctx)
	if err != nil {
		return fmt.Errorf("read documents: %w", err)
	}
	fresh, faults := newCatalogue(ctx, g.opener, docs, version, old)
	for _, f := range faults {
		g.log.Error("published document cannot be used", "kind", f.Kind, "name", f.Name, "error", f.Err)
	}
	g.current.Store(fresh)
	// Older rule versions were compiled against the tables and schemas of the old catalogue.
	g.compiled.Clear()
	g.door.tokens.forget()
	return nil
}

// Run works until ctx ends, then finishes or gives back what it claimed, and returns. Calls under way get grace to
// end.
func (g *Gateway) Run(ctx context.Context) error {
	// Loops that serve others end after those: accepting outlives planning and delivering.
	commitCtx, stopCommits := context.WithCancel(context.WithoutCancel(ctx))
	var commits sync.WaitGroup
	commits.Go(func() { g.commits.run(commitCtx, 1) })
	commits.Go(func() { g.results.run(commitCtx, 1) })
	defer commits.Wait()
	defer stopCommits()

	// Present until the workers have given back their leases.
	presentCtx, leave := context.WithCancel(context.WithoutCancel(ctx))
	defer leave()
	if err := g.store.Presence(presentCtx, g.holder); err != nil {
		return fmt.Errorf("announce this replica: %w", err)
	}
	g.store.Listen(ctx)

	var loops sync.WaitGroup
	defer loops.Wait()
	loops.Go(func() { g.planLoop(ctx) })
	loops.Go(func() { g.clockLoop(ctx) })
	loops.Go(func() { g.sealLoop(ctx) })
	loops.Go(func() { g.doorLoop(ctx) })
	loops.Go(func() { g.shapeLoop(ctx) })
	g.supervise(ctx)
	g.workers.Wait()
	return nil
}

// supervise keeps one worker a connection and follows what is published.
func (g *Gateway) supervise(ctx context.Context) {
	tick := time.NewTicker(g.poll)
	defer tick.Stop()
	documents := g.store.Wait(wakeDocuments)
	for {
		if err := g.reload(ctx); err != nil && ctx.Err() == nil {
			g.log.Error("reload documents", "error", err)
		}
		g.matchWorkers(ctx)
		select {
		case <-ctx.Done():
			return
		case <-documents:
			documents = g.store.Wait(wakeDocuments)
		case <-tick.C:
		}
	}
}

// matchWorkers starts and stops workers as connections come and go.
func (g *Gateway) matchWorkers(ctx context.Context) {
	for name := range g.catalogue().connections {
		if g.working[name] != nil {
			continue
		}
		workCtx, cancel := context.WithCancel(ctx)
		g.working[name] = cancel
		g.workers.Go(func() { newWorker(g, name).run(workCtx) })
	}
	for name, cancel := range g.working {
		if g.catalogue().connections[name] == nil {
			cancel()
			delete(g.working, name)
		}
	}
}

// planLoop plans what was accepted, oldest first.
func (g *Gateway) planLoop(ctx context.Context) {
	tick := time.NewTicker(g.poll)
	defer tick.Stop()
	for ctx.Err() == nil {
		woken := g.store.Wait(wakePlan)
		n, err := g.planSome(ctx)
		if err != nil && ctx.Err() == nil {
			g.log.Error("plan events", "error", err)
		}
		if n > 0 && err == nil {
			continue
		}
		select {
		case <-ctx.Done():
		case <-woken:
		case <-tick.C:
		}
	}
}

func jitter() float64 { return rand.Float64() }
