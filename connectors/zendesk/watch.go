package zendesk

import (
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// progress is what a Watch cursor holds.
type progress struct {
	Export string    `json:"export,omitempty"` // where the incremental export goes on
	Next   time.Time `json:"next"`             // when it is asked again, by our clock
	Seen   string    `json:"seen,omitempty"`   // the open ticket that was looked at last
}

// exportPages is how many pages of the export are read at a time: it answers ten times a minute to everybody.
const exportPages = 3

// Watch tells which tickets changed, in two ways. Of the open tickets a hundred at a time are read by number each time;
// those that do not come are deleted or hidden from us, and told as changed. All tickets of ours come from the
// incremental export, which leaves out the last minute and misses nothing: its own cursor is kept, and where it asks us
// to wait it is asked later. So a change comes several times, with the same id once its second is over.
func (c *connector) Watch(ctx context.Context, since connectors.Cursor, open []connectors.Ref) ([]connectors.Change, connectors.Cursor, error) {
	if since == "" {
		first, err := c.begin(ctx)
		return nil, first.cursor(), err
	}
	var from progress
	if err := json.Unmarshal([]byte(since), &from); err != nil || from.Next.IsZero() {
		return nil, since, connectors.Permanently("watch: the cursor is not one of ours")
	}
	next := from
	out, seen, err := c.look(ctx, open, from.Seen)
	if err != nil {
		return nil, since, err
	}
	next.Seen = seen
	if c.conf.Approvals != nil && len(open) > 0 {
		answered, err := c.answered(ctx, open)
		if err != nil {
			return nil, since, err
		}
		out = append(out, answered...)
	}
	if now := c.now(); !c.conf.NoExport && (!now.Before(from.Next) || from.Next.Sub(now) > time.Hour) {
		changes, err := c.exported(ctx, &next)
		switch e := connectors.AsError(err); {
		case err == nil:
		case e.Kind == connectors.Throttled && len(open) > 0:
			c.log.WarnContext(ctx, "the incremental export asks to wait", "wait", e.RetryAfter)
			next.Export, next.Next = from.Export, now.Add(min(max(e.RetryAfter, c.conf.ExportEvery), time.Hour))
			changes = nil
		default:
			return nil, since, err
		}
		out = append(out, changes...)
	}
	return distinct(out), next.cursor(), nil
}

// distinct leaves out what both ways told.
func distinct(changes []connectors.Change) []connectors.Change {
	seen := map[string]bool{}
	return slices.DeleteFunc(changes, func(change connectors.Change) bool {
		known := seen[change.ID]
		seen[change.ID] = true
		return known
	})
}

func (p progress) cursor() connectors.Cursor {
	if p.Next.IsZero() {
		return ""
	}
	text, _ := json.Marshal(p) // texts and a time always encode
	return connectors.Cursor(text)
}

// sinceLast is how far back the export begins: it takes no time within the last minute.
const sinceLast = 2 * time.Minute

// begin starts to watch.
func (c *connector) begin(ctx context.Context) (progress, error) {
	_, now, err := c.signIn(ctx)
	if err != nil {
		return progress{}, err
	}
	first := progress{Next: c.now()}
	if c.conf.NoExport {
		return first, nil
	}
	page, err := c.export(ctx, "start_time="+strconv.FormatInt(now.Add(-sinceLast).Unix(), 10))
	if err != nil {
		return progress{}, err
	}
	// What the first page tells happened before watching began.
	return progress{Export: page.After, Next: c.now().Add(c.conf.ExportEvery)}, nil
}

type exportPage struct {
	Tickets []ticket `json:"tickets"`
	After   string   `json:"after_cursor"`
	End     bool     `json:"end_of_stream"`
}

// export reads one page of the incremental export.
func (c *connector) export(ctx context.Context, query string) (exportPage, error) {
	var page exportPage
	_, err := c.read(ctx, "read incremental export", "incremental/tickets/cursor?"+query, &page)
	if err == nil && (page.Tickets == nil || page.After == "") {
		err = connectors.Temporarily("read incremental export: the answer is no list with a cursor")
	}
	return page, err
}

// exported reads on in the export, and tells the tickets we opened.
func (c *connector) exported(ctx context.Context, p *progress) ([]connectors.Change, error) {
	me, err := c.account(ctx)
	if err != nil {
		return nil, err
	}
	if p.Export == "" { // the connection did not use the export before
		first, err := c.begin(ctx)
		p.Export, p.Next = first.Export, first.Next
		return nil, err
	}
	p.Next = c.now().Add(c.conf.ExportEvery)
	var out []connectors.Change
	for range exportPages {
		page, err := c.export(ctx, "cursor="+url.QueryEscape(p.Export))
		if err != nil {
			return nil, err
		}
		for _, t := range page.Tickets {
			if t.Submitter == me.ID && number.MatchString(string(t.ID)) {
				out = append(out, c.changed(t, time.Unix(t.Generated, 0).UTC().Add(settle)))
			}
		}
		p.Export = page.After
		if page.End {
			break
		}
	}
	return out, nil
}

// settle is how long after a change another may still come in the same second, clocks that differ a little included.
const settle = 5 * time.Second

// changed is a ticket of a list as a change, read at a time by Zendesk's clock. Times count in seconds: while a second
// is not long over, more may have happened in it every time we look, so a change gets its last id once it is. What the
// export tells long after the ticket's own time is a change that did not touch that time, and has an id of its own.
func (c *connector) changed(t ticket, now time.Time) connectors.Change {
	at := t.Updated.UTC()
	id := string(t.ID) + "@" + at.Format(time.RFC3339)
	if t.Generated != 0 && time.Unix(t.Generated, 0).Sub(at) > settle {
		id += "@export@" + strconv.FormatInt(t.Generated, 10)
	} else if t.Generated == 0 && now.Sub(at) < settle {
		id += "@" + now.UTC().Format(time.RFC3339Nano)
	}
	if t.Status == deleted {
		id += "@deleted"
	}
	return connectors.Change{Ref: c.ref(string(t.ID)), ID: id, At: at}
}

// look reads the next hundred open tickets, and tells up to which one.
func (c *connector) look(ctx context.Context, open []connectors.Ref, after string) ([]connectors.Change, string, error) {
	ids := round(open, after)
	if len(ids) == 0 {
		return nil, "", nil
	}
	var answer struct{ Tickets []ticket }
	header, err := c.read(ctx, "read open tickets", "tickets/show_many?ids="+strings.Join(ids, ","), &answer)
	if err != nil {
		return nil, "", err
	}
	if answer.Tickets == nil {
		return nil, "", connectors.Temporarily("read open tickets: the answer is no list")
	}
	now := c.clock(header)
	missing := slices.Clone(ids)
	var out []connectors.Change
	for _, t := range answer.Tickets {
		if !slices.Contains(ids, string(t.ID)) {
			continue
		}
		missing = slices.DeleteFunc(missing, func(id string) bool { return id == string(t.ID) })
		t.Generated = 0 // of the export only
		out = append(out, c.changed(t, now))
	}
	hour := c.now().UTC().Truncate(time.Hour).Format(time.RFC3339) // told again later, should the list have erred
	for _, id := range missing {
		out = append(out, connectors.Change{Ref: c.ref(id), ID: id + "@gone@" + hour})
	}
	return out, ids[len(ids)-1], nil
}

// answered tells the open tickets whose approval requests were answered or withdrawn: whether that changes the ticket's
// own time is not documented.
func (c *connector) answered(ctx context.Context, open []connectors.Ref) ([]connectors.Change, error) {
	ids := map[string]bool{}
	for _, ref := range open {
		ids[ref.ID] = true
	}
	var out []connectors.Change
	err := c.listApprovals(ctx, func(r approvalRequest) {
		if id := string(r.Ticket); ids[id] && number.MatchString(id) && r.Status != "active" {
			out = append(out, connectors.Change{Ref: c.ref(id), ID: id + "@approval@" + r.ID + "@" + connectors.Clean(r.Status, 20)})
		}
	})
	return out, err
}

// round is the hundred ids that follow the one given, from the start again behind the last.
func round(open []connectors.Ref, after string) []string {
	var ids []string
	for _, ref := range open {
		if number.MatchString(ref.ID) {
			ids = append(ids, ref.ID)
		}
	}
	slices.SortFunc(ids, byNumber)
	ids = slices.Compact(ids)
	if len(ids) <= pageSize {
		return ids
	}
	at, found := slices.BinarySearchFunc(ids, after, byNumber)
	if found {
		at++
	}
	if at >= len(ids) {
		at = 0
	}
	return ids[at:min(at+pageSize, len(ids))]
}
