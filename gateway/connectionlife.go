package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/store"
)

// States of a Connection document.
const (
	connectionActive   = "active"
	connectionPaused   = "paused"
	connectionDisabled = "disabled"
)

// ConnectionView is a connection and how it is doing.
type ConnectionView struct {
	Name       string    `json:"name"`
	Connector  string    `json:"connector"`
	State      string    `json:"state"`
	Tenant     string    `json:"tenant,omitempty"`
	Fault      string    `json:"fault,omitempty"` // why its document cannot be used
	Health     string    `json:"health"`          // well, unwell
	Reason     string    `json:"reason,omitempty"`
	Since      time.Time `json:"since,omitzero"`
	Pending    int64     `json:"pending"`
	Running    int64     `json:"running"`
	Dead       int64     `json:"dead"`
	Quarantine int64     `json:"quarantine"`
	Unplanned  int64     `json:"unplanned"`
	Unrouted   int64     `json:"unrouted"` // events it sent that no rule wanted; they are kept
	Can        []string  `json:"can,omitempty"`
	Unverified []string  `json:"unverified,omitempty"` // settings in use that rest on no documented fact

	Credentials []CredentialView `json:"credentials,omitempty"` // what its sender may prove itself with, and when it last did
}

// ConnectionList is what Connections answers.
type ConnectionList struct {
	Connections []ConnectionView `json:"connections"`
}

// Connections lists the connections that are published, by name.
func (g *Gateway) Connections(ctx context.Context) (ConnectionList, error) {
	list := ConnectionList{Connections: []ConnectionView{}}
	work, err := g.store.Workloads(ctx)
	if err != nil {
		return list, err
	}
	healths, err := g.store.Healths(ctx)
	if err != nil {
		return list, err
	}
	c := g.catalogue()
	for _, name := range sortedKeys(c.connections) {
		conn := c.connections[name]
		v := conn.view(work[name], healths)
		if conn.verifier != nil {
			if v.Credentials, err = g.credentialsOf(ctx, conn); err != nil {
				return list, err
			}
		}
		list.Connections = append(list.Connections, v)
	}
	return list, nil
}

// Connection is one of the list.
func (g *Gateway) Connection(ctx context.Context, name string) (ConnectionView, error) {
	list, err := g.Connections(ctx)
	if err != nil {
		return ConnectionView{}, err
	}
	at := slices.IndexFunc(list.Connections, func(v ConnectionView) bool { return v.Name == name })
	if at < 0 {
		return ConnectionView{}, g.noConnection(name)
	}
	return list.Connections[at], nil
}

func (c *connection) view(w store.Workload, healths []store.Health) ConnectionView {
	v := ConnectionView{
		Name: c.doc.Name, Connector: c.doc.Connector, State: c.doc.State, Tenant: c.doc.Tenant, Health: healthWell,
		Pending: w.Pending, Running: w.Running, Dead: w.Dead, Quarantine: w.Quarantine, Unplanned: w.Unplanned, Unrouted: w.Unrouted,
	}
	if at := slices.IndexFunc(healths, func(h store.Health) bool { return h.Connection == v.Name }); at >= 0 {
		v.Health, v.Reason, v.Since = healths[at].State, healths[at].Reason, healths[at].Since
	}
	if c.fault != nil {
		v.Fault = c.fault.Error()
		return v
	}
	v.Can, v.Unverified = connectors.Capabilities(c.connector), connectors.Unverified(c.connector)
	return v
}

// SetConnectionState publishes a connection with another state: active, paused (events are accepted and wait) or disabled
// (events are refused). changed is false where it was in that state already.
func (g *Gateway) SetConnectionState(ctx context.Context, name, state, who, why string) (changed bool, err error) {
	if !slices.Contains([]string{connectionActive, connectionPaused, connectionDisabled}, state) {
		return false, &Refusal{Status: http.StatusBadRequest, Text: "the state is active, paused or disabled"}
	}
	now := g.now()
	err = g.store.InTx(ctx, func(tx *store.Tx) error {
		changed = false
		d, err := g.connectionDocument(ctx, tx, name)
		if err != nil {
			return err
		}
		was, text, err := withState(d.Text, state)
		if err != nil {
			return &Refusal{Status: http.StatusConflict, Text: fmt.Sprintf("the document of %s cannot be edited by program: %v; set its state and apply it", name, err), Cause: err}
		}
		if was == state {
			return nil
		}
		changed = true
		if err := publish(ctx, tx, Edit{Kind: kindConnection, Name: name, Version: d.Version, After: text}, who, why, now); err != nil {
			return err
		}
		return tx.Record(ctx, store.Entry{At: now, Kind: "connection." + state, Subject: name, Content: map[string]any{"was": was, "who": who, "why": why}})
	})
	if err != nil || !changed {
		return changed, err
	}
	return true, g.reload(ctx)
}

// connectionDocument reads the document of a connection that is published.
func (g *Gateway) connectionDocument(ctx context.Context, q documentReader, name string) (store.Document, error) {
	d, err := q.Document(ctx, kindConnection, name, 0)
	if errors.Is(err, store.ErrNotFound) || (err == nil && d.Deleted) {
		return d, g.noConnection(name)
	}
	return d, err
}

