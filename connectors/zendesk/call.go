package zendesk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// read makes one call that changes nothing; the path is what follows /api/v2/.
func (c *connector) read(ctx context.Context, name, path string, out any) (http.Header, error) {
	header, err := c.call(ctx, connectors.Call{Name: name, Method: http.MethodGet, URL: path}, out)
	return header, connectors.Unsent(err)
}

// call makes one call; the URL is what follows /api/v2/. out, where set, takes the answer.
func (c *connector) call(ctx context.Context, call connectors.Call, out any) (http.Header, error) {
	call.URL = c.conf.BaseURL + "/api/v2/" + call.URL
	answer, err := c.client.Do(ctx, call)
	if err != nil {
		return nil, c.refused(err)
	}
	if out == nil {
		return answer.Header, nil
	}
	return answer.Header, answer.DecodeJSON(call.Name, out)
}

// refused adds Zendesk's own words to an error, and how long to wait where only its own headers say so.
func (c *connector) refused(err error) error {
	fault := *connectors.AsError(err)
	answered, ok := errors.AsType[*connectors.Answered](err)
	if !ok {
		return &fault
	}
	if fault.Kind == connectors.Throttled && fault.RetryAfter == 0 {
		fault.RetryAfter = reset(answered.Header)
	}
	if said := said(answered.Body); said != "" {
		fault.Err = fmt.Errorf("%w; Zendesk says: %s", err, said)
	}
	return &fault
}

// said is what Zendesk says in the bodies of its refusals, which come in several shapes.
func said(body []byte) string {
	var refusal struct {
		Error       json.RawMessage `json:"error"`
		Description string          `json:"description"`
		Details     map[string][]struct {
			Description string `json:"description"`
		} `json:"details"`
		Errors []struct {
			Title  string `json:"title"`
			Detail string `json:"detail"`
		} `json:"errors"`
	}
	_ = json.Unmarshal(body, &refusal) // what fits is told
	var words []string
	var code string
	var inner struct{ Title, Message string }
	if json.Unmarshal(refusal.Error, &code) == nil {
		words = append(words, code)
	} else if json.Unmarshal(refusal.Error, &inner) == nil {
		words = append(words, inner.Title, inner.Message)
	}
	words = append(words, refusal.Description)
	for _, field := range slices.Sorted(maps.Keys(refusal.Details)) {
		for _, one := range refusal.Details[field] {
			words = append(words, field+": "+one.Description)
		}
	}
	for _, one := range refusal.Errors {
		words = append(words, one.Title, one.Detail)
	}
	words = slices.DeleteFunc(words, func(w string) bool { return strings.TrimSpace(w) == "" })
	return connectors.Clean(strings.Join(words, "; "), 400)
}

// remaining finds an endpoint's limit that is used up, as in "total=100; remaining=0; resets=41".
var remaining = regexp.MustCompile(`remaining=0;?.*resets=([0-9]{1,5})`)

// reset is how long to wait by Zendesk's own headers.
func reset(h http.Header) time.Duration {
	seconds := func(text string) time.Duration {
		n, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
		if err != nil || n <= 0 {
			return 0
		}
		return time.Duration(min(n, 3600) * float64(time.Second))
	}
	wait := seconds(h.Get("ratelimit-reset"))
	for name, values := range h {
		if strings.HasPrefix(strings.ToLower(name), "zendesk-ratelimit-") && len(values) > 0 {
			if m := remaining.FindStringSubmatch(values[0]); m != nil {
				wait = max(wait, seconds(m[1]))
			}
		}
	}
	return wait
}

// clock is the time at Zendesk as an answer has it, ours where it does not tell.
func (c *connector) clock(h http.Header) time.Time {
	if at, err := http.ParseTime(h.Get("Date")); err == nil {
		return at.UTC()
	}
	return c.now().UTC()
}

var number = regexp.MustCompile(`^[1-9][0-9]{0,18}$`)

// handle is what a ticket is called by in a path.
func handle(ref connectors.Ref) (string, error) {
	if number.MatchString(ref.ID) {
		return ref.ID, nil
	}
	if id, ok := strings.CutPrefix(ref.Key, "#"); ok && ref.ID == "" && number.MatchString(id) {
		return id, nil
	}
	return "", connectors.Permanently("the ticket's id is not one of Zendesk's")
}

// ticket reads a ticket. One that was deleted is not found.
func (c *connector) ticket(ctx context.Context, id string) (ticket, error) {
	var answer struct{ Ticket ticket }
	if _, err := c.read(ctx, "read ticket", "tickets/"+id, &answer); err != nil {
		return ticket{}, err
	}
	t := answer.Ticket
	if string(t.ID) != id || t.Status == "" {
		return ticket{}, connectors.Temporarily("read ticket: the answer is not the ticket")
	}
	if t.Status == deleted {
		return ticket{}, connectors.Permanently("read ticket: it was deleted: %w", connectors.ErrNotFound)
	}
	return t, nil
}

// put changes a ticket, and returns it as it is afterwards with the audit of the change.
func (c *connector) put(ctx context.Context, name, id string, fields map[string]any) (ticket, audit, error) {
	var answer struct {
		Ticket ticket
		Audit  audit
	}
	_, err := c.call(ctx, connectors.Call{Name: name, Method: http.MethodPut, URL: "tickets/" + id, JSON: map[string]any{"ticket": fields}}, &answer)
	if err == nil && string(answer.Ticket.ID) != id {
		err = connectors.InDoubt("%s: the answer is not the ticket", name)
	}
	return answer.Ticket, answer.Audit, err
}

const (
	pageSize = 100  // the most Zendesk gives at once
	maxPages = 1000 // ends a list that does not end by itself
)

// list reads a list to its end, by Zendesk's cursors.
func list[T any](ctx context.Context, c *connector, name, path, member string, take func(T)) error {
	path += map[bool]string{true: "&", false: "?"}[strings.Contains(path, "?")] + "page[size]=" + strconv.Itoa(pageSize)
	after := ""
	for range maxPages {
		items, next, err := onePage[T](ctx, c, name, path+after, member)
		if err != nil {
			return err
		}
		for _, item := range items {
			take(item)
		}
		if next == "" {
			return nil
		}
		after = "&page[after]=" + url.QueryEscape(next)
	}
	return connectors.Temporarily("%s: the list does not end", name)
}

// onePage reads one page and tells the cursor of the next, none behind the last.
func onePage[T any](ctx context.Context, c *connector, name, path, member string) ([]T, string, error) {
	var answer map[string]json.RawMessage
	if _, err := c.read(ctx, name, path, &answer); err != nil {
		return nil, "", err
	}
	var items []T
	if err := json.Unmarshal(answer[member], &items); err != nil || items == nil {
		return nil, "", connectors.Temporarily("%s: the answer is no list", name)
	}
	var meta struct {
		More  bool   `json:"has_more"`
		After string `json:"after_cursor"`
	}
	if raw, ok := answer["meta"]; ok && json.Unmarshal(raw, &meta) != nil {
		return nil, "", connectors.Temporarily("%s: the answer does not say whether it is all", name)
	}
	switch {
	case meta.More && meta.After == "", string(answer["next_page"]) != "" && string(answer["next_page"]) != "null":
		return nil, "", connectors.Temporarily("%s: the answer is a part of a list and does not say how to go on", name)
	case meta.More:
		return items, meta.After, nil
	default:
		return items, "", nil
	}
}
