package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// What planning and delivering do to many rows at once, at the price of one. Each method does to every row what its
// counterpart for a single row does.

// LockCases reads cases by id and bars others from changing them, their lanes or their decisions until the transaction
// ends. They are locked in the order of their ids.
func (t *Tx) LockCases(ctx context.Context, ids []string) (map[string]Case, error) {
	cases := make(map[string]Case, len(ids))
	for part := range slices.Chunk(distinctIDs(ids), batch) {
		locked, err := all(ctx, t.Queries, (*Case).fields, `SELECT `+caseColumns+` FROM cases WHERE id IN `+
			list(1, len(part))+` ORDER BY id`+t.engine.forUpdate, anys(part)...)
		if err != nil {
			return nil, wrap("lock cases", err)
		}
		for _, c := range locked {
			cases[c.ID] = c
		}
	}
	return cases, nil
}

func distinctIDs(ids []string) []string {
	sorted := slices.Sorted(slices.Values(ids))
	return slices.Compact(sorted)
}

// WithEarlierUnplanned tells which of these events have an accepted event before them in their case that is not among
// these. Ask with the cases locked.
func (t *Tx) WithEarlierUnplanned(ctx context.Context, eventIDs []string) (map[string]bool, error) {
	if len(eventIDs) == 0 {
		return nil, nil
	}
	these := list(1, len(eventIDs))
	// The LIMIT keeps PostgreSQL from joining with all events that are not planned.
	found, err := all(ctx, t.Queries, pair, `SELECT b.id, COALESCE((
			SELECT e.id FROM events AS e WHERE e.case_id = b.case_id AND e.state = 'accepted' AND e.seq < b.seq
			AND e.id NOT IN `+these+` LIMIT 1
		), '') FROM events AS b WHERE b.id IN `+these, anys(eventIDs)...)
	if err != nil {
		return nil, wrap("look for earlier events", err)
	}
	earlier := make(map[string]bool)
	for _, f := range found {
		if f[1] != "" {
			earlier[f[0]] = true
		}
	}
	return earlier, nil
}

// LinksOfCases reads the links of cases, by case and the oldest first.
func (q Queries) LinksOfCases(ctx context.Context, caseIDs []string) (map[string][]Link, error) {
	links := make(map[string][]Link)
	for part := range slices.Chunk(distinctIDs(caseIDs), batch) {
		found, err := all(ctx, q, (*Link).fields, `SELECT `+linkColumns+` FROM links WHERE case_id IN `+
			list(1, len(part))+` ORDER BY id`, anys(part)...)
		if err != nil {
			return nil, wrap("read links of cases", err)
		}
		for _, l := range found {
			links[l.CaseID] = append(links[l.CaseID], l)
		}
	}
	return links, nil
}

// DecisionsOf reads the decisions of cases, by case; a case without one is left out.
func (q Queries) DecisionsOf(ctx context.Context, caseIDs []string) (map[string]Decision, error) {
	decisions := make(map[string]Decision)
	for part := range slices.Chunk(distinctIDs(caseIDs), batch) {
		found, err := all(ctx, q, (*Decision).fields, `SELECT `+decisionColumns+` FROM decisions WHERE case_id IN `+
			list(1, len(part)), anys(part)...)
		if err != nil {
			return nil, wrap("read decisions", err)
		}
		for _, d := range found {
			decisions[d.CaseID] = d
		}
	}
	return decisions, nil
}

// AddLinks makes links; those that are there already stay as they are. ErrConflict when a key is another link's.
func (t *Tx) AddLinks(ctx context.Context, links []Link) error {
	for part := range slices.Chunk(links, batch) {
		args := make([]any, 0, len(part)*19)
		for i := range part {
			args = append(args, part[i].complete().values()...)
		}
		n, err := t.exec(ctx, `INSERT INTO links (`+linkColumns+`) VALUES `+tuples(len(part), plain(19)...)+
			` ON CONFLICT DO NOTHING`, args...)
		if err != nil {
			return wrap("add links", err)
		}
		if n == int64(len(part)) {
			continue
		}
		for _, l := range part {
			if _, _, err := t.AddLink(ctx, l); err != nil {
				return err
			}
		}
	}
	return nil
}

