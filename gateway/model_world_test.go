package gateway

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// The model check has five parts. model_world_test.go and model_source_test.go are everything outside of the bridge:
// desks, people, a source, lost answers. model_truth_test.go says, from what people really did and without calling the
// judgement, which decisions are right. model_script_test.go draws scripts, plays and shrinks them; model_check_test.go
// looks at what they come to. model_memory_test.go and those named after it are the bridge in memory around the
// production plan, retry and judge; model_store_test.go and model_bridge_test.go are the production bridge on a real
// store.

const (
	simTool = "tool"
	simJira = "jira"
	simSnow = "snow"

	simLag     = 30 * time.Second // what desks say of their search
	simSkew    = 4 * time.Minute  // how far a replica's clock is off at most
	simTimeout = 30 * time.Second
)

// simLags are how long a desk's search misses a ticket; the last is longer than the desk says.
var simLags = []time.Duration{0, simLag / 2, simLag - time.Second, 4 * simLag}

var simStart = time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC)

// simShape is what does not change during a script.
type simShape struct {
	Policy int  // of simPolicies
	Both   bool // a ticket at each desk
	Native bool // snow asks approvals of its own
	Asks   bool // the source can be asked what it knows
	Strict bool // the source refuses a second post of the same decision
	Lags   uint // after which of simLags a ticket is found, two bits each
}

// simWorld is what is outside of the bridge. Only it knows what really happened.
type simWorld struct {
	shape    simShape
	prefix   string // of request ids, so that scripts can share a database
	now      time.Time
	desks    map[string]*simDesk
	tickets  []*simTicket // of all desks, as opened
	requests []*simRequest
	mail     []connectors.Event // under way from the source to us
	hooks    []simHook          // under way from the desks to us
	late     []func()           // creates that are still under way to a desk
	armed    map[string]simFault
	off      [2]time.Duration // by how much the replicas' clocks are off
	security map[string]bool  // who is in the group

	regrouped bool  // the group changed: nobody reads a ticket anew for that
	excused   bool  // something happened by which even a careful bridge opens a second ticket
	fault     error // the first promise found broken
	trace     []string
	tracing   bool
}

type simFault int

const (
	simFine       simFault = iota
	simLost                // the call is lost
	simLostAnswer          // the answer is lost
	simLate                // no answer, and a create arrives later
	simThrottled
	simUnwell
	simRefused
	simFaults
)

func (f simFault) String() string {
	return [...]string{"fine", "lost", "answer lost", "late", "throttled", "unwell", "refused"}[f]
}

type simHook struct {
	desk string
	ref  connectors.Ref
}

type simDesk struct {
	w       *simWorld
	name    string
	changes int // counts, as the watch's cursor
}

type simTicket struct {
	desk        *simDesk
	id          string
	mark        string // our key on it
	key         string // the key it was made with
	ours        bool
	request     *simRequest // nil for a clone
	status      string
	text        map[string]string // summary, description, priority, hours
	steps       []connectors.Step
	acts        []simAct
	asked       int // how often the desk asked for approval
	approvals   []connectors.Approval
	findable    time.Time
	read        bool
	changed     int
	comments    map[string]string // by key, so that a repeated one is one
	lastComment string
}

func newSimWorld(shape simShape, prefix string, start time.Time) *simWorld {
	w := &simWorld{shape: shape, prefix: prefix, now: start, armed: map[string]simFault{}, security: map[string]bool{"lee": true, "dan": true}}
	w.desks = map[string]*simDesk{simJira: {w: w, name: simJira}, simSnow: {w: w, name: simSnow}}
	return w
}

func (w *simWorld) note(format string, args ...any) {
	if w.tracing {
		w.trace = append(w.trace, w.now.Format("15:04:05 ")+fmt.Sprintf(format, args...))
	}
}

// clockOf is the time by the clock of a replica.
func (w *simWorld) clockOf(r int) time.Time { return w.now.Add(w.off[r]) }

// broken notes the first promise that was broken.
func (w *simWorld) broken(format string, args ...any) {
	if w.fault == nil {
		w.fault = fmt.Errorf(format, args...)
		w.note("BROKEN %v", w.fault)
	}
}

// ask is a call that only reads: what can only happen to others waits for one of them.
func (w *simWorld) ask(connection string, act func()) error {
	switch w.armed[connection] {
	case simLostAnswer, simLate, simRefused:
		act()
		return nil
	}
	return w.call(connection, act)
}

