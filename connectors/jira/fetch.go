package jira

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Fetch reads a ticket with its whole history. Where the history cannot be read to its end, or does not lead to the
// status the ticket has, it fails: half of it is no evidence.
func (c *connector) Fetch(ctx context.Context, ref connectors.Ref) (connectors.Snapshot, error) {
	me, err := c.account(ctx)
	if err != nil {
		return connectors.Snapshot{}, connectors.Unsent(err)
	}
	i, histories, err := c.evidence(ctx, ref)
	if err != nil {
		return connectors.Snapshot{}, connectors.Unsent(err)
	}
	out := c.snapshot(i, me)
	if out.History, err = steps(histories, me); err != nil {
		return connectors.Snapshot{}, err
	}
	if out.Key, err = c.proven(ctx, i, out); err != nil {
		return connectors.Snapshot{}, connectors.Unsent(err)
	}
	var p project
	i.field("project", &p)
	if p.Type == serviceDesk {
		if out.Approvals, err = c.approvals(ctx, i, me); err != nil {
			return connectors.Snapshot{}, connectors.Unsent(err)
		}
	}
	return out, nil
}

// evidence reads ticket and history so that they fit. They take two calls at Cloud; a ticket moved in between is read
// once more.
func (c *connector) evidence(ctx context.Context, ref connectors.Ref) (issue, []history, error) {
	for range 2 {
		i, histories, err := c.read(ctx, ref)
		if err != nil || leadsTo(i, histories) {
			return i, histories, err
		}
	}
	return issue{}, nil, connectors.Temporarily("read issue: its history does not lead to the status it has")
}

func (c *connector) read(ctx context.Context, ref connectors.Ref) (issue, []history, error) {
	query := "?fields=*all,-comment,-worklog&properties=" + c.conf.KeyProperty
	if c.conf.Deployment == dataCenter {
		query += "&expand=changelog"
	}
	path, err := c.issue(ref, query)
	if err != nil {
		return issue{}, nil, err
	}
	var i issue
	if err := c.get(ctx, "read issue", path, &i); err != nil {
		return issue{}, nil, err
	}
	if !issueID.MatchString(i.ID) {
		return issue{}, nil, connectors.Temporarily("read issue: the answer names no issue")
	}
	if c.conf.Deployment == dataCenter {
		histories, err := expanded(i)
		return i, histories, err
	}
	histories, err := c.changelog(ctx, i.ID)
	return i, histories, err
}

// snapshot is a ticket without what takes further calls.
func (c *connector) snapshot(i issue, me self) connectors.Snapshot {
	var s status
	var creator *user
	var priority struct{ Name string }
	var created, updated stamp
	var files []attachment
	out := connectors.Snapshot{Ref: c.ref(i.ID, i.Key), Fields: map[string]any{}}
	i.field("status", &s)
	i.field("creator", &creator)
	i.field("priority", &priority)
	i.field("created", &created)
	i.field("updated", &updated)
	i.field("attachment", &files)
	i.field("summary", &out.Summary)
	out.Status, out.Category, out.Priority = s.Name, s.Category.Key, priority.Name
	out.Creator = creator.seenBy(me)
	out.Ours = out.Creator.Ours
	out.Created, out.Updated = created.Time, updated.Time
	for _, f := range files {
		out.Files = append(out.Files, connectors.FileInfo{ID: f.ID, Name: f.Name, Size: f.Size, By: f.Author.seenBy(me), At: f.Created.Time})
	}
	for id, raw := range i.Fields {
		if id == "attachment" || string(raw) == "null" {
			continue
		}
		if id == "description" {
			out.Description = string(raw)
			continue
		}
		out.Fields[id] = simple(raw)
	}
	return out
}

// proven is our key where label and property say the same. On a Data Center ticket of ours that was left without its
// property, because the call after the create was lost, the property is set now.
func (c *connector) proven(ctx context.Context, i issue, s connectors.Snapshot) (string, error) {
	var found []string
	i.field("labels", &found)
	if key := i.key(c.conf.KeyProperty); key != "" {
		if slices.Contains(found, keyLabel(key)) {
			return key, nil
		}
		return "", nil
	}
	found = slices.DeleteFunc(found, func(l string) bool { return !strings.HasPrefix(l, mark+"-") })
	_, set := i.Properties[c.conf.KeyProperty]
	if c.conf.Deployment != dataCenter || !s.Ours || set || len(found) != 1 {
		return "", nil
	}
	key := strings.TrimPrefix(found[0], mark+"-")
	if checkKey(key) != nil {
		return "", nil
	}
	if err := c.setProperty(ctx, s.Ref, key); err != nil {
		return "", err
	}
	return key, nil
}

// changelog reads the whole history at Cloud.
func (c *connector) changelog(ctx context.Context, id string) ([]history, error) {
	var out []history
	err := c.pages(ctx, "read history", c.api("issue/"+id+"/changelog"), func(text json.RawMessage) (int, int, error) {
		var page struct {
			Values []history `json:"values"`
			Total  int       `json:"total"`
		}
		if err := json.Unmarshal(text, &page); err != nil {
			return 0, 0, err
		}
		out = append(out, page.Values...)
		return len(page.Values), page.Total, nil
	})
	return out, err
}

// expanded is the history a Data Center sends along with the ticket.
func expanded(i issue) ([]history, error) {
	if i.Changelog == nil || len(i.Changelog.Histories) < i.Changelog.Total {
		return nil, connectors.Temporarily("read history: Jira sent only a part of it")
	}
	return i.Changelog.Histories, nil
}
