package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// SystemMail is the system of mail addresses.
const SystemMail = "mail"

// Identity says that an account of a system is a person's.
type Identity struct {
	Person  string
	System  string // a connection, or SystemMail
	Account string // compared without regard to case
}

func (i *Identity) fields() []any { return []any{&i.Person, &i.System, &i.Account} }

func (i Identity) key() [2]string { return [2]string{i.System, accountKey(i.Account)} }

func accountKey(account string) string { return strings.ToLower(text(strings.TrimSpace(account))) }

// SetPeople replaces what a source says about people's accounts. Several sources may name the same account, as long
// as they agree whose it is: otherwise ErrConflict, naming both persons, and the transaction must not be committed.
func (t *Tx) SetPeople(ctx context.Context, source string, people []Identity) error {
	persons := make(map[[2]string]string)
	var distinct []Identity
	for _, i := range people {
		person, known := persons[i.key()]
		if known && person != i.Person {
			return conflictingPersons(i, person)
		}
		if !known {
			persons[i.key()] = i.Person
			distinct = append(distinct, i)
		}
	}
	if err := t.lockCatalogue(ctx); err != nil {
		return err
	}
	if _, err := t.exec(ctx, `DELETE FROM identities WHERE source = $1`, source); err != nil {
		return wrap("replace people", err)
	}
	if _, err := t.exec(ctx, `DELETE FROM accounts WHERE NOT EXISTS (SELECT 1 FROM identities AS i
		WHERE i.system = accounts.system AND i.account_key = accounts.account_key)`); err != nil {
		return wrap("replace people", err)
	}
	for part := range slices.Chunk(distinct, batch) {
		if err := t.addPeople(ctx, source, part); err != nil {
			return err
		}
	}
	return t.raiseCatalogue(ctx)
}

func (t *Tx) addPeople(ctx context.Context, source string, part []Identity) error {
	var accounts, look, identities []any
	for _, i := range part {
		accounts = append(accounts, i.System, accountKey(i.Account), text(i.Account), i.Person)
		look = append(look, i.System, accountKey(i.Account))
		identities = append(identities, source, i.System, accountKey(i.Account), i.Person)
	}
	_, err := t.exec(ctx, `INSERT INTO accounts (system, account_key, account, person) VALUES `+tuples(len(part), plain(4)...)+
		` ON CONFLICT (system, account_key) DO NOTHING`, accounts...)
	if err != nil {
		return wrap("add accounts", err)
	}
	there, err := all(ctx, t.Queries, (*Identity).fields, `SELECT person, system, account FROM accounts
		WHERE (system, account_key) IN (VALUES `+tuples(len(part), plain(2)...)+`)`, look...)
	if err != nil {
		return wrap("read accounts", err)
	}
	persons := make(map[[2]string]string)
	for _, i := range there {
		persons[i.key()] = i.Person
	}
	for _, i := range part {
		if persons[i.key()] != i.Person {
			return conflictingPersons(i, persons[i.key()])
		}
	}
	_, err = t.exec(ctx, `INSERT INTO identities (source, system, account_key, person) VALUES `+
		tuples(len(part), plain(4)...), identities...)
	return wrap("add identities", err)
}

func conflictingPersons(i Identity, other string) error {
	return fmt.Errorf("add account %q of %s: %w: it is given to %q and to %q", i.Account, i.System, ErrConflict, other, i.Person)
}

// PersonOf reads whose account this is; ErrNotFound when it is nobody's.
func (q Queries) PersonOf(ctx context.Context, system, account string) (string, error) {
	p, err := one(ctx, q, single[string], `SELECT person FROM accounts WHERE system = $1 AND account_key = $2`,
		system, accountKey(account))
	return p, wrap("read person", err)
}

// IdentitiesOf reads the accounts of a person, by system and account.
func (q Queries) IdentitiesOf(ctx context.Context, person string) ([]Identity, error) {
	is, err := all(ctx, q, (*Identity).fields, `SELECT person, system, account FROM accounts WHERE person = $1
		ORDER BY system, account_key`, person)
	return is, wrap("read accounts of person", err)
}
