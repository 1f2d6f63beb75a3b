package zendesk

import (
	"context"
	"errors"
	"slices"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/markdown"
)

// Comment adds a note unless it is there already: notes with a key have it in their last line. A note is private unless
// it says otherwise. Zendesk answers with what it made of it; a private note that came out public is an error, and
// nothing can take it back.
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
	tail := ""
	if n.Key != "" {
		tail = noteMark + n.Key
		me, err := c.account(ctx)
		if err != nil {
			return err
		}
		audits, err := c.audits(ctx, id)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(comments(audits), func(e event) bool { return e.Author == me.ID && lastLine(e.Body, noteMark) == n.Key }) {
			return nil
		}
	}
	return c.say(ctx, "comment", id, map[string]any{"html_body": rendered(n.Body, tail), "public": n.Public})
}

// say adds a comment and makes sure that it is as private as it was meant.
func (c *connector) say(ctx context.Context, name, id string, comment map[string]any) error {
	_, made, err := c.put(ctx, name, id, map[string]any{"comment": comment})
	if err != nil {
		return err
	}
	said := comments([]audit{made})
	if len(said) == 0 {
		return connectors.InDoubt("%s: the answer does not hold the comment", name)
	}
	if said[0].Public && comment["public"] != true {
		return &connectors.Error{Kind: connectors.Permanent, Sent: true, Err: errors.New(name + ": Zendesk made a private comment public")}
	}
	return nil
}

// comments are the comments in audits, oldest first.
func comments(audits []audit) []event {
	var out []event
	for _, a := range audits {
		for _, e := range a.Events {
			if e.Type == "Comment" {
				out = append(out, e)
			}
		}
	}
	return out
}
