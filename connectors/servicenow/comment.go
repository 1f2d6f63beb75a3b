package servicenow

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/markdown"
)

// maxNote is the most we write at once, in runes.
const maxNote = 4000

// Comment adds a note unless it is there already: notes with a key have it in their last line. A note is a work note,
// which customers do not see, unless it says otherwise; then it is a comment. What the account may not write is dropped
// without a word, so a note with a key is read back.
func (c *connector) Comment(ctx context.Context, ref connectors.Ref, n connectors.Note) error {
	if markdown.Parse(n.Body).Text(0) == "" {
		return connectors.Permanently("comment: the text is empty")
	}
	if n.Key != "" && !keyForm.MatchString(n.Key) {
		return connectors.Permanently("comment: the note's key has other characters than letters, digits, '.', '_' and '-'")
	}
	at, err := c.place(ref)
	if err != nil {
		return err
	}
	field, tail := workNotes, ""
	if n.Public {
		field = comments
	}
	if n.Key != "" {
		tail = "\n\n" + noteMark + n.Key
		if there, err := c.noted(ctx, at, n.Key); err != nil || there {
			return err
		}
	}
	text := harmless(markdown.Parse(n.Body).Text(maxNote-len(tail)-100)) + tail
	if _, err := c.patch(ctx, "comment", at, map[string]string{field: text}); err != nil || n.Key == "" {
		return err
	}
	there, err := c.noted(ctx, at, n.Key)
	if err != nil {
		return connectors.Unconfirmed(err)
	}
	if !there {
		return &connectors.Error{Kind: connectors.Permanent, Sent: true, Err: errors.New("comment: ServiceNow did not keep the note: the account must be able to write " + field)}
	}
	return nil
}

// codeTag makes what follows it HTML in a note.
var codeTag = regexp.MustCompile(`(?i)\[(\s*/?\s*code)`)

// harmless breaks up what would be read as HTML instead of being shown.
func harmless(text string) string { return codeTag.ReplaceAllString(text, "[ $1") }

// noted tells whether we wrote a note with that key.
func (c *connector) noted(ctx context.Context, at place, key string) (bool, error) {
	rows, err := c.all(ctx, listing{
		name: "read notes", table: "sys_journal_field", where: []condition{is("element_id", at.id), in("element", []string{comments, workNotes})},
		fields: []string{sysID, "element_id", "element", "value", sysCreatedBy},
	})
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(rows, func(r record) bool {
		return r["element_id"] == at.id && (r["element"] == comments || r["element"] == workNotes) && c.ours(r) && lastLine(r["value"], noteMark) == key
	}), nil
}

// lastLine is what follows a mark in the last line of a text, empty where the line is not of that form.
func lastLine(text, mark string) string {
	text = strings.TrimSpace(text)
	line := strings.TrimSpace(text[strings.LastIndexByte(text, '\n')+1:])
	if key, ok := strings.CutPrefix(line, mark); ok && keyForm.MatchString(key) {
		return key
	}
	return ""
}
