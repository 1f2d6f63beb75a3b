package opsgenie

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// read makes one call that changes nothing, and takes what the answer holds as data.
func (c *connector) read(ctx context.Context, name, path string, data any) (paging, http.Header, error) {
	var answer struct {
		Data   json.RawMessage `json:"data"`
		Paging paging          `json:"paging"`
	}
	header, err := c.call(ctx, connectors.Call{Name: name, Method: http.MethodGet, URL: path}, &answer)
	if err != nil {
		return paging{}, nil, connectors.Unsent(err)
	}
	if len(answer.Data) == 0 || json.Unmarshal(answer.Data, data) != nil || string(answer.Data) == "null" {
		return paging{}, nil, connectors.Temporarily("%s: the answer is not what was asked for", name)
	}
	return answer.Paging, header, nil
}

// paging leads to the next page of a list.
type paging struct {
	Next string `json:"next"`
}

// offset is where the next page begins, empty behind the last.
func (p paging) offset() string {
	u, err := url.Parse(p.Next)
	if err != nil {
		return ""
	}
	return u.Query().Get("offset")
}

// call makes one call; the URL is what follows the address. out, where set, takes the answer.
func (c *connector) call(ctx context.Context, call connectors.Call, out any) (http.Header, error) {
	call.URL = c.conf.BaseURL + "/" + call.URL
	answer, err := c.client.Do(ctx, call)
	if err != nil {
		return nil, c.refused(err)
	}
	return answer.Header, answer.DecodeJSON(call.Name, out)
}

// refused adds the vendor's own words to an error, how long to wait where only its own header says so, and what a refused
// key may mean.
func (c *connector) refused(err error) error {
	fault := *connectors.AsError(err)
	answered, ok := errors.AsType[*connectors.Answered](err)
	if !ok {
		return &fault
	}
	if n, err := strconv.Atoi(answered.Header.Get("X-RateLimit-Period-In-Sec")); err == nil && n > 0 && fault.Kind == connectors.Throttled && fault.RetryAfter == 0 {
		fault.RetryAfter = time.Duration(min(n, 3600)) * time.Second
	}
	var refusal struct {
		Message string `json:"message"`
	}
	_ = json.Unmarshal(answered.Body, &refusal) // another form says nothing
	if words := connectors.Clean(refusal.Message, 400); words != "" {
		fault.Err = fmt.Errorf("%w; the vendor says: %s", err, words)
	}
	if fault.Status == http.StatusUnauthorized && c.conf.Host != jsm {
		fault.Err = fmt.Errorf("%w; an account in the other region is answered so as well: host is %s", fault.Err, c.conf.Host)
	}
	return &fault
}

// change asks for a change, and waits for what becomes of it for as long as ctx lasts. It returns the alert's id.
func (c *connector) change(ctx context.Context, name, method, path string, body map[string]any) (string, error) {
	body["user"], body["source"] = c.conf.User, "drawbridge"
	var taken struct {
		RequestID string `json:"requestId"`
	}
	if _, err := c.call(ctx, connectors.Call{Name: name, Method: method, URL: path, JSON: body}, &taken); err != nil {
		return "", err
	}
	if !idForm.MatchString(taken.RequestID) {
		return "", connectors.InDoubt("%s: the answer names no request", name)
	}
	timer := time.NewTicker(c.conf.Ask)
	defer timer.Stop()
	for {
		o, err := c.outcome(ctx, name, taken.RequestID)
		switch {
		case errors.Is(err, connectors.ErrNotFound), ctx.Err() != nil: // it is not processed yet, or nobody waits any more
		case err != nil:
			fault := *connectors.AsError(err)
			fault.Sent = true
			return "", &fault
		case o.Success:
			return o.Alert, nil
		default:
			return "", o.failure(name)
		}
		select {
		case <-ctx.Done():
			return "", connectors.InDoubt("%s: it was taken, and what became of it was not told in time", name)
		case <-timer.C:
		}
	}
}

// outcome is what became of a request.
type outcome struct {
	Success bool   `json:"isSuccess"`
	Status  string `json:"status"`
	Alert   string `json:"alertId"`
}

func (c *connector) outcome(ctx context.Context, name, request string) (outcome, error) {
	var o outcome
	_, _, err := c.read(ctx, name+": ask for the outcome", "alerts/requests/"+request, &o)
	return o, err
}

// failure is a request that was processed in vain.
func (o outcome) failure(name string) error {
	words := connectors.Clean(o.Status, 200)
	if strings.Contains(strings.ToLower(words), "does not exist") {
		return connectors.Permanently("%s: the vendor says: %s: %w", name, words, connectors.ErrNotFound)
	}
	return connectors.Permanently("%s: the vendor says: %s", name, words)
}

var idForm = regexp.MustCompile(`^[A-Za-z0-9-]{1,80}$`)

// handle is what an alert is called by in a path.
func handle(ref connectors.Ref) (string, error) {
	if idForm.MatchString(ref.ID) {
		return ref.ID, nil
	}
	return "", connectors.Permanently("the alert's id is not one of the vendor's")
}

// alert reads an alert by its id.
func (c *connector) alert(ctx context.Context, id string) (alert, error) {
	var a alert
	if _, _, err := c.read(ctx, "read alert", "alerts/"+id+"?identifierType=id", &a); err != nil {
		return alert{}, err
	}
	if a.ID != id || a.Status == "" {
		return alert{}, connectors.Temporarily("read alert: the answer is not the alert")
	}
	return a, nil
}

const (
	pageSize = 100 // the most a list gives at once
	maxPages = 100 // ends a list that does not end by itself
)

// trail is what is told of an alert one by one: entries of its log, and notes.
type trail interface{ mark() string }

// all reads what there is of an alert to its end, oldest first.
func all[T trail](ctx context.Context, c *connector, name, id, what string) ([]T, error) {
	var out []T
	seen := map[string]bool{}
	offset := ""
	for range maxPages {
		path := fmt.Sprintf("alerts/%s/%s?identifierType=id&order=asc&direction=next&limit=%d", id, what, pageSize)
		if offset != "" {
			path += "&offset=" + url.QueryEscape(offset)
		}
		items := []T{}
		next, _, err := c.read(ctx, name, path, &items)
		if err != nil {
			return nil, err
		}
		for _, item := range items {
			if item.mark() == "" {
				return nil, connectors.Temporarily("%s: an entry has no offset or time", name)
			}
			if !seen[item.mark()] {
				out = append(out, item)
			}
			seen[item.mark()] = true
		}
		if next.offset() == "" || next.offset() == offset || len(items) == 0 {
			return out, nil
		}
		offset = next.offset()
	}
	return nil, connectors.Temporarily("%s: the list does not end", name)
}

// clock is the time at the vendor as an answer has it, ours where it does not tell.
func (c *connector) clock(h http.Header) time.Time {
	if at, err := http.ParseTime(h.Get("Date")); err == nil {
		return at.UTC()
	}
	return c.now().UTC()
}
