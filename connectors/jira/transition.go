package jira

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Transition brings a ticket to a status by the transition that leads there: names of transitions differ between
// workflows and are translated. A note follows as a comment of its own, so that at a service desk it stays internal;
// it goes along only where the screen demands one.
func (c *connector) Transition(ctx context.Context, ref connectors.Ref, m connectors.Move) error {
	there, err := c.inStatus(ctx, ref, m.Status)
	if err != nil {
		return connectors.Unsent(err)
	}
	noted := false
	if !there {
		t, err := c.transitionTo(ctx, ref, m)
		if err != nil {
			return connectors.Unsent(err)
		}
		if noted, err = c.transit(ctx, ref, t, m); err != nil {
			return err
		}
	}
	if m.Note == nil || noted {
		return nil
	}
	return c.Comment(ctx, ref, *m.Note)
}

func (s status) is(nameOrID string) bool {
	return s.ID == nameOrID || strings.EqualFold(s.Name, nameOrID)
}

func (c *connector) inStatus(ctx context.Context, ref connectors.Ref, wanted string) (bool, error) {
	if wanted == "" {
		return false, connectors.Permanently("transition: no status is given")
	}
	path, err := c.issue(ref, "?fields=status")
	if err != nil {
		return false, err
	}
	var i issue
	if err := c.get(ctx, "read issue", path, &i); err != nil {
		return false, err
	}
	var s status
	i.field("status", &s)
	return s.is(wanted), nil
}

// transitionTo chooses the transition: of several, the first whose screen has the fields of the move.
func (c *connector) transitionTo(ctx context.Context, ref connectors.Ref, m connectors.Move) (transition, error) {
	path, err := c.issue(ref, "/transitions?expand=transitions.fields")
	if err != nil {
		return transition{}, err
	}
	var list struct {
		Transitions []transition `json:"transitions"`
	}
	if err := c.get(ctx, "read transitions", path, &list); err != nil {
		return transition{}, err
	}
	var reachable []string
	var fault error
	for _, t := range list.Transitions {
		if !t.To.is(m.Status) {
			reachable = append(reachable, t.To.Name)
			continue
		}
		if err := c.offers(t, m); err != nil {
			fault = err
			continue
		}
		return t, nil
	}
	if fault != nil {
		return transition{}, fault
	}
	slices.Sort(reachable)
	return transition{}, connectors.Permanently("transition: no way leads from here to status %q; reachable are: %s",
		connectors.Clean(m.Status, 100), connectors.Clean(strings.Join(slices.Compact(reachable), ", "), 400))
}

// offers tells what a screen lacks of the move's fields, or demands beyond them.
func (c *connector) offers(t transition, m connectors.Move) error {
	for _, id := range slices.Sorted(maps.Keys(m.Fields)) {
		if _, ok := t.Fields[id]; !ok {
			return connectors.Permanently("transition to %q: field %s is not on its screen", t.To.Name, id)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(t.Fields)) {
		f := t.Fields[id]
		_, given := m.Fields[id]
		_, known := c.resolution(f, id)
		if !f.Required || f.HasDefault || given || known || id == "comment" && m.Note != nil {
			continue
		}
		return connectors.Permanently("transition to %q: its screen demands %s (%s), which the rule does not set", t.To.Name, f.Name, id)
	}
	return nil
}

// resolution is what a screen's resolution is set to where the move does not say: the one configured, or else the
// first allowed where one is demanded.
func (c *connector) resolution(f fieldMeta, id string) (map[string]string, bool) {
	if id != "resolution" {
		return nil, false
	}
	if c.conf.Resolution != "" {
		return named(c.conf.Resolution), true
	}
	if !f.Required || f.HasDefault || len(f.Allowed) == 0 {
		return nil, false
	}
	name := choiceName(f.Allowed[0])
	return named(name), name != ""
}

// transit performs the transition and tells whether the move's note went along.
func (c *connector) transit(ctx context.Context, ref connectors.Ref, t transition, m connectors.Move) (noted bool, err error) {
	fields := map[string]any{}
	for id, f := range t.Fields {
		if value, ok := m.Fields[id]; ok {
			fields[id] = c.value(f.Schema, value)
		} else if value, ok := c.resolution(f, id); ok {
			fields[id] = value
		}
	}
	body := map[string]any{"transition": map[string]string{"id": t.ID}}
	if len(fields) > 0 {
		body["fields"] = fields
	}
	if t.Fields["comment"].Required && m.Note != nil {
		desk, err := c.atDesk(ctx, ref)
		if err != nil {
			return false, connectors.Unsent(err)
		}
		body["update"] = map[string]any{"comment": []any{map[string]any{"add": c.commentBody(*m.Note, desk && !m.Note.Public)}}}
		noted = true
	}
	path, err := c.issue(ref, "/transitions")
	if err != nil {
		return false, err
	}
	name := fmt.Sprintf("transition to %q", connectors.Clean(t.To.Name, 100))
	return noted, c.call(ctx, name, http.MethodPost, path, body, nil)
}
