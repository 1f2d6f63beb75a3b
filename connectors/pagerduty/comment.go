package pagerduty

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/markdown"
)

// noteMark is before a note's key, in its last line.
const noteMark = "drawbridge-note:"

// Comment adds a note unless it is there already: notes with a key have it in their last line. All who see the incident
// see its notes; PagerDuty has none for others, so a public one is refused.
func (c *connector) Comment(ctx context.Context, ref connectors.Ref, n connectors.Note) error {
	if n.Public {
		return connectors.Permanently("comment: PagerDuty has no public notes")
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
		me, err := c.account(ctx)
		if err != nil {
			return connectors.Beside(err)
		}
		there, err := c.notes(ctx, id)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(there, func(one note) bool {
			return one.User.ID == me.ID && connectors.LastLine(one.Content, noteMark) == n.Key
		}) {
			return nil
		}
	}
	var answer struct{ Note note }
	content := shown.Text(c.conf.NoteLimit-len(tail)) + tail
	body := map[string]any{"note": map[string]any{"content": content}}
	if err := c.write(ctx, "comment", http.MethodPost, "incidents/"+id+"/notes", body, &answer); err != nil {
		return err
	}
	if answer.Note.ID == "" {
		return connectors.InDoubt("comment: the answer names no note")
	}
	return nil
}

// notes reads all notes of an incident, oldest first. They come in one piece.
func (c *connector) notes(ctx context.Context, id string) ([]note, error) {
	var answer struct {
		Notes []note          `json:"notes"`
		More  json.RawMessage `json:"more"`
	}
	if _, err := c.read(ctx, "read notes", "incidents/"+id+"/notes", &answer); err != nil {
		return nil, err
	}
	if answer.Notes == nil || string(answer.More) == "true" {
		return nil, connectors.Temporarily("read notes: the answer is not all of them")
	}
	for _, n := range answer.Notes {
		if n.ID == "" || n.Created.IsZero() {
			return nil, connectors.Temporarily("read notes: one has no id or time")
		}
	}
	slices.SortStableFunc(answer.Notes, func(a, b note) int { return a.Created.Compare(b.Created) })
	return answer.Notes, nil
}
