package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors/jira/jirastandin"
	"github.com/drawbridge-itsm/drawbridge/gateway"
	"github.com/drawbridge-itsm/drawbridge/store"
)

// checkDemo plays every person's part and looks at every bank afterwards. It fails at the first step that is wrong.
func checkDemo(ctx context.Context, w *world, out io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	done := w.start(ctx)
	c := &check{world: w, out: out, ctx: ctx}
	err := c.all()
	cancel()
	if stopped := <-done; err == nil {
		err = stopped
	}
	if err == nil {
		fmt.Fprintf(out, "\n%d steps, all as they should be.\n", c.n)
	}
	return err
}

// check is one run through the demo.
type check struct {
	*world
	out       io.Writer
	ctx       context.Context
	n         int
	withoutID string // the event whose dead letter belongs there: it has no request's id
}

// step is one thing that is tried, about one kind of event. The note says what came of it.
type step struct {
	kind, title string
	run         func() (note string, err error)
}

func (c *check) all() error {
	for _, s := range slices.Concat(c.epmSteps(), c.aponoSteps(), c.gateSteps(), c.datatheoremSteps(), c.elimitySteps(), c.toolSteps(), c.lastSteps()) {
		started := time.Now()
		note, err := s.run()
		c.n++
		if err != nil {
			fmt.Fprintf(c.out, "FAIL %2d  %-19s %s\n", c.n, s.kind, s.title)
			return fmt.Errorf("step %d, %s: %w", c.n, s.title, err)
		}
		fmt.Fprintf(c.out, "ok   %2d  %-19s %s: %s (%.1f s)\n", c.n, s.kind, s.title, note, time.Since(started).Seconds())
	}
	return nil
}

func (c *check) lastSteps() []step {
	return []step{{"every kind", "nothing was given up on and nothing is in quarantine", c.nothingLeft}}
}

// nothingLeft looks for dead letters and quarantined bodies. One dead letter belongs there: of the event without an id.
func (c *check) nothingLeft() (string, error) {
	dead, err := c.store.DeadLetters(c.ctx, "", 0)
	if err != nil {
		return "", err
	}
	for _, d := range dead {
		if d.EventID != c.withoutID {
			return "", fmt.Errorf("%s to %s is dead: %s", d.Kind, d.Connection, d.Error)
		}
	}
	if len(dead) != 1 {
		return "", fmt.Errorf("there are %d dead letters, want 1, of the event without an id", len(dead))
	}
	bodies, err := c.store.Quarantines(c.ctx, "", 0)
	if err == nil && len(bodies) != 0 {
		err = fmt.Errorf("%d bodies are in quarantine: %s", len(bodies), bodies[0].Reason)
	}
	return "but one dead letter, of the event without an id", err
}

// send delivers what the stand-ins have queued.
func (c *check) send() error {
	faults := []error{c.jira.Flush(c.ctx)}
	for _, flush := range []func(context.Context) ([]int, error){c.epm.Flush, c.apono.Flush, c.gate.Flush, c.datatheorem.Flush, c.elimity.Flush} {
		_, err := flush(c.ctx)
		faults = append(faults, err)
	}
	return errors.Join(faults...)
}

// until waits for f, sending queued webhooks meanwhile as the vendors would.
func (c *check) until(f func() error) error {
	return eventually(c.ctx, func() error {
		if err := c.send(); err != nil {
			return err
		}
		return f()
	})
}

// ticketOf waits until a case has a ticket at Jira.
func (c *check) ticketOf(connection, id string) (issue jirastandin.Issue, err error) {
	err = c.until(func() error {
		view, err := c.caseAt(connection, id)
		if err != nil {
			return err
		}
		if len(view.Tickets) == 0 || view.Tickets[0].Ticket == "" {
			return fmt.Errorf("request %s of %s has no ticket yet", id, connection)
		}
		found, ok := c.jira.Issue(view.Tickets[0].Ticket)
		if !ok {
			return fmt.Errorf("there is no ticket %s at Jira", view.Tickets[0].Ticket)
		}
		issue = found
		return nil
	})
	return issue, err
}

// caseAt is the case a connection knows by an id. Only EPM's has a tenant.
func (c *check) caseAt(connection, id string) (gateway.CaseView, error) {
	tenant := ""
	if connection == "epm" {
		tenant = demoTenant
	}
	found, err := c.store.CaseByRequest(c.ctx, connection, tenant, id)
	if err != nil {
		return gateway.CaseView{}, err
	}
	return c.bridge.gateway.Case(c.ctx, found.ID)
}

// stands waits until a ticket has a status.
func (c *check) stands(key, status string) error {
	return c.until(func() error {
		now, ok := c.jira.Issue(key)
		if !ok || now.Status != status {
			return fmt.Errorf("%s stands at %q, want %q", key, now.Status, status)
		}
		return nil
	})
}

