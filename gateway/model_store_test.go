package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/gateway/judge"
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
	resume  chan bool // false: its replica has ended
	stopped chan bool // false: it has come to its end
	until   time.Time // when the claim of a delivery ends
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

// forget takes away what the script before left: cursors, what was learned of connections, deadlines of requests that
// nobody decided.
func (b *bridge) forget() {
	ctx := context.Background()
	_, err := b.shard.store.DB().ExecContext(ctx, `UPDATE timers SET state = 'dropped' WHERE state = 'waiting'`)
	b.must(err)
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
	w := newSimWorld(script.shape, fmt.Sprintf("s%d.", s.scripts), s.bridge.w.now.Add(time.Hour).Truncate(time.Hour))
	w.tracing = tracing
	s.begin(w)
	s.bridge.forget()
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

func (b *bridge) must(err error) {
	if err != nil {
		b.w.broken("the bridge failed: %v", err)
	}
}

// step is a marked step of the two flows.
func (b *bridge) step(r int, name string) {
	if rep := b.replicas[r]; rep.dying == name {
		b.w.note("  replica %d ends at %s", r, name)
		rep.dying, rep.ended = "", true
		panic(ended{})
	}
	if b.current != nil && (name == "deliver.before_call" || name == "deliver.after_call" || name == "receive.before_fetch") {
		b.current.gate()
	}
}

func (c *coroutine) gate() {
	c.stopped <- true
	if !<-c.resume {
		panic(ended{})
	}
}

// begin runs f until its first stop.
func (b *bridge) begin(c *coroutine, f func()) {
	c.resume, c.stopped = make(chan bool), make(chan bool)
	b.current = c
	go func() {
		defer func() {
			if p := recover(); p != nil {
				if _, ok := p.(ended); !ok {
					panic(p)
				}
			}
			c.stopped <- false
		}()
		f()
	}()
	b.await(c, true)
}

func (b *bridge) await(c *coroutine, fresh bool) {
	going := <-c.stopped
	b.current = nil
	rep := c.replica
	switch {
	case going && fresh:
		rep.flights = append(rep.flights, c)
	case !going && !fresh:
		rep.flights = slices.DeleteFunc(rep.flights, func(o *coroutine) bool { return o == c })
	}
}

func (b *bridge) under(r int) int { return len(b.replicas[r].flights) }

func (b *bridge) proceed(r, n int) {
	rep := b.replicas[r]
	c := rep.flights[n]
	b.current = c
	b.w.excused = b.w.excused || (!c.until.IsZero() && b.w.now.After(c.until)) // calls do not outlive their claim
	c.resume <- true
	b.await(c, false)
	if rep.ended {
		b.stop(r, 0)
	}
}

func (b *bridge) stop(r int, at int) {
	rep := b.replicas[r]
	if at > 0 {
		rep.dying = []string{"plan.commit", "decide.commit", "deliver.after_call", "deliver.recorded"}[at-1]
		return
	}
	for _, c := range slices.Clone(rep.flights) {
		b.current = c
		c.resume <- false
		b.await(c, false)
	}
	b.boot(r)
}

func (b *bridge) accept(r int, e connectors.Event) {
	g := b.replicas[r].g
	c := g.catalogue().connections[simTool]
	_, err := g.commits.write(context.Background(), [][]store.Arrival{{arrival(c, connectors.Request{Time: b.w.clockOf(r)}, e)}})
	b.must(err)
}

func (b *bridge) told(desk string, ref connectors.Ref) {
	b.must(b.replicas[0].g.noteChanges(context.Background(), desk, []connectors.Change{{Ref: ref}}))
}

// mayEnd runs f, in which the replica may come to the step at which it ends.
func (b *bridge) mayEnd(r int, f func() error) {
	defer func() {
		if p := recover(); p != nil {
			if _, ok := p.(ended); !ok {
				panic(p)
			}
			b.stop(r, 0)
		}
	}()
	b.must(f())
}

func (b *bridge) plan(r int) {
	b.mayEnd(r, func() error {
		for range 10 {
			if n, err := b.replicas[r].g.planSome(context.Background()); n == 0 || err != nil {
				return err
			}
		}
		return nil
	})
}

func (b *bridge) timers(r int) {
	b.mayEnd(r, func() error { return b.replicas[r].g.fireTimers(context.Background()) })
}

// hold takes or renews the lease of a connection, as its heart would by the script's clock: the production heart beats
// by the real one.
func (b *bridge) hold(rep *replica, connection string) bool {
	w := rep.workers[connection]
	if last, ok := rep.held[connection]; !ok || b.w.now.Sub(last) >= leaseTTL/3 {
		w.renewAt, rep.held[connection] = time.Time{}, b.w.now
	}
	held, err := w.hold(context.Background(), rep.g.catalogue().connections[connection])
	b.must(err)
	if !held {
		delete(rep.held, connection)
	}
	return held
}

// start is a round of a worker, in the order of the production one.
func (b *bridge) start(r int, connection string) {
	ctx, rep := context.Background(), b.replicas[r]
	w, conn := rep.workers[connection], rep.g.catalogue().connections[connection]
	held := b.hold(rep, connection)
	now := b.w.clockOf(r)
	if held && w.unwell() {
		b.must(w.ping(ctx, conn, now))
	}
	if !held || w.unwell() || w.quietFor(now) > 0 {
		return
	}
	changes, err := b.shard.store.DueChanges(ctx, connection, now, changeBatch)
	b.must(err)
	for _, c := range changes {
		under := func(o *coroutine) bool { return o.desk == connection && o.ref == c.RefID }
		if connection != simTool && !slices.ContainsFunc(rep.flights, under) {
			b.begin(&coroutine{replica: rep, desk: connection, ref: c.RefID}, func() {
				if err := w.reread(ctx, conn, c); err != nil {
					b.must(w.postpone(ctx, conn, c, err))
				}
			})
		}
	}
	if connection != simTool && !b.watching[connection] {
		b.watching[connection] = true
		b.watch(r, connection)
	}
	var claimed []store.Delivery
	b.must(b.shard.store.InTx(ctx, func(tx *store.Tx) (err error) {
		claimed, err = tx.Claim(ctx, w.lease, now, now.Add(conn.claimTTL()), 64)
		return err
	}))
	for _, d := range claimed {
		b.checkLane(d)
		b.begin(&coroutine{replica: rep, until: d.ClaimedUntil}, func() { w.deliver(ctx, conn, d) })
	}
}

// checkLane: one delivery of a lane runs at a time, in seq order.
func (b *bridge) checkLane(d store.Delivery) {
	all, err := b.shard.store.DeliveriesOfCase(context.Background(), d.CaseID)
	b.must(err)
	for _, o := range all {
		if o.Lane == d.Lane && o.ID != d.ID && (o.State == stateRunning || (o.Seq < d.Seq && inWay(&o))) {
			b.w.broken("%s %d runs while %s %d of its lane is %s", d.Kind, d.Seq, o.Kind, o.Seq, o.State)
		}
	}
}

func (b *bridge) watch(r int, desk string) {
	ctx, rep := context.Background(), b.replicas[r]
	w, conn := rep.workers[desk], rep.g.catalogue().connections[desk]
	if b.hold(rep, desk) {
		b.watching[desk] = true
		w.nextWatch = time.Time{}
		b.must(w.watch(ctx, conn, b.w.clockOf(r)))
	}
}

// cases are those of the present script.
func (b *bridge) cases() (ids []string) {
	for _, r := range b.w.requests {
		c, err := b.shard.store.CaseByRequest(context.Background(), simTool, "", r.id)
		if err == nil {
			ids = append(ids, c.ID)
		} else if !errors.Is(err, store.ErrNotFound) {
			b.must(err)
		}
	}
	return ids
}

func (b *bridge) deliveries() (all []store.Delivery) {
	for _, id := range b.cases() {
		some, err := b.shard.store.DeliveriesOfCase(context.Background(), id)
		b.must(err)
		all = append(all, some...)
	}
	return all
}

func (b *bridge) replay() (n int) {
	for _, d := range b.deliveries() {
		if d.State == stateDead {
			_, err := b.replicas[0].g.Replay(context.Background(), d.ID, "operator", "to try again")
			b.must(err)
			n++
		}
	}
	return n
}

func (b *bridge) due() (first time.Time, some bool) {
	db, ctx := b.shard.store.DB(), context.Background()
	var working int
	b.must(db.QueryRowContext(ctx, `SELECT (SELECT COUNT(*) FROM events WHERE state = 'accepted') + (SELECT COUNT(*) FROM deliveries WHERE state = 'running')`).Scan(&working))
	var due int64
	b.must(db.QueryRowContext(ctx, `SELECT COALESCE(MIN(due), 0) FROM (SELECT due FROM changes UNION ALL SELECT due FROM deliveries WHERE ready = 1 AND state = 'pending'
		UNION ALL SELECT due FROM timers WHERE state = 'waiting' AND due < $1) AS waiting`, b.w.now.Add(simSkew).UnixMilli()).Scan(&due))
	if due > 0 {
		return time.UnixMilli(due).UTC(), true
	}
	return b.w.now, working > 0
}

func (b *bridge) see(requestID string) (s seenCase, err error) {
	ctx, q := context.Background(), b.shard.store
	c, err := q.CaseByRequest(ctx, simTool, "", requestID)
	if err != nil {
		return s, err
	}
	links, err := q.LinksOfCase(ctx, c.ID)
	if err != nil {
		return s, err
	}
	for _, l := range links {
		s.links = append(s.links, seenLink{l.Desk, l.RefID, l.State})
	}
	all, err := q.DeliveriesOfCase(ctx, c.ID)
	if err != nil {
		return s, err
	}
	for _, d := range all {
		if d.State == statePending || d.State == stateRunning {
			s.open++
		}
		s.starved = s.starved || strings.Contains(d.Error, "takes longer")
	}
	refusals, err := q.RefusalsOfCase(ctx, c.ID)
	if err != nil {
		return s, err
	}
	for _, r := range refusals {
		s.starved = s.starved || r.Code == string(judge.ConditionFailed)
	}
	d, err := q.DecisionOf(ctx, c.ID)
	if errors.Is(err, store.ErrNotFound) {
		return s, nil
	}
	s.decision, s.origin, s.state = d.Outcome, d.Origin, d.State
	return s, err
}
