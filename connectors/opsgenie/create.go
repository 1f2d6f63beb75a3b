package opsgenie

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/markdown"
)

// What the vendor keeps of texts, in characters.
const (
	maxMessage     = 130
	maxDescription = 15000
	maxDetail      = 8000 // of all details together
	maxEntity      = 512
	maxTag         = 50
	maxTags        = 20
)

// Create opens an alert for the team named by the project, with our key as its alias, and waits until it is there. While
// an alert with the alias is open, a second create adds to its count and nothing else.
func (c *connector) Create(ctx context.Context, key string, t connectors.Ticket) (connectors.Ref, error) {
	if err := connectors.KeyFault(key); err != nil {
		return connectors.Ref{}, connectors.Permanently("create alert: %w", err)
	}
	if t.Summary == "" {
		return connectors.Ref{}, connectors.Permanently("create alert: a summary is needed")
	}
	body, err := c.fields(t)
	if err != nil {
		return connectors.Ref{}, fmt.Errorf("create alert: %w", err)
	}
	body["alias"], body["actions"] = key, c.conf.Actions
	if t.Project != "" {
		body["responders"] = []any{map[string]any{"type": "team", "name": markdown.Line(t.Project, 100)}}
	}
	id, err := c.change(ctx, "create alert", http.MethodPost, "alerts", body)
	if err != nil {
		return connectors.Ref{}, err
	}
	if !idForm.MatchString(id) {
		return connectors.Ref{}, connectors.InDoubt("create alert: the outcome names no alert")
	}
	made, err := c.alert(ctx, id)
	if err != nil { // the alert is there all the same
		return ref(id, ""), nil
	}
	if made.Alias != key || !c.ours(made) {
		return connectors.Ref{}, &connectors.Error{Kind: connectors.Permanent, Sent: true, Err: fmt.Errorf(
			"create alert: #%s has another alias or integration; is integration the one the key belongs to?", connectors.Clean(made.Tiny, 20))}
	}
	return made.ref(), nil
}

// priorities are the vendor's, the most urgent first.
var priorities = []string{"P1", "P2", "P3", "P4", "P5"}

// taken are fields that have a place of their own in a snapshot, and are none of a rule's to set.
var taken = []string{
	"action", connectors.AnswerField, connectors.AnswerReason, "acknowledged", "snoozed", "tags", "owner", "message", "description", "alias", "status", "priority",
}

// fields is what a rule gives for an alert, as the vendor takes it. Fields without a place of their own are details.
func (c *connector) fields(t connectors.Ticket) (map[string]any, error) {
	out := map[string]any{}
	if t.Type != "" && t.Type != "alert" {
		return nil, connectors.Permanently("there is no type %q; there is: alert", connectors.Clean(t.Type, 60))
	}
	if t.Summary != "" {
		out["message"] = markdown.Line(t.Summary, maxMessage)
	}
	if text := markdown.Parse(t.Description).Text(maxDescription); text != "" {
		out["description"] = text
	}
	if t.Priority != "" {
		out["priority"] = strings.ToUpper(t.Priority)
		if !slices.Contains(priorities, strings.ToUpper(t.Priority)) {
			return nil, connectors.Permanently("there is no priority %q; there are: %s", connectors.Clean(t.Priority, 60), strings.Join(priorities, ", "))
		}
	}
	var tags []string
	for _, label := range t.Labels {
		if tag := markdown.Line(strings.ReplaceAll(label, ",", " "), maxTag); tag != "" && !slices.Contains(tags, tag) && len(tags) < maxTags {
			tags = append(tags, tag)
		}
	}
	if len(tags) > 0 {
		out["tags"] = tags
	}
	details, left := map[string]string{}, maxDetail
	var faults []error
	for _, id := range slices.Sorted(maps.Keys(t.Fields)) {
		value, err := markdown.Value(t.Fields[id], left-len(id), strconv.FormatBool)
		text, single := value.(string)
		if list, ok := value.([]string); ok {
			text, single = markdown.Lines(strings.Join(list, ", "), left-len(id)), true
		}
		switch {
		case slices.Contains(taken, id):
			faults = append(faults, fmt.Errorf("field %s is not set as a field", id))
		case err != nil || !single:
			faults = append(faults, fmt.Errorf("field %s takes texts, numbers and truth values", connectors.Clean(id, 60)))
		case left-len(id) < 1 || len(id) > 100:
			faults = append(faults, fmt.Errorf("details have %d characters at most, together", maxDetail))
		case id == "entity":
			out["entity"] = markdown.Line(text, maxEntity)
		default:
			details[id] = text
			left -= len([]rune(id)) + len([]rune(text))
		}
	}
	if err := errors.Join(faults...); err != nil {
		return nil, connectors.Permanently("%w", err)
	}
	if len(details) > 0 {
		out["details"] = details
	}
	return out, nil
}

