package gateway

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// machine is the bridge under test: two replicas on one store.
type machine interface {
	accept(r int, e connectors.Event)       // the source's event is received and committed
	told(desk string, ref connectors.Ref)   // a desk's webhook, or a forged one
	plan(r int)                             // plans what was accepted
	start(r int, connection string)         // claims what is due and takes up changes
	under(r int) int                        // how much is under way
	proceed(r, n int)                       // the n-th thing under way goes on by one step: call, then record
	watch(r int, desk string)               // asks a desk what changed
	timers(r int)                           // does what is due by a policy's clock
	stop(r int, at int)                     // the replica dies, at once or at the next marked step, and starts anew
	replay() int                            // an operator puts every dead letter back to work
	due() (time.Time, bool)                 // when there is something to do; false: never
	see(requestID string) (seenCase, error) // how a case stands
}

// seenCase is what the bridge believes of a case.
type seenCase struct {
	links    []seenLink
	open     int    // deliveries still to be made
	decision string // outcome, "" for none
	origin   string
	state    string
	starved  bool // an expression ran into its time limit: the machine is too busy to tell anything
}

type seenLink struct{ desk, ref, state string }

type opKind int

const (
	opAsk opKind = iota
	opHear
	opPlan
	opWork
	opStart
	opProceed
	opStop
	opPass
	opSkew
	opMove
	opEdit
	opAnswer
	opClone
	opUnmark
	opHook
	opDropHook
	opForge
	opFault
	opWatch
	opTimers
	opReplay
	opRegroup
	opElsewhere
	opTell
	opLand
	opSettled
)

// weights say how often each kind is drawn.
var weights = map[opKind]int{
	opAsk: 1, opHear: 6, opPlan: 5, opWork: 12, opStart: 6, opProceed: 12, opStop: 4, opPass: 10, opSkew: 2, opMove: 26, opEdit: 3,
	opAnswer: 8, opClone: 1, opUnmark: 1, opHook: 8, opDropHook: 3, opForge: 2, opFault: 6, opWatch: 4, opTimers: 3, opReplay: 2,
	opRegroup: 2, opElsewhere: 1, opTell: 3, opLand: 3, opSettled: 8,
}

// op is one thing that happens. Its numbers are taken modulo what there is to choose from, so that a script stays one
// when some of it is left out.
type op struct {
	kind    opKind
	a, b, c int
}

type script struct {
	shape simShape
	ops   []op
}

var (
	// Those who may decide under most policies are the most eager.
	simPeople   = []string{"kim", "kim", "kim", "kim", "kim", "lee", "lee", "lee", "lee", "dan", "dan", "dan", "max", "max", "ana", "eve", "robot", "ours"}
	simStatuses = []string{"Approved", "Approved", "Approved", "Declined", "Declined", "Open", "Open", "Granted", "Review", "Revoked", "Revoked"}
	simPauses   = []time.Duration{time.Second, 5 * time.Second, 20 * time.Second, 61 * time.Second, 3 * time.Minute, 35 * time.Minute, 70 * time.Minute}
	simConns    = []string{simJira, simTool, simSnow}
)

// draw makes the script of a seed: the request is asked and its ticket opened in most, and then anything happens.
func draw(seed uint64) script {
	rng := rand.New(rand.NewPCG(seed, 0x64726177))
	s := script{shape: simShape{
		Policy: rng.IntN(len(simPolicies)), Both: rng.IntN(2) == 0, Native: rng.IntN(3) == 0, Asks: rng.IntN(2) == 0, Strict: rng.IntN(4) == 0,
		Lags: uint(rng.Uint32()),
	}}
	if rng.IntN(3) > 0 { // the desks' search keeps its word
		s.shape.Lags &^= 0x55555555
	}
	s.ops = append(s.ops, op{kind: opAsk, a: rng.IntN(6)})
	if rng.IntN(5) > 0 {
		s.ops = append(s.ops, op{kind: opHear}, op{kind: opPlan})
		if rng.IntN(3) == 0 {
			s.ops = append(s.ops, op{kind: opFault, b: rng.IntN(1 << 16)})
		}
		s.ops = append(s.ops, op{kind: opWork}, op{kind: opWork, b: 2})
	}
	total := 0
	for _, n := range weights {
		total += n
	}
	for range 10 + rng.IntN(31) {
		n := rng.IntN(total)
		for kind := opAsk; ; kind++ {
			if n -= weights[kind]; n < 0 {
				s.ops = append(s.ops, op{kind, rng.IntN(1 << 16), rng.IntN(1 << 16), rng.IntN(1 << 16)})
				break
			}
		}
	}
	return s
}

