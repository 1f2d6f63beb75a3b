// Package freshdesk is the desk Freshdesk, through its interface v2.
//
// A ticket carries our key in a custom field of a single line, which the search knows. The field that the vendor calls
// unique_external_id is no place for it: it names the person who asks. Freshdesk has no approvals and does not tell who
// moved a ticket, so people can answer by notes only; that, and what makes a ticket ours, is in package freshworks.
package freshdesk

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/freshworks"
)

var tickets = freshworks.Kind{
	Path: "tickets", Notes: "conversations", Fields: "ticket_fields", Closed: []int{4, 5},
	Standard: []string{
		"requester_id", "email", "phone", "name", "group_id", "responder_id", "company_id", "product_id", "due_by", "fr_due_by", "source", "cc_emails",
	},
}

// Open checks the settings and builds the connector.
func (c *Config) Open(env connectors.Env) (connectors.Connector, error) {
	settings := c.withDefaults()
	if err := settings.faults(); err != nil {
		return nil, err
	}
	out := &connector{conf: settings}
	out.desk = &freshworks.Desk{
		Vendor: "Freshdesk", BaseURL: settings.BaseURL, Log: env.Log, Now: env.Now,
		Client: env.Client.With(freshworks.KeyAuth(settings.Key)), Kinds: []freshworks.Kind{tickets},
		Answers: settings.Answers, Overlap: settings.Overlap, Recent: settings.Recent, Batch: settings.Batch, Robots: settings.Automation,
		Me: out.me, Clock: out.clock, Search: out.search, Key: out.key, Called: called,
		Listings: func(freshworks.Kind) []string { return []string{"order_by=created_at&order_type=asc"} },
	}
	return out, nil
}

type connector struct {
	conf Config
	desk *freshworks.Desk

	mu   sync.Mutex
	self agent // who we are
	read time.Time
}

var (
	_ connectors.Creator      = (*connector)(nil)
	_ connectors.Finder       = (*connector)(nil)
	_ connectors.Updater      = (*connector)(nil)
	_ connectors.Commenter    = (*connector)(nil)
	_ connectors.Transitioner = (*connector)(nil)
	_ connectors.Attacher     = (*connector)(nil)
	_ connectors.Fetcher      = (*connector)(nil)
	_ connectors.Watcher      = (*connector)(nil)
	_ connectors.Describer    = (*connector)(nil)
	_ connectors.Receiver     = (*connector)(nil)
	_ connectors.Directory    = (*connector)(nil)
	_ connectors.Reticent     = (*connector)(nil)
	_ connectors.Signer       = (*connector)(nil)
	_ connectors.Lagger       = (*connector)(nil)
	_ connectors.Marker       = (*connector)(nil)
	_ connectors.Exampler     = (*Config)(nil)
	_ connectors.Scripter     = (*Config)(nil)
)

const (
	maxFiles   = 20 << 20 // 15 MB on old plans
	openStatus = 2        // the status tickets are opened in
	lowest     = 1        // the priority where a rule names none
)

func (c *connector) Find(ctx context.Context, key string) ([]connectors.Ref, error) {
	return c.desk.Find(ctx, key)
}

func (c *connector) Update(ctx context.Context, ref connectors.Ref, t connectors.Ticket) error {
	return c.desk.Update(ctx, ref, t, c.conf.KeyField)
}

func (c *connector) Comment(ctx context.Context, ref connectors.Ref, n connectors.Note) error {
	return c.desk.Comment(ctx, ref, n)
}

func (c *connector) Transition(ctx context.Context, ref connectors.Ref, m connectors.Move) error {
	return c.desk.Transition(ctx, ref, m, c.conf.KeyField)
}

func (c *connector) Attach(ctx context.Context, ref connectors.Ref, f connectors.File) error {
	return c.desk.Attach(ctx, ref, f, maxFiles)
}

func (c *connector) Fetch(ctx context.Context, ref connectors.Ref) (connectors.Snapshot, error) {
	out, _, _, err := c.desk.Fetch(ctx, ref)
	return out, err
}

func (c *connector) Watch(ctx context.Context, since connectors.Cursor, open []connectors.Ref) ([]connectors.Change, connectors.Cursor, error) {
	return c.desk.Watch(ctx, since, open)
}

// Receive reads what an automation rule sends, in the layout the desk script gives or in Freshdesk's own.
func (c *connector) Receive(_ context.Context, r connectors.Request) (connectors.Received, error) {
	return c.desk.Receive(r, []string{"ticket_id"}, "freshdesk_webhook")
}

// Attributed says that an answer is its author's, and nothing else anybody's.
func (*connector) Attributed() (parts []string, all bool) { return connectors.AnswerParts(), false }

func (c *connector) Verification() connectors.Verification { return freshworks.Verification() }

func (c *connector) IndexLag() time.Duration { return c.conf.IndexLag }

// Describe tells what the form of tickets has.
func (c *connector) Describe(ctx context.Context, at connectors.Place) (connectors.Schema, error) {
	if err := place(at.Project); err != nil {
		return connectors.Schema{}, err
	}
	out, err := c.desk.Schema(ctx, tickets, c.conf.KeyField)
	out.File = maxFiles
	return out, err
}

func called(_ freshworks.Kind, t freshworks.Ticket) string {
	return "#" + strconv.FormatInt(t.ID, 10)
}
