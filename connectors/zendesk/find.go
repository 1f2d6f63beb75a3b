package zendesk

import (
	"cmp"
	"context"
	"errors"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

const (
	keyMark  = "drawbridge:"      // before our key, in the last line of a ticket's first comment
	noteMark = "drawbridge-note:" // before a note's key, in its last line
)

var keyForm = regexp.MustCompile(`^[A-Za-z0-9._-]{1,200}$`)

// checkKey refuses a key that would not survive in a list's filter: a comma there parts keys.
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

// Find returns the tickets with our key that the account we work with opened, oldest first. They are listed by external
// id, not searched for: the search index lags by minutes.
func (c *connector) Find(ctx context.Context, key string) ([]connectors.Ref, error) {
	if err := checkKey(key); err != nil {
		return nil, connectors.Permanently("find ticket: %w", err)
	}
	me, err := c.account(ctx)
	if err != nil {
		return nil, err
	}
	var answer struct{ Tickets []ticket }
	if _, err := c.read(ctx, "find ticket", "tickets?external_id="+url.QueryEscape(key), &answer); err != nil {
		return nil, err
	}
	switch {
	case answer.Tickets == nil:
		return nil, connectors.Temporarily("find ticket: the answer is no list")
	case len(answer.Tickets) >= pageSize:
		return nil, connectors.Temporarily("find ticket: a hundred tickets or more come for one key")
	}
	slices.SortFunc(answer.Tickets, func(a, b ticket) int { return byNumber(string(a.ID), string(b.ID)) })
	refs := []connectors.Ref{}
	for _, hit := range answer.Tickets {
		if hit.External != key || hit.Submitter != me.ID || hit.Status == deleted || !number.MatchString(string(hit.ID)) {
			continue
		}
		audits, err := c.audits(ctx, string(hit.ID))
		if errors.Is(err, connectors.ErrNotFound) {
			continue // deleted meanwhile
		}
		if err != nil {
			return nil, err
		}
		if opened(hit, audits, me) && written(hit, audits) == key && !mergedAway(hit, audits) {
			refs = append(refs, c.ref(string(hit.ID)))
		}
	}
	return refs, nil
}

func byNumber(a, b string) int {
	x, _ := strconv.ParseInt(a, 10, 64)
	y, _ := strconv.ParseInt(b, 10, 64)
	return cmp.Compare(x, y)
}

// opened tells whether we opened a ticket: agents can name anybody as the submitter, so the first audit must be ours, too.
func opened(t ticket, audits []audit, me user) bool {
	return t.Submitter == me.ID && len(audits) > 0 && audits[0].Author == me.ID
}

// written is the key on a ticket; empty where it was changed, or the first comment says another.
func written(t ticket, audits []audit) string {
	if checkKey(t.External) != nil {
		return ""
	}
	if first := lastLine(t.Description, keyMark); first != "" && first != t.External {
		return ""
	}
	for _, a := range audits {
		for _, e := range a.Events {
			if e.Field == "external_id" && (e.Type != "Create" || text(e.Value) != t.External) {
				return ""
			}
		}
	}
	return t.External
}

// merged is the tag Zendesk puts on a ticket that was merged into another.
const merged = "closed_by_merge"

// mergedAway tells whether a ticket was merged into another. It is closed then, and nobody can do anything on it.
func mergedAway(t ticket, audits []audit) bool {
	if t.Status != closed {
		return false
	}
	if slices.Contains(t.Tags, merged) {
		return true
	}
	for _, a := range slices.Backward(audits) {
		for _, e := range a.Events {
			if e.Type == "Change" && e.Field == "status" && text(e.Value) == closed {
				return channel(a, e).Source.Rel == "merge"
			}
		}
	}
	return false
}
