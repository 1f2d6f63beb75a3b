package zendesk

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// status is one ticket status. Accounts without custom statuses have the six of every ticket, told by their words.
type status struct {
	ID       looseID `json:"id"`
	Category string  `json:"status_category"`
	Label    string  `json:"agent_label"`
	Active   bool    `json:"active"`
	Default  bool    `json:"default"`
}

type statuses []status

// words are the statuses of every ticket, in their order.
var words = []string{"new", "open", "pending", "hold", "solved", closed}

// statusAge is how long the list of statuses is trusted.
const statusAge = 5 * time.Minute

// customStatuses reads the account's statuses; none where it has no custom ones.
func (c *connector) customStatuses(ctx context.Context) (statuses, error) {
	c.mu.Lock()
	known, at := c.statuses, c.readAt
	c.mu.Unlock()
	if !at.IsZero() && c.now().Sub(at) < statusAge {
		return known, nil
	}
	var answer struct {
		All statuses `json:"custom_statuses"`
	}
	_, err := c.read(ctx, "read statuses", "custom_statuses", &answer)
	if errors.Is(err, connectors.ErrNotFound) {
		err = nil // the account has none
	} else if err == nil && answer.All == nil {
		err = connectors.Temporarily("read statuses: the answer is no list")
	}
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.statuses, c.readAt = answer.All, c.now()
	return answer.All, nil
}

// standing is where a ticket stands: its status's word, and the custom status in that category.
type standing struct {
	word   string
	custom looseID
}

func (t ticket) standing() standing { return standing{t.Status, t.CustomStatus} }

// name is what a standing is called: the custom status where there is one. A closed ticket is that and nothing else,
// though it keeps the custom status it was solved with.
func (l statuses) name(s standing) string {
	if s.word == closed {
		return closed
	}
	for _, one := range l {
		if one.ID == s.custom && (one.Category == s.word || s.word == "") {
			return one.Label
		}
	}
	for _, one := range l {
		if one.Category == s.word && one.Default {
			return one.Label
		}
	}
	return s.word
}

// find looks for a status to move to, by label, id or word.
func (l statuses) find(nameOrID string) (status, bool) {
	for _, same := range []func(status) bool{
		func(s status) bool { return strings.EqualFold(s.Label, nameOrID) },
		func(s status) bool { return string(s.ID) == nameOrID },
		func(s status) bool { return s.Default && strings.EqualFold(s.Category, nameOrID) },
	} {
		if at := slices.IndexFunc(l, func(s status) bool { return s.Active && same(s) }); at >= 0 {
			return l[at], true
		}
	}
	if at := slices.IndexFunc(words, func(w string) bool { return strings.EqualFold(w, nameOrID) }); at >= 0 {
		return status{Category: words[at], Label: words[at], Active: true}, true
	}
	return status{}, false
}

// names are the labels and the words of the statuses there are: a ticket is moved by either.
func (l statuses) names() []string {
	out := l.labels()
	for _, word := range words {
		if !slices.ContainsFunc(out, func(one string) bool { return strings.EqualFold(one, word) }) {
			out = append(out, word)
		}
	}
	return out
}

// labels names the statuses there are.
func (l statuses) labels() []string {
	var out []string
	for _, s := range l {
		if s.Active {
			out = append(out, s.Label)
		}
	}
	if len(out) == 0 {
		return slices.Clone(words)
	}
	return append(out, closed)
}
