package rt

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Create opens a ticket in the queue named by the ticket's project, with our key in its custom field. The queue is
// looked at first: Request Tracker opens a ticket without the fields it does not know, and a ticket without our key
// could not be found again. Types and labels have no counterpart here and are left out. Request Tracker also opens it
// without what the account may not set, so the ticket is read back: where it lacks our key, or cannot be seen, the create
// fails for good; what else it lacks is logged.
func (c *connector) Create(ctx context.Context, key string, t connectors.Ticket) (connectors.Ref, error) {
	if err := checkKey(key); err != nil {
		return connectors.Ref{}, connectors.Permanently("create ticket: %w", err)
	}
	if t.Project == "" || t.Summary == "" {
		return connectors.Ref{}, connectors.Permanently("create ticket: project (the queue) and summary are needed")
	}
	q, err := c.queue(ctx, t.Project)
	if err != nil {
		return connectors.Ref{}, err
	}
	if !q.has(c.conf.KeyField) {
		return connectors.Ref{}, connectors.Permanently("create ticket: queue %s: %s", connectors.Clean(t.Project, 100), c.missingKeyField())
	}
	body, custom, err := c.body(t, q.has)
	if err != nil {
		return connectors.Ref{}, connectors.Permanently("create ticket: %w", err)
	}
	custom[c.conf.KeyField] = key
	asked := map[string]any{}
	maps.Copy(asked, body)
	maps.Copy(asked, custom)
	body["Queue"], body["CustomFields"] = string(q.ID), custom
	if content := html(t.Description); content != "" {
		body["Content"], body["ContentType"] = content, "text/html"
	}
	var made named
	if _, err := c.call(ctx, connectors.Call{Name: "create ticket", Method: http.MethodPost, URL: "ticket", JSON: body}, &made); err != nil {
		return connectors.Ref{}, err
	}
	if !ticketID.MatchString(string(made.ID)) {
		return connectors.Ref{}, connectors.InDoubt("create ticket: the answer names no ticket")
	}
	if err := c.confirm(ctx, string(made.ID), asked); err != nil {
		return connectors.Ref{}, err
	}
	return c.ref(string(made.ID)), nil
}

// confirm makes sure that a new ticket has our key and tells what else it was opened without.
func (c *connector) confirm(ctx context.Context, id string, asked map[string]any) error {
	t, _, err := c.ticket(ctx, id)
	if e := connectors.AsError(err); err != nil && e.Status == http.StatusForbidden {
		return keyless("create ticket: #%s was opened, but cannot be found again: the account lacks the right ShowTicket on it; close the ticket by hand", id)
	} else if err != nil {
		return connectors.Unconfirmed(err)
	}
	lost := missing(t, asked)
	if slices.Contains(lost, c.conf.KeyField) {
		return keyless("create ticket: #%s was opened without our key: the account lacks the right ModifyCustomField on the custom field %q; close the ticket by hand", id, c.conf.KeyField)
	}
	if len(lost) > 0 {
		c.log.WarnContext(ctx, "Request Tracker left out fields of a new ticket", "ticket", id, "fields", strings.Join(lost, ", "))
	}
	return nil
}

// keyless is the failure of a create that left a ticket behind which nothing leads to.
func keyless(format string, args ...any) error {
	return &connectors.Error{Kind: connectors.Permanent, Sent: true, Err: fmt.Errorf(format, args...)}
}

// missing are the fields that a new ticket was to have and has not. Fields of every ticket may come back in other words,
// so of those only the ones that are not set at all are told.
func missing(t ticket, asked map[string]any) []string {
	is := fieldsOf(t)
	unset := []string{"", "0", "Nobody", "1970-01-01T00:00:00Z"}
	var out []string
	for _, id := range slices.Sorted(maps.Keys(asked)) {
		_, custom := t.custom(id)
		got := listed(is[id])
		if !same(is[id], asked[id]) && (custom || len(got) == 0 || len(got) == 1 && slices.Contains(unset, got[0])) {
			out = append(out, id)
		}
	}
	return out
}

// queue reads a queue with its custom fields.
func (c *connector) queue(ctx context.Context, name string) (queue, error) {
	at, err := segment(name)
	if err != nil {
		return queue{}, connectors.Permanently("%q is no queue's name; where it has a slash, give its id", connectors.Clean(name, 100))
	}
	var q queue
	if err := c.get(ctx, "read queue", "queue/"+at, &q); err != nil {
		return queue{}, connectors.Unsent(err)
	}
	if q.ID == "" {
		return queue{}, connectors.Temporarily("read queue: the answer is no queue")
	}
	return q, nil
}

// Update changes the fields given, unless somebody changes the ticket at the same time. The first text of a ticket
// cannot be changed in Request Tracker, and a ticket stays in its queue.
func (c *connector) Update(ctx context.Context, ref connectors.Ref, t connectors.Ticket) error {
	if strings.TrimSpace(t.Description) != "" {
		return connectors.Permanently("update ticket: Request Tracker does not change the text a ticket was opened with; add a comment instead")
	}
	id, err := handle(ref)
	if err != nil {
		return err
	}
	before, tag, err := c.ticket(ctx, id)
	if err != nil {
		return err
	}
	body, custom, err := c.body(t, func(name string) bool { _, ok := before.custom(name); return ok })
	if err != nil {
		return connectors.Permanently("update ticket: %w", err)
	}
	asked := map[string]any{}
	maps.Copy(asked, body)
	maps.Copy(asked, custom)
	if len(asked) == 0 {
		return nil
	}
	if len(custom) > 0 {
		body["CustomFields"] = custom
	}
	said, err := c.change(ctx, "update ticket", id, tag, body)
	if err != nil {
		return err
	}
	after, _, err := c.ticket(ctx, id)
	if err != nil {
		return connectors.Unconfirmed(err)
	}
	return refusedFields("update ticket", before, after, asked, said)
}

// change puts new values on a ticket, where it is still as it was read. It returns what Request Tracker says of it.
func (c *connector) change(ctx context.Context, name, id, tag string, body map[string]any) ([]string, error) {
	call := connectors.Call{Name: name, Method: http.MethodPut, URL: "ticket/" + id, JSON: body, Header: http.Header{}}
	if tag != "" {
		call.Header.Set("If-Match", `"`+tag+`"`)
	}
	var said []string
	_, err := c.call(ctx, call, &said)
	return said, err
}

// refusedFields tells which fields neither hold what they were set to nor changed. Some values come back in other
// words (a priority by name, a date), so a field that changed counts as set.
func refusedFields(name string, before, after ticket, asked map[string]any, said []string) error {
	was, is := fieldsOf(before), fieldsOf(after)
	var faults []string
	for _, id := range slices.Sorted(maps.Keys(asked)) {
		if same(is[id], asked[id]) || !same(is[id], was[id]) {
			continue
		}
		faults = append(faults, id)
	}
	words := connectors.Clean(strings.Join(said, "; "), 400)
	if len(faults) == 0 || words == "" || unchanged(said) {
		return nil
	}
	return connectors.Permanently("%s: %s did not change; Request Tracker says: %s", name, strings.Join(faults, ", "), words)
}

// unchanged tells whether all that was said is that the values were there already, in other words than ours.
func unchanged(said []string) bool {
	return !slices.ContainsFunc(said, func(text string) bool { return !strings.Contains(text, "already the current value") })
}

func fieldsOf(t ticket) map[string]any {
	out := simple(t)
	out["Subject"], out["Priority"] = t.Subject, string(t.Priority)
	return out
}
