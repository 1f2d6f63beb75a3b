package jira

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// progress is what a Watch cursor holds.
type progress struct {
	At       time.Time `json:"at"`       // everything updated before was told, as far as the index knew
	Searched time.Time `json:"searched"` // when the index was asked last
	Turn     int       `json:"turn,omitempty"`
}

// lookedAfter is how many open tickets a Data Center is asked for in a round, one by one. Turn counts the rounds.
const lookedAfter = 20

// maxFetch is how many tickets Cloud gives by id in one call.
const maxFetch = 100

// Watch tells which of our tickets were updated since the cursor, looking back a little further each time because the
// index lags and JQL counts in minutes; so a change comes several times, with the same id. At Cloud a small number of
// open tickets is asked for by id, which no index delays, and the search is made less often.
func (c *connector) Watch(ctx context.Context, since connectors.Cursor, open []connectors.Ref) ([]connectors.Change, connectors.Cursor, error) {
	now := c.now().UTC()
	if since == "" {
		return nil, progress{At: now, Searched: now}.cursor(), nil
	}
	var from progress
	if err := json.Unmarshal([]byte(since), &from); err != nil || from.At.IsZero() {
		return nil, since, connectors.Permanently("watch: the cursor is not one of ours")
	}
	if from.Searched.IsZero() {
		from.Searched = from.At
	}
	next := progress{At: now, Searched: from.Searched, Turn: from.Turn}
	var out []connectors.Change
	byID := c.conf.Deployment == cloud && len(open) > 0 && len(open) <= maxFetch
	if byID {
		changes, err := c.fetchOpen(ctx, from.At.Add(-c.conf.Overlap), open)
		if err != nil {
			return nil, since, connectors.Unsent(err)
		}
		out = changes
	}
	if !byID || now.Sub(from.Searched) >= c.conf.SearchEvery || from.Searched.After(now) {
		start := earlier(from.At, from.Searched).Add(-c.conf.Overlap)
		changes, err := c.searchUpdated(ctx, start)
		if err != nil {
			return nil, since, connectors.Unsent(err)
		}
		out = append(out, changes...)
		next.Searched = now
		if !byID { // no search tells that a ticket was deleted
			next.Turn++
			looked, err := c.lookAfter(ctx, start, open, from.Turn)
			if err != nil {
				return nil, since, connectors.Unsent(err)
			}
			out = append(out, looked...)
		}
	}
	return distinct(out), next.cursor(), nil
}

