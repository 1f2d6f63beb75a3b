package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/store"
)

// Deletion is what deleting a connection takes. Its cases, deliveries, documents and record stay readable.
type Deletion struct {
	Name  string   `json:"name"`
	Cases int      `json:"cases"` // not closed, its own or with a ticket there; countedCases and more are countedCases
	Rules []string `json:"rules"` // that receive from it or act there
}

const countedCases = 1000

// DeletionOf tells what deleting a connection would take.
func (g *Gateway) DeletionOf(ctx context.Context, name string) (Deletion, error) {
	if _, err := g.connectionDocument(ctx, g.store.Queries, name); err != nil {
		return Deletion{}, err
	}
	cases, err := g.store.UnfinishedCases(ctx, name, countedCases)
	return Deletion{Name: name, Cases: len(cases), Rules: g.catalogue().rulesUsing(name)}, err
}

// rulesUsing names the rules that receive from a connection or act there, sorted.
func (c *catalogue) rulesUsing(name string) []string {
	using := []string{}
	for source, rules := range c.rules {
		for _, r := range rules {
			if at, _, _ := r.target(); source == name || at == name {
				using = append(using, r.Rule().Name)
			}
		}
	}
	slices.Sort(using)
	return using
}

// Deleting says what may go with a connection.
type Deleting struct {
	Cancel bool // cases that are not closed end without a decision
	Rules  bool // rules that use it are deleted as well
}

// DeleteConnection deletes a connection. It is refused while cases are not closed or rules use it, unless these may go
// too. What is owed to it is given up, and its sender's tokens and made secrets end with it.
func (g *Gateway) DeleteConnection(ctx context.Context, name string, may Deleting, who, why string) (Deletion, error) {
	if err := g.reload(ctx); err != nil {
		return Deletion{}, err
	}
	d, err := g.DeletionOf(ctx, name)
	if err != nil {
		return d, err
	}
	var reasons []string
	if d.Cases > 0 && !may.Cancel {
		reasons = append(reasons, fmt.Sprintf("cases that are not closed have to do with it (%s): let them end, or cancel them with it", atLeast(d.Cases)))
	}
	if len(d.Rules) > 0 && !may.Rules {
		reasons = append(reasons, fmt.Sprintf("rules use it (%s): change them, or delete them with it", strings.Join(d.Rules, ", ")))
	}
	if len(reasons) > 0 {
		return d, &Refusal{Status: http.StatusConflict, Text: name + " is not deleted: " + strings.Join(reasons, "; ")}
	}
	// Nothing new comes in while the old is ended.
	if _, err := g.SetConnectionState(ctx, name, connectionDisabled, who, why); err != nil {
		if _, refused := errors.AsType[*Refusal](err); !refused {
			return d, err
		}
	}
	if err := g.cancelCases(ctx, name, who, why); err != nil {
		return d, err
	}
	if _, err := g.ClearQueue(ctx, name, -1, who, why); err != nil {
		return d, err
	}
	now := g.now()
	err = g.store.InTx(ctx, func(tx *store.Tx) error {
		doc, err := g.connectionDocument(ctx, tx, name)
		if err != nil {
			return err
		}
		for _, rule := range d.Rules {
			if err := g.deleteDocument(ctx, tx, kindRule, rule, who, why, now); err != nil {
				return err
			}
		}
		if err := g.deleteDocument(ctx, tx, doc.Kind, name, who, why, now); err != nil {
			return err
		}
		if err := forgetSecrets(ctx, tx, name, now); err != nil {
			return err
		}
		left, err := tx.UnfinishedCases(ctx, name, 1)
		if err != nil {
			return err
		}
		if len(left) > 0 {
			return &Refusal{Status: http.StatusConflict, Text: name + " is not deleted: a request came in meanwhile; it is disabled now, so try again"}
		}
		return g.endNotices(ctx, tx, name, now)
	})
	if err != nil {
		return d, err
	}
	return d, g.reload(ctx)
}

// errGone answers a request of a connection that is not published.
var errGone = &Refusal{Status: http.StatusNotFound, Text: "there is no such connection"}

