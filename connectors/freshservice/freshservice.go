// Package freshservice is the desk Freshservice: tickets, service requests and changes, through its interface v2.
//
// A ticket carries our key as a tag, for the search knows tags but no text fields; a service request has it in a field
// of its catalog item as well, since tags come with a second call; a change has it in a custom field. What makes a
// ticket ours, and what is told of who did what, is in package freshworks.
//
// Service requests and changes have approvals of the desk's own. Approvers answer them in Freshservice only; they are
// read here and told as native approvals. Tickets have none; there people may answer by notes.
package freshservice

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/freshworks"
)

var tickets = freshworks.Kind{
	Path: "tickets", One: "ticket", Many: "tickets", Notes: "conversations", ManyNotes: "conversations", OneNote: "conversation",
	Fields: "ticket_form_fields", AllFields: "ticket_fields", Closed: []int{4, 5},
	Standard: []string{
		"requester_id", "email", "phone", "name", "group_id", "responder_id", "department_id", "category", "sub_category", "item_category",
		"impact", "urgency", "due_by", "fr_due_by", "source", "cc_emails",
	},
}

var changes = freshworks.Kind{
	Path: "changes", One: "change", Many: "changes", Notes: "notes", ManyNotes: "notes", OneNote: "note", Internal: true,
	Fields: "change_form_fields", AllFields: "change_fields", Closed: []int{6}, Prefix: "CHN-",
	Standard: []string{
		"requester_id", "group_id", "agent_id", "department_id", "category", "sub_category", "item_category", "impact", "risk", "change_type",
		"planned_start_date", "planned_end_date",
	},
}

// Open checks the settings and builds the connector.
func (c *Config) Open(env connectors.Env) (connectors.Connector, error) {
	settings := c.withDefaults()
	if err := settings.faults(); err != nil {
		return nil, err
	}
	me, _ := freshworks.Numbered(settings.Account)
	out := &connector{conf: settings, me: me}
	out.desk = &freshworks.Desk{
		Vendor: "Freshservice", BaseURL: settings.BaseURL, Log: env.Log, Now: env.Now,
		Client:  env.Client.With(freshworks.KeyAuth(settings.Key)),
		Kinds:   []freshworks.Kind{tickets},
		Answers: settings.Answers, Overlap: settings.Overlap, Recent: settings.Recent, Batch: settings.Batch, Robots: settings.Automation,
		Me:    func(context.Context) (int64, error) { return me, nil },
		Clock: out.clock, Search: out.search, Listings: out.listings, Key: out.key, Mend: out.mend, News: out.news, Called: called,
	}
	if len(settings.Items) > 0 {
		out.desk.Slow = out.itemKey
	}
	if settings.Changes {
		out.desk.Kinds = append(out.desk.Kinds, changes)
	}
	return out, nil
}

