package gateway

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/store"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

// bridge is the production bridge on a real store: two replicas whose loops are turned by the script instead of by
// time. What a replica has under way runs as a coroutine that stops at the marked steps, so that anything can happen
// before it goes on, its replica's end included.
type bridge struct {
	shard    *shard
	w        *simWorld
	replicas [2]*replica
	current  *coroutine // the one that runs; nil outside of any
	watching map[string]bool
}

type replica struct {
	g       *Gateway
	workers map[string]*worker
	held    map[string]time.Time // when leases were last renewed
	flights []*coroutine
	dying   string // the marked step at which it ends
	ended   bool
}

// coroutine is a delivery or a re-reading under way. Either it runs or the script does, never both.
type coroutine struct {
	replica *replica
	resume  chan bool      // false: its replica has ended
	stopped chan bool      // false: it has come to its end
	claimed store.Delivery // as claimed; empty for a re-reading
	began   time.Time
	fetched bool
	ref     string // of the ticket it reads
	desk    string
}

// ended is what a coroutine panics with when its replica ends.
type ended struct{}

// shard is a database that scripts use one after the other.
type shard struct {
	store    *store.Store
	gateways [2]*Gateway
	desks    []*modelDesk
	tools    []*modelTool
	bridge   *bridge // of the present script
	scripts  int
}

// modelDesk is a connector whose desk is the present script's.
type modelDesk struct {
	*simDesk
	shard *shard
	name  string
}

type modelTool struct{ *simSource }

// Fetch stops after the ticket was read, so that it may change before it is judged.
func (d *modelDesk) Fetch(ctx context.Context, ref connectors.Ref) (connectors.Snapshot, error) {
	s, err := d.simDesk.Fetch(ctx, ref)
	if c := d.shard.bridge.current; c != nil && c.desk == d.name && c.ref == ref.ID && !c.fetched {
		c.fetched = true
		c.gate()
	}
	return s, err
}

type modelConfig struct{ shard *shard }

func (c modelConfig) Open(env connectors.Env) (connectors.Connector, error) {
	if env.Name == simTool {
		t := &modelTool{}
		c.shard.tools = append(c.shard.tools, t)
		return t, nil
	}
	d := &modelDesk{shard: c.shard, name: env.Name}
	c.shard.desks = append(c.shard.desks, d)
	return d, nil
}

// openShard makes a database with all documents published, in memory where the system has such a place.
func openShard(t *testing.T, engine string) *shard {
	t.Helper()
	s := &shard{}
	s.begin(newSimWorld(simShape{}, "", simStart))
	clock := func() time.Time { return s.bridge.w.now }
	options := store.Options{Now: clock}
	dsn := ""
	if engine == storetest.SQLite {
		dir, err := os.MkdirTemp("/dev/shm", "drawbridge-model-")
		if err != nil {
			dir = t.TempDir()
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
		dsn = "sqlite:" + filepath.Join(dir, "drawbridge.db")
	} else {
		dsn = storetest.DSN(t, engine)
		options.Offset = func() time.Duration { return time.Until(clock()) }
	}
	s.store = storetest.Open(t, dsn, options)
	if err := s.store.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	for r := range s.gateways {
		g, err := New(t.Context(), Options{
			Store: s.store, Vault: &connectors.Vault{}, Log: slog.New(slog.DiscardHandler),
			Vendors: map[string]func() connectors.Config{"model": func() connectors.Config { return modelConfig{s} }},
			Now:     func() time.Time { return s.bridge.w.clockOf(r) },
			Step:    func(name string) { s.bridge.step(r, name) },
		})
		if err != nil {
			t.Fatal(err)
		}
		s.gateways[r] = g
		go g.results.run(t.Context(), 1)
	}
	s.begin(s.bridge.w)
	texts := [][]byte{[]byte(modelPeopleText())}
	for _, name := range simConns {
		texts = append(texts, []byte("kind: Connection\nname: "+name+"\nconnector: model\ndelivery: {attempts: 3, longest: 1s}\n"))
	}
	for _, p := range simPolicies {
		texts = append(texts, []byte(p.document()))
		for _, rule := range modelRules(p) {
			texts = append(texts, []byte(rule))
		}
	}
	for _, rule := range modelNotes {
		texts = append(texts, []byte(rule))
	}
	if _, err := s.gateways[0].Apply(t.Context(), texts, "model", "to check it"); err != nil {
		t.Fatal(err)
	}
	if err := s.gateways[1].reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

// begin starts a script: desks that are empty and well, and replicas that hold nothing.
func (s *shard) begin(w *simWorld) {
	b := &bridge{shard: s, w: w, watching: map[string]bool{}}
	s.bridge = b
	for _, d := range s.desks {
		d.simDesk = w.desks[d.name]
	}
	for _, t := range s.tools {
		t.simSource = &simSource{w}
	}
	for r, g := range s.gateways {
		if g != nil {
			b.boot(r)
		}
	}
}

// forget takes away what the script before left: cursors, what was learned of connections, requests that nobody
// decided, with their deadlines; and, where it failed, all it had not done.
func (b *bridge) forget(failed bool) {
	ctx := context.Background()
	statements := []string{`UPDATE timers SET state = 'dropped' WHERE state = 'waiting'`, `UPDATE cases SET state = 'closed' WHERE state = 'open'`}
	if failed {
		statements = append(statements, `DELETE FROM changes`, `UPDATE events SET state = 'held' WHERE state = 'accepted'`,
			`UPDATE deliveries SET state = 'canceled', ready = 0 WHERE state IN ('pending', 'running')`)
	}
	for _, statement := range statements {
		_, err := b.shard.store.DB().ExecContext(ctx, statement)
		b.must(err)
	}
	b.must(b.shard.store.InTx(ctx, func(tx *store.Tx) error {
		for _, name := range simConns {
			if err := tx.SetCursor(ctx, name, watchCursor, ""); err != nil {
				return err
			}
			if err := tx.SetHealth(ctx, store.Health{Connection: name, State: healthWell, Since: b.w.now}); err != nil {
				return err
			}
		}
		return nil
	}))
}

// play runs one script on the shard.
func (s *shard) play(script script, tracing bool) *simWorld {
	s.scripts++
	failed := s.bridge.w.fault != nil
	w := newSimWorld(script.shape, fmt.Sprintf("s%d.", s.scripts), s.bridge.w.now.Add(time.Hour).Truncate(time.Hour))
	w.tracing = tracing
	s.begin(w)
	s.bridge.forget(failed)
	_ = play(script, w, s.bridge) // the world keeps it
	for r := range s.bridge.replicas {
		s.bridge.stop(r, 0)
	}
	return w
}

// boot starts a replica anew, as another holder.
func (b *bridge) boot(r int) {
	g := b.shard.gateways[r]
	g.holder = store.NewID()
	b.replicas[r] = &replica{g: g, workers: map[string]*worker{}, held: map[string]time.Time{}}
	for _, name := range simConns {
		b.replicas[r].workers[name] = newWorker(g, name)
	}
}