// LinkRef is the ticket a link turned out to have.
type LinkRef struct {
	LinkID string
	Ref    Ref
	At     time.Time
}

// SetLinkRefs ties links to their tickets. One that is tied already stays as it was; a link is never moved to another
// ticket: ErrConflict.
func (t *Tx) SetLinkRefs(ctx context.Context, refs []LinkRef) error {
	const words = "CAST(? AS TEXT)"
	for part := range slices.Chunk(refs, batch) {
		var args, ids []any
		for _, r := range part {
			args = append(args, r.LinkID, text(r.Ref.ID), text(r.Ref.Key), text(r.Ref.URL), millis(r.At))
			ids = append(ids, r.LinkID)
		}
		n, err := t.exec(ctx, `UPDATE links SET ref_id = f.column2, ref_key = f.column3, ref_url = f.column4,
				linked_at = CASE WHEN ref_id = '' THEN f.column5 ELSE linked_at END, state = 'linked'
			FROM (VALUES `+tuples(len(part), words, words, words, words, "CAST(? AS BIGINT)")+`) AS f
			WHERE id IN `+list(len(args)+1, len(part))+` AND id = f.column1 AND (ref_id = '' OR ref_id = f.column2)`,
			append(args, ids...)...)
		if err != nil {
			return wrap("set tickets of links", err)
		}
		if n != int64(len(part)) {
			return fmt.Errorf("set tickets of links: %w: one has another ticket, or is not there", ErrConflict)
		}
	}
	return nil
}

// AddChanges notes that tickets are said to have moved, as AddChange does. Rows are touched in the order of their keys.
func (t *Tx) AddChanges(ctx context.Context, changes []Change) error {
	sorted := slices.Clone(changes)
	slices.SortStableFunc(sorted, func(a, b Change) int {
		return cmp.Or(strings.Compare(a.Connection, b.Connection), strings.Compare(a.RefID, b.RefID), a.Due.Compare(b.Due))
	})
	sorted = slices.CompactFunc(sorted, func(a, b Change) bool { return a.Connection == b.Connection && a.RefID == b.RefID })
	for part := range slices.Chunk(sorted, batch) {
		args := make([]any, 0, len(part)*5)
		for _, c := range part {
			args = append(args, c.Connection, text(c.RefID), text(c.RefKey), millis(c.Due), told())
		}
		_, err := t.exec(ctx, `INSERT INTO changes (connection, ref_id, ref_key, due, tries, told) VALUES `+
			tuples(len(part), "?", "?", "?", "?, 0", "?")+onTold, args...)
		if err != nil {
			return wrap("note changes", err)
		}
	}
	return nil
}

// AddDeliveries appends deliveries to their lanes in the order given, as AddDelivery does. Their cases are locked by the
// caller.
func (t *Tx) AddDeliveries(ctx context.Context, ds []Delivery) ([]Delivery, error) {
	ds = slices.Clone(ds)
	for i := range ds {
		if err := ds[i].complete(); err != nil {
			return nil, err
		}
	}
	first, err := t.numberDeliveries(ctx, ds)
	if err != nil {
		return nil, wrap("number deliveries", err)
	}
	if err := t.readyHeads(ctx, ds, first); err != nil {
		return nil, wrap("look into lanes", err)
	}
	for part := range slices.Chunk(ds, batch) {
		args := make([]any, 0, len(part)*27)
		for i := range part {
			args = append(args, part[i].values()...)
		}
		_, err := t.exec(ctx, `INSERT INTO deliveries (`+deliveryFields+`) VALUES `+tuples(len(part), plain(27)...), args...)
		if err != nil {
			return nil, wrap("add deliveries", err)
		}
	}
	for _, d := range ds {
		if d.Ready {
			t.Wake(WakeDeliver(d.Connection))
		}
	}
	return ds, nil
}

