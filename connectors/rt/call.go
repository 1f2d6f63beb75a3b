package rt

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

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

func (c *connector) get(ctx context.Context, name, path string, out any) error {
	_, err := c.call(ctx, connectors.Call{Name: name, Method: http.MethodGet, URL: path}, out)
	return err
}

// call makes one call; the URL is what follows the interface's root. out, where set, takes the answer.
func (c *connector) call(ctx context.Context, call connectors.Call, out any) (http.Header, error) {
	call.URL = c.conf.BaseURL + "/REST/2.0/" + call.URL
	answer, err := c.client.Do(ctx, call)
	if err != nil {
		return nil, refused(call.Name, err)
	}
	if out == nil {
		return answer.Header, nil
	}
	return answer.Header, answer.DecodeJSON(call.Name, out)
}

// refused adds Request Tracker's own words to an error.
func refused(name string, err error) error {
	fault := *connectors.AsError(err)
	answered, ok := errors.AsType[*connectors.Answered](err)
	if !ok {
		return &fault
	}
	if fault.Status == http.StatusPreconditionFailed {
		return &connectors.Error{Kind: connectors.Temporary, Status: fault.Status, Err: fmt.Errorf("%s: the ticket was changed by somebody else meanwhile", name)}
	}
	var body struct{ Message string }
	if json.Unmarshal(answered.Body, &body) != nil {
		return &fault
	}
	if words := connectors.Clean(body.Message, 300); words != "" && words != http.StatusText(fault.Status) {
		fault.Err = fmt.Errorf("%w; Request Tracker says: %s", err, words)
	}
	return &fault
}

var ticketID = regexp.MustCompile(`^[1-9][0-9]{0,18}$`)

// handle is what a ticket is called by in a path.
func handle(ref connectors.Ref) (string, error) {
	if id := ref.ID; ticketID.MatchString(id) {
		return id, nil
	}
	if id, ok := strings.CutPrefix(ref.Key, "#"); ok && ref.ID == "" && ticketID.MatchString(id) {
		return id, nil
	}
	return "", connectors.Permanently("the ticket's id is not one of Request Tracker's")
}

// ticket reads a ticket and the tag its next change must match.
func (c *connector) ticket(ctx context.Context, id string) (ticket, string, error) {
	var raw map[string]json.RawMessage
	const query = "?fields[Creator]=RealName,EmailAddress&fields[Queue]=Name"
	header, err := c.call(ctx, connectors.Call{Name: "read ticket", Method: http.MethodGet, URL: "ticket/" + id + escapeQuery(query)}, &raw)
	if err != nil {
		return ticket{}, "", connectors.Unsent(err)
	}
	text, _ := json.Marshal(raw) // just read
	t := ticket{raw: raw}
	if err := json.Unmarshal(text, &t); err != nil || !ticketID.MatchString(string(t.ID)) {
		return ticket{}, "", connectors.Temporarily("read ticket: the answer is no ticket")
	}
	return t, strings.Trim(strings.TrimPrefix(header.Get("ETag"), "W/"), `"`), nil
}

func escapeQuery(query string) string {
	return strings.NewReplacer("[", "%5B", "]", "%5D").Replace(query)
}

// listing says which part of a list is asked for.
type listing struct {
	fields string
	order  string // ASC or DESC, by id
	size   int
	page   int
	query  string
	people bool // names and mail addresses along with the creator
}

func (l listing) values() url.Values {
	v := url.Values{"fields": {l.fields}, "orderby": {"id"}, "order": {l.order}, "per_page": {strconv.Itoa(l.size)}, "page": {strconv.Itoa(l.page)}}
	if l.query != "" {
		v.Set("query", l.query)
	}
	if l.people {
		v.Set("fields[Creator]", "RealName,EmailAddress")
	}
	return v
}

// pageSize is the most Request Tracker gives at once.
const pageSize = 100

// maxPages ends a list that does not end by itself.
const maxPages = 1000

// all reads a list to its end, in the order of ids. Request Tracker leaves out of a page what the account may not see
// and then does not tell how many pages there are, so a list ends at the first that is empty. take returns false to
// stop.
func all[T any](ctx context.Context, c *connector, name, path string, l listing, take func(T) bool) error {
	l.order, l.size = "ASC", pageSize
	for l.page = 1; l.page <= maxPages; l.page++ {
		var p page[T]
		if err := c.get(ctx, name, path+"?"+l.values().Encode(), &p); err != nil {
			return connectors.Unsent(err)
		}
		if p.Items == nil {
			return connectors.Temporarily("%s: the answer is no list", name)
		}
		for _, item := range p.Items {
			if !take(item) {
				return nil
			}
		}
		if len(p.Items) == 0 || p.Pages > 0 && float64(l.page) >= p.Pages {
			return nil
		}
	}
	return connectors.Temporarily("%s: the list does not end", name)
}

// segment is text as one part of a path. Dots alone would lead elsewhere, and Request Tracker takes a slash for one
// however it is written.
func segment(text string) (string, error) {
	if text == "" || strings.Trim(text, ".") == "" || strings.Contains(text, "/") || connectors.Clean(text, 200) != text {
		return "", errors.New("not a name")
	}
	return url.PathEscape(text), nil
}

// path is text that was checked before as one part of a path.
func path(text string) string { return url.PathEscape(text) }
