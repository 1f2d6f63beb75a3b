package pagerduty

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// accept is the version of the interface that is spoken.
const accept = "application/vnd.pagerduty+json;version=2"

// read makes one call that changes nothing; the path is what follows the address.
func (c *connector) read(ctx context.Context, name, path string, out any) (http.Header, error) {
	header, err := c.call(ctx, connectors.Call{Name: name, Method: http.MethodGet, URL: path}, out)
	return header, connectors.Unsent(err)
}

// write makes one call that changes something, in the name of the user we work as.
func (c *connector) write(ctx context.Context, name, method, path string, body, out any) error {
	header := http.Header{"From": {c.conf.From}}
	_, err := c.call(ctx, connectors.Call{Name: name, Method: method, URL: path, Header: header, JSON: body}, out)
	return err
}

// call makes one call; the URL is what follows the address. out, where set, takes the answer.
func (c *connector) call(ctx context.Context, call connectors.Call, out any) (http.Header, error) {
	call.URL = c.conf.BaseURL + "/" + call.URL
	if call.Header == nil {
		call.Header = http.Header{}
	}
	call.Header.Set("Accept", accept)
	call.Header.Set("Content-Type", "application/json")
	answer, err := c.client.Do(ctx, call)
	if err != nil {
		return nil, c.refused(err)
	}
	if out == nil {
		return answer.Header, nil
	}
	return answer.Header, answer.DecodeJSON(call.Name, out)
}

// refused adds PagerDuty's own words to an error, and how long to wait where only its own header says so. Some refusals of
// calls that are too fast come without either.
func (c *connector) refused(err error) error {
	fault := *connectors.AsError(err)
	answered, ok := errors.AsType[*connectors.Answered](err)
	if !ok {
		return &fault
	}
	if n, err := strconv.Atoi(answered.Header.Get("ratelimit-reset")); err == nil && n > 0 && fault.Kind == connectors.Throttled && fault.RetryAfter == 0 {
		fault.RetryAfter = time.Duration(min(n, 3600)) * time.Second
	}
	if words := said(answered.Body); words != "" {
		fault.Err = fmt.Errorf("%w; PagerDuty says: %s", err, words)
	}
	return &fault
}

// said is what PagerDuty says in the body of a refusal.
func said(body []byte) string {
	var refusal struct {
		Error struct {
			Message string          `json:"message"`
			Errors  json.RawMessage `json:"errors"`
		} `json:"error"`
	}
	if json.Unmarshal(body, &refusal) != nil {
		return ""
	}
	var more []string
	_ = json.Unmarshal(refusal.Error.Errors, &more) // another form says nothing
	words := strings.Join(append([]string{refusal.Error.Message}, more...), "; ")
	return connectors.Clean(strings.Trim(words, "; "), 400)
}

const (
	pageSize   = 100   // the most a list gives at once
	maxRecords = 10000 // the most PagerDuty counts through in one list
)

// list reads a list to its end.
func list[T any](ctx context.Context, c *connector, name, path, member string, take func(T) error) error {
	for offset := 0; offset+pageSize <= maxRecords; offset += pageSize {
		items, more, _, err := page[T](ctx, c, name, path, member, offset)
		if err != nil {
			return err
		}
		for _, item := range items {
			if err := take(item); err != nil {
				return err
			}
		}
		if !more {
			return nil
		}
	}
	return connectors.Temporarily("%s: the list goes on beyond the %d entries that PagerDuty gives", name, maxRecords)
}

// page reads one page of a list and tells whether there is another.
func page[T any](ctx context.Context, c *connector, name, path, member string, offset int) ([]T, bool, http.Header, error) {
	path += map[bool]string{true: "&", false: "?"}[strings.Contains(path, "?")] + fmt.Sprintf("limit=%d&offset=%d", pageSize, offset)
	var answer map[string]json.RawMessage
	header, err := c.read(ctx, name, path, &answer)
	if err != nil {
		return nil, false, nil, err
	}
	var items []T
	if err := json.Unmarshal(answer[member], &items); err != nil || items == nil {
		return nil, false, nil, connectors.Temporarily("%s: the answer is no list", name)
	}
	var more *bool
	if json.Unmarshal(answer["more"], &more) != nil || more == nil {
		return nil, false, nil, connectors.Temporarily("%s: the answer does not say whether it is all", name)
	}
	if *more && len(items) == 0 {
		return nil, false, nil, connectors.Temporarily("%s: a page is empty and not the last", name)
	}
	return items, *more, header, nil
}

// clock is the time at PagerDuty as an answer has it, ours where it does not tell.
func (c *connector) clock(h http.Header) time.Time {
	if at, err := http.ParseTime(h.Get("Date")); err == nil {
		return at.UTC()
	}
	return c.now().UTC()
}

// handle is what an incident is called by in a path.
func handle(ref connectors.Ref) (string, error) {
	if idForm.MatchString(ref.ID) {
		return ref.ID, nil
	}
	return "", connectors.Permanently("the incident's id is not one of PagerDuty's")
}

// incident reads an incident.
func (c *connector) incident(ctx context.Context, id string) (incident, error) {
	var answer struct{ Incident incident }
	if _, err := c.read(ctx, "read incident", "incidents/"+id, &answer); err != nil {
		return incident{}, err
	}
	if answer.Incident.ID != id || answer.Incident.Status == "" {
		return incident{}, connectors.Temporarily("read incident: the answer is not the incident")
	}
	return answer.Incident, nil
}

// put changes an incident, and returns it as it is afterwards.
func (c *connector) put(ctx context.Context, name, id string, fields map[string]any) (incident, error) {
	fields["type"] = "incident"
	var answer struct{ Incident incident }
	err := c.write(ctx, name, http.MethodPut, "incidents/"+id, map[string]any{"incident": fields}, &answer)
	if err == nil && answer.Incident.ID != id {
		err = connectors.InDoubt("%s: the answer is not the incident", name)
	}
	return answer.Incident, err
}

func isForbidden(err error) bool {
	return err != nil && connectors.AsError(err).Status == http.StatusForbidden
}
