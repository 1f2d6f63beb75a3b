package store

import (
	"context"
	"errors"
	"time"
)

// Document is one version of what an admin edits.
type Document struct {
	Kind    string
	Name    string
	Version int64 // 1 is the first
	Text    string
	Author  string
	Why     string
	At      time.Time
	Deleted bool
}

const documentColumns = `kind, name, version, text, author, why, at, deleted`

func (d *Document) fields() []any {
	return []any{&d.Kind, &d.Name, &d.Version, &d.Text, &d.Author, &d.Why, (*stamp)(&d.At), &d.Deleted}
}

// PutDocument stores the next version of a document and raises the catalogue's version. When it says what the newest
// version says, that one is answered and nothing changes.
func (t *Tx) PutDocument(ctx context.Context, d Document) (Document, error) {
	if err := t.lockCatalogue(ctx); err != nil {
		return d, err
	}
	newest, err := t.Document(ctx, d.Kind, d.Name, 0)
	switch {
	case errors.Is(err, ErrNotFound):
		if d.Deleted {
			return d, err
		}
	case err != nil:
		return d, err
	case newest.Text == text(d.Text) && newest.Deleted == d.Deleted:
		return newest, nil
	}
	d.Version, d.Text = newest.Version+1, text(d.Text)
	_, err = t.exec(ctx, `INSERT INTO documents (`+documentColumns+`) VALUES `+tuples(1, plain(8)...),
		d.Kind, d.Name, d.Version, d.Text, text(d.Author), text(d.Why), millis(d.At), bit(d.Deleted))
	if err != nil {
		return d, wrap("store document", err)
	}
	return d, t.raiseCatalogue(ctx)
}

// lockCatalogue makes writers of documents and people take turns.
func (t *Tx) lockCatalogue(ctx context.Context) error {
	_, err := one(ctx, t.Queries, single[int64], `SELECT version FROM catalogue`+t.engine.forUpdate)
	return wrap("lock catalogue", err)
}

func (t *Tx) raiseCatalogue(ctx context.Context) error {
	t.Wake(WakeDocuments)
	_, err := t.exec(ctx, `UPDATE catalogue SET version = version + 1`)
	return wrap("raise catalogue version", err)
}

// HoldCatalogue reads the catalogue's version, which stays what it is until the transaction ends. It comes before
// everything else a transaction does, as it does for those who change documents.
func (t *Tx) HoldCatalogue(ctx context.Context) (int64, error) {
	v, err := one(ctx, t.Queries, single[int64], `SELECT version FROM catalogue`+t.engine.forShare)
	return v, wrap("hold catalogue", err)
}

// CatalogueVersion changes whenever a document or somebody's accounts do.
func (q Queries) CatalogueVersion(ctx context.Context) (int64, error) {
	v, err := one(ctx, q, single[int64], `SELECT version FROM catalogue`)
	return v, wrap("read catalogue version", err)
}

// Documents reads the newest version of every document that is not deleted, by kind and name.
func (q Queries) Documents(ctx context.Context) ([]Document, error) {
	ds, err := all(ctx, q, (*Document).fields, `SELECT `+prefixed("d", documentColumns)+` FROM documents AS d
		WHERE d.deleted = 0 AND d.version = (SELECT MAX(n.version) FROM documents AS n WHERE n.kind = d.kind AND n.name = d.name)
		ORDER BY d.kind, d.name`)
	return ds, wrap("read documents", err)
}

// Document reads one version of a document; version 0 is the newest, which may be its deletion.
func (q Queries) Document(ctx context.Context, kind, name string, version int64) (Document, error) {
	d, err := one(ctx, q, (*Document).fields, `SELECT `+documentColumns+` FROM documents
		WHERE kind = $1 AND name = $2 AND (CAST($3 AS BIGINT) = 0 OR version = $3) ORDER BY version DESC LIMIT 1`, kind, name, version)
	return d, wrap("read document", err)
}

// DocumentVersions reads all versions of a document, the newest first.
func (q Queries) DocumentVersions(ctx context.Context, kind, name string) ([]Document, error) {
	ds, err := all(ctx, q, (*Document).fields, `SELECT `+documentColumns+` FROM documents WHERE kind = $1 AND name = $2
		ORDER BY version DESC`, kind, name)
	return ds, wrap("read document versions", err)
}