type connector struct {
	conf Config
	me   int64
	desk *freshworks.Desk
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

// maxFiles is what a ticket's files may come to.
const maxFiles = 40 << 20

func (c *connector) Find(ctx context.Context, key string) ([]connectors.Ref, error) {
	return c.desk.Find(ctx, key)
}

func (c *connector) Update(ctx context.Context, ref connectors.Ref, t connectors.Ticket) error {
	return c.desk.Update(ctx, ref, t, c.keyField(ref))
}

func (c *connector) Comment(ctx context.Context, ref connectors.Ref, n connectors.Note) error {
	return c.desk.Comment(ctx, ref, n)
}

func (c *connector) Transition(ctx context.Context, ref connectors.Ref, m connectors.Move) error {
	return c.desk.Transition(ctx, ref, m, c.keyField(ref))
}

func (c *connector) Attach(ctx context.Context, ref connectors.Ref, f connectors.File) error {
	return c.desk.Attach(ctx, ref, f, maxFiles)
}

// Fetch reads a ticket with its notes and its approvals.
func (c *connector) Fetch(ctx context.Context, ref connectors.Ref) (connectors.Snapshot, error) {
	out, t, k, err := c.desk.Fetch(ctx, ref)
	if err != nil {
		return connectors.Snapshot{}, err
	}
	out.Approvals, err = c.approvals(ctx, k, t)
	if err != nil {
		return connectors.Snapshot{}, err
	}
	return out, nil
}

func (c *connector) Watch(ctx context.Context, since connectors.Cursor, open []connectors.Ref) ([]connectors.Change, connectors.Cursor, error) {
	return c.desk.Watch(ctx, since, open)
}

// Receive reads what the desk script's workflow sends.
func (c *connector) Receive(_ context.Context, r connectors.Request) (connectors.Received, error) {
	return c.desk.Receive(r, []string{"ticket_id", "change_id"}, "")
}

// Attributed says that answers are their authors' and an approval its approvers', and nothing else anybody's.
func (*connector) Attributed() (parts []string, all bool) {
	return append(connectors.AnswerParts(), "ticket.fields.approval_status"), false
}

func (c *connector) Verification() connectors.Verification { return freshworks.Verification() }

func (c *connector) IndexLag() time.Duration { return c.conf.IndexLag }

// Describe tells what the form of tickets or of changes has.
func (c *connector) Describe(ctx context.Context, at connectors.Place) (connectors.Schema, error) {
	if _, err := c.workspace(at.Project); err != nil {
		return connectors.Schema{}, err
	}
	what, _, err := c.kindOf(at.Type)
	if err != nil {
		return connectors.Schema{}, err
	}
	kind, keyField := tickets, ""
	if what == aChange {
		kind, keyField = changes, c.conf.ChangeKeyField
	}
	out, err := c.desk.Schema(ctx, kind, keyField)
	out.File = maxFiles
	if what == serviceRequest {
		// Fields are those of the catalog item, which is not asked for them.
		out.Open = true
		out.Fields = slices.DeleteFunc(out.Fields, func(f connectors.Field) bool { return f.Part == "" })
	}
	return out, err
}

func (c *connector) keyField(ref connectors.Ref) string {
	if strings.HasPrefix(ref.ID, changes.Prefix) {
		return c.conf.ChangeKeyField
	}
	return ""
}

// clock is the time at Freshservice.
func (c *connector) clock(ctx context.Context) (time.Time, error) {
	_, header, err := c.agent(ctx, c.conf.Account)
	if err != nil {
		return time.Time{}, err
	}
	return c.desk.TimeOf(header), nil
}

// listings are the queries of the lists to read: lists show the primary workspace only unless another is named.
func (c *connector) listings(freshworks.Kind) []string {
	if len(c.conf.Workspaces) == 0 {
		return []string{"order_type=asc"}
	}
	var out []string
	for _, id := range c.conf.Workspaces {
		out = append(out, "order_type=asc&workspace_id="+strconv.FormatInt(id, 10))
	}
	return out
}

// primary is what a rule's project says where tickets go to the workspace the account starts in.
const primary = "primary"

// workspace reads a rule's project, the number of a workspace, and makes sure that we look there. 0 is the primary one.
func (c *connector) workspace(text string) (int64, error) {
	if text == primary {
		text = ""
	}
	id, ok := freshworks.Place(text)
	if !ok {
		return 0, connectors.Permanently("project is primary or the number of a workspace, not %q", connectors.Clean(text, 100))
	}
	if id != 0 && !slices.Contains(c.conf.Workspaces, id) {
		return 0, connectors.Permanently("workspace %d is not among the workspaces of the connection", id)
	}
	if id == 0 && len(c.conf.Workspaces) > 0 {
		return 0, connectors.Permanently("the connection lists its workspaces: project must be the number of one of them")
	}
	return id, nil
}

// called is what people call a ticket.
func called(k freshworks.Kind, t freshworks.Ticket) string {
	id := strconv.FormatInt(t.ID, 10)
	switch {
	case k.Prefix != "":
		return k.Prefix + id
	case t.Type == serviceRequest:
		return "SR-" + id
	case t.Type == incident:
		return "INC-" + id
	default:
		return "#" + id
	}
}

// Unverified lists what rests on no documented fact, or was tried nowhere but against our own stand-in.
func (c *connector) Unverified() []string {
	out := append([]string{
		"index_lag: the vendor does not say how long its search misses a new ticket",
		"whether a workflow notifies of changes that our own account makes, and how often it tries again",
	}, c.conf.Common.Unverified()...)
	if len(c.conf.Items) > 0 {
		out = append(out,
			"service requests: that requested_items shows the item's field "+c.conf.ItemKeyField+", and that subject and description of a service request can be changed",
			"approvals: that a service request shows approval_status; where it does not, it counts as approved only when everybody asked has approved",
			"approvals that were delegated: in which form the answer names the delegate; where it cannot be read, nobody is named and nothing is decided")
	}
	if c.conf.Changes {
		out = append(out, "changes: the lists of changes and of their notes and fields, and status 6 as the closed one")
	}
	return out
}

// agent reads an agent.
func (c *connector) agent(ctx context.Context, id string) (agent, http.Header, error) {
	var a agent
	header, err := c.desk.Call(ctx, connectors.Call{Name: "read agent", Method: http.MethodGet, URL: "agents/" + id}, "agent", &a)
	if err != nil {
		return agent{}, nil, connectors.Unsent(err)
	}
	if strconv.FormatInt(a.ID, 10) != id {
		return agent{}, nil, connectors.Temporarily("read agent: the answer is another agent, or none")
	}
	return a, header, nil
}
