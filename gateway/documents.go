package gateway

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/drawbridge-itsm/drawbridge/mapping"
	"github.com/drawbridge-itsm/drawbridge/store"
)

// Faults are all that is wrong with a set of documents.
type Faults []*Fault

func (f Faults) Error() string {
	errs := make([]error, len(f))
	for i := range f {
		errs[i] = f[i]
	}
	return errors.Join(errs...).Error()
}

// Edit is one document as it would be published.
type Edit struct {
	Kind, Name string
	Change     string // create, update, unchanged
	Version    int64  // the version in force, 0 for a new document
	Before     string // its text; secrets are references or sealed
	After      string
	Warnings   []string // what could not be found out, and what a person should know
}

// Plan checks documents against what is published and tells what applying them would change. Nothing is written. Desks
// are asked what they accept, for the rules that would change; one that does not answer makes a warning.
// All faults are reported together, as Faults. Blank lines around a text do not count, so a caller may put as many in
// front as its file has lines before it: faults then name the file's lines.
func (g *Gateway) Plan(ctx context.Context, texts [][]byte) ([]Edit, error) {
	stored, err := g.store.Documents(ctx)
	if err != nil {
		return nil, fmt.Errorf("read documents: %w", err)
	}
	var faults Faults
	edits := make([]Edit, 0, len(texts))
	candidate := map[[2]string]store.Document{}
	for _, d := range stored {
		candidate[[2]string{d.Kind, d.Name}] = d
	}
	given := map[[2]string]int{}
	for i, text := range texts {
		head, err := mapping.ReadHeader(text)
		if err != nil {
			faults = append(faults, &Fault{"document", fmt.Sprint(i + 1), err, i + 1})
			continue
		}
		id := [2]string{head.Kind, head.Name}
		if given[id] != 0 {
			faults = append(faults, &Fault{head.Kind, head.Name, errors.New("stands twice in what is applied"), i + 1})
			continue
		}
		given[id] = i + 1
		old, exists := candidate[id]
		candidate[id] = store.Document{Kind: head.Kind, Name: head.Name, Text: string(text)}
		if head.Kind == kindConnection {
			_, sealed, err := g.opener.open(ctx, text, old.Text)
			if err != nil {
				faults = append(faults, &Fault{head.Kind, head.Name, err, i + 1})
				continue
			}
			text = sealed
		}
		edit := Edit{Kind: head.Kind, Name: head.Name, Change: "create", Version: old.Version, Before: old.Text, After: canonical(text)}
		switch {
		case exists && old.Text == edit.After:
			edit.Change = "unchanged"
		case exists:
			edit.Change = "update"
		}
		edits = append(edits, edit)
	}
	// What is only looked at must not use up what can be used once.
	looking := g.opener
	looking.keep = nil
	next, more := newCatalogue(ctx, looking, ordered(candidate), 0, nil)
	if len(faults) == 0 && len(more) == 0 {
		more = next.checkEdits(ctx, edits)
	}
	for _, f := range more {
		if !known(faults, f) {
			f.Given = given[[2]string{f.Kind, f.Name}]
			faults = append(faults, f)
		}
	}
	if len(faults) > 0 {
		faults.sort()
		return edits, faults
	}
	return edits, nil
}

// canonical is a text without the blank lines around it: they differ with where a document stands in a file.
func canonical(text []byte) string {
	return strings.TrimRight(strings.TrimLeft(string(text), "\r\n"), " \t\r\n") + "\n"
}

// sort puts faults in the order of the texts given, those of documents published before at the end.
func (f Faults) sort() {
	slices.SortStableFunc(f, func(a, b *Fault) int {
		if (a.Given == 0) != (b.Given == 0) {
			return cmp.Compare(b.Given, a.Given)
		}
		return cmp.Compare(a.Given, b.Given)
	})
}

func known(faults Faults, f *Fault) bool {
	return slices.ContainsFunc(faults, func(g *Fault) bool { return g.Error() == f.Error() })
}

func ordered(docs map[[2]string]store.Document) []store.Document {
	keyed := map[string]store.Document{}
	for id, d := range docs {
		keyed[id[0]+"/"+id[1]] = d
	}
	out := make([]store.Document, 0, len(docs))
	for _, k := range sortedKeys(keyed) {
		out = append(out, keyed[k])
	}
	return out
}

// Apply plans documents and publishes them.
func (g *Gateway) Apply(ctx context.Context, texts [][]byte, author, why string) ([]Edit, error) {
	edits, err := g.Plan(ctx, texts)
	if err != nil {
		return edits, err
	}
	return edits, g.Publish(ctx, edits, author, why)
}

// Publish publishes what was planned in one transaction: all of it or nothing. Every replica sees it at once. It is
// refused where one of the documents was published by somebody else since it was planned.
func (g *Gateway) Publish(ctx context.Context, edits []Edit, author, why string) error {
	now := g.now()
	err := g.store.InTx(ctx, func(tx *store.Tx) error {
		for _, e := range edits {
			if e.Change == "unchanged" {
				continue
			}
			if err := publish(ctx, tx, e, author, why, now); err != nil {
				return fmt.Errorf("publish %s %s: %w", e.Kind, e.Name, err)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return g.reload(ctx)
}

func publish(ctx context.Context, tx *store.Tx, e Edit, author, why string, now time.Time) error {
	newest, err := tx.Document(ctx, e.Kind, e.Name, 0)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	d, err := tx.PutDocument(ctx, store.Document{Kind: e.Kind, Name: e.Name, Text: e.After, Author: author, Why: why, At: now})
	if err != nil {
		return err
	}
	if (newest.Version != e.Version && !newest.Deleted) || d.Version > newest.Version+1 {
		return errors.New("somebody published it since this was planned; plan it again")
	}
	switch e.Kind {
	case kindPeople:
		if err := setPeople(ctx, tx, e); err != nil {
			return err
		}
	case kindConnection:
		if e.Change == "create" {
			if err := forgetSecrets(ctx, tx, e.Name, now); err != nil {
				return err
			}
		}
		// A new version is how an admin says that a connection was mended: it is tried at once.
		if err := tx.SetHealth(ctx, store.Health{Connection: e.Name, State: healthWell, Since: now}); err != nil {
			return err
		}
		tx.Wake(wakeConnection(e.Name))
	}
	tx.Wake(wakeDocuments)
	tx.Wake(wakePlan)
	return tx.Record(ctx, store.Entry{At: now, Kind: "document.published", Subject: e.Kind + "/" + e.Name,
		Content: map[string]any{"version": d.Version, "author": author, "why": why}})
}

func setPeople(ctx context.Context, tx *store.Tx, e Edit) error {
	p, err := mapping.ParsePeople([]byte(e.After))
	if err != nil {
		return err
	}
	var ids []store.Identity
	for _, h := range p.People {
		if h.Mail != "" {
			ids = append(ids, store.Identity{Person: h.Name, System: systemMail, Account: h.Mail})
		}
		for system, accounts := range h.Accounts {
			for _, a := range accounts {
				ids = append(ids, store.Identity{Person: h.Name, System: system, Account: a})
			}
		}
	}
	return tx.SetPeople(ctx, "People/"+e.Name, ids)
}

const (
	systemMail    = "mail"
	wakeDocuments = "documents"
	healthWell    = "well"
	healthUnwell  = "unwell"
)
