package redmine

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Fetch reads a ticket with its whole history. Where the history does not lead to the status the ticket has, it fails:
// half of it is no evidence.
func (c *connector) Fetch(ctx context.Context, ref connectors.Ref) (connectors.Snapshot, error) {
	id, err := handle(ref)
	if err != nil {
		return connectors.Snapshot{}, err
	}
	me, _, err := c.signIn(ctx)
	if err != nil {
		return connectors.Snapshot{}, err
	}
	statuses, err := c.statuses(ctx)
	if err != nil {
		return connectors.Snapshot{}, err
	}
	i, err := c.issue(ctx, id, "journals,attachments")
	if err != nil {
		return connectors.Snapshot{}, err
	}
	if !leadsTo(i) {
		return connectors.Snapshot{}, connectors.Temporarily("read issue: its history does not lead to the status it has")
	}
	var priorities []named
	if touched(i, priorityDetail) {
		if priorities, err = c.priorities(ctx); err != nil {
			return connectors.Snapshot{}, err
		}
	}
	creator := i.Author.account(me)
	out := connectors.Snapshot{
		Ref: c.ref(i.ID), Ours: creator.Ours && !reassigned(i), Status: i.Status.Name, Category: "open", Summary: i.Subject, Priority: i.Priority.Name,
		Description: i.Description, Fields: simple(i), Creator: creator, Created: i.Created.UTC(), Updated: i.Updated.UTC(), History: steps(i, me, statuses, priorities),
	}
	if i.Status.Closed {
		out.Category = "closed"
	}
	if out.Ours {
		out.Key = c.key(i)
	}
	for _, a := range i.Attachments {
		out.Files = append(out.Files, connectors.FileInfo{
			ID: strconv.FormatInt(a.ID, 10), Name: a.Name, Size: a.Size, By: a.Author.account(me), At: a.Created.UTC(),
		})
	}
	return out, nil
}

// statuses are all statuses there are.
func (c *connector) statuses(ctx context.Context) ([]status, error) {
	var answer struct {
		All []status `json:"issue_statuses"`
	}
	if err := c.get(ctx, "read statuses", "issue_statuses.json", &answer); err != nil {
		return nil, connectors.Unsent(err)
	}
	if len(answer.All) == 0 {
		return nil, connectors.Temporarily("read statuses: the answer has none")
	}
	return answer.All, nil
}

// What the steps of fields are called in a journal that a snapshot calls otherwise.
const (
	statusDetail   = "status_id"
	subjectDetail  = "subject"
	priorityDetail = "priority_id"
)

// touched tells whether a field was ever changed.
func touched(i issue, detail string) bool {
	return slices.ContainsFunc(i.Journals, func(j journal) bool {
		for _, d := range j.Details {
			if d.Property == "attr" && d.Name == detail {
				return true
			}
		}
		return false
	})
}

// leadsTo tells whether the last step of the status ends where the ticket is.
func leadsTo(i issue) bool {
	for _, j := range slices.Backward(ordered(i.Journals)) {
		for _, d := range slices.Backward(j.Details) {
			if d.Property == "attr" && d.Name == statusDetail {
				return text(d.New) == strconv.FormatInt(i.Status.ID, 10)
			}
		}
	}
	return true
}

// ordered are journals, oldest first, whatever order the account reads them in.
func ordered(journals []journal) []journal {
	out := slices.Clone(journals)
	slices.SortStableFunc(out, func(a, b journal) int { return int(a.ID - b.ID) })
	return out
}

// steps are the changed fields. Files and relations are none.
func steps(i issue, me user, statuses []status, priorities []named) []connectors.Step {
	names := map[string]string{}
	for _, f := range i.CustomFields {
		names[strconv.FormatInt(f.ID, 10)] = f.Name
	}
	called := func(id string) string {
		for _, s := range statuses {
			if strconv.FormatInt(s.ID, 10) == id {
				return s.Name
			}
		}
		return id
	}
	ranked := func(id string) string {
		for _, p := range priorities {
			if strconv.FormatInt(p.ID, 10) == id {
				return p.Name
			}
		}
		return id
	}
	var out []connectors.Step
	for _, j := range ordered(i.Journals) {
		for n, d := range j.Details {
			step := connectors.Step{
				ID: fmt.Sprintf("%d/%d", j.ID, n), At: j.Created.UTC(), By: j.User.account(me), Field: d.Name, From: text(d.Old), To: text(d.New),
			}
			switch {
			case d.Property == "attr" && d.Name == statusDetail:
				step.Field, step.From, step.To = "status", called(step.From), called(step.To)
			case d.Property == "attr" && d.Name == subjectDetail:
				step.Field = "summary"
			case d.Property == "attr" && d.Name == priorityDetail:
				step.Field, step.From, step.To = "priority", ranked(step.From), ranked(step.To)
			case d.Property == "cf" && names[d.Name] != "":
				step.Field = names[d.Name]
			case d.Property == "cf":
				step.Field = "cf_" + d.Name
			case d.Property != "attr":
				continue
			}
			out = append(out, step)
		}
	}
	return out
}
