package store

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Arrival is something a source or desk sent: an event, or a body to be kept in quarantine.
type Arrival struct {
	Event      Event
	Case       Case         // what the case starts with when the event opens it; its identity is the event's
	Parent     string       // RequestID of the case this one belongs to, at the same connection and tenant
	Quarantine *Quarantined // set: the body is kept here and Event is not looked at
}

// Receipt says where an arrival is kept.
type Receipt struct {
	EventID      string
	CaseID       string
	QuarantineID string
	Duplicate    bool // EventID is the event this one repeats
}

// Accept stores what arrived together, and gives the receipts in the same order. An event seen before on its
// connection, or earlier among these, is stored once. An event with a RequestID belongs to the case of its connection,
// tenant and RequestID, which the first such event opens. An event without an identity is never a duplicate.
//
// Rows that others may be writing too are touched in the order of their keys, so that groups do not deadlock.
func (t *Tx) Accept(ctx context.Context, arrivals []Arrival) ([]Receipt, error) {
	intakes := distinct(arrivals)
	if err := t.dedupe(ctx, intakes); err != nil {
		return nil, wrap("look for duplicates", err)
	}
	var fresh []*intake
	for _, in := range intakes {
		if !in.receipt.Duplicate {
			fresh = append(fresh, in)
		}
	}
	if err := t.openCases(ctx, fresh); err != nil {
		return nil, wrap("open cases", err)
	}
	if err := t.bindParents(ctx, fresh); err != nil {
		return nil, wrap("bind cases to their parents", err)
	}
	if err := t.insertEvents(ctx, fresh); err != nil {
		return nil, wrap("store events", err)
	}
	if err := t.casesOfDuplicates(ctx, intakes); err != nil {
		return nil, wrap("read cases of duplicates", err)
	}
	receipts := make([]Receipt, len(arrivals))
	var entries []Entry
	for _, in := range intakes {
		if !in.receipt.Duplicate {
			entries = append(entries, in.event.entry())
		}
		for _, i := range in.arrivals {
			receipts[i] = in.receipt
			in.receipt.Duplicate = true // for those after the first
		}
	}
	for i, a := range arrivals {
		if a.Quarantine == nil {
			continue
		}
		q, err := t.quarantine(ctx, *a.Quarantine)
		if err != nil {
			return nil, err
		}
		receipts[i].QuarantineID = q.ID
		entries = append(entries, q.entry())
	}
	if err := t.RecordAll(ctx, entries); err != nil {
		return nil, err
	}
	if len(fresh) > 0 {
		t.Wake(WakePlan)
	}
	return receipts, nil
}

// intake is one event of a group.
type intake struct {
	event    Event
	opens    Case // as the event would open it
	parent   string
	receipt  Receipt
	arrivals []int // those that brought it
}

// identity is what an event is known by.
type identity struct{ connection, dedupe string }

func (in *intake) identity() identity { return identity{in.event.Connection, in.event.Dedupe} }

// bindParents ties cases to the cases they belong to, where these are known. A case keeps its first parent.
func (t *Tx) bindParents(ctx context.Context, fresh []*intake) error {
	for _, in := range fresh {
		if in.parent == "" || in.receipt.CaseID == "" {
			continue
		}
		_, err := t.exec(ctx, `UPDATE cases SET parent_id = (SELECT p.id FROM cases AS p WHERE p.connection = $1 AND p.tenant = $2 AND p.request_id = $3)
			WHERE id = $4 AND parent_id IS NULL AND request_id <> $3`, in.event.Connection, in.event.Tenant, text(in.parent), in.receipt.CaseID)
		if err != nil {
			return err
		}
	}
	return nil
}

// distinct gives the events of a group in their order, each once.
func distinct(arrivals []Arrival) []*intake {
	var intakes []*intake
	seen := make(map[identity]*intake)
	for i, a := range arrivals {
		if a.Quarantine != nil {
			continue
		}
		in := &intake{event: a.Event}
		in.event.clean()
		if known, ok := seen[in.identity()]; ok {
			known.arrivals = append(known.arrivals, i)
			continue
		}
		in.opens, in.parent = a.Case.openedBy(&in.event), a.Parent
		in.receipt.EventID = in.event.ID
		in.arrivals = []int{i}
		seen[in.identity()] = in
		intakes = append(intakes, in)
	}
	return intakes
}

