package rt

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/markdown"
)

// noteSubject is what marks a note of ours: notes have a subject of their own.
func noteSubject(key string) string {
	if key == "" {
		return "Drawbridge"
	}
	return "Drawbridge " + markdown.Line(key, 100)
}

// Comment adds a note unless it is there already: notes with a key have it in their subject, and the latest hundred
// entries are looked through first. A note is a comment, which requestors do not see, unless it is public: then it is
// a reply, which Request Tracker mails to them, and by its own rules may open a closed ticket. Where a note with a key
// does not come back, the account cannot see comments: repeating it would write it again, so it fails for good.
func (c *connector) Comment(ctx context.Context, ref connectors.Ref, n connectors.Note) error {
	if markdown.Parse(n.Body).Text(0) == "" {
		return connectors.Permanently("comment: the text is empty")
	}
	id, err := handle(ref)
	if err != nil {
		return err
	}
	there, err := c.noted(ctx, id, n.Key)
	if err != nil || there {
		return err
	}
	way := "comment"
	if n.Public {
		way = "correspond"
	}
	body := map[string]any{"Subject": noteSubject(n.Key), "Content": html(n.Body), "ContentType": "text/html"}
	_, err = c.call(ctx, connectors.Call{Name: "comment", Method: http.MethodPost, URL: "ticket/" + id + "/" + way, JSON: body}, nil)
	if err != nil || n.Key == "" {
		return err
	}
	if there, err = c.noted(ctx, id, n.Key); err != nil {
		return connectors.Unconfirmed(err)
	}
	if !there {
		return &connectors.Error{Kind: connectors.Permanent, Sent: true, Err: fmt.Errorf(
			"comment: the note was written, but cannot be seen again: the account lacks the right ShowTicketComments on ticket %s", id)}
	}
	return nil
}

// noted tells whether a note with that key is among the latest entries. A ticket without any is not there.
func (c *connector) noted(ctx context.Context, id, key string) (bool, error) {
	if key == "" {
		_, _, err := c.ticket(ctx, id)
		return false, err
	}
	l := listing{fields: "Type,Data,Creator", order: "DESC", size: pageSize, page: 1}
	var latest page[transaction]
	if err := c.get(ctx, "read history", "ticket/"+id+"/history?"+l.values().Encode(), &latest); err != nil {
		return false, connectors.Unsent(err)
	}
	if len(latest.Items) == 0 {
		return false, &connectors.Error{Kind: connectors.Permanent, Err: connectors.ErrNotFound}
	}
	return slices.ContainsFunc(latest.Items, func(x transaction) bool {
		return (x.Type == "Comment" || x.Type == "Correspond") && c.ours(x.Creator) && strings.TrimSpace(string(x.Data)) == noteSubject(key)
	}), nil
}
