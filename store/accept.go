package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// Arrival is something a source or desk sent: an event, or a body to be kept in quarantine.
type Arrival struct {
	Event      Event
	Case       Case         // what the case starts with when the event opens it; its identity is the event's
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
	receipts := make([]Receipt, len(arrivals))
	var events []*Event
	first := make(map[[2]string]int) // connection and dedupe: the arrival that is stored
	fresh := make([]int, 0, len(arrivals))
	for i := range arrivals {
		a := &arrivals[i]
		if a.Quarantine != nil {
			continue
		}
		e := a.Event
		e.clean()
		if _, again := first[[2]string{e.Connection, e.Dedupe}]; again {
			continue
		}
		first[[2]string{e.Connection, e.Dedupe}] = i
		events = append(events, &e)
		fresh = append(fresh, i)
	}
	known, err := t.dedupe(ctx, events)
	if err != nil {
		return nil, wrap("look for duplicates", err)
	}
	var stored []*Event
	var opening []Case
	for n, e := range events {
		i := fresh[n]
		if id, ok := known[[2]string{e.Connection, e.Dedupe}]; ok && id != e.ID {
			receipts[i] = Receipt{EventID: id, Duplicate: true}
			continue
		}
		receipts[i] = Receipt{EventID: e.ID}
		stored = append(stored, e)
		if e.RequestID != "" {
			opening = append(opening, arrivals[i].Case.openedBy(e))
		}
	}
	cases, err := t.openCases(ctx, opening)
	if err != nil {
		return nil, wrap("open cases", err)
	}
	for _, e := range stored {
		if e.RequestID != "" {
			e.CaseID = cases[caseKey{e.Connection, e.Tenant, e.RequestID}]
		}
	}
	if err := t.insertEvents(ctx, stored); err != nil {
		return nil, wrap("store events", err)
	}
	if err := t.caseOfDuplicates(ctx, receipts); err != nil {
		return nil, wrap("read cases of duplicates", err)
	}
	byID := make(map[string]*Event, len(stored))
	for _, e := range stored {
		byID[e.ID] = e
	}
	var entries []Entry
	for i := range arrivals {
		r := &receipts[i]
		switch a := &arrivals[i]; {
		case a.Quarantine != nil:
			q, err := t.quarantine(ctx, *a.Quarantine)
			if err != nil {
				return nil, err
			}
			r.QuarantineID = q.ID
			entries = append(entries, q.entry())
		case r.EventID == "": // repeats an earlier one of this group
			e := a.Event
			e.clean()
			*r = receipts[first[[2]string{e.Connection, e.Dedupe}]]
			if e := byID[r.EventID]; e != nil {
				r.CaseID = e.CaseID
			}
			r.Duplicate = true
		case !r.Duplicate:
			e := byID[r.EventID]
			r.CaseID = e.CaseID
			entries = append(entries, e.entry())
		}
	}
	if err := t.RecordAll(ctx, entries); err != nil {
		return nil, err
	}
	if len(stored) > 0 {
		t.Wake(WakePlan)
	}
	return receipts, nil
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

// dedupe claims the identities and answers, for each that has an event, which one.
func (t *Tx) dedupe(ctx context.Context, events []*Event) (map[[2]string]string, error) {
	sorted := slices.Clone(events)
	slices.SortFunc(sorted, func(a, b *Event) int {
		if c := strings.Compare(a.Connection, b.Connection); c != 0 {
			return c
		}
		return strings.Compare(a.Dedupe, b.Dedupe)
	})
	known := make(map[[2]string]string)
	for part := range slices.Chunk(sorted, batch) {
		var insert, look []any
		for _, e := range part {
			insert = append(insert, e.Connection, e.Dedupe, e.ID, millis(e.ReceivedAt))
			look = append(look, e.Connection, e.Dedupe)
		}
		n, err := t.exec(ctx, `INSERT INTO dedupes (connection, dedupe, event_id, seen_at) VALUES `+
			tuples(len(part), plain(4)...)+` ON CONFLICT DO NOTHING`, insert...)
		if err != nil {
			return nil, err
		}
		if n == int64(len(part)) {
			continue
		}
		rows, err := all(ctx, t.Queries, triple, `SELECT connection, dedupe, event_id FROM dedupes
			WHERE (connection, dedupe) IN (VALUES `+tuples(len(part), plain(2)...)+`)`, look...)
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			known[[2]string{r[0], r[1]}] = r[2]
		}
	}
	return known, nil
}

