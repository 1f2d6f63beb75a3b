package servicenow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

const tableAPI = "/api/now/table/"

// call makes one call; the URL is what follows the instance's address. out, where set, takes the result.
func (c *connector) call(ctx context.Context, call connectors.Call, out any) (http.Header, error) {
	reads := call.Method == http.MethodGet
	call.URL = c.conf.BaseURL + call.URL
	answer, err := c.client.Do(ctx, call)
	if err != nil {
		return nil, c.refused(err, reads)
	}
	var e envelope
	if err := answer.DecodeJSON(call.Name, &e); err != nil {
		return nil, unsentIf(reads, err)
	}
	if e.Error != nil || e.Status == "failure" {
		return nil, &connectors.Error{
			Kind: connectors.Temporary, Sent: !reads, Status: answer.Status,
			Err: fmt.Errorf("%s: ServiceNow answered with a success that holds an error, as when it gives a call up in the middle", call.Name),
		}
	}
	if out == nil {
		return answer.Header, nil
	}
	if len(e.Result) == 0 || json.Unmarshal(e.Result, out) != nil {
		return nil, &connectors.Error{
			Kind: connectors.Temporary, Sent: !reads, Status: answer.Status, Err: fmt.Errorf("%s: the answer has no result of the form expected", call.Name),
		}
	}
	return answer.Header, nil
}

// refused adds ServiceNow's own words to an error.
func (c *connector) refused(err error, reads bool) error {
	fault := *connectors.AsError(err)
	fault.Sent = fault.Sent && !reads
	answered, ok := errors.AsType[*connectors.Answered](err)
	if !ok {
		return &fault
	}
	if fault.Status == http.StatusUnauthorized {
		fault.Err = fmt.Errorf("%w, or a REST API access policy keeps the account out", err)
	}
	if fault.Kind == connectors.Throttled && fault.RetryAfter == 0 {
		if at, err := strconv.ParseInt(answered.Header.Get("X-RateLimit-Reset"), 10, 64); err == nil {
			fault.RetryAfter = min(max(time.Unix(at, 0).Sub(c.now()), 0), 24*time.Hour)
		}
	}
	var e envelope
	if json.Unmarshal(answered.Body, &e) != nil {
		return &fault
	}
	if words := connectors.Clean(e.words(), 400); words != "" {
		fault.Err = fmt.Errorf("%w; ServiceNow says: %s", fault.Err, words)
	}
	return &fault
}

// condition is one part of an encoded query. Values come from the settings, from sys_ids or are checked before they come
// here: a '^' in one would begin the next part.
type condition struct{ field, operator, value string }

func is(field, value string) condition { return condition{field, "=", value} }

func in(field string, values []string) condition {
	return condition{field, "IN", strings.Join(values, ",")}
}

func since(field string, at time.Time) condition {
	return condition{field, ">=", at.UTC().Format(stampForm)}
}

// query writes conditions, all of which must hold, in the order of orders.
func query(conditions []condition, orders ...string) (string, error) {
	var parts []string
	for _, one := range conditions {
		if strings.ContainsAny(one.value, "^\r\n") || strings.Contains(strings.ToLower(one.value), "javascript:") {
			return "", connectors.Permanently("a value for a search holds what would change the search")
		}
		parts = append(parts, one.field+one.operator+one.value)
	}
	for _, field := range orders {
		parts = append(parts, "ORDERBY"+field)
	}
	return strings.Join(parts, "^"), nil
}

// asked are the parameters that make answers plain: values as the database has them, references as sys_ids.
func asked(fields ...string) url.Values {
	out := url.Values{
		"sysparm_display_value": {"false"}, "sysparm_exclude_reference_link": {"true"}, "sysparm_input_display_value": {"false"},
	}
	if len(fields) > 0 {
		out.Set("sysparm_fields", strings.Join(fields, ","))
	}
	return out
}

const (
	pageSize = 200
	// again is how many rows of a page are read again with the next: a row deleted meanwhile moves the later ones up.
	again = 10
	// maxPages ends a list that does not end by itself.
	maxPages = 1000
)

// listing is a search of one table.
type listing struct {
	name   string // for errors
	table  string
	where  []condition
	fields []string
	order  []string // none: by sys_id, which nothing that happens meanwhile changes
}

