package servicedeskplus

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/markdown"
)

// maxSubject is the desk's own limit.
const maxSubject = 250

var (
	keyForm = regexp.MustCompile(`^[A-Za-z0-9._-]{1,150}$`)
	marked  = regexp.MustCompile(`^(.*?) ?\[drawbridge:([A-Za-z0-9._-]{1,150})\]$`)
)

// checkKey refuses a key that would not survive at the end of a subject.
func checkKey(key string) error {
	if !keyForm.MatchString(key) {
		return errors.New("the key has other characters than letters, digits, '.', '_' and '-', or is too long")
	}
	return nil
}

func mark(key string) string { return "[drawbridge:" + key + "]" }

// subject is a summary as it is sent: with the key where no field holds it.
func (c *connector) subject(summary, key string) string {
	if c.conf.KeyField != "" || key == "" {
		return markdown.Line(summary, maxSubject)
	}
	tail := " " + mark(key)
	return markdown.Line(summary, maxSubject-utf8.RuneCountInString(tail)) + tail
}

// summary is a subject without our key.
func (c *connector) summary(subject string) string {
	if m := marked.FindStringSubmatch(subject); m != nil && c.conf.KeyField == "" {
		return m[1]
	}
	return subject
}

// written is the key as it stands on a request.
func (c *connector) written(r request) string {
	if c.conf.KeyField == "" {
		if m := marked.FindStringSubmatch(strings.TrimSpace(r.Subject)); m != nil {
			return m[2]
		}
		return ""
	}
	var key string
	if json.Unmarshal(r.additional()[c.conf.KeyField], &key) != nil || checkKey(key) != nil {
		return ""
	}
	return key
}

// byKey searches for a key.
func (c *connector) byKey(key string) []criterion {
	if c.conf.KeyField == "" {
		return []criterion{{Field: "subject", Condition: "contains", Value: mark(key)}}
	}
	return []criterion{{Field: "udf_fields." + c.conf.KeyField, Condition: "is", Value: key}}
}

// ignored is what a search means that gives what was not asked for.
func (c *connector) ignored() error {
	if c.conf.KeyField == "" {
		return connectors.Permanently("the desk does not search by subject")
	}
	return connectors.Permanently("the desk does not search by the field %s: it is not the API name of an additional field, or the account may not see it", c.conf.KeyField)
}

// Find returns the requests with our key that the account we work with created, oldest first.
func (c *connector) Find(ctx context.Context, key string) ([]connectors.Ref, error) {
	if err := checkKey(key); err != nil {
		return nil, connectors.Permanently("find request: %w", err)
	}
	var hits []request
	err := c.all(ctx, listing{name: "find request", fields: rowFields, criteria: c.byKey(key), sort: "created_time"}, func(r request) error {
		if c.conf.KeyField != "" && len(r.UDF) > 0 && !strings.EqualFold(c.written(r), key) {
			return c.ignored()
		}
		if r.CreatedBy != nil && !r.CreatedBy.is(c.conf.Account) {
			return nil
		}
		// Read whole: lists may leave out what they were asked for, and hold what lies in the trash.
		whole, err := c.request(ctx, "requests/"+string(r.ID))
		if errors.Is(err, connectors.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if c.conf.KeyField != "" && !strings.EqualFold(c.written(whole), key) {
			return c.ignored()
		}
		if c.written(whole) == key && whole.CreatedBy.is(c.conf.Account) {
			hits = append(hits, whole)
		}
		return nil
	})
	if err != nil {
		return nil, connectors.Unsent(err)
	}
	slices.SortStableFunc(hits, func(a, b request) int {
		return cmp.Or(a.Created.Compare(b.Created.Time), byNumber(string(a.ID), string(b.ID)))
	})
	refs := make([]connectors.Ref, 0, len(hits))
	for _, r := range hits {
		refs = append(refs, c.ref(string(r.ID), string(r.Display)))
	}
	return refs, nil
}
