package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/store"
)

const (
	pollCursor = "poll"
	pollBatch  = 20 // requests a source is asked about in a round
)

// poll asks a source what became of requests that still wait here, so that a webhook that was lost leaves no ticket
// open; and of a source that tells, whether what was approved came to pass. What it answers is accepted as events, like
// those its webhooks bring. The cases are gone through in rounds, a batch each.
func (w *worker) poll(ctx context.Context, conn *connection, now time.Time) error {
	poller, follows, ok := connectors.AsPoller(conn.connector)
	if !ok || conn.doc.Watch.Every < 0 || now.Sub(w.lastPoll) < conn.doc.Watch.Every {
		return nil
	}
	w.lastPoll = now
	after, err := w.g.store.Cursor(ctx, w.name, pollCursor)
	if err != nil {
		return err
	}
	var approved time.Time
	if follows > 0 {
		approved = now.Add(-follows)
	}
	cases, err := w.g.store.Askable(ctx, w.name, after, approved, connectors.ChangeMade, pollBatch)
	if err != nil {
		return err
	}
	next := ""
	if len(cases) == pollBatch {
		next = cases[len(cases)-1].Case.ID
	}
	asked := asking{}
	about := asked.add(conn.connector, cases)
	var found []connectors.Event
	if len(about) > 0 {
		var cause error
		if found, cause = w.ask(ctx, conn, poller, about); cause != nil {
			if err := w.askFailed(ctx, conn, "poll source", cause, now); err != nil {
				return err
			}
		}
	}
	arrivals := asked.arrivals(conn, found, now)
	if len(arrivals) == 0 && next == after {
		return nil
	}
	return w.g.store.InTx(ctx, func(tx *store.Tx) error {
		if err := w.g.published(ctx, tx, w.name); err != nil {
			return err
		}
		if _, err := tx.Accept(ctx, arrivals); err != nil {
			return fmt.Errorf("accept what was polled: %w", err)
		}
		return tx.SetCursor(ctx, w.name, pollCursor, next)
	})
}

// ask polls; a connector that panics costs the round, not the program.
func (w *worker) ask(ctx context.Context, conn *connection, poller connectors.Poller, about []connectors.Decision) (found []connectors.Event, err error) {
	defer func() {
		if r := recover(); r != nil {
			w.log.Error("connector panicked", "panic", r, "stack", string(debug.Stack()))
			found, err = nil, connectors.Permanently("the connector failed inside; see the log")
		}
	}()
	callCtx, cancel := context.WithTimeout(ctx, conn.doc.Delivery.Timeout)
	defer cancel()
	return poller.Poll(callCtx, about)
}

// asking are the cases a source is asked about, by RequestId.
type asking map[string]store.Askable

// add returns what to ask about cases; a sample's is none of the source's.
func (a asking) add(c connectors.Connector, cases []store.Askable) []connectors.Decision {
	var about []connectors.Decision
	for _, one := range cases {
		var opening connectors.Event
		if one.Test || json.Unmarshal(one.Opening, &opening) != nil {
			continue
		}
		d := connectors.Decision{
			Kind: one.Case.Kind, Tenant: one.Case.Tenant, RequestID: one.Case.RequestID, IDs: decisionIDs(c, opening.Data),
			Outcome: connectors.Pending, At: one.Case.OpenedAt,
		}
		if one.Decision != nil {
			d.Outcome, d.At = connectors.Outcome(one.Decision.Outcome), one.Decision.At
		}
		a[one.Case.RequestID] = one
		about = append(about, d)
	}
	return about
}

// arrivals are what is stored of what a source answered: nothing about other requests than those asked about. The same
// answer again is the same event until something else is heard of the case.
func (a asking) arrivals(conn *connection, found []connectors.Event, now time.Time) []store.Arrival {
	var arrivals []store.Arrival
	for _, e := range found {
		one, ok := a[e.RequestID]
		if !ok {
			continue
		}
		e.Polled, e.Tenant, e.Parent = true, one.Case.Tenant, ""
		e.Dedupe = strings.Join([]string{"poll", one.Case.ID, one.Latest, e.Kind}, "/")
		normal, err := json.Marshal(e)
		if err != nil {
			continue // nothing that was read from an answer
		}
		if e.Part == nil {
			e.Part = &connectors.Part{Body: normal, ContentType: "application/json"}
		}
		arrivals = append(arrivals, arrivalOf(conn, connectors.Request{Header: http.Header{}, Time: now}, e, normal))
	}
	return arrivals
}

// askFailed learns from a call that only asked.
func (w *worker) askFailed(ctx context.Context, conn *connection, what string, cause error, now time.Time) error {
	w.log.Warn(what, "error", cause)
	e := connectors.AsError(cause)
	n := next{unwell: e.Kind == connectors.Unwell}
	if e.Kind == connectors.Throttled {
		n.waitUntil = now.Add(max(e.RetryAfter, time.Second))
	}
	health, changed := w.learn(conn, n, cause, now)
	if !changed {
		return nil
	}
	return w.keepHealth(ctx, health)
}
