package store

import (
	"context"
	"strconv"
	"strings"
	"time"
)

// States of a case.
const (
	CaseOpen    = "open"
	CaseDecided = "decided"
	CaseClosed  = "closed"
)

// Case is everything about one RequestId of one source.
type Case struct {
	ID         string
	Connection string
	Tenant     string
	RequestID  string
	ParentID   string // id of the case this one belongs to
	Kind       string // of the event that opened it
	State      string
	Requester  string // JSON
	Subject    string
	Severity   string
	OpenedAt   time.Time
	UpdatedAt  time.Time
	EditedBody bool  // an operator wrote what its approvers read: a body in quarantine, or a ticket; a decision needs a second person
	NextSeq    int64 // what its next delivery is numbered
}

const caseColumns = `id, connection, tenant, request_id, COALESCE(parent_id, ''), kind, state, requester, subject,
	severity, opened_at, updated_at, edited_body, next_seq`

func (c *Case) fields() []any {
	return []any{&c.ID, &c.Connection, &c.Tenant, &c.RequestID, &c.ParentID, &c.Kind, &c.State, &c.Requester, &c.Subject,
		&c.Severity, (*stamp)(&c.OpenedAt), (*stamp)(&c.UpdatedAt), &c.EditedBody, &c.NextSeq}
}

func (c *Case) key() caseKey { return caseKey{c.Connection, c.Tenant, c.RequestID} }

// LockCase reads a case and bars others from changing it, its lanes or its decision until the transaction ends. Who
// locks several does it in the order of their ids.
func (t *Tx) LockCase(ctx context.Context, id string) (Case, error) {
	c, err := one(ctx, t.Queries, (*Case).fields, `SELECT `+caseColumns+` FROM cases WHERE id = $1`+t.engine.forUpdate, id)
	return c, wrap("lock case", err)
}

// SaveCase writes what changes in a case: parent, kind, state, requester, subject, severity and the time.
func (t *Tx) SaveCase(ctx context.Context, c Case) error {
	err := t.change(ctx, ErrNotFound, `UPDATE cases SET parent_id = $1, kind = $2, state = $3, requester = $4, subject = $5,
		severity = $6, updated_at = $7 WHERE id = $8`,
		nullable(c.ParentID), text(c.Kind), c.State, text(c.Requester), text(c.Subject), text(c.Severity), millis(c.UpdatedAt), c.ID)
	return wrap("save case", err)
}

// MarkEdited notes for good that an operator wrote something its approvers read.
func (t *Tx) MarkEdited(ctx context.Context, id string) error {
	return wrap("mark case", t.change(ctx, ErrNotFound, `UPDATE cases SET edited_body = 1 WHERE id = $1`, id))
}

// Case reads one case.
func (q Queries) Case(ctx context.Context, id string) (Case, error) {
	c, err := one(ctx, q, (*Case).fields, `SELECT `+caseColumns+` FROM cases WHERE id = $1`, id)
	return c, wrap("read case", err)
}

// CaseByRequest reads the case a source knows by this RequestId.
func (q Queries) CaseByRequest(ctx context.Context, connection, tenant, requestID string) (Case, error) {
	c, err := one(ctx, q, (*Case).fields, `SELECT `+caseColumns+` FROM cases
		WHERE connection = $1 AND tenant = $2 AND request_id = $3`, text(connection), text(tenant), text(requestID))
	return c, wrap("read case", err)
}

// CaseFilter says which cases Cases reads; empty fields leave nothing out.
type CaseFilter struct {
	State      string
	Connection string
	Text       string // part of the RequestId, requester or subject, in any case
	Before     string // id of the last case of the page before
	Limit      int
}

// Cases reads cases, the newest first.
func (q Queries) Cases(ctx context.Context, f CaseFilter) ([]Case, error) {
	var w where
	w.equal("state", f.State)
	w.equal("connection", f.Connection)
	w.contains(text(f.Text), "request_id", "requester", "subject")
	w.less("id", f.Before)
	query, args := w.query(`SELECT `+caseColumns+` FROM cases`, `ORDER BY id DESC`, f.Limit)
	cases, err := all(ctx, q, (*Case).fields, query, args...)
	return cases, wrap("read cases", err)
}

// where collects the conditions of a query whose shape depends on a filter. Column names come from this package only.
type where struct {
	terms []string
	args  []any
}

func (w *where) next(arg any) string {
	w.args = append(w.args, arg)
	return "$" + strconv.Itoa(len(w.args))
}

func (w *where) equal(column, value string) {
	if value != "" {
		w.terms = append(w.terms, column+" = "+w.next(value))
	}
}

func (w *where) less(column, value string) {
	if value != "" {
		w.terms = append(w.terms, column+" < "+w.next(value))
	}
}

func (w *where) contains(value string, columns ...string) {
	if value == "" {
		return
	}
	literal := strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(strings.ToLower(value))
	p := w.next("%" + literal + "%")
	var terms []string
	for _, c := range columns {
		terms = append(terms, `LOWER(`+c+`) LIKE `+p+` ESCAPE '\'`)
	}
	w.terms = append(w.terms, "("+strings.Join(terms, " OR ")+")")
}

// page is how many rows a list gives when no limit is asked for.
const page = 100

func (w *where) query(from, order string, limit int) (string, []any) {
	if limit <= 0 {
		limit = page
	}
	if len(w.terms) > 0 {
		from += " WHERE " + strings.Join(w.terms, " AND ")
	}
	return from + " " + order + " LIMIT " + w.next(int64(limit)), w.args
}
