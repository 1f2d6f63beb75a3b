package zendesk

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Fetch reads a ticket with its whole history. Where the history does not lead to the status the ticket has, it fails:
// half of it is no evidence. A ticket that was merged into another is not found.
func (c *connector) Fetch(ctx context.Context, ref connectors.Ref) (connectors.Snapshot, error) {
	id, err := handle(ref)
	if err != nil {
		return connectors.Snapshot{}, err
	}
	me, err := c.account(ctx)
	if err != nil {
		return connectors.Snapshot{}, connectors.Beside(err)
	}
	all, err := c.customStatuses(ctx)
	if err != nil {
		return connectors.Snapshot{}, err
	}
	t, audits, err := c.evidence(ctx, id, all)
	if err != nil {
		return connectors.Snapshot{}, err
	}
	if mergedAway(t, audits) {
		return connectors.Snapshot{}, connectors.Permanently("read ticket: it was merged into another: %w", connectors.ErrNotFound)
	}
	requests, err := c.approvalRequests(ctx, id)
	if err != nil {
		return connectors.Snapshot{}, connectors.Beside(err)
	}
	people, err := c.people(ctx, involved(t, audits, requests))
	if err != nil {
		return connectors.Snapshot{}, connectors.Beside(err)
	}
	account := func(id looseID) connectors.Account {
		u, ok := people[id]
		if !ok {
			u.ID = id
		}
		return connectors.Account{Person: u.person(), Ours: id == me.ID, Automation: id == systemUser}
	}
	by := func(a audit, e event) connectors.Account {
		who := account(a.Author)
		who.Automation = who.Automation || !slices.Contains(c.conf.PeopleVia, string(channel(a, e).Channel))
		return who
	}
	out := connectors.Snapshot{
		Ref: c.ref(id), Ours: opened(t, audits, me), Status: all.name(t.standing()), Category: t.Status, Summary: t.Subject, Priority: t.Priority,
		Description: t.Description, Fields: simple(t), Creator: account(t.Submitter), Created: t.Created.UTC(), Updated: t.Updated.UTC(),
		Approvals: approvals(requests, account),
	}
	out.Creator.Ours = out.Ours
	out.History, _ = steps(audits, t.standing(), all, by)
	if out.Ours {
		out.Key = written(t, audits)
	}
	for _, a := range audits {
		for _, e := range comments([]audit{a}) {
			for _, f := range e.Attachments {
				out.Files = append(out.Files, connectors.FileInfo{ID: string(f.ID), Name: f.Name, Size: f.Size, By: account(e.Author), At: a.Created.UTC()})
			}
		}
	}
	return out, nil
}

// evidence reads ticket and history so that they fit. They take two calls; a ticket moved in between is read once more.
func (c *connector) evidence(ctx context.Context, id string, all statuses) (ticket, []audit, error) {
	for range 2 {
		t, err := c.ticket(ctx, id)
		if err != nil {
			return ticket{}, nil, err
		}
		audits, err := c.audits(ctx, id)
		if err != nil {
			return ticket{}, nil, err
		}
		if len(audits) == 0 {
			return ticket{}, nil, connectors.Temporarily("read history: it is empty")
		}
		_, end := steps(audits, t.standing(), all, func(audit, event) connectors.Account { return connectors.Account{} })
		if all.name(end) == all.name(t.standing()) {
			return t, audits, nil
		}
	}
	return ticket{}, nil, connectors.Temporarily("read ticket: its history does not lead to the status it has")
}

// involved are all accounts a snapshot names.
func involved(t ticket, audits []audit, requests []approvalRequest) []string {
	ids := map[string]bool{}
	add := func(id looseID) {
		if number.MatchString(string(id)) {
			ids[string(id)] = true
		}
	}
	add(t.Submitter)
	for _, a := range audits {
		add(a.Author)
	}
	for _, e := range comments(audits) {
		add(e.Author)
	}
	for _, r := range requests {
		add(r.Assignee.ID)
		for _, d := range r.Decisions {
			add(d.By.ID)
		}
	}
	return slices.Sorted(maps.Keys(ids))
}

// people reads accounts by number. Those that Zendesk no longer shows are left out.
func (c *connector) people(ctx context.Context, ids []string) (map[looseID]user, error) {
	out := map[looseID]user{}
	for some := range slices.Chunk(ids, pageSize) {
		var answer struct{ Users []user }
		if _, err := c.read(ctx, "read people", "users/show_many?ids="+strings.Join(some, ","), &answer); err != nil {
			return nil, err
		}
		if answer.Users == nil {
			return nil, connectors.Temporarily("read people: the answer is no list")
		}
		for _, u := range answer.Users {
			out[u.ID] = u
		}
	}
	return out, nil
}

// simple is a ticket's fields in the form rules compare with: custom fields by number.
func simple(t ticket) map[string]any {
	out := map[string]any{}
	take := func(id string, raw json.RawMessage) {
		var v any
		if json.Unmarshal(raw, &v) != nil || v == nil {
			return
		}
		if n, ok := v.(float64); ok && strings.HasSuffix(id, "_id") {
			v = plain(n)
		}
		out[id] = v
	}
	for _, id := range []string{
		"type", "tags", "assignee_id", "brand_id", "due_at", "group_id", "organization_id", "problem_id", "requester_id", "ticket_form_id",
	} {
		take(id, t.raw[id])
	}
	for _, f := range t.Custom {
		take(string(f.ID), f.Value)
	}
	return out
}