func triple(v *[3]string) []any { return []any{&v[0], &v[1], &v[2]} }

// insertEvents stores events in the order of their arrival, which numbers them.
func (t *Tx) insertEvents(ctx context.Context, events []*Event) error {
	for part := range slices.Chunk(events, batch) {
		args := make([]any, 0, len(part)*15)
		for _, e := range part {
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

// caseOfDuplicates completes the receipts of events stored earlier. An event may be gone while its identity is still
// known; its receipt then has no case.
func (t *Tx) caseOfDuplicates(ctx context.Context, receipts []Receipt) error {
	var ids []string
	for _, r := range receipts {
		if r.Duplicate {
			ids = append(ids, r.EventID)
		}
	}
	cases := make(map[string]string)
	for part := range slices.Chunk(ids, batch) {
		rows, err := all(ctx, t.Queries, pair, `SELECT id, COALESCE(case_id, '') FROM events WHERE id IN `+
			list(1, len(part)), anys(part)...)
		if err != nil {
			return err
		}
		for _, r := range rows {
			cases[r[0]] = r[1]
		}
	}
	for i := range receipts {
		if receipts[i].Duplicate {
			receipts[i].CaseID = cases[receipts[i].EventID]
		}
	}
	return nil
}

func pair(v *[2]string) []any { return []any{&v[0], &v[1]} }

// caseKey is what a case is known by.
type caseKey struct{ connection, tenant, requestID string }

func (k caseKey) compare(o caseKey) int {
	for _, c := range []int{strings.Compare(k.connection, o.connection), strings.Compare(k.tenant, o.tenant)} {
		if c != 0 {
			return c
		}
	}
	return strings.Compare(k.requestID, o.requestID)
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

// openCases opens the cases that are not there yet and answers the ids of all. A case one of whose events had its body
// edited is marked for good.
func (t *Tx) openCases(ctx context.Context, cases []Case) (map[caseKey]string, error) {
	slices.SortStableFunc(cases, func(a, b Case) int { return a.key().compare(b.key()) })
	ids := make(map[caseKey]string)
	edited := make(map[caseKey]bool)
	var distinct []Case
	for _, c := range cases {
		if n := len(distinct); n == 0 || distinct[n-1].key() != c.key() {
			distinct = append(distinct, c)
		}
		edited[c.key()] = edited[c.key()] || c.EditedBody
	}
	for part := range slices.Chunk(distinct, batch) {
		var insert, look []any
		for _, c := range part {
			insert = append(insert, c.ID, c.Connection, c.Tenant, c.RequestID, nullable(c.ParentID), c.Kind, c.State,
				text(c.Requester), text(c.Subject), text(c.Severity), millis(c.OpenedAt), millis(c.UpdatedAt),
				bit(edited[c.key()]))
			look = append(look, c.Connection, c.Tenant, c.RequestID)
		}
		n, err := t.exec(ctx, `INSERT INTO cases (id, connection, tenant, request_id, parent_id, kind, state, requester,
			subject, severity, opened_at, updated_at, edited_body) VALUES `+tuples(len(part), plain(13)...)+
			` ON CONFLICT (connection, tenant, request_id) DO NOTHING`, insert...)
		if err != nil {
			return nil, err
		}
		if n == int64(len(part)) {
			for _, c := range part {
				ids[c.key()] = c.ID
			}
			continue
		}
		rows, err := all(ctx, t.Queries, (*Case).fields, `SELECT `+caseColumns+` FROM cases
			WHERE (connection, tenant, request_id) IN (VALUES `+tuples(len(part), plain(3)...)+`) ORDER BY id`, look...)
		if err != nil {
			return nil, err
		}
		for _, c := range rows {
			ids[c.key()] = c.ID
			if !edited[c.key()] || c.EditedBody {
				continue
			}
			if _, err := t.exec(ctx, `UPDATE cases SET edited_body = 1 WHERE id = $1`, c.ID); err != nil {
				return nil, err
			}
		}
	}
	if len(ids) != len(distinct) {
		return nil, fmt.Errorf("%w: a case is neither new nor there", ErrConflict)
	}
	return ids, nil
}
