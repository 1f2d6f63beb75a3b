package opsgenie

import (
	"context"
	"regexp"
	"slices"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Fetch reads an alert with its whole log and its notes. They take several calls; an alert whose log does not lead to the
// status it has is read once more.
func (c *connector) Fetch(ctx context.Context, ref connectors.Ref) (connectors.Snapshot, error) {
	id, err := handle(ref)
	if err != nil {
		return connectors.Snapshot{}, err
	}
	var a alert
	var log []line
	var notes []note
	var steps []connectors.Step
	for range 2 {
		if a, err = c.alert(ctx, id); err != nil {
			return connectors.Snapshot{}, err
		}
		if log, err = all[line](ctx, c, "read log", id, "logs"); err != nil {
			return connectors.Snapshot{}, err
		}
		if notes, err = all[note](ctx, c, "read notes", id, "notes"); err != nil {
			return connectors.Snapshot{}, err
		}
		var end string
		if steps, end = c.moves(log); end == a.standing() {
			break
		}
	}
	out := connectors.Snapshot{
		Ref: a.ref(), Status: a.standing(), Category: a.Status, Summary: a.Message, Description: a.Description, Priority: a.Priority,
		Ours: c.ours(a), Created: a.Created.UTC(), Updated: a.Updated.UTC(), Fields: a.fields(),
	}
	out.Creator = connectors.Account{Person: connectors.Person{Account: a.Integration.ID, Name: a.Integration.Name}, Ours: out.Ours, Automation: true}
	if out.Ours && connectors.KeyFault(a.Alias) == nil {
		out.Key = a.Alias
	}
	executed, action, _ := connectors.Words(c.conf.Actions).Steps(c.executed(log))
	for i := range executed {
		executed[i].Field = actionField
	}
	answered, answer, reason := connectors.Words(c.conf.Answers).Steps(c.said(notes))
	out.Fields[actionField], out.Fields[connectors.AnswerField], out.Fields[connectors.AnswerReason] = action, answer, reason
	out.History = slices.Concat(steps, executed, answered)
	slices.SortStableFunc(out.History, func(a, b connectors.Step) int { return a.At.Compare(b.At) })
	return out, nil
}

// actionField is the field the last custom action is told as.
const actionField = "action"

// fields are an alert's fields in the form rules compare with: details by name, where the name is free.
func (a alert) fields() map[string]any {
	out := map[string]any{"acknowledged": a.Acknowledged, "snoozed": a.Snoozed, "owner": a.Owner, "entity": a.Entity}
	tags := []any{}
	for _, tag := range a.Tags {
		tags = append(tags, tag)
	}
	out["tags"] = tags
	for name, value := range a.Details {
		if out[name] == nil && !slices.Contains(taken, name) {
			out[name] = value
		}
	}
	return out
}

// moved is how the log tells of a move.
var moved = regexp.MustCompile(`^(?i:alert (acknowledged|unacknowledged|closed|reopened) via \[?([a-z]{1,20})\]?)(?: |$)`)

// moves are the steps of the status, and where they lead.
func (c *connector) moves(log []line) (steps []connectors.Step, end string) {
	end = open
	for _, l := range log {
		m := moved.FindStringSubmatch(l.Text)
		if m == nil {
			continue
		}
		to := map[string]string{"acknowledged": acknowledged, "closed": closed}[strings.ToLower(m[1])]
		if to == "" {
			to = open
		}
		if to != end {
			steps = append(steps, connectors.Step{ID: "log/" + l.Offset, At: l.At.UTC(), By: c.by(l, m[2]), Field: "status", From: end, To: to})
		}
		end = to
	}
	return steps, end
}

// by is who did what a line says. What did not come through a channel of people is nobody's own doing, and what names no
// user is an automation's.
func (c *connector) by(l line, via string) connectors.Account {
	who := c.account(l.Owner)
	who.Automation = who.Automation || !slices.Contains(c.conf.PeopleVia, strings.ToLower(via))
	return who
}

// executed is everything the log tells of custom actions.
func (c *connector) executed(log []line) []connectors.Said {
	var out []connectors.Said
	for _, l := range log {
		if m := c.action.FindStringSubmatch(l.Text); m != nil {
			who := c.by(l, m[c.action.SubexpIndex("via")])
			out = append(out, connectors.Said{ID: "log/" + l.Offset, At: l.At.UTC(), By: who, Lines: connectors.Lines(m[c.action.SubexpIndex("action")])})
		}
	}
	return out
}

// said is everything that notes say, oldest first.
func (c *connector) said(notes []note) []connectors.Said {
	var out []connectors.Said
	for _, n := range notes {
		out = append(out, connectors.Said{ID: "note/" + n.Offset, At: n.At.UTC(), By: c.account(n.Owner), Lines: connectors.Lines(n.Text)})
	}
	return out
}