// play runs a script, lets everything come to rest, and tells the first promise that was broken.
func play(s script, w *simWorld, m machine) error {
	for _, o := range s.ops {
		w.do(m, o)
		if w.fault != nil {
			return w.fault
		}
	}
	rested := w.rest(m)
	if w.fault != nil || w.starved(m) {
		return w.fault
	}
	if !rested {
		w.broken("it does not come to rest")
	}
	w.checkRest(m)
	return w.fault
}

// starved tells whether this machine is too busy to say anything of what should have happened: an expression ran into
// the limit of its time, and what it was for is owed to an operator.
func (w *simWorld) starved(m machine) bool {
	for _, r := range w.requests {
		if seen, err := m.see(r.id); err == nil && seen.starved {
			w.note("an expression ran out of time")
			return true
		}
	}
	return false
}

// do makes one thing happen. Where there is nothing to choose from, nothing does.
func (w *simWorld) do(m machine, o op) {
	r := o.a % 2
	switch o.kind {
	case opAsk:
		if len(w.requests) < 2 {
			w.open([]string{"ana", "ana", "ana", "ana", "kim", "ghost"}[o.a%6])
			w.note("ask for %s", w.requests[len(w.requests)-1].requester)
		}
	case opHear:
		w.hear(m, r, o.b, o.c%4 == 0)
	case opPlan:
		w.note("plan at %d", r)
		m.plan(r)
	case opWork:
		w.work(m, r, simConns[o.b%3])
	case opStart:
		w.note("start %s at %d", simConns[o.b%3], r)
		m.start(r, simConns[o.b%3])
	case opProceed:
		if n := m.under(r); n > 0 {
			w.note("proceed with %d of %d at %d", o.b%n, n, r)
			m.proceed(r, o.b%n)
		}
	case opStop:
		w.note("replica %d stops (%d)", r, o.b%5)
		m.stop(r, o.b%5)
	case opPass:
		d := simPauses[o.a%len(simPauses)]
		w.now = w.now.Add(d)
		w.note("%v pass", d)
	case opHook, opDropHook, opForge, opWatch:
		w.tell(m, o)
	case opFault:
		conn := simConns[o.a%3]
		w.armed[conn] = simFault(1 + o.b%int(simFaults-1))
		w.note("next at %s: %v", conn, w.armed[conn])
		if o.c%2 == 0 {
			w.work(m, o.c/2%2, conn)
		}
	case opSkew, opTimers:
		w.clock(m, o)
	case opReplay:
		w.note("replay %d", m.replay())
	case opRegroup:
		who := []string{"kim", "lee", "dan", "max"}[o.a%4]
		w.security[who], w.regrouped = !w.security[who], true
		w.note("%s in security: %t", who, w.security[who])
		for _, r := range w.requests {
			w.weigh(r)
		}
	case opElsewhere, opTell:
		w.source(o)
	case opLand:
		if len(w.late) > 0 {
			w.note("a late create arrives")
			w.late[0]()
			w.late = w.late[1:]
		}
	case opSettled:
		w.settle(m, r)
	default:
		w.people(o)
		if o.b/len(simPeople)%3 == 0 {
			w.settle(m, o.c%2)
		}
	}
}

// people do something to a ticket.
func (w *simWorld) people(o op) {
	if len(w.tickets) == 0 {
		return
	}
	t := w.tickets[o.a%len(w.tickets)]
	who := simPeople[o.b%len(simPeople)]
	switch o.kind {
	case opMove:
		t.move(who, simStatuses[o.c%len(simStatuses)])
	case opEdit:
		if who == "ours" {
			who = "max" // the bridge itself edits only as it is told to
		}
		if o.c%3 == 2 {
			t.edit(who, "hours", []string{"1h", "2h", "8h"}[o.c/3%3])
			return
		}
		t.edit(who, []string{"summary", "description"}[o.c%3], []string{"something else", t.text["summary"] + "!", "ana asks"}[o.c/3%3])
	case opAnswer:
		switch {
		case len(t.approvals) == 0:
			t.move(who, []string{"Approved", "Declined"}[o.c%2])
		case o.c%9 == 0:
			w.note("  approval asked again on %v", t)
			t.askApproval()
		default:
			t.answer(who, []connectors.Outcome{connectors.Approved, connectors.Approved, connectors.Denied}[o.c%3])
		}
	case opClone:
		t.clone()
	case opUnmark:
		t.mark, w.excused = "", true
		w.note("the mark of %v is removed", t)
		t.touched()
	}
}