// says waits until a comment of a ticket says the words.
func (c *check) says(key, words string) error {
	return c.until(func() error { return c.comment(key, words) })
}

// edited publishes a document with changes, until back is called.
func (c *check) edited(kind, name string, edit func(text string) string) (back func() error, err error) {
	d, err := c.store.Document(c.ctx, kind, name, 0)
	if err != nil {
		return nil, err
	}
	apply := func(text string) error {
		_, err := c.bridge.gateway.Apply(c.ctx, [][]byte{[]byte(text)}, "demo", "for one step of the demo")
		return err
	}
	return func() error { return apply(d.Text) }, apply(edit(d.Text))
}

// kept waits until a ticket says that nobody was told, and makes sure that the case has ended with its decision kept.
func (c *check) kept(connection, id, key string) error {
	if err := c.says(key, "This is recorded here only; "+connection+" was not told"); err != nil {
		return err
	}
	view, err := c.caseAt(connection, id)
	if err == nil && (view.State != store.CaseClosed || view.Decision.State != store.DecisionKept) {
		err = fmt.Errorf("the case is %s and its decision %s, want it closed and kept", view.State, view.Decision.State)
	}
	return err
}

// latest waits until an event is planned that came in last at a connection, is of a kind and was not seen before.
func (c *check) latest(connection, kind, before string) (event store.Event, err error) {
	err = c.until(func() error {
		events, err := c.store.Events(c.ctx, store.EventFilter{Connection: connection, Limit: 1})
		if err != nil {
			return err
		}
		if len(events) == 0 || events[0].ID == before {
			return fmt.Errorf("nothing came in at %s", connection)
		}
		if event = events[0]; event.Kind != kind {
			return fmt.Errorf("%s sent %s, want %s", connection, event.Kind, kind)
		}
		if event.State == store.EventAccepted {
			return fmt.Errorf("event %s is not planned yet", event.ID)
		}
		return nil
	})
	return event, err
}

// newest is the id of the event that came in last at a connection.
func (c *check) newest(connection string) (string, error) {
	events, err := c.store.Events(c.ctx, store.EventFilter{Connection: connection, Limit: 1})
	if err != nil || len(events) == 0 {
		return "", err
	}
	return events[0].ID, nil
}

// without carries out something that sends one event of a kind, and makes sure that it is kept and opens no ticket.
func (c *check) without(connection, kind string, send func() error) (store.Event, error) {
	if err := c.until(func() error { return nil }); err != nil { // what waits goes first
		return store.Event{}, err
	}
	before, err := c.newest(connection)
	if err != nil {
		return store.Event{}, err
	}
	tickets := len(c.jira.Issues())
	if err := send(); err != nil {
		return store.Event{}, err
	}
	event, err := c.latest(connection, kind, before)
	if err != nil {
		return event, err
	}
	if now := len(c.jira.Issues()); now != tickets {
		return event, fmt.Errorf("%d tickets were opened, want none", now-tickets)
	}
	if event.CaseID == "" {
		return event, nil
	}
	links, err := c.store.LinksOfCase(c.ctx, event.CaseID)
	if err == nil && len(links) != 0 {
		err = fmt.Errorf("the case has the links %+v, want none", links)
	}
	return event, err
}

// unrouted carries out something that sends one event of a kind, and makes sure that it is kept and counted as wanted by
// no rule.
func (c *check) unrouted(connection, kind string, send func() error) (string, error) {
	event, err := c.without(connection, kind, send)
	if err == nil && event.State != store.EventUnrouted {
		err = fmt.Errorf("the event is %s, want unrouted", event.State)
	}
	return "kept and counted as unrouted", err
}

// comment looks for words in an internal comment of a ticket.
func (c *check) comment(key, words string) error {
	issue, ok := c.jira.Issue(key)
	if !ok {
		return fmt.Errorf("there is no ticket %s at Jira", key)
	}
	for _, comment := range issue.Comments {
		if strings.Contains(comment.Text, words) {
			return nil
		}
	}
	return fmt.Errorf("no comment on %s says %q", key, words)
}

// linkedOnce makes sure that a case has one ticket that can decide.
func (c *check) linkedOnce(connection, id string) error {
	view, err := c.caseAt(connection, id)
	if err != nil {
		return err
	}
	live := 0
	for _, t := range view.Tickets {
		if t.State == store.LinkLinked {
			live++
		}
	}
	if live != 1 {
		return fmt.Errorf("the case has %d live tickets, want 1", live)
	}
	return nil
}

// pass lets some time go by.
func (c *check) pass(length time.Duration) error {
	select {
	case <-c.ctx.Done():
		return c.ctx.Err()
	case <-time.After(length):
		return nil
	}
}

// eventually waits until f is content; the error is f's last.
func eventually(ctx context.Context, f func() error) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
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
