package jira

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Find returns the tickets with our key that the account we work with created, oldest first. The search index lags; at
// Cloud by an unknown time.
func (c *connector) Find(ctx context.Context, key string) ([]connectors.Ref, error) {
	if err := checkKey(key); err != nil {
		return nil, connectors.Permanently("find issue: %w", err)
	}
	me, err := c.account(ctx)
	if err != nil {
		return nil, err
	}
	type hit struct {
		ref     connectors.Ref
		created stamp
	}
	var hits []hit
	err = c.search(ctx, search{
		name:   "find issue",
		jql:    "labels = " + quote(keyLabel(key)) + " ORDER BY created ASC",
		fields: []string{"creator", "created", "labels"},
		proof:  c.conf.KeyProperty,
	}, func(i issue) error {
		var creator *user
		var h hit
		i.field("creator", &creator)
		i.field("created", &h.created)
		h.ref = c.ref(i.ID, i.Key)
		if !creator.seenBy(me).Ours {
			return nil
		}
		ours, err := c.carries(ctx, i, key)
		if ours {
			hits = append(hits, h)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(hits, func(a, b hit) int {
		return cmp.Or(a.created.Compare(b.created.Time), cmp.Compare(len(a.ref.ID), len(b.ref.ID)), strings.Compare(a.ref.ID, b.ref.ID))
	})
	refs := make([]connectors.Ref, 0, len(hits))
	for _, h := range hits {
		refs = append(refs, h.ref)
	}
	return refs, nil
}

// carries tells whether a ticket found by its label has our key for proof. At Data Center the property may be
// missing still: it is set in a call of its own.
func (c *connector) carries(ctx context.Context, i issue, key string) (bool, error) {
	var found []string
	i.field("labels", &found)
	if !slices.Contains(found, keyLabel(key)) {
		return false, nil
	}
	if c.conf.Deployment == cloud {
		return i.key(c.conf.KeyProperty) == key, nil
	}
	proof, err := c.readProperty(ctx, connectors.Ref{ID: i.ID})
	return proof == "" || proof == key, err
}

// readProperty reads our key from a ticket; none is no error.
func (c *connector) readProperty(ctx context.Context, ref connectors.Ref) (string, error) {
	path, err := c.issue(ref, "/properties/"+c.conf.KeyProperty)
	if err != nil {
		return "", err
	}
	var answer struct{ Value owned }
	err = c.get(ctx, "read issue property", path, &answer)
	if errors.Is(err, connectors.ErrNotFound) {
		return "", nil
	}
	return answer.Value.Key, err
}

// search is one query. Its text stays the same over all pages.
type search struct {
	name   string
	jql    string
	fields []string
	proof  string // property to bring along, where search can
}

// maxPages ends a search that does not end by itself.
const maxPages = 1000

// search calls take for every ticket found. Cloud is asked through search/jql only: the older search is gone there.
func (c *connector) search(ctx context.Context, q search, take func(issue) error) error {
	if c.conf.Deployment == dataCenter {
		return c.searchByOffset(ctx, q, take)
	}
	body := map[string]any{"jql": q.jql, "fields": q.fields, "maxResults": 100}
	if q.proof != "" {
		body["properties"] = []string{q.proof}
	}
	for range maxPages {
		var page struct {
			Issues []issue `json:"issues"`
			Last   bool    `json:"isLast"`
			Next   string  `json:"nextPageToken"`
		}
		if err := c.call(ctx, q.name, http.MethodPost, c.api("search/jql"), body, &page); err != nil {
			return connectors.Unsent(err)
		}
		for _, i := range page.Issues {
			if err := take(i); err != nil {
				return err
			}
		}
		if page.Last || page.Next == "" {
			return nil
		}
		body["nextPageToken"] = page.Next
	}
	return endless(q.name)
}

func (c *connector) searchByOffset(ctx context.Context, q search, take func(issue) error) error {
	body := map[string]any{"jql": q.jql, "fields": q.fields, "maxResults": 100}
	start := 0
	for range maxPages {
		body["startAt"] = start
		var page struct {
			Issues []issue `json:"issues"`
			Total  int     `json:"total"`
		}
		if err := c.call(ctx, q.name, http.MethodPost, c.api("search"), body, &page); err != nil {
			return connectors.Unsent(err)
		}
		for _, i := range page.Issues {
			if err := take(i); err != nil {
				return err
			}
		}
		start += len(page.Issues)
		if len(page.Issues) == 0 || start >= page.Total {
			return nil
		}
	}
	return endless(q.name)
}

func endless(name string) error {
	return connectors.Temporarily("%s: the list does not end", name)
}

// quote writes text as one JQL literal.
func quote(text string) string {
	literal, _ := json.Marshal(text) // a string always encodes; JQL reads the same escapes
	return string(literal)
}