// numberDeliveries numbers deliveries within their cases, and gives the first number of each case.
func (t *Tx) numberDeliveries(ctx context.Context, ds []Delivery) (map[string]int64, error) {
	count := make(map[string]int64)
	var ids []string
	for i := range ds {
		d := &ds[i]
		if d.CaseID == "" {
			d.Lane, d.Seq = d.ID, 1
			continue
		}
		ids = append(ids, d.CaseID)
		d.Seq = count[d.CaseID] // from 0 within these
		count[d.CaseID]++
	}
	first := make(map[string]int64, len(count))
	for part := range slices.Chunk(distinctIDs(ids), batch) {
		args := make([]any, 0, len(part)*2)
		for _, id := range part {
			args = append(args, id, count[id])
		}
		rows, err := all(ctx, t.Queries, (*numbered).fields, `UPDATE cases SET next_seq = next_seq + f.column2
			FROM (VALUES `+tuples(len(part), "CAST(? AS TEXT)", "CAST(? AS BIGINT)")+`) AS f
			WHERE id = f.column1 RETURNING id, next_seq`, args...)
		if err != nil {
			return nil, err
		}
		if len(rows) != len(part) {
			return nil, ErrNotFound
		}
		for _, r := range rows {
			first[r.caseID] = r.next - count[r.caseID]
		}
	}
	for i := range ds {
		if ds[i].CaseID != "" {
			ds[i].Seq += first[ds[i].CaseID]
		}
	}
	return first, nil
}

type numbered struct {
	caseID string
	next   int64
}

func (n *numbered) fields() []any { return []any{&n.caseID, &n.next} }

type laneKey struct{ caseID, lane string }

// readyHeads takes readiness from those that have to wait in their lane. A case that had no delivery before has nothing
// in any lane.
func (t *Tx) readyHeads(ctx context.Context, ds []Delivery, first map[string]int64) error {
	var ask []laneKey
	taken := make(map[laneKey]bool)
	for _, d := range ds {
		if d.Ready && d.CaseID != "" && first[d.CaseID] > 1 {
			ask = append(ask, laneKey{d.CaseID, d.Lane})
		}
	}
	for part := range slices.Chunk(ask, batch) {
		args := make([]any, 0, len(part)*2)
		for _, k := range part {
			args = append(args, k.caseID, k.lane)
		}
		found, err := all(ctx, t.Queries, pair, `SELECT f.column1, f.column2 FROM (VALUES `+
			tuples(len(part), "CAST(? AS TEXT)", "CAST(? AS TEXT)")+`) AS f
			WHERE EXISTS (SELECT 1 FROM deliveries AS n WHERE n.case_id = f.column1 AND n.lane = f.column2 AND `+inTheWay+`)`, args...)
		if err != nil {
			return err
		}
		for _, k := range found {
			taken[laneKey{k[0], k[1]}] = true
		}
	}
	for i := range ds {
		d := &ds[i]
		if d.CaseID == "" || d.Mode != Live {
			continue
		}
		k := laneKey{d.CaseID, d.Lane}
		if taken[k] {
			d.Ready = false
		}
		taken[k] = taken[k] || d.State == Pending || d.Holds
	}
	return nil
}

// PlannedEvents sets what became of events.
func (t *Tx) PlannedEvents(ctx context.Context, ids []string, state string, at time.Time) error {
	for part := range slices.Chunk(ids, batch) {
		n, err := t.exec(ctx, `UPDATE events SET state = $1, planned_at = $2 WHERE id IN `+list(3, len(part)),
			append([]any{state, millis(at)}, anys(part)...)...)
		if err == nil && n != int64(len(part)) {
			err = ErrNotFound
		}
		if err != nil {
			return wrap("mark events", err)
		}
	}
	return nil
}
