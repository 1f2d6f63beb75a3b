package freshservice

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/freshworks"
)

// approval is one person's part in an approval.
type approval struct {
	ID       int64           `json:"id"`
	Approver int64           `json:"approver_id"`
	Name     string          `json:"approver_name"`
	Level    int             `json:"level"`
	Status   json.RawMessage `json:"approval_status"`
	Group    *struct {
		ID int64 `json:"id"`
	} `json:"approval_group"`
	Delegate json.RawMessage `json:"delegatee"`
	Created  time.Time       `json:"created_at"`
	Updated  time.Time       `json:"updated_at"`
}

// What an approval's status says.
const (
	requested = 0
	approved  = 1
	rejected  = 2
	canceled  = 3
)

// asked reads everybody who was asked to approve, in the order they were asked. Only service requests and changes have
// approvals.
func (c *connector) asked(ctx context.Context, k freshworks.Kind, t freshworks.Ticket) ([]approval, error) {
	if k.Prefix == "" && t.Type != serviceRequest {
		return nil, nil
	}
	all, err := freshworks.Asked[approval](ctx, c.desk, "read approvals", fmt.Sprintf("%s/%d/approvals", k.Path, t.ID), "approvals")
	if err != nil {
		return nil, err
	}
	for _, a := range all {
		if _, ok := freshworks.Code(a.Status); !ok || a.ID <= 0 {
			return nil, connectors.Temporarily("read approvals: an entry has no id or status")
		}
	}
	slices.SortStableFunc(all, func(a, b approval) int {
		return cmp.Or(cmp.Compare(a.Level, b.Level), a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
	})
	return all, nil
}

// approvals tells who answered what. What the approval as a whole came to is the ticket's own word for it.
func (c *connector) approvals(ctx context.Context, k freshworks.Kind, t freshworks.Ticket) ([]connectors.Approval, error) {
	all, err := c.asked(ctx, k, t)
	if err != nil {
		return nil, err
	}
	final := rollUp(t, all)
	var out []connectors.Approval
	for _, a := range all {
		code, _ := freshworks.Code(a.Status)
		if code == canceled {
			continue
		}
		one := connectors.Approval{ID: a.round(), By: c.by(a), Outcome: outcome(code), Final: final}
		if code != requested {
			one.At = a.Updated.UTC()
		}
		out = append(out, one)
	}
	return out, nil
}

// round names the approval an entry belongs to: the group that was asked, or the level where there is none.
func (a approval) round() string {
	if a.Group != nil && a.Group.ID > 0 {
		return strconv.FormatInt(a.Group.ID, 10)
	}
	return "level-" + strconv.Itoa(a.Level)
}

// by is who answers an entry: where it was delegated, the delegate; where that cannot be read, nobody.
func (c *connector) by(a approval) connectors.Account {
	if len(a.Delegate) == 0 || string(a.Delegate) == "null" {
		by := c.desk.Account(a.Approver, c.me)
		by.Name = a.Name
		return by
	}
	var delegate struct {
		ID   int64  `json:"id"`
		Name string `json:"name"`
	}
	if json.Unmarshal(a.Delegate, &delegate) != nil {
		_ = json.Unmarshal(a.Delegate, &delegate.ID) // a plain number, or nobody
	}
	if delegate.ID <= 0 {
		return connectors.Account{Person: connectors.Person{Name: "a delegate of " + a.Name}}
	}
	by := c.desk.Account(delegate.ID, c.me)
	by.Name = delegate.Name
	return by
}

// rollUp is what the ticket says its approval came to. Where it says nothing, only everybody's yes is one, and anybody's
// no is one.
func rollUp(t freshworks.Ticket, all []approval) connectors.Outcome {
	if code, ok := freshworks.Code(t.Approval); ok {
		return outcome(code)
	}
	yes := 0
	for _, a := range all {
		switch code, _ := freshworks.Code(a.Status); code {
		case rejected:
			return connectors.Denied
		case approved:
			yes++
		case requested:
			return connectors.Pending
		}
	}
	if yes > 0 {
		return connectors.Approved
	}
	return connectors.Pending
}

func outcome(code int) connectors.Outcome {
	switch code {
	case approved:
		return connectors.Approved
	case rejected:
		return connectors.Denied
	default:
		return connectors.Pending
	}
}

// news is a short text for what has been answered on a ticket: whether an answer touches the ticket's time of update is
// not known.
func (c *connector) news(ctx context.Context, k freshworks.Kind, t freshworks.Ticket) (string, error) {
	all, err := c.asked(ctx, k, t)
	if err != nil {
		return "", err
	}
	sum, answered := sha256.New(), false
	for _, a := range all {
		code, _ := freshworks.Code(a.Status)
		answered = answered || code == approved || code == rejected
		fmt.Fprintf(sum, "%d %d %d\n", a.ID, code, a.Updated.Unix())
	}
	if !answered {
		return "", nil
	}
	return "approvals@" + hex.EncodeToString(sum.Sum(nil)[:8]), nil
}