// call is one call at a connection, which may go wrong as armed.
func (w *simWorld) call(connection string, act func()) error {
	fault := w.armed[connection]
	delete(w.armed, connection)
	if fault != simFine {
		w.note("  at %s: %v", connection, fault)
	}
	switch fault {
	case simLost, simLate:
		return &connectors.Error{Kind: connectors.Temporary, Sent: true, Err: errors.New("connection reset")}
	case simLostAnswer:
		act()
		return &connectors.Error{Kind: connectors.Temporary, Sent: true, Err: errors.New("connection reset")}
	case simThrottled:
		return &connectors.Error{Kind: connectors.Throttled, Status: 429, RetryAfter: 7 * time.Second, Err: errors.New("too fast")}
	case simUnwell:
		return &connectors.Error{Kind: connectors.Unwell, Status: 401, Err: errors.New("token refused")}
	case simRefused:
		return &connectors.Error{Kind: connectors.Permanent, Status: 400, Err: errors.New("a field is missing")}
	}
	act()
	return nil
}

func (d *simDesk) Ping(context.Context) error { return nil }

func (d *simDesk) IndexLag() time.Duration { return simLag }

func (d *simDesk) Create(_ context.Context, key string, t connectors.Ticket) (connectors.Ref, error) {
	var made *simTicket
	if d.w.armed[d.name] == simLate {
		d.w.excused = true
		d.w.late = append(d.w.late, func() { d.open(key, t) })
	}
	err := d.w.call(d.name, func() { made = d.open(key, t) })
	if err != nil {
		return connectors.Ref{}, err
	}
	return made.ref(), nil
}

func (d *simDesk) open(key string, t connectors.Ticket) *simTicket {
	w := d.w
	made := &simTicket{
		desk: d, id: strconv.Itoa(len(w.tickets) + 1), mark: key, key: key, ours: true, status: "Open", comments: map[string]string{},
		text:     map[string]string{"summary": t.Summary, "description": t.Description, "priority": t.Priority},
		findable: w.now.Add(simLags[w.shape.Lags>>(2*len(w.tickets)%32)%4]),
	}
	w.excused = w.excused || made.findable.Sub(w.now) > simLag
	for _, r := range w.requests {
		if t.Description == "request "+r.id {
			made.request = r
		}
	}
	w.tickets = append(w.tickets, made)
	if w.shape.Native && d.name == simSnow {
		made.askApproval()
	}
	made.touched()
	w.note("  opened %v", made)
	return made
}

func (d *simDesk) Find(_ context.Context, key string) (found []connectors.Ref, err error) {
	err = d.w.ask(d.name, func() {
		for _, t := range d.w.tickets {
			if t.desk == d && t.mark == key && t.ours && !d.w.now.Before(t.findable) {
				found = append(found, t.ref())
			}
		}
	})
	return found, err
}

func (d *simDesk) ticket(ref connectors.Ref) *simTicket {
	for _, t := range d.w.tickets {
		if t.desk == d && t.ref().ID == ref.ID {
			return t
		}
	}
	return nil
}

// write is a call that changes a ticket.
func (d *simDesk) write(ref connectors.Ref, act func(t *simTicket)) error {
	t := d.ticket(ref)
	if t == nil {
		return connectors.Permanently("%w", connectors.ErrNotFound)
	}
	return d.w.call(d.name, func() { act(t) })
}

func (d *simDesk) Update(_ context.Context, ref connectors.Ref, t connectors.Ticket) error {
	return d.write(ref, func(at *simTicket) {
		for field, text := range map[string]string{"summary": t.Summary, "priority": t.Priority} {
			if text != "" {
				at.edit("ours", field, text)
			}
		}
	})
}

func (d *simDesk) Comment(_ context.Context, ref connectors.Ref, n connectors.Note) error {
	return d.write(ref, func(t *simTicket) {
		t.comments[n.Key], t.lastComment = n.Body, n.Body
		d.w.note("  comment on %v: %s", t, n.Body)
	})
}

func (d *simDesk) Transition(_ context.Context, ref connectors.Ref, m connectors.Move) error {
	return d.write(ref, func(t *simTicket) { t.move("ours", m.Status) })
}

func (d *simDesk) Fetch(_ context.Context, ref connectors.Ref) (s connectors.Snapshot, err error) {
	t := d.ticket(ref)
	if t == nil {
		return s, connectors.Permanently("%w", connectors.ErrNotFound)
	}
	err = d.w.ask(d.name, func() {
		t.read = true
		s = connectors.Snapshot{
			Ref: t.ref(), Key: t.mark, Ours: t.ours, Status: t.status, Category: "of " + t.status,
			Summary: t.text["summary"], Description: t.text["description"], Priority: t.text["priority"],
			Fields:  map[string]any{"hours": t.text["hours"]},
			History: slices.Clone(t.steps), Approvals: slices.Clone(t.approvals),
		}
	})
	return s, err
}

