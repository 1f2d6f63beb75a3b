package jira

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/markdown"
)

// internalProperty makes a comment internal at a service desk where the request interface cannot.
const internalProperty = "sd.public.comment"

// Comment adds a note unless it is there already: notes with a key leave it in a property of the comment, and the
// latest comments are looked through first. On tickets of a service desk a note is internal unless it says otherwise;
// elsewhere all comments are for everybody who sees the ticket.
//
// At a service desk the property is set in a second call; a note whose key was lost between the two comes twice.
func (c *connector) Comment(ctx context.Context, ref connectors.Ref, n connectors.Note) error {
	if markdown.Parse(n.Body).Text(0) == "" {
		return connectors.Permanently("comment: the text is empty")
	}
	desk, err := c.atDesk(ctx, ref)
	if err != nil {
		return connectors.Unsent(err)
	}
	if there, err := c.commented(ctx, ref, n.Key); err != nil || there {
		return connectors.Unsent(err)
	}
	if desk {
		return c.deskComment(ctx, ref, n)
	}
	_, err = c.addComment(ctx, ref, c.commentBody(n, false))
	return err
}

// commentBody is a comment as the platform takes it.
func (c *connector) commentBody(n connectors.Note, internal bool) map[string]any {
	body := map[string]any{"body": c.rich(markdown.Parse(n.Body))}
	var properties []property
	if n.Key != "" {
		properties = append(properties, property{Key: c.conf.KeyProperty, Value: owned{Key: n.Key}})
	}
	if internal {
		properties = append(properties, property{Key: internalProperty, Value: map[string]bool{"internal": true}})
	}
	if len(properties) > 0 {
		body["properties"] = properties
	}
	return body
}

func (c *connector) addComment(ctx context.Context, ref connectors.Ref, body map[string]any) (comment, error) {
	path, err := c.issue(ref, "/comment")
	if err != nil {
		return comment{}, err
	}
	var made comment
	return made, c.call(ctx, "comment", http.MethodPost, path, body, &made)
}

// commented tells whether a note with that key is among the latest comments.
func (c *connector) commented(ctx context.Context, ref connectors.Ref, key string) (bool, error) {
	if key == "" {
		return false, nil
	}
	me, err := c.account(ctx)
	if err != nil {
		return false, err
	}
	path, err := c.issue(ref, "/comment?orderBy=-created&maxResults=50&expand=properties")
	if err != nil {
		return false, err
	}
	var page struct {
		Comments []comment `json:"comments"`
	}
	if err := c.get(ctx, "read comments", path, &page); err != nil {
		return false, err
	}
	for _, made := range page.Comments {
		if !made.Author.seenBy(me).Ours {
			continue
		}
		found, err := c.noteKey(ctx, made)
		if err != nil || found == key {
			return err == nil, err
		}
	}
	return false, nil
}

// noteKey is the key a comment of ours carries. Listing comments is not documented to bring properties along, so
// where there are none the comment is asked for its own.
func (c *connector) noteKey(ctx context.Context, made comment) (string, error) {
	for _, p := range made.Properties {
		var value owned
		if p.Key == c.conf.KeyProperty && json.Unmarshal(p.Value, &value) == nil {
			return value.Key, nil
		}
	}
	if made.Properties != nil || !issueID.MatchString(made.ID) {
		return "", nil
	}
	var answer struct{ Value owned }
	err := c.get(ctx, "read comment property", c.api("comment/"+made.ID+"/properties/"+c.conf.KeyProperty), &answer)
	if errors.Is(err, connectors.ErrNotFound) {
		return "", nil
	}
	return answer.Value.Key, err
}
