package redmine

import (
	"context"
	"errors"
	"slices"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/markdown"
)

// Comment adds a note unless it is there already: notes with a key have it in their last line. A note is private unless
// it says otherwise. Where the account may not write private ones Redmine would make it public; then it is not written.
func (c *connector) Comment(ctx context.Context, ref connectors.Ref, n connectors.Note) error {
	if markdown.Parse(n.Body).Text(0) == "" {
		return connectors.Permanently("comment: the text is empty")
	}
	if n.Key != "" && !keyForm.MatchString(n.Key) {
		return connectors.Permanently("comment: the note's key has other characters than letters, digits, '.', '_' and '-'")
	}
	id, err := handle(ref)
	if err != nil {
		return err
	}
	me, _, err := c.signIn(ctx)
	if err != nil {
		return err
	}
	i, err := c.issue(ctx, id, "journals")
	if err != nil {
		return err
	}
	tail := ""
	if n.Key != "" {
		tail = noteMark + n.Key
		if noted(i, me, n.Key) {
			return nil
		}
	}
	needed := []string{"add_issue_notes"}
	if !n.Public {
		needed = append(needed, "set_notes_private")
	}
	may, err := c.permissions(ctx, me, i.Project.ID)
	if err != nil {
		return err
	}
	if lacking := may.lacking(needed...); len(lacking) > 0 {
		return connectors.Permanently("comment: the account lacks the permission %s in project %s", lacking[0], i.Project.Name)
	}
	body := map[string]any{"notes": rendered(n.Body, tail)}
	if !n.Public {
		body["private_notes"] = true
	}
	if err := c.put(ctx, "comment", id, body); err != nil {
		return err
	}
	if n.Key == "" {
		return nil
	}
	if i, err = c.issue(ctx, id, "journals"); err != nil {
		return connectors.Unconfirmed(err)
	}
	if !noted(i, me, n.Key) {
		return &connectors.Error{Kind: connectors.Permanent, Sent: true, Err: errors.New("comment: Redmine did not keep the note")}
	}
	return nil
}

// noted tells whether we wrote a note with that key.
func noted(i issue, me user, key string) bool {
	return slices.ContainsFunc(i.Journals, func(j journal) bool { return j.User.ID == me.ID && lastLine(j.Notes, noteMark) == key })
}
