package freshdesk

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/freshworks"
)

type agent struct {
	ID      int64   `json:"id"`
	Groups  []int64 `json:"group_ids"`
	Contact struct {
		Name  string `json:"name"`
		Email string `json:"email"`
	} `json:"contact"`
}

// selfAge is how long we trust to be who we were.
const selfAge = 5 * time.Minute

// account is who we are, trusted for a while.
func (c *connector) account(ctx context.Context) (agent, error) {
	c.mu.Lock()
	self, at := c.self, c.read
	c.mu.Unlock()
	if self.ID > 0 && c.desk.Now().Sub(at) < selfAge {
		return self, nil
	}
	_, err := c.clock(ctx)
	if err != nil {
		return agent{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.self, nil
}

func (c *connector) me(ctx context.Context) (int64, error) {
	self, err := c.account(ctx)
	return self.ID, err
}

// clock is the time at Freshdesk. It asks who we are, and keeps that.
func (c *connector) clock(ctx context.Context) (time.Time, error) {
	var self agent
	header, err := c.desk.Call(ctx, connectors.Call{Name: "read own account", Method: http.MethodGet, URL: "agents/me"}, "", &self)
	if err != nil {
		return time.Time{}, connectors.Unsent(err)
	}
	if self.ID <= 0 {
		return time.Time{}, &connectors.Error{Kind: connectors.Unwell, Err: errors.New("read own account: Freshdesk does not say who we are")}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.self, c.read = self, c.desk.Now()
	return c.desk.TimeOf(header), nil
}

// Groups returns the names of the groups an agent is in, by their number.
func (c *connector) Groups(ctx context.Context, account string) ([]string, error) {
	if _, ok := freshworks.Numbered(account); !ok {
		return nil, connectors.Permanently("read groups: %q is no person's number", connectors.Clean(account, 100))
	}
	var a agent
	if err := c.desk.Get(ctx, "read agent", "agents/"+account, "", &a); err != nil {
		return nil, err
	}
	if strconv.FormatInt(a.ID, 10) != account {
		return nil, connectors.Temporarily("read agent: the answer is another agent, or none")
	}
	all, err := freshworks.List[struct {
		ID   int64
		Name string
	}](ctx, c.desk, "read groups", "groups", "", nil)
	if err != nil {
		return nil, err
	}
	out := []string{}
	for _, g := range all {
		if slices.Contains(a.Groups, g.ID) {
			out = append(out, g.Name)
		}
	}
	return out, nil
}

// People returns one page of the agents, and the cursor of the next; it is empty after the last.
func (c *connector) People(ctx context.Context, since connectors.Cursor) ([]connectors.Person, connectors.Cursor, error) {
	page := 1
	if since != "" {
		var err error
		if page, err = strconv.Atoi(string(since)); err != nil || page < 1 {
			return nil, since, connectors.Permanently("read people: the cursor is not one of ours")
		}
	}
	agents, more, err := freshworks.Page[agent](ctx, c.desk, "read people", "agents", "", page)
	if err != nil {
		return nil, since, err
	}
	var out []connectors.Person
	for _, a := range agents {
		out = append(out, connectors.Person{Account: strconv.FormatInt(a.ID, 10), Name: a.Contact.Name, Mail: a.Contact.Email})
	}
	if !more {
		return out, "", nil
	}
	return out, connectors.Cursor(strconv.Itoa(page + 1)), nil
}