// Update changes the fields given, each by a call of its own. Labels and details are added to those there are.
func (c *connector) Update(ctx context.Context, ref connectors.Ref, t connectors.Ticket) error {
	id, err := handle(ref)
	if err != nil {
		return err
	}
	fields, err := c.fields(t)
	if err != nil {
		return fmt.Errorf("update alert: %w", err)
	}
	if fields["entity"] != nil {
		return connectors.Permanently("update alert: an entity cannot be changed")
	}
	for _, one := range []struct{ field, method string }{
		{"message", http.MethodPut}, {"description", http.MethodPut}, {"priority", http.MethodPut}, {"tags", http.MethodPost}, {"details", http.MethodPost},
	} {
		value, ok := fields[one.field]
		if !ok {
			continue
		}
		path := "alerts/" + id + "/" + one.field + "?identifierType=id"
		if _, err := c.change(ctx, "update alert: "+one.field, one.method, path, map[string]any{one.field: value}); err != nil {
			return err
		}
	}
	return nil
}

// noteMark is before a note's key, in its last line.
const noteMark = "drawbridge-note:"

// Comment adds a note unless it is there already: notes with a key have it in their last line. All who see the alert see
// its notes; there are none for others, so a public one is refused.
func (c *connector) Comment(ctx context.Context, ref connectors.Ref, n connectors.Note) error {
	if n.Public {
		return connectors.Permanently("comment: alerts have no public notes")
	}
	shown := markdown.Parse(n.Body)
	if shown.Text(0) == "" {
		return connectors.Permanently("comment: the text is empty")
	}
	if n.Key != "" && connectors.KeyFault(n.Key) != nil {
		return connectors.Permanently("comment: the note's key has other characters than letters, digits, '.', '_' and '-', or is too long")
	}
	id, err := handle(ref)
	if err != nil {
		return err
	}
	tail := ""
	if n.Key != "" {
		tail = "\n\n" + noteMark + n.Key
		there, err := all[note](ctx, c, "read notes", id, "notes")
		if err != nil {
			return err
		}
		if slices.ContainsFunc(there, func(one note) bool {
			return c.account(one.Owner).Ours && connectors.LastLine(one.Text, noteMark) == n.Key
		}) {
			return nil
		}
	}
	_, err = c.change(ctx, "comment", http.MethodPost, "alerts/"+id+"/notes?identifierType=id", map[string]any{"note": shown.Text(c.conf.NoteLimit-len(tail)) + tail})
	return err
}

// Transition brings an alert to open, acknowledged or closed. A closed alert is closed for good.
func (c *connector) Transition(ctx context.Context, ref connectors.Ref, m connectors.Move) error {
	id, err := handle(ref)
	if err != nil {
		return err
	}
	to, wanted := strings.ToLower(m.Status), connectors.Clean(m.Status, 100)
	call, ok := map[string]string{open: "unacknowledge", acknowledged: "acknowledge", closed: "close"}[to]
	if !ok {
		return connectors.Permanently("transition: there is no status %q; there are: %s", wanted, strings.Join(statuses, ", "))
	}
	if err := c.Update(ctx, ref, connectors.Ticket{Fields: m.Fields}); err != nil {
		return err
	}
	there, err := c.alert(ctx, id)
	if err != nil {
		return err
	}
	if there.standing() != to {
		if there.standing() == closed {
			return connectors.Permanently("transition to %q: the alert is closed, and none is opened again", wanted)
		}
		if _, err := c.change(ctx, "transition", http.MethodPost, "alerts/"+id+"/"+call+"?identifierType=id", map[string]any{}); err != nil {
			return err
		}
	}
	if m.Note == nil {
		return nil
	}
	return c.Comment(ctx, ref, *m.Note)
}