// tell brings a webhook, loses it, makes one up, or asks the desk.
func (w *simWorld) tell(m machine, o op) {
	switch o.kind {
	case opHook, opDropHook:
		if len(w.hooks) == 0 {
			return
		}
		n := o.a % len(w.hooks)
		h := w.hooks[n]
		w.note("webhook of %s about %s (%s)", h.desk, h.ref.ID, map[bool]string{true: "arrives", false: "is lost"}[o.kind == opHook])
		if o.kind == opHook {
			m.told(h.desk, h.ref)
		}
		if o.b%4 > 0 || o.kind == opDropHook {
			w.hooks = slices.Delete(w.hooks, n, n+1)
		}
	case opForge:
		ref := connectors.Ref{ID: w.prefix + "jira-999", Key: "SEC-999"}
		if len(w.tickets) > 0 && o.b%4 > 0 {
			ref = w.tickets[o.b%len(w.tickets)].ref()
		}
		desk := []string{simJira, simSnow}[o.a%2]
		w.note("forged webhook of %s about %s", desk, ref.ID)
		m.told(desk, ref)
	case opWatch:
		desk := []string{simJira, simSnow}[o.b%2]
		w.note("watch %s at %d", desk, o.a%2)
		m.watch(o.a%2, desk)
	}
}

// clock fires timers or sets a replica's clock wrong.
func (w *simWorld) clock(m machine, o op) {
	if o.kind == opTimers {
		w.note("timers at %d", o.a%2)
		m.timers(o.a % 2)
		return
	}
	w.excused = true
	w.off[o.a%2] = []time.Duration{-simSkew, -time.Minute, 0, time.Minute, simSkew}[o.b%5]
	w.note("clock of %d is off by %v", o.a%2, w.off[o.a%2])
}

// source makes something happen at the source that no desk knows of.
func (w *simWorld) source(o op) {
	if len(w.requests) == 0 {
		return
	}
	r := w.requests[o.a%len(w.requests)]
	if o.kind == opTell {
		kind := []string{connectors.AccessGranted, connectors.IntegrationWarning, connectors.AccessRequested}[o.b%3]
		w.note("the source tells %s", kind)
		w.mail = append(w.mail, r.event(w, kind, fmt.Sprintf("%s/%d", kind, len(w.mail)+o.c)))
		return
	}
	if r.state != connectors.Pending {
		return
	}
	r.itself = true
	r.state = []connectors.Outcome{connectors.Approved, connectors.Denied, connectors.Expired}[o.b%3]
	w.note("the source itself: %s", r.state)
	if r.state == connectors.Expired {
		w.mail = append(w.mail, r.event(w, connectors.AccessExpired, "expired"))
		return
	}
	w.mail = append(w.mail, r.decided(w, "itself"))
}

// hear lets an event of the source arrive, at any place of those under way. It may stay under way: then it comes twice.
func (w *simWorld) hear(m machine, r, n int, again bool) {
	if len(w.mail) == 0 {
		return
	}
	n %= len(w.mail)
	e := w.mail[n]
	w.note("%s of %s arrives at %d", e.Kind, strings.TrimPrefix(e.RequestID, w.prefix), r)
	if asked := w.request(e.RequestID); asked.opened.IsZero() {
		asked.opened = w.clockOf(r)
	}
	m.accept(r, e)
	if !again {
		w.mail = slices.Delete(w.mail, n, n+1)
	}
}

// work lets a replica do all that is due at a connection.
func (w *simWorld) work(m machine, r int, connection string) {
	w.note("work %s at %d", connection, r)
	m.start(r, connection)
	for range 40 {
		if m.under(r) == 0 {
			break
		}
		m.proceed(r, 0)
	}
}

// settle lets everything that is under way arrive and be worked on.
func (w *simWorld) settle(m machine, r int) {
	w.note("everything under way arrives")
	for len(w.mail) > 0 {
		w.hear(m, r, 0, false)
	}
	for _, h := range w.hooks {
		m.told(h.desk, h.ref)
	}
	w.hooks = nil
	m.plan(r)
	for _, c := range simConns {
		w.work(m, r, c)
	}
}

// shrink leaves out of a failing script what it fails without.
func shrink(s script, fails func(script) bool) script {
	for size := len(s.ops) / 2; size > 0; {
		shorter := false
		for at := 0; at+size <= len(s.ops); {
			try := script{shape: s.shape, ops: slices.Delete(slices.Clone(s.ops), at, at+size)}
			if fails(try) {
				s, shorter = try, true
			} else {
				at++
			}
		}
		if !shorter || size > len(s.ops) {
			size /= 2
		}
	}
	return s
}
