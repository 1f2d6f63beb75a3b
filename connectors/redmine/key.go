package redmine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

const (
	mark     = "drawbridge:"      // before our key, in the last line of a description
	noteMark = "drawbridge-note:" // before a note's key, in its last line
)

var keyForm = regexp.MustCompile(`^[A-Za-z0-9._-]{1,200}$`)

// checkKey refuses a key that would not survive in a search.
func checkKey(key string) error {
	if !keyForm.MatchString(key) {
		return errors.New("the key has other characters than letters, digits, '.', '_' and '-', or is too long")
	}
	return nil
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

// key is our key on a ticket, read with its journals; empty where it is not the one the ticket was opened with.
func (c *connector) key(i issue) string {
	key := c.written(i)
	first := true
	for _, j := range i.Journals {
		for _, d := range j.Details {
			switch {
			case c.conf.KeyField != "" && d.Property == "cf" && d.Name == c.fieldID(i):
				return ""
			case c.conf.KeyField == "" && d.Property == "attr" && d.Name == "description" && first:
				if first = false; lastLine(text(d.Old), mark) != key {
					return ""
				}
			}
		}
	}
	return key
}

// written is the key as it stands on a ticket.
func (c *connector) written(i issue) string {
	if c.conf.KeyField == "" {
		return lastLine(i.Description, mark)
	}
	f, _ := i.field(c.conf.KeyField)
	var key string
	if json.Unmarshal(f.Value, &key) != nil || checkKey(key) != nil {
		return ""
	}
	return key
}

func (c *connector) fieldID(i issue) string {
	f, ok := i.field(c.conf.KeyField)
	if !ok {
		return ""
	}
	return fmt.Sprint(f.ID)
}

// reassigned tells whether somebody else was made the author of a ticket, which some versions allow.
func reassigned(i issue) bool {
	for _, j := range i.Journals {
		for _, d := range j.Details {
			if d.Property == "attr" && d.Name == "author_id" {
				return true
			}
		}
	}
	return false
}

// Find returns the tickets with our key that the account we work with opened, oldest first. The search reads the
// tickets themselves.
func (c *connector) Find(ctx context.Context, key string) ([]connectors.Ref, error) {
	if err := checkKey(key); err != nil {
		return nil, connectors.Permanently("find issue: %w", err)
	}
	me, _, err := c.signIn(ctx)
	if err != nil {
		return nil, err
	}
	query, err := c.keyQuery(ctx, key)
	if err != nil {
		return nil, err
	}
	var hits []issue
	err = c.all(ctx, "find issue", query, func(i issue) {
		if i.Author.ID == me.ID && c.written(i) == key {
			hits = append(hits, i)
		}
	})
	if err != nil {
		return nil, err
	}
	refs := make([]connectors.Ref, 0, len(hits))
	for _, hit := range hits {
		whole, err := c.issue(ctx, fmt.Sprint(hit.ID), "journals")
		if err != nil {
			return nil, err
		}
		if c.key(whole) == key && !reassigned(whole) {
			refs = append(refs, c.ref(whole.ID))
		}
	}
	return refs, nil
}

// keyQuery searches for a key.
func (c *connector) keyQuery(ctx context.Context, key string) (url.Values, error) {
	query := ours()
	if c.conf.KeyField == "" {
		query.Set("description", "~"+mark+key) // contains
		return query, nil
	}
	for _, name := range c.conf.Projects {
		p, err := c.project(ctx, name)
		if err != nil {
			return nil, err
		}
		if f, ok := p.field(c.conf.KeyField); ok {
			query.Set(fmt.Sprintf("cf_%d", f.ID), key)
			return query, nil
		}
	}
	return nil, connectors.Permanently("find issue: no project has a custom field %q, or the account may not see it", c.conf.KeyField)
}
