package jira

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/markdown"
)

// serviceDesk is the type of projects whose tickets customers see.
const serviceDesk = "service_desk"

// atDesk tells whether a ticket is kept at a service desk now. It is asked each time: tickets move between projects,
// and a note must not become public by that.
func (c *connector) atDesk(ctx context.Context, ref connectors.Ref) (bool, error) {
	path, err := c.issue(ref, "?fields=project")
	if err != nil {
		return false, err
	}
	var i issue
	if err := c.get(ctx, "read issue", path, &i); err != nil {
		return false, err
	}
	var p project
	i.field("project", &p)
	if p.Type != "" {
		return p.Type == serviceDesk, nil
	}
	key, err := segment(p.Key)
	if err != nil {
		return false, connectors.Permanently("read issue: Jira does not say which project it is in")
	}
	if err := c.get(ctx, "read project", c.api("project/"+key), &p); err != nil {
		return false, err
	}
	return p.Type == serviceDesk, nil
}

// deskComment writes a note through the request interface, the documented way to an internal one. Its text is wiki
// markup at Cloud too.
func (c *connector) deskComment(ctx context.Context, ref connectors.Ref, n connectors.Note) error {
	h, err := handle(ref)
	if err != nil {
		return err
	}
	text := markdown.Parse(n.Body)
	body := map[string]any{"body": text.Wiki(textLimit(text)), "public": n.Public}
	var made struct{ ID string }
	err = c.call(ctx, "comment on request", http.MethodPost, deskAPI+"request/"+h+"/comment", body, &made)
	if errors.Is(err, connectors.ErrNotFound) {
		return c.agentComment(ctx, ref, n)
	}
	if err != nil || n.Key == "" || !issueID.MatchString(made.ID) {
		return err
	}
	path := c.api("comment/" + made.ID + "/properties/" + c.conf.KeyProperty)
	if err := c.call(ctx, "set comment property", http.MethodPut, path, owned{Key: n.Key}, nil); err != nil {
		// The note is there; repeating the call would write it again.
		c.log.WarnContext(ctx, "comment written without its property", "ticket", ref.Key, "error", err)
	}
	return nil
}

// agentComment comments on a ticket of a service desk that is no customer request. Where Jira answers that an
// internal note came out public after all, it is taken back.
func (c *connector) agentComment(ctx context.Context, ref connectors.Ref, n connectors.Note) error {
	made, err := c.addComment(ctx, ref, c.commentBody(n, !n.Public))
	if err != nil || n.Public || made.Public == nil || !*made.Public {
		return err
	}
	if !issueID.MatchString(made.ID) {
		return &connectors.Error{Kind: connectors.Permanent, Sent: true, Err: errors.New("comment: Jira made an internal note public")}
	}
	path, err := c.issue(ref, "/comment/"+made.ID)
	if err != nil {
		return err
	}
	if err := c.call(ctx, "take back comment", http.MethodDelete, path, nil, nil); err != nil {
		return &connectors.Error{Kind: connectors.Permanent, Sent: true, Err: fmt.Errorf("comment: Jira made an internal note public: %w", err)}
	}
	return connectors.Permanently("comment: Jira would make an internal note public; it was taken back. Give the ticket a request type")
}

// approvals reads the service desk's own approvals of a ticket, in the order they were asked for. A ticket that is no
// request has none.
func (c *connector) approvals(ctx context.Context, i issue, me self) ([]connectors.Approval, error) {
	h, err := handle(c.ref(i.ID, i.Key))
	if err != nil {
		return nil, err
	}
	var asked []approval
	for start := 0; ; {
		var page struct {
			Values []approval `json:"values"`
			Last   bool       `json:"isLastPage"`
		}
		err := c.get(ctx, "read approvals", fmt.Sprintf("%srequest/%s/approval?start=%d&limit=50", deskAPI, h, start), &page)
		if errors.Is(err, connectors.ErrNotFound) {
			return nil, c.noRequest(ctx, i, h)
		}
		if err != nil {
			return nil, err
		}
		asked = append(asked, page.Values...)
		start += len(page.Values)
		if page.Last || len(page.Values) == 0 {
			return ordered(asked, me), nil
		}
	}
}

// noRequest makes sure that a ticket without approvals is no request. Jira answers 404 as well where the account may not
// see the request, or where something in front of Jira does not know the address. Were that taken for a ticket without
// approvals, a status would count in their place.
func (c *connector) noRequest(ctx context.Context, i issue, h string) error {
	err := c.get(ctx, "read request", deskAPI+"request/"+h, nil)
	if err != nil && !errors.Is(err, connectors.ErrNotFound) {
		return err
	}
	if err == nil || i.isRequest() {
		return connectors.Temporarily("read approvals: Jira finds none, not even an empty list, but the ticket is a request; the account may have to be an agent of the service project")
	}
	return nil
}

// ordered are the votes of approvals in the order those were asked for.
func ordered(asked []approval, me self) []connectors.Approval {
	slices.SortStableFunc(asked, func(a, b approval) int {
		return cmp.Or(cmp.Compare(a.Created.Millis, b.Created.Millis), cmp.Compare(len(a.ID), len(b.ID)), cmp.Compare(a.ID, b.ID))
	})
	var out []connectors.Approval
	for _, a := range asked {
		out = append(out, a.votes(me)...)
	}
	return out
}

// votes is one entry for each approver asked.
func (a approval) votes(me self) []connectors.Approval {
	var out []connectors.Approval
	for _, one := range a.Approvers {
		vote := connectors.Approval{
			ID: a.ID, By: one.Approver.seenBy(me), Outcome: outcome(one.Decision), Final: outcome(a.Final),
		}
		if a.Completed.Millis > 0 && vote.Outcome != connectors.Pending { // Jira tells when the whole came to its end
			vote.At = time.UnixMilli(a.Completed.Millis).UTC()
		}
		out = append(out, vote)
	}
	return out
}

func outcome(decision string) connectors.Outcome {
	switch decision {
	case "approved":
		return connectors.Approved
	case "declined":
		return connectors.Denied
	default:
		return connectors.Pending
	}
}
