package rt

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Ping signs in and names what is missing in the configured queues: a right, or the custom field for our key. Request
// Tracker tells which rights an account has on a ticket only, and of some not even there; so they are looked for on the
// newest ticket of ours in each queue, by what it allows and what became of it.
func (c *connector) Ping(ctx context.Context) error {
	var who user
	if err := c.get(ctx, "read own account", "user/"+path(c.conf.User), &who); err != nil {
		return err
	}
	if who.ID == "" { // told of oneself only, and to those who may administrate users
		return connectors.Permanently("the credentials are not those of user %q", c.conf.User)
	}
	var faults []string
	for _, name := range c.conf.Queues {
		lacking, err := c.queueFaults(ctx, name)
		if err != nil {
			return err
		}
		for _, fault := range lacking {
			faults = append(faults, "queue "+name+": "+fault)
		}
	}
	if len(c.conf.Queues) == 0 {
		lacking, err := c.ticketFaults(ctx, "")
		if err != nil {
			return err
		}
		faults = lacking
	}
	if len(faults) > 0 {
		return connectors.Permanently("%s", strings.Join(faults, "; "))
	}
	return nil
}

// queueFaults names what is missing in a queue.
func (c *connector) queueFaults(ctx context.Context, name string) ([]string, error) {
	q, err := c.queue(ctx, name)
	if e := connectors.AsError(err); err != nil && e.Kind != connectors.Permanent {
		return nil, err
	} else if err != nil && e.Status == http.StatusForbidden {
		return []string{"the account lacks the right SeeQueue, or there is no such queue"}, nil
	} else if err != nil {
		return []string{err.Error()}, nil
	}
	var faults []string
	if !q.Links.has("create") {
		faults = append(faults, "the account lacks the right CreateTicket")
	}
	if !q.has(c.conf.KeyField) {
		faults = append(faults, c.missingKeyField())
	}
	lacking, err := c.ticketFaults(ctx, " AND Queue = "+quote(string(q.ID)))
	return append(faults, lacking...), err
}

func (c *connector) missingKeyField() string {
	return "it has no custom field " + strconv.Quote(c.conf.KeyField) + ", or the account lacks the right SeeCustomField on it"
}

// ticketFaults names what the account lacks on its newest ticket there; in is the end of a search.
func (c *connector) ticketFaults(ctx context.Context, in string) ([]string, error) {
	own, err := c.tickets(ctx, "find own tickets", "Creator = '__CurrentUser__'"+in, listing{fields: "Creator", order: "DESC", size: 1, page: 1})
	if err != nil {
		return nil, err
	}
	if len(own.Items) == 0 {
		return c.blind(ctx, in)
	}
	newest := own.Items[0]
	if !c.ours(newest.Creator) {
		return []string{"user is " + strconv.Quote(c.conf.User) + ", but the credentials are those of somebody else"}, nil
	}
	t, _, err := c.ticket(ctx, string(newest.ID))
	if err != nil {
		return nil, err
	}
	var lacking []string
	if !t.Links.has("comment") {
		lacking = append(lacking, "CommentOnTicket")
	}
	if !t.Links.has("correspond") {
		lacking = append(lacking, "ReplyToTicket")
	}
	if !t.Links.has("lifecycle") && !t.closed() {
		lacking = append(lacking, "ModifyTicket")
	}
	id := string(t.ID)
	history, err := c.history(ctx, id, "")
	if err != nil {
		return nil, err
	}
	if c.hides(t, history) {
		lacking = append(lacking, "ShowTicketComments")
	}
	var faults []string
	if len(lacking) > 0 {
		faults = append(faults, "on ticket "+id+" the account lacks the rights "+strings.Join(lacking, ", "))
	}
	if field, ok := t.custom(c.conf.KeyField); ok && len(field.texts()) == 0 && !t.closed() && !touched(history, string(field.ID)) {
		faults = append(faults, "ticket "+id+" was opened without our key, as where the account lacks the right ModifyCustomField; close it once that is granted")
	}
	return faults, nil
}

// blind tells whether the account may see no ticket at all there. Searches leave out what it may not see, so a queue
// nobody opened a ticket in yet looks the same, but for a Request Tracker that has no ticket anywhere.
func (c *connector) blind(ctx context.Context, in string) ([]string, error) {
	seen, err := c.tickets(ctx, "find tickets", "id > 0"+in, listing{fields: "Status", order: "DESC", size: 1, page: 1})
	if err != nil || len(seen.Items) > 0 {
		return nil, err
	}
	_, _, err = c.ticket(ctx, "1")
	if e := connectors.AsError(err); err == nil || e.Kind == connectors.Permanent && e.Status != http.StatusForbidden {
		return nil, nil
	} else if e.Kind != connectors.Permanent {
		return nil, err
	}
	return []string{"the account sees no ticket there: it lacks the right ShowTicket, or there is none yet; then open one by hand, so that this can be told"}, nil
}

// hides tells whether what we did last on a ticket is not in the history we see. Only our notes can be missing there.
func (c *connector) hides(t ticket, history []transaction) bool {
	last := slices.MaxFunc(history, func(a, b transaction) int { return a.Created.Compare(b.Created.Time) })
	const slack = 2 * time.Second // a ticket is stamped after its last entry
	return c.ours(t.UpdatedBy) && t.LastUpdated.Sub(last.Created.Time) > slack
}
