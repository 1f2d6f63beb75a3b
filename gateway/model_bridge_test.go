package gateway

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/gateway/judge"
	"github.com/drawbridge-itsm/drawbridge/store"
)

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
	defer b.checkFence(c)()
	b.current = c
	b.w.excused = b.w.excused || (c.claimed.ID != "" && b.w.now.After(c.claimed.ClaimedUntil)) // calls do not outlive their claim
	c.resume <- true
	b.await(c, false)
	if rep.ended {
		b.stop(r, 0)
	}
}

// checkFence: what was taken back from a replica is not touched by it any more. It is asked where the lease may have
// passed on since the claim.
func (b *bridge) checkFence(c *coroutine) func() {
	if c.claimed.ID == "" || b.w.now.Sub(c.began) < leaseTTL {
		return func() {}
	}
	read := func() store.Delivery {
		d, err := b.shard.store.Delivery(context.Background(), c.claimed.ID)
		b.must(err)
		return d
	}
	before := read()
	if before.State == stateRunning && before.Epoch == c.claimed.Epoch {
		return func() {}
	}
	return func() {
		if after := read(); after.State != before.State || after.Epoch != before.Epoch || after.Attempts != before.Attempts {
			b.w.broken("%s %d was taken back, and then written by who had it: %s, then %s", before.Kind, before.Seq, before.State, after.State)
		}
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
	if !held || w.shut() || w.quietFor(now) > 0 {
		return
	}
	changes, err := b.shard.store.DueChanges(ctx, connection, now, changeBatch)
	b.must(err)
	for _, c := range changes {
		under := func(o *coroutine) bool { return o.desk == connection && o.ref == c.RefID }
		if connection != simTool && !slices.ContainsFunc(rep.flights, under) {
			b.begin(&coroutine{replica: rep, desk: connection, ref: c.RefID}, func() {
				if err := w.reread(ctx, conn, c); err != nil && !errors.Is(err, errPassedOn) {
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
		claimed, err = tx.Claim(ctx, w.lease, now, now.Add(conn.claimTTL()), w.allowed(64))
		return err
	}))
	if len(claimed) == 0 {
		b.must(w.acquit(ctx, now))
	}
	for _, d := range claimed {
		b.checkLane(d)
		b.begin(&coroutine{replica: rep, claimed: d, began: b.w.now}, func() { w.deliver(ctx, conn, d) })
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