// Watch tells every ticket with a mark that changed since. An empty cursor is from now on and makes no call.
func (d *simDesk) Watch(_ context.Context, since connectors.Cursor, _ []connectors.Ref) (changes []connectors.Change, next connectors.Cursor, err error) {
	next = connectors.Cursor(strconv.Itoa(d.changes))
	if since == "" {
		return nil, next, nil
	}
	err = d.w.ask(d.name, func() {
		from, _ := strconv.Atoi(string(since))
		for _, t := range d.w.tickets {
			if t.desk == d && t.mark != "" && t.changed > from {
				changes = append(changes, connectors.Change{Ref: t.ref(), ID: t.ref().ID + "@" + strconv.Itoa(t.changed)})
			}
		}
	})
	return changes, next, err
}

func (d *simDesk) Groups(_ context.Context, account string) (groups []string, err error) {
	err = d.w.ask(d.name, func() {
		for who := range d.w.security {
			if d.w.security[who] && simAccount(d.name, who).Account == account {
				groups = []string{"security"}
			}
		}
	})
	return groups, err
}

func (d *simDesk) People(context.Context, connectors.Cursor) ([]connectors.Person, connectors.Cursor, error) {
	return nil, "", nil
}

func (t *simTicket) ref() connectors.Ref {
	id := t.desk.w.prefix + t.desk.name + "-" + t.id
	return connectors.Ref{ID: id, Key: id}
}

func (t *simTicket) String() string {
	kind := ""
	if !t.ours {
		kind = " (clone)"
	}
	return fmt.Sprintf("%s-%s%s at %s", t.desk.name, t.id, kind, t.status)
}

// touched makes the desk tell of a change.
func (t *simTicket) touched() {
	t.desk.changes++
	t.changed = t.desk.changes
	t.desk.w.hooks = append(t.desk.w.hooks, simHook{t.desk.name, t.ref()})
}

func (t *simTicket) step(who, field, from, to string) {
	w := t.desk.w
	t.steps = append(t.steps, connectors.Step{ID: strconv.Itoa(len(t.steps) + 1), At: w.now, By: simAccount(t.desk.name, who), Field: field, From: from, To: to})
	t.touched()
	t.act(simAct{who: who, field: field, from: from, to: to})
}

func (t *simTicket) move(who, status string) {
	if t.status == status {
		return
	}
	from := t.status
	t.status = status
	t.desk.w.note("  %s moved %v", who, t)
	t.step(who, "status", from, status)
}

func (t *simTicket) edit(who, field, text string) {
	if t.text[field] == text {
		return
	}
	from := t.text[field]
	t.text[field] = text
	t.desk.w.note("  %s edited %s of %v: %q", who, field, t, text)
	t.step(who, field, from, text)
}

// askApproval makes the desk ask for approval once more.
func (t *simTicket) askApproval() {
	t.asked++
	for _, who := range []string{"kim", "lee", "max"} {
		t.approvals = append(t.approvals, connectors.Approval{ID: strconv.Itoa(t.asked), By: simAccount(t.desk.name, who), Outcome: connectors.Pending, Final: connectors.Pending})
	}
	t.touched()
	t.act(simAct{who: "ours", field: "asked"})
}

// answer is one person's answer. The desk wants two yeses or one no, and moves the ticket itself.
func (t *simTicket) answer(who string, said connectors.Outcome) {
	w := t.desk.w
	id := strconv.Itoa(t.asked)
	yes, no, given := 0, 0, false
	for i := range t.approvals {
		a := &t.approvals[i]
		if a.ID != id || a.Final != connectors.Pending {
			continue
		}
		if a.By.Name == who && a.Outcome == connectors.Pending {
			a.Outcome, a.At, given = said, w.now, true
		}
		switch a.Outcome {
		case connectors.Approved:
			yes++
		case connectors.Denied:
			no++
		}
	}
	if !given {
		return
	}
	w.note("  %s answered %s on %v", who, said, t)
	final, status := connectors.Pending, ""
	if no > 0 {
		final, status = connectors.Denied, "Declined"
	} else if yes > 1 {
		final, status = connectors.Approved, "Approved"
	}
	for i := range t.approvals {
		if t.approvals[i].ID == id {
			t.approvals[i].Final = final
		}
	}
	t.touched()
	t.act(simAct{who: who, field: "answer", to: string(said)})
	if status != "" {
		t.act(simAct{who: "robot", field: "final", to: string(final)})
		t.move("robot", status)
	}
}

// clone is a copy somebody makes: desks copy labels.
func (t *simTicket) clone() {
	w := t.desk.w
	copied := &simTicket{desk: t.desk, id: strconv.Itoa(len(w.tickets) + 1), mark: t.mark, key: t.key, status: "Open", comments: map[string]string{},
		text: map[string]string{"summary": t.text["summary"], "description": t.text["description"]}}
	w.tickets = append(w.tickets, copied)
	copied.touched()
	w.note("  cloned %v to %v", t, copied)
}

// simAccount is how a desk names somebody.
func simAccount(desk, who string) connectors.Account {
	return connectors.Account{
		Person: connectors.Person{Account: who + "@" + desk, Name: who}, Ours: who == "ours", Automation: who == "robot",
	}
}
