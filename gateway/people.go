package gateway

import (
	"context"
	"errors"
	"fmt"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/store"
)

// Imported counts what a directory gave.
type Imported struct {
	Seen   int // people the directory told of
	Joined int // of these, joined to somebody known by mail address
}

// ImportDirectory asks a desk for the people it knows and joins their accounts to known people by mail address. Nobody
// new becomes known this way. What an earlier import of the same desk gave is replaced.
func (g *Gateway) ImportDirectory(ctx context.Context, connection, who, why string) (Imported, error) {
	c := g.catalogue().connections[connection]
	if c == nil || c.connector == nil {
		return Imported{}, fmt.Errorf("there is no connection %q%s", connection, among(sortedKeys(g.catalogue().connections)))
	}
	directory, ok := connectors.AsDirectory(c.connector)
	if !ok {
		return Imported{}, fmt.Errorf("%s (%s) has no directory", connection, c.doc.Connector)
	}
	if c.noMail {
		return Imported{}, fmt.Errorf("at %s a mail address does not prove who somebody is: name the accounts in a People document, or set identity.mail where it does", connection)
	}
	people, err := everybody(ctx, directory)
	if err != nil {
		return Imported{}, fmt.Errorf("read directory of %s: %w", connection, err)
	}
	done := Imported{Seen: len(people)}
	err = g.store.InTx(ctx, func(tx *store.Tx) error {
		done.Joined = 0
		var ids []store.Identity
		for _, p := range people {
			if p.Mail == "" || p.Account == "" {
				continue
			}
			person, err := tx.PersonOf(ctx, systemMail, p.Mail)
			if errors.Is(err, store.ErrNotFound) {
				continue
			}
			if err != nil {
				return err
			}
			ids = append(ids, store.Identity{Person: person, System: connection, Account: p.Account})
			done.Joined++
		}
		if err := tx.SetPeople(ctx, "directory/"+connection, ids); err != nil {
			return err
		}
		return tx.Record(ctx, store.Entry{At: g.now(), Kind: "people.imported", Subject: connection,
			Content: map[string]any{"seen": done.Seen, "joined": done.Joined, "who": who, "why": why}})
	})
	return done, err
}

func everybody(ctx context.Context, d connectors.Directory) ([]connectors.Person, error) {
	var all []connectors.Person
	var cursor connectors.Cursor
	for {
		page, next, err := d.People(ctx, cursor)
		if err != nil {
			return nil, err
		}
		all = append(all, page...)
		if next == "" || next == cursor {
			return all, nil
		}
		cursor = next
	}
}
