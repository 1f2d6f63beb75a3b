package freshworks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// KeyAuth signs in with an agent's API key, which is the user of Basic authentication; the password is any.
func KeyAuth(key connectors.Secret) connectors.Auth { return connectors.KeyUser{Key: key} }

// Call makes one call; the URL is what follows api/v2. What the answer holds under the name wrapper, or all of it where
// that is empty, is read into out, where set.
func (d *Desk) Call(ctx context.Context, call connectors.Call, wrapper string, out any) (http.Header, error) {
	call.URL = d.BaseURL + "/api/v2/" + call.URL
	answer, err := d.Client.Do(ctx, call)
	if err != nil {
		return nil, d.refused(err)
	}
	if out == nil {
		return answer.Header, nil
	}
	if wrapper == "" {
		return answer.Header, answer.DecodeJSON(call.Name, out)
	}
	var outer map[string]json.RawMessage
	if err := answer.DecodeJSON(call.Name, &outer); err != nil {
		return nil, err
	}
	inner := connectors.Answer{Status: answer.Status, Header: answer.Header, Body: outer[wrapper]}
	return answer.Header, inner.DecodeJSON(call.Name, out)
}

// Get reads something. A failure has changed nothing.
func (d *Desk) Get(ctx context.Context, name, path, wrapper string, out any) error {
	_, err := d.Call(ctx, connectors.Call{Name: name, Method: http.MethodGet, URL: path}, wrapper, out)
	return connectors.Unsent(err)
}

// maxWords is how much of the desk's own words an error repeats.
const maxWords = 400

// refused adds the desk's own words to an error: which field it does not take and why.
func (d *Desk) refused(err error) error {
	fault := *connectors.AsError(err)
	answered, ok := errors.AsType[*connectors.Answered](err)
	if !ok {
		return &fault
	}
	var body struct {
		Code, Message, Description string
		Errors                     json.RawMessage
	}
	if json.Unmarshal(answered.Body, &body) != nil {
		return &fault
	}
	var fields []struct{ Field, Message, Code string }
	_ = json.Unmarshal(body.Errors, &fields) // another form says nothing
	var words []string
	for _, f := range fields {
		words = append(words, strings.Trim(fmt.Sprintf("%s: %s (%s)", f.Field, f.Message, f.Code), ": "))
	}
	if len(words) == 0 {
		for _, text := range []string{body.Code, body.Message, body.Description} {
			if text != "" {
				words = append(words, text)
			}
		}
	}
	if text := connectors.Clean(strings.Join(words, "; "), maxWords); text != "" {
		fault.Err = fmt.Errorf("%w; %s says: %s", err, d.Vendor, text)
	}
	return &fault
}

const (
	pageSize   = 100 // the most a list gives at once
	searchSize = 30  // the most a search gives at once
	maxPages   = 300 // where the vendor stops, too
)

// listing is a list or a search to be read to its end.
type listing struct {
	name    string
	path    string
	query   url.Values
	wrapper string
	size    int // of a page; 0: the list's own
	pages   int // 0: as many as there are
}

// all reads a list. Lists tell of a next page in a header, searches do not and are read on while pages are full.
func all[T any](ctx context.Context, d *Desk, l listing, take func(T) error) error {
	query, size := url.Values{}, l.size
	for name, values := range l.query {
		query[name] = values
	}
	if size == 0 {
		size = pageSize
		query.Set("per_page", strconv.Itoa(size))
	}
	pages := l.pages
	if pages == 0 {
		pages = maxPages
	}
	for page := 1; page <= pages; page++ {
		query.Set("page", strconv.Itoa(page))
		var items []T
		call := connectors.Call{Name: l.name, Method: http.MethodGet, URL: l.path + "?" + query.Encode()}
		header, err := d.Call(ctx, call, l.wrapper, &items)
		if err != nil {
			return connectors.Unsent(err)
		}
		if items == nil {
			return connectors.Temporarily("%s: the answer is no list", l.name)
		}
		for _, item := range items {
			if err := take(item); err != nil {
				return err
			}
		}
		if !hasNext(header) && len(items) < size || len(items) == 0 {
			return nil
		}
	}
	return connectors.Temporarily("%s: the list does not end", l.name)
}

func hasNext(h http.Header) bool { return strings.Contains(h.Get("Link"), `rel="next"`) }

