package elimity

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// taken tells whether an effect is there in data that was reloaded after a time, and when that was.
func (c *connector) taken(ctx context.Context, sources []sourceInfo, wanted effect, after time.Time) (at time.Time, there bool, err error) {
	at, err = reloaded(sources, wanted)
	if err != nil || !at.After(after) {
		return at, false, err
	}
	there, err = c.look(ctx, wanted)
	return at, there && err == nil, err
}

func readEffect(text string) (effect, error) {
	var e effect
	decoder := json.NewDecoder(bytes.NewReader([]byte(text)))
	decoder.UseNumber()
	if err := decoder.Decode(&e); err != nil || (e.Do == doUnlink || e.Do == doLink) && e.Other == nil {
		return effect{}, connectors.Permanently("look for effect: the decision does not say what was changed")
	}
	for _, k := range e.keys() {
		if _, err := k.Source.Int64(); err != nil {
			return effect{}, connectors.Permanently("look for effect: sourceId is no whole number")
		}
	}
	return e, nil
}

func (e effect) keys() []key {
	if e.Other == nil {
		return []key{e.Entity}
	}
	return []key{e.Entity, *e.Other}
}

// sources lists what the API token may see.
func (c *connector) sources(ctx context.Context) ([]sourceInfo, error) {
	const name = "list sources"
	answer, err := c.asking.Do(ctx, connectors.Call{Name: name, Method: http.MethodGet, URL: c.base + "/api/agent/sources"})
	if err != nil {
		return nil, explain(err, "settings.check")
	}
	var list []sourceInfo
	return list, answer.DecodeJSON(name, &list)
}

// reloaded is when the sources a change touches were last all reloaded; zero where one never was.
func reloaded(list []sourceInfo, e effect) (time.Time, error) {
	var earliest time.Time
	for i, k := range e.keys() {
		at := slices.IndexFunc(list, func(s sourceInfo) bool { return s.ID == k.Source && !s.Archived })
		if at < 0 {
			return time.Time{}, connectors.Permanently("list sources: source %s is not among them, or is archived: %w", k.Source, connectors.ErrNotFound)
		}
		if list[at].LastReload == nil {
			return time.Time{}, nil
		}
		t := parseTime(*list[at].LastReload)
		if i == 0 || t.Before(earliest) {
			earliest = t
		}
	}
	return earliest, nil
}

// look asks the data for an effect.
func (c *connector) look(ctx context.Context, e effect) (bool, error) {
	switch e.Do {
	case doRemove:
		pages, err := c.query(ctx, newQuery("u", e.Entity, c.is("u", e.Entity)))
		return err == nil && (pages[0].empty() || !(*pages[0].Results)[0].Entity.Active), err
	case doLink, doUnlink:
		// In which direction a relationship was stored is not known, so both are looked at.
		pages, err := c.query(ctx, c.linked(e.Entity, *e.Other), c.linked(*e.Other, e.Entity))
		linked := err == nil && !(pages[0].empty() && pages[1].empty())
		return err == nil && linked == (e.Do == doLink), err
	case doAssign:
		return c.assigned(ctx, e)
	default:
		return false, connectors.Permanently("look for effect: the decision does not say what was changed")
	}
}

func (c *connector) is(alias string, k key) idIn {
	return idIn{IDs: []string{k.ID}, Reference: alias, Type: c.config.Check.Condition}
}

// linked asks for one entity if it is linked to the other.
func (c *connector) linked(one, other key) query {
	to := linkedTo{
		Alias: "v", Condition: c.is("v", other), EntityType: other.Type, LinkAlias: "l", SourceID: other.Source, Type: c.config.Check.Link,
	}
	return newQuery("u", one, all{Exprs: []any{c.is("u", one), to}, Type: "all"})
}

func (c *connector) assigned(ctx context.Context, e effect) (bool, error) {
	q := newQuery("u", e.Entity, c.is("u", e.Entity))
	q.Include = []any{
		inclusion{Type: "boolean", Expr: ofAttribute{AttributeType: e.Attribute, Reference: "u", Type: "assigned"}},
		inclusion{Type: e.ValueType, Expr: ofAttribute{AttributeType: e.Attribute, Reference: "u", Type: "attribute"}},
	}
	pages, err := c.query(ctx, q)
	if err != nil || pages[0].empty() {
		return false, err
	}
	found := (*pages[0].Results)[0].Inclusions
	if len(found) != len(q.Include) {
		return false, unexpected("it lacks what was to be included")
	}
	if has := found[0].Value == "true"; !has || e.Value == nil {
		return !has && e.Value == nil, nil
	}
	equal, known := sameValue(e.ValueType, e.Value, found[1].Value)
	if !known {
		return false, connectors.Permanently("look for effect: the requested value and the one found are written in ways that cannot be compared")
	}
	return equal, nil
}