// clean gives the event what it needs to be stored, in a form both engines take.
func (e *Event) clean() {
	if e.ID == "" {
		e.ID = NewID()
	}
	if e.State == "" {
		e.State = EventAccepted
	}
	if e.Dedupe == "" {
		e.Dedupe = e.ID
	}
	for _, s := range []*string{&e.Connection, &e.Dedupe, &e.Kind, &e.Tenant, &e.RequestID, &e.ContentType} {
		*s = text(*s)
	}
}

func (e *Event) entry() Entry {
	digest := sha256.Sum256(e.Body)
	return Entry{At: e.ReceivedAt, CaseID: e.CaseID, Kind: "event.accepted", Subject: e.ID, Content: map[string]any{
		"connection": e.Connection, "kind": e.Kind, "dedupe": e.Dedupe, "request_id": e.RequestID, "test": e.Test,
		"edited": e.Edited, "body_sha256": hex.EncodeToString(digest[:]),
	}}
}

// dedupe claims the identities of events, and marks those that have an event already.
func (t *Tx) dedupe(ctx context.Context, intakes []*intake) error {
	sorted := slices.Clone(intakes)
	slices.SortFunc(sorted, func(a, b *intake) int {
		return cmp.Or(strings.Compare(a.event.Connection, b.event.Connection), strings.Compare(a.event.Dedupe, b.event.Dedupe))
	})
	for part := range slices.Chunk(sorted, batch) {
		var insert, look []any
		for _, in := range part {
			e := &in.event
			insert = append(insert, e.Connection, e.Dedupe, e.ID, millis(e.ReceivedAt))
			look = append(look, e.Connection, e.Dedupe)
		}
		n, err := t.exec(ctx, `INSERT INTO dedupes (connection, dedupe, event_id, seen_at) VALUES `+
			tuples(len(part), plain(4)...)+` ON CONFLICT DO NOTHING`, insert...)
		if err != nil {
			return err
		}
		if n == int64(len(part)) {
			continue
		}
		rows, err := all(ctx, t.Queries, triple, `SELECT connection, dedupe, event_id FROM dedupes
			WHERE (connection, dedupe) IN (VALUES `+tuples(len(part), plain(2)...)+`)`, look...)
		if err != nil {
			return err
		}
		known := make(map[identity]string, len(rows))
		for _, r := range rows {
			known[identity{r[0], r[1]}] = r[2]
		}
		for _, in := range part {
			id, ok := known[in.identity()]
			if !ok {
				return fmt.Errorf("%w: an identity is neither new nor known", ErrConflict)
			}
			if id != in.event.ID {
				in.receipt = Receipt{EventID: id, Duplicate: true}
			}
		}
	}
	return nil
}

func triple(v *[3]string) []any { return []any{&v[0], &v[1], &v[2]} }

// insertEvents stores events in the order of their arrival, which numbers them.
func (t *Tx) insertEvents(ctx context.Context, fresh []*intake) error {
	for part := range slices.Chunk(fresh, batch) {
		args := make([]any, 0, len(part)*15)
		for _, in := range part {
			e := &in.event
			args = append(args, e.ID, e.Connection, e.Dedupe, e.Kind, e.Tenant, e.RequestID, nullable(e.CaseID),
				millis(e.ReceivedAt), bytesOf(e.Body), e.ContentType, text(string(e.Normal)), e.State, millis(e.PlannedAt),
				bit(e.Test), bit(e.Edited))
		}
		_, err := t.exec(ctx, `INSERT INTO events (id, connection, dedupe, kind, tenant, request_id, case_id, received_at,
			body, content_type, normal, state, planned_at, test, edited) VALUES `+tuples(len(part), plain(15)...), args...)
		if err != nil {
			return err
		}
	}
	return nil
}