// page reads a part of a search. more tells whether rows follow: access rules thin a page out after it was cut, so that
// one with few rows, or none, may not be the last. hidden tells whether they did.
func (c *connector) page(ctx context.Context, l listing, offset, limit int) (rows []record, more, hidden bool, err error) {
	order := l.order
	if len(order) == 0 {
		order = []string{sysID}
	}
	text, err := query(l.where, order...)
	if err != nil {
		return nil, false, false, err
	}
	values := asked(l.fields...)
	values.Set("sysparm_query", text)
	values.Set("sysparm_limit", strconv.Itoa(limit))
	values.Set("sysparm_offset", strconv.Itoa(offset))
	header, err := c.call(ctx, connectors.Call{Name: l.name, Method: http.MethodGet, URL: tableAPI + l.table + "?" + values.Encode()}, &rows)
	if err != nil {
		return nil, false, false, err
	}
	if rows == nil {
		return nil, false, false, connectors.Temporarily("%s: the answer is no list", l.name)
	}
	total, err := strconv.Atoi(header.Get("X-Total-Count"))
	switch counted := err == nil; {
	case strings.Contains(strings.Join(header.Values("Link"), ","), `rel="next"`):
		more = true
	case counted:
		more = offset+limit < total
	default:
		more = len(rows) >= limit
	}
	return rows, more, err == nil && len(rows) < min(limit, max(total-offset, 0)), nil
}

// all reads a search to its end, every row once.
func (c *connector) all(ctx context.Context, l listing) ([]record, error) {
	var out []record
	seen := map[string]bool{}
	for n := range maxPages {
		rows, more, _, err := c.page(ctx, l, n*(pageSize-again), pageSize)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			if !recordID.MatchString(row[sysID]) {
				return nil, connectors.Temporarily("%s: a row has no sys_id", l.name)
			}
			if !seen[row[sysID]] {
				seen[row[sysID]] = true
				out = append(out, row)
			}
		}
		if !more {
			return out, nil
		}
	}
	return nil, connectors.Temporarily("%s: the list does not end", l.name)
}

// get reads one record of a table.
func (c *connector) get(ctx context.Context, at place, fields ...string) (record, error) {
	var out record
	if _, err := c.call(ctx, connectors.Call{Name: "read " + at.table, Method: http.MethodGet, URL: at.path() + "?" + asked(fields...).Encode()}, &out); err != nil {
		return nil, err
	}
	if out[sysID] != at.id {
		return nil, connectors.Temporarily("read %s: the answer is another record", at.table)
	}
	return out, nil
}

// patch changes fields of a record and returns it as it is afterwards.
func (c *connector) patch(ctx context.Context, name string, at place, fields map[string]string) (record, error) {
	var out record
	call := connectors.Call{Name: name, Method: http.MethodPatch, URL: at.path() + "?" + asked().Encode(), JSON: fields}
	if _, err := c.call(ctx, call, &out); err != nil {
		return nil, err
	}
	if out[sysID] != at.id {
		return nil, connectors.InDoubt("%s: the answer is another record", name)
	}
	return out, nil
}

var recordID = regexp.MustCompile(`^[0-9a-f]{32}$`)

// place is where a ticket is: its id is written table/sys_id.
type place struct{ table, id string }

func (p place) path() string   { return tableAPI + p.table + "/" + p.id }
func (p place) String() string { return p.table + "/" + p.id }

// place reads a ticket's id. Only the tables of the connection are ever touched.
func (c *connector) place(ref connectors.Ref) (place, error) {
	table, id, ok := strings.Cut(ref.ID, "/")
	if !ok || !recordID.MatchString(id) || !slices.Contains(c.conf.Tables, table) {
		return place{}, connectors.Permanently("the ticket's id is not one of ServiceNow's in the tables of the connection")
	}
	return place{table, id}, nil
}

// ref points at a ticket, with its address for people.
func (c *connector) ref(at place, number string) connectors.Ref {
	return connectors.Ref{ID: at.String(), Key: number, URL: c.conf.BaseURL + "/" + at.table + ".do?sys_id=" + at.id}
}

func unsentIf(reads bool, err error) error {
	if reads {
		return connectors.Unsent(err)
	}
	return err
}