// query asks several things at once and returns a page for each.
func (c *connector) query(ctx context.Context, queries ...query) ([]page, error) {
	const name = "query entities"
	answer, err := c.asking.Do(ctx, connectors.Call{Name: name, Method: http.MethodPost, URL: c.base + "/api/agent/query", JSON: queries})
	if err != nil {
		e := explain(err, "settings.check")
		if e.Status == http.StatusBadRequest {
			e.Err = fmt.Errorf("%w; compare settings.check.condition and settings.check.link with the version of your server", e.Err)
		}
		return nil, e
	}
	var pages []page
	if err := answer.DecodeJSON(name, &pages); err != nil {
		return nil, err
	}
	if len(pages) != len(queries) || slices.ContainsFunc(pages, func(p page) bool { return p.Results == nil }) {
		return nil, unexpected("it has no page for each query")
	}
	for i, p := range pages {
		if !p.empty() && (*p.Results)[0].Entity.ID != queriedID(queries[i]) {
			return nil, unexpected("it is about another entity")
		}
	}
	return pages, nil
}

// queriedID is the id of the one entity a query asks for.
func queriedID(q query) string {
	switch condition := q.Condition.(type) {
	case idIn:
		return condition.IDs[0]
	case all:
		return condition.Exprs[0].(idIn).IDs[0]
	default:
		return ""
	}
}

func (p page) empty() bool { return len(*p.Results) == 0 }

func unexpected(why string) error {
	return &connectors.Error{Kind: connectors.Temporary, Err: errors.New("query entities: the answer is not the one expected: " + why)}
}

// sameValue compares a requested value with one that a query found, which is always a text. known is false where one
// of them is written in a way nobody documented.
func sameValue(kind string, requested any, found string) (same, known bool) {
	switch kind {
	case "string":
		text, ok := requested.(string)
		return text == found, ok
	case "boolean":
		is, ok := requested.(bool)
		return strconv.FormatBool(is) == found, ok
	case "number":
		number, ok := requested.(json.Number)
		return sameNumber(number.String(), found, ok)
	case "date", "dateTime", "time":
		want, ok := instant(kind, requested)
		got, okFound := instant(kind, found)
		return want.Equal(got), ok && okFound
	default:
		return false, false
	}
}

// sameNumber compares whole numbers as they are written, so that none is rounded, and others by their value.
func sameNumber(a, b string, known bool) (bool, bool) {
	x, errA := strconv.ParseFloat(a, 64)
	y, errB := strconv.ParseFloat(b, 64)
	if !known || errA != nil || errB != nil {
		return false, false
	}
	if !strings.ContainsAny(a+b, ".eE") {
		return a == b, true
	}
	return x == y, true
}

// layouts are how queries write dates and times. A time of day without a zone is in UTC.
var layouts = map[string][]string{
	"date":     {time.DateOnly},
	"dateTime": {time.RFC3339},
	"time":     {"15:04:05Z07:00", time.TimeOnly},
}

// instant reads a date or a time as queries write it, or as an object of year, month, day, hour, minute and second in
// UTC, as connectors send it to Elimity.
func instant(kind string, v any) (time.Time, bool) {
	switch v := v.(type) {
	case string:
		for _, layout := range layouts[kind] {
			if t, err := time.Parse(layout, v); err == nil {
				return t, true
			}
		}
	case map[string]any:
		// Without a date it is the first day of year 0, as time.Parse has it.
		parts := [6]int{0, 1, 1, 0, 0, 0}
		for i, name := range []string{"year", "month", "day", "hour", "minute", "second"} {
			number, ok := v[name].(json.Number)
			if !ok {
				continue
			}
			n, err := strconv.Atoi(number.String())
			if err != nil {
				return time.Time{}, false
			}
			parts[i] = n
		}
		return time.Date(parts[0], time.Month(parts[1]), parts[2], parts[3], parts[4], parts[5], 0, time.UTC), len(v) > 0
	}
	return time.Time{}, false
}
