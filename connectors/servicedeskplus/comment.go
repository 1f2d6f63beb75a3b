package servicedeskplus

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/markdown"
)

// noteMark stands before a note's key, in its last paragraph.
const noteMark = "drawbridge-note:"

// Comment adds a note unless it is there already: notes with a key name it in their last paragraph. A note is shown to
// technicians only unless it says otherwise; where the desk answers that it shows an internal one to the requester, the
// call fails.
func (c *connector) Comment(ctx context.Context, ref connectors.Ref, n connectors.Note) error {
	if markdown.Parse(n.Body).Text(0) == "" {
		return connectors.Permanently("comment: the text is empty")
	}
	if n.Key != "" && !keyForm.MatchString(n.Key) {
		return connectors.Permanently("comment: the note's key has other characters than letters, digits, '.', '_' and '-'")
	}
	at, err := path(ref)
	if err != nil {
		return err
	}
	text := markdown.Parse(n.Body).HTML(maxText)
	if n.Key != "" {
		there, err := c.noted(ctx, at, n.Key)
		if err != nil || there {
			return err
		}
		text += "<p>" + noteMark + n.Key + "</p>"
	}
	wrapper, other := "request_note", "note"
	if c.conf.NoteWrapper == other {
		wrapper, other = other, wrapper
	}
	err = c.addNote(ctx, at, wrapper, text, n.Public)
	if said := toldBy(err); (said.code() == codeUnknown || said.code() == codeMissing) && slices.Contains(said.fields(), other) {
		err = c.addNote(ctx, at, other, text, n.Public)
	}
	return err
}

func (c *connector) addNote(ctx context.Context, at, wrapper, text string, public bool) error {
	var answer struct {
		RequestNote *note `json:"request_note"`
		Note        *note `json:"note"`
	}
	body := map[string]any{
		"description": text, "show_to_requester": public, "notify_technician": false, "mark_first_response": false, "add_to_linked_requests": false,
	}
	if _, err := c.call(ctx, "comment", http.MethodPost, at+"/notes", input{wrapper: body}, &answer); err != nil {
		return err
	}
	for _, made := range []*note{answer.RequestNote, answer.Note} {
		if made != nil && made.Shown != nil && *made.Shown && !public {
			return keptNot("comment: the desk shows an internal note to the requester; delete it by hand")
		}
	}
	return nil
}

// noted tells whether we wrote a note with that key. Where notes cannot be listed nobody can tell, and the note is
// written.
func (c *connector) noted(ctx context.Context, at, key string) (bool, error) {
	for _, name := range []string{"notes", "request_notes"} {
		notes, err := parts[note](ctx, c, "read notes", at+"/notes", name)
		if errors.Is(err, connectors.ErrNotFound) {
			return false, nil
		}
		if errors.Is(err, errNoList) && name == "notes" {
			continue
		}
		if err != nil {
			return false, connectors.Unsent(err)
		}
		return slices.ContainsFunc(notes, func(n note) bool {
			return strings.Contains(n.Description, noteMark+key+"<") && (n.CreatedBy == nil || n.CreatedBy.is(c.conf.Account))
		}), nil
	}
	return false, nil
}