// casesOfDuplicates completes the receipts of events stored earlier. An event may be gone while its identity is still
// known; its receipt then has no case.
func (t *Tx) casesOfDuplicates(ctx context.Context, intakes []*intake) error {
	duplicates := make(map[string]*intake)
	for _, in := range intakes {
		if in.receipt.Duplicate {
			duplicates[in.receipt.EventID] = in
		}
	}
	for part := range slices.Chunk(slices.Collect(maps.Keys(duplicates)), batch) {
		rows, err := all(ctx, t.Queries, pair, `SELECT id, COALESCE(case_id, '') FROM events WHERE id IN `+
			list(1, len(part)), anys(part)...)
		if err != nil {
			return err
		}
		for _, r := range rows {
			duplicates[r[0]].receipt.CaseID = r[1]
		}
	}
	return nil
}

func pair(v *[2]string) []any { return []any{&v[0], &v[1]} }

// caseKey is what a case is known by.
type caseKey struct{ connection, tenant, requestID string }

func (k caseKey) compare(o caseKey) int {
	return cmp.Or(strings.Compare(k.connection, o.connection), strings.Compare(k.tenant, o.tenant),
		strings.Compare(k.requestID, o.requestID))
}

// openedBy is the case as the event opens it.
func (c Case) openedBy(e *Event) Case {
	c.Connection, c.Tenant, c.RequestID = e.Connection, e.Tenant, e.RequestID
	if c.ID == "" {
		c.ID = NewID()
	}
	if c.Kind == "" {
		c.Kind = e.Kind
	}
	c.State = CaseOpen
	c.OpenedAt, c.UpdatedAt = e.ReceivedAt, e.ReceivedAt
	c.EditedBody = e.Edited
	return c
}

// openCases puts events into their cases and opens those that are not there yet.
func (t *Tx) openCases(ctx context.Context, fresh []*intake) error {
	cases := make(map[caseKey]*Case)
	for _, in := range fresh {
		if in.event.RequestID == "" {
			continue
		}
		c, ok := cases[in.opens.key()]
		if !ok {
			cases[in.opens.key()] = &in.opens
			continue
		}
		c.EditedBody = c.EditedBody || in.opens.EditedBody
	}
	sorted := slices.SortedFunc(maps.Values(cases), func(a, b *Case) int { return a.key().compare(b.key()) })
	for part := range slices.Chunk(sorted, batch) {
		if err := t.openPart(ctx, part); err != nil {
			return err
		}
	}
	for _, in := range fresh {
		if in.event.RequestID == "" {
			continue
		}
		in.event.CaseID = cases[in.opens.key()].ID
		in.receipt.CaseID = in.event.CaseID
	}
	return nil
}

// openPart stores the cases that are not there yet, and gives those that are their ids. A case one of whose events had
// its body edited is marked for good.
func (t *Tx) openPart(ctx context.Context, cases []*Case) error {
	var insert, look []any
	for _, c := range cases {
		insert = append(insert, c.ID, c.Connection, c.Tenant, c.RequestID, nullable(c.ParentID), c.Kind, c.State,
			text(c.Requester), text(c.Subject), text(c.Severity), millis(c.OpenedAt), millis(c.UpdatedAt), bit(c.EditedBody))
		look = append(look, c.Connection, c.Tenant, c.RequestID)
	}
	n, err := t.exec(ctx, `INSERT INTO cases (id, connection, tenant, request_id, parent_id, kind, state, requester,
		subject, severity, opened_at, updated_at, edited_body) VALUES `+tuples(len(cases), plain(13)...)+
		` ON CONFLICT (connection, tenant, request_id) DO NOTHING`, insert...)
	if err != nil || n == int64(len(cases)) {
		return err
	}
	there, err := all(ctx, t.Queries, (*Case).fields, `SELECT `+caseColumns+` FROM cases
		WHERE (connection, tenant, request_id) IN (VALUES `+tuples(len(cases), plain(3)...)+`)`, look...)
	if err != nil {
		return err
	}
	found := make(map[caseKey]Case, len(there))
	for _, c := range there {
		found[c.key()] = c
	}
	for _, c := range cases {
		old, ok := found[c.key()]
		if !ok {
			return fmt.Errorf("%w: a case is neither new nor there", ErrConflict)
		}
		c.ID = old.ID
		if !c.EditedBody || old.EditedBody {
			continue
		}
		if _, err := t.exec(ctx, `UPDATE cases SET edited_body = 1 WHERE id = $1`, c.ID); err != nil {
			return err
		}
	}
	return nil
}