// Found reads what a search of tickets found.
func (d *Desk) Found(ctx context.Context, path, wrapper string, query url.Values, pages int) ([]Ticket, error) {
	var out []Ticket
	l := listing{name: "find ticket", path: path, query: query, wrapper: wrapper, size: searchSize, pages: pages}
	err := all(ctx, d, l, func(t Ticket) error {
		out = append(out, t)
		return t.whole("find ticket")
	})
	return out, err
}

// List reads a list to its end.
func List[T any](ctx context.Context, d *Desk, name, path, wrapper string, query url.Values) ([]T, error) {
	out := []T{}
	err := all(ctx, d, listing{name: name, path: path, wrapper: wrapper, query: query}, func(item T) error {
		out = append(out, item)
		return nil
	})
	return out, err
}

// maxAsked is how many pages of approvals are read.
const maxAsked = 20

// Asked reads a list whose pages are as small as a search's.
func Asked[T any](ctx context.Context, d *Desk, name, path, wrapper string) ([]T, error) {
	out := []T{}
	err := all(ctx, d, listing{name: name, path: path, wrapper: wrapper, size: searchSize, pages: maxAsked}, func(item T) error {
		out = append(out, item)
		return nil
	})
	return out, err
}

// Page reads one page of a list and tells whether there is another.
func Page[T any](ctx context.Context, d *Desk, name, path, wrapper string, page int) ([]T, bool, error) {
	var items []T
	url := fmt.Sprintf("%s?page=%d&per_page=%d", path, page, pageSize)
	header, err := d.Call(ctx, connectors.Call{Name: name, Method: http.MethodGet, URL: url}, wrapper, &items)
	if err != nil {
		return nil, false, connectors.Unsent(err)
	}
	if items == nil {
		return nil, false, connectors.Temporarily("%s: the answer is no list", name)
	}
	return items, hasNext(header) || len(items) == pageSize, nil
}

// Read reads a ticket. One that was deleted or marked as spam is no longer there.
func (d *Desk) Read(ctx context.Context, k Kind, id int64) (Ticket, error) {
	var t Ticket
	if err := d.Get(ctx, "read ticket", fmt.Sprintf("%s/%d", k.Path, id), k.One, &t); err != nil {
		return Ticket{}, err
	}
	if t.ID != id {
		return Ticket{}, connectors.Temporarily("read ticket: the answer is another ticket, or none")
	}
	if t.Deleted || t.Spam {
		return Ticket{}, connectors.Permanently("read ticket: it was deleted or marked as spam: %w", connectors.ErrNotFound)
	}
	return t, nil
}

// Write posts or puts a ticket and returns it as the desk then has it.
func (d *Desk) Write(ctx context.Context, call connectors.Call, wrapper string) (Ticket, error) {
	var t Ticket
	if _, err := d.Call(ctx, call, wrapper, &t); err != nil {
		return Ticket{}, err
	}
	if t.ID <= 0 {
		return Ticket{}, connectors.InDoubt("%s: the answer names no ticket", call.Name)
	}
	return t, nil
}

// Put changes a ticket.
func (d *Desk) Put(ctx context.Context, name string, k Kind, id int64, body map[string]any) (Ticket, error) {
	return d.Write(ctx, connectors.Call{Name: name, Method: http.MethodPut, URL: fmt.Sprintf("%s/%d", k.Path, id), JSON: body}, k.One)
}

// Probe asks for something that cannot be done, to learn whether the account may: whoever may not is told so before the
// desk looks at what is wrong with the request.
func (d *Desk) Probe(ctx context.Context, name, method, path string) (allowed bool, err error) {
	_, err = d.Call(ctx, connectors.Call{Name: name, Method: method, URL: path, JSON: map[string]any{}}, "", nil)
	switch status := status(err); {
	case err == nil, status == http.StatusBadRequest, status == http.StatusNotFound, status == http.StatusConflict:
		return true, nil
	case status == http.StatusForbidden:
		return false, nil
	default:
		return false, connectors.Unsent(err)
	}
}

func status(err error) int {
	if err == nil {
		return 0
	}
	return connectors.AsError(err).Status
}

// Forbidden tells whether a call was refused for want of a permission, or of the thing itself.
func Forbidden(err error) bool {
	return status(err) == http.StatusForbidden || status(err) == http.StatusNotFound
}