// withState is the text of a Connection document with another state, and the state it had. Everything else stays as its
// author wrote it, comments too.
func withState(text, state string) (was, changed string, err error) {
	keys, err := topLevel(text)
	if err != nil {
		return "", "", err
	}
	lines := strings.SplitAfter(text, "\n")
	if at := slices.IndexFunc(keys, func(v *ast.MappingValueNode) bool { return v.Key.String() == "state" }); at >= 0 {
		token := keys[at].Value.GetToken()
		was = token.Value
		line, from := token.Position.Line-1, token.Position.Column-1
		runes := []rune(lines[line])
		length := len([]rune(strings.TrimSpace(token.Origin)))
		lines[line] = string(runes[:from]) + state + string(runes[from+length:])
	} else {
		was = connectionActive
		at := slices.IndexFunc(keys, func(v *ast.MappingValueNode) bool { return v.Key.String() == "connector" })
		if at < 0 {
			return "", "", errors.New("it names no connector")
		}
		line := keys[at].Value.GetToken().Position.Line - 1
		if !strings.HasSuffix(lines[line], "\n") {
			lines[line] += "\n"
		}
		lines = slices.Insert(lines, line+1, "state: "+state+"\n")
	}
	changed = strings.Join(lines, "")
	again, err := topLevel(changed)
	if err != nil || !slices.ContainsFunc(again, func(v *ast.MappingValueNode) bool {
		return v.Key.String() == "state" && v.Value.GetToken().Value == state
	}) {
		return "", "", errors.New("it is laid out in an unusual way")
	}
	return was, changed, nil
}

// topLevel returns the members of a document that is a mapping.
func topLevel(text string) ([]*ast.MappingValueNode, error) {
	file, err := parser.ParseBytes([]byte(text), 0)
	if err != nil || len(file.Docs) != 1 {
		return nil, errors.New("it cannot be read")
	}
	m, ok := file.Docs[0].Body.(*ast.MappingNode)
	if !ok || m.IsFlowStyle {
		return nil, errors.New("it is no mapping with a line for each key")
	}
	return m.Values, nil
}

// QueueOf counts what is pending and what is dead at a connection, which need not be published any more.
func (g *Gateway) QueueOf(ctx context.Context, name string) (pending, dead int64, err error) {
	all, err := g.store.Workloads(ctx)
	if err != nil {
		return 0, 0, err
	}
	w, known := all[name]
	if !known && g.catalogue().connections[name] == nil {
		return 0, 0, g.noConnection(name)
	}
	return w.Pending, w.Dead, nil
}

// Cleared says what clearing a queue gave up.
type Cleared struct {
	Canceled int   `json:"canceled"`
	Running  int64 `json:"running"` // under way, left to end
}

const cancelBatch = 100

// ClearQueue gives up everything that is pending or dead at a connection. expect is how many the caller was shown, and
// is refused where there are more by now; negative is any number.
func (g *Gateway) ClearQueue(ctx context.Context, name string, expect int64, who, why string) (Cleared, error) {
	var out Cleared
	all, err := g.store.Workloads(ctx)
	if err != nil {
		return out, err
	}
	w, known := all[name]
	if !known && g.catalogue().connections[name] == nil {
		return out, g.noConnection(name)
	}
	if expect >= 0 && w.Pending+w.Dead > expect {
		return out, &Refusal{Status: http.StatusConflict, Text: fmt.Sprintf("there are %d pending and %d dead deliveries by now; %d were to be given up", w.Pending, w.Dead, expect)}
	}
	out.Running = w.Running
	now := g.now()
	if err := g.store.InTx(ctx, func(tx *store.Tx) error {
		return tx.Record(ctx, store.Entry{At: now, Kind: "queue.cleared", Subject: name, Content: map[string]any{"pending": w.Pending, "dead": w.Dead, "who": who, "why": why}})
	}); err != nil {
		return out, err
	}
	for out.Canceled < int(w.Pending+w.Dead) {
		n, err := g.cancelSome(ctx, name, who, why)
		out.Canceled += n
		if err != nil || n == 0 {
			return out, err
		}
	}
	return out, nil
}

// cancelSome gives up a batch of a connection's deliveries.
func (g *Gateway) cancelSome(ctx context.Context, name, who, why string) (n int, err error) {
	err = g.store.InTx(ctx, func(tx *store.Tx) error {
		n = 0
		ids, err := tx.Queue(ctx, name, cancelBatch)
		if err != nil {
			return err
		}
		for _, id := range ids {
			err := g.cancelDelivery(ctx, tx, id, who, why)
			if errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrNotFound) {
				continue // a worker was faster
			}
			if err != nil {
				return err
			}
			n++
		}
		return nil
	})
	return n, err
}

// cancelDelivery gives up one delivery that is pending or dead.
func (g *Gateway) cancelDelivery(ctx context.Context, tx *store.Tx, id, who, why string) error {
	now := g.now()
	d, err := tx.Delivery(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("no delivery has the id %s: %w", id, err)
	}
	if err != nil {
		return err
	}
	if err := tx.Cancel(ctx, id, now); err != nil {
		return fmt.Errorf("cancel delivery %s, which is %s: %w", id, d.State, err)
	}
	if d.DecisionID != "" && connectors.ActionKind(d.Kind) == connectors.Decide {
		if err := tx.SetDecisionState(ctx, d.DecisionID, decisionRefused, d.ID); err != nil {
			return err
		}
	}
	return tx.Record(ctx, store.Entry{At: now, CaseID: d.CaseID, Kind: "delivery.canceled", Subject: d.Connection,
		Content: map[string]any{"delivery": id, "action": d.Kind, "who": who, "why": why}})
}