func (p progress) cursor() connectors.Cursor {
	text, _ := json.Marshal(p) // two times always encode
	return connectors.Cursor(text)
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// fetchOpen asks for tickets by id. Those Jira does not give are told as changed: they were moved out of sight or
// deleted.
func (c *connector) fetchOpen(ctx context.Context, since time.Time, open []connectors.Ref) ([]connectors.Change, error) {
	var ids []string
	for _, ref := range open {
		if issueID.MatchString(ref.ID) {
			ids = append(ids, ref.ID)
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	var answer struct {
		Issues []issue `json:"issues"`
	}
	body := map[string]any{"issueIdsOrKeys": ids, "fields": []string{"updated"}}
	if err := c.call(ctx, "read issues", http.MethodPost, c.api("issue/bulkfetch"), body, &answer); err != nil {
		return nil, err
	}
	var out []connectors.Change
	missing := slices.Clone(ids)
	for _, i := range answer.Issues {
		missing = slices.DeleteFunc(missing, func(id string) bool { return id == i.ID })
		if change, at := c.changed(i); !at.Before(since) {
			out = append(out, change)
		}
	}
	for _, id := range missing {
		out = append(out, c.gone(id))
	}
	return out, nil
}

// gone is the change of a ticket Jira does not show us, told again each hour, should Jira have erred.
func (c *connector) gone(id string) connectors.Change {
	hour := c.now().UTC().Truncate(time.Hour).Format(time.RFC3339)
	return connectors.Change{Ref: connectors.Ref{ID: id}, ID: id + "@gone@" + hour}
}

// lookAfter asks for some of the open tickets, each round for others: a hundred by one call at Cloud, and a few one by one
// at Data Center.
func (c *connector) lookAfter(ctx context.Context, since time.Time, open []connectors.Ref, turn int) ([]connectors.Change, error) {
	if c.conf.Deployment == cloud {
		return c.fetchOpen(ctx, since, some(open, turn, maxFetch))
	}
	var out []connectors.Change
	for _, ref := range some(open, turn, lookedAfter) {
		if !issueID.MatchString(ref.ID) {
			continue
		}
		err := c.get(ctx, "read issue", c.api("issue/"+ref.ID+"?fields=updated"), nil)
		if errors.Is(err, connectors.ErrNotFound) {
			out = append(out, c.gone(ref.ID))
		} else if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// some takes a number of tickets, others each turn.
func some(open []connectors.Ref, turn, number int) []connectors.Ref {
	out := make([]connectors.Ref, min(len(open), number))
	for n := range out {
		out[n] = open[(turn*number+n)%len(open)]
	}
	return out
}

// changed is a ticket of a list as a change.
func (c *connector) changed(i issue) (connectors.Change, time.Time) {
	var updated stamp
	i.field("updated", &updated)
	return connectors.Change{
		Ref: c.ref(i.ID, i.Key), ID: i.ID + "@" + updated.Format(time.RFC3339Nano), At: updated.Time,
	}, updated.Time
}

// searchUpdated asks the index. The order is by creation, which an update in the middle of the pages does not change.
func (c *connector) searchUpdated(ctx context.Context, since time.Time) ([]connectors.Change, error) {
	me, err := c.account(ctx)
	if err != nil {
		return nil, err
	}
	terms := []string{"labels = " + quote(mark), "updated >= " + c.since(since, me.zone)}
	if len(c.conf.Projects) > 0 {
		terms = append([]string{c.inProjects()}, terms...)
	}
	var out []connectors.Change
	err = c.search(ctx, search{
		name: "search updated issues", jql: strings.Join(terms, " AND ") + " ORDER BY created ASC", fields: []string{"updated"},
	}, func(i issue) error {
		if !issueID.MatchString(i.ID) {
			return connectors.Temporarily("search updated issues: a hit has no id")
		}
		change, _ := c.changed(i)
		out = append(out, change)
		return nil
	})
	return out, err
}

// inProjects is the term of a search for the configured projects.
func (c *connector) inProjects() string {
	if len(c.conf.Projects) == 1 {
		return "project = " + quote(c.conf.Projects[0])
	}
	keys := make([]string, 0, len(c.conf.Projects))
	for _, key := range c.conf.Projects {
		keys = append(keys, quote(key))
	}
	return "project in (" + strings.Join(keys, ", ") + ")"
}

// since is the start of a search. Where Jira does not tell the account's time zone it is so many minutes ago, by Jira's
// clock; elsewhere a time, which stays the same over all pages.
func (c *connector) since(at time.Time, zone *time.Location) string {
	if zone == nil {
		return fmt.Sprintf("-%dm", int(c.now().Sub(at)/time.Minute)+1)
	}
	return quote(wallClock(at, zone))
}

// wallClock writes a time as JQL wants it: to the minute, in the account's own time zone, without an offset. In the
// night clocks are set back an hour of such times comes twice; then an hour more is asked for.
func wallClock(at time.Time, zone *time.Location) string {
	const layout = "2006-01-02 15:04"
	local := at.In(zone)
	_, before := local.Add(-3 * time.Hour).Zone()
	_, after := local.Add(3 * time.Hour).Zone()
	if before <= after {
		return local.Format(layout)
	}
	_, offset := local.Zone()
	return at.UTC().Add(time.Duration(offset-(before-after)) * time.Second).Format(layout)
}

// distinct leaves out what both ways of asking told.
func distinct(changes []connectors.Change) []connectors.Change {
	seen := map[string]bool{}
	return slices.DeleteFunc(changes, func(change connectors.Change) bool {
		known := seen[change.ID]
		seen[change.ID] = true
		return known
	})
}