// published fails with errGone where one of the connections is no longer published, whatever the caller has seen of it,
// and keeps them published until the transaction ends.
func (g *Gateway) published(ctx context.Context, tx *store.Tx, names ...string) error {
	version, err := tx.HoldCatalogue(ctx)
	if err != nil {
		return err
	}
	c := g.catalogue()
	for _, name := range names {
		if c.version == version {
			if c.connections[name] == nil {
				return errGone
			}
			continue
		}
		d, err := tx.Document(ctx, kindConnection, name, 0)
		if errors.Is(err, store.ErrNotFound) || err == nil && d.Deleted {
			return errGone
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func atLeast(n int) string {
	if n >= countedCases {
		return fmt.Sprintf("%d or more", countedCases)
	}
	return fmt.Sprint(n)
}

// deleteDocument puts a deletion on top of a document's versions, which stay.
func (g *Gateway) deleteDocument(ctx context.Context, tx *store.Tx, kind, name, who, why string, now time.Time) error {
	d, err := tx.Document(ctx, kind, name, 0)
	if err != nil {
		return err
	}
	if d.Deleted {
		return nil
	}
	d.Deleted, d.Author, d.Why, d.At = true, who, why, now
	if d, err = tx.PutDocument(ctx, d); err != nil {
		return fmt.Errorf("delete %s %s: %w", kind, name, err)
	}
	tx.Wake(wakeDocuments)
	tx.Wake(wakePlan)
	return tx.Record(ctx, store.Entry{At: now, Kind: "document.deleted", Subject: kind + "/" + name, Content: map[string]any{"version": d.Version, "author": who, "why": why}})
}

// endNotices closes what was to be looked at of a connection that is gone.
func (g *Gateway) endNotices(ctx context.Context, tx *store.Tx, name string, now time.Time) error {
	open, err := tx.Notices(ctx, false, noticeLimit)
	if err != nil {
		return err
	}
	for _, n := range open {
		if n.Kind == noticeShape && strings.HasPrefix(n.Subject, name+"/") {
			if _, err := tx.EndNotice(ctx, n.Kind, n.Subject, now); err != nil {
				return err
			}
		}
	}
	return nil
}

// cancelCases ends every case that has to do with a connection.
func (g *Gateway) cancelCases(ctx context.Context, name, who, why string) error {
	for {
		ids, err := g.store.UnfinishedCases(ctx, name, cancelBatch)
		if err != nil || len(ids) == 0 {
			return err
		}
		for _, id := range ids {
			if err := g.store.InTx(ctx, func(tx *store.Tx) error { return g.cancelCase(ctx, tx, id, name, who, why) }); err != nil {
				return fmt.Errorf("cancel case %s: %w", id, err)
			}
		}
	}
}

// cancelCase ends a case without a decision: nothing more is done for it, but that its tickets elsewhere are told.
func (g *Gateway) cancelCase(ctx context.Context, tx *store.Tx, id, gone, who, why string) error {
	now := g.now()
	c, err := tx.LockCase(ctx, id)
	if err != nil {
		return err
	}
	owed, err := tx.DeliveriesOfCase(ctx, id)
	if err != nil {
		return err
	}
	for _, d := range slices.Backward(owed) {
		if d.Mode == modeLive && (d.State == statePending || d.State == stateDead) {
			if err := g.cancelDelivery(ctx, tx, d.ID, who, why); err != nil {
				return err
			}
		}
	}
	c.State, c.UpdatedAt = caseClosed, now
	if err := tx.SaveCase(ctx, c); err != nil {
		return err
	}
	if err := tx.DropTimers(ctx, id); err != nil {
		return err
	}
	if err := tx.Record(ctx, store.Entry{At: now, CaseID: id, Kind: "case.canceled", Subject: gone, Content: map[string]any{"who": who, "why": why}}); err != nil {
		return err
	}
	return g.tellCanceled(ctx, tx, c, gone)
}

func (g *Gateway) tellCanceled(ctx context.Context, tx *store.Tx, c store.Case, gone string) error {
	links, err := tx.LinksOfCase(ctx, c.ID)
	if err != nil {
		return err
	}
	in := planInput{caze: c, source: c.Connection, opened: map[string]*rule{}}
	var p plan
	for _, l := range live(links) {
		if l.Desk == gone || l.RefID == "" {
			continue
		}
		if in.opened[l.ID], err = g.ruleAt(ctx, tx, l.Rule, l.RuleVersion); err != nil {
			return err
		}
		in.eventID = l.Opening
		p.settle(in, l, string(connectors.Expired), fmt.Sprintf("The connection to %s was removed, and this request with it. A decision made on this ticket has no effect any more.", gone))
	}
	for _, d := range p.deliveries {
		if err := g.addDelivery(ctx, tx, d); err != nil {
			return err
		}
	}
	return nil
}
