package gateway

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/store"
)

// CredentialView is one of the credentials a connection's sender may prove itself with, as far as it may be shown.
type CredentialView struct {
	Mark      string    `json:"mark"`          // tells it from others
	For       string    `json:"for"`           // where in the scheme it belongs: passwords, client_secrets
	Where     string    `json:"where"`         // where it is kept, in words
	Made      time.Time `json:"made,omitzero"` // by the program; only then can it be dropped by it
	FirstUsed time.Time `json:"first_used,omitzero"`
	LastUsed  time.Time `json:"last_used,omitzero"` // within seconds; never: nobody has used it
}

// Credentials lists what a connection's sender may prove itself with: the document's, then those the program made.
func (g *Gateway) Credentials(ctx context.Context, name string) ([]CredentialView, error) {
	c, err := g.receiving(name)
	if err != nil {
		return nil, err
	}
	return g.credentialsOf(ctx, c)
}

func (g *Gateway) credentialsOf(ctx context.Context, c *connection) ([]CredentialView, error) {
	list := []CredentialView{}
	for _, s := range c.verifier.Credentials() {
		list = append(list, CredentialView{Mark: s.Mark, For: s.For, Where: s.Where})
	}
	if c.verifier.OAuth() != nil {
		made, err := g.store.ClientSecrets(ctx, c.doc.Name)
		if err != nil {
			return nil, err
		}
		for _, m := range made {
			list = append(list, CredentialView{Mark: m.Mark, For: "client_secrets", Where: "a hash in the database", Made: m.CreatedAt})
		}
	}
	used, err := g.store.CredentialUses(ctx, c.doc.Name)
	if err != nil {
		return nil, err
	}
	for i := range list {
		for _, u := range used {
			if u.Mark == list[i].Mark {
				list[i].FirstUsed, list[i].LastUsed = u.First, u.Last
			}
		}
	}
	return list, nil
}

// receiving finds a connection that receives something and can be used.
func (g *Gateway) receiving(name string) (*connection, error) {
	c := g.catalogue().connections[name]
	switch {
	case c == nil:
		return nil, g.noConnection(name)
	case c.fault != nil:
		return nil, &Refusal{Status: http.StatusConflict, Text: "the document of " + name + " cannot be used: " + c.fault.Error()}
	case c.verifier == nil:
		return nil, &Refusal{Status: http.StatusConflict, Text: name + " receives nothing"}
	}
	return c, nil
}

// MadeSecret is a client secret that was made just now. Nothing keeps its text.
type MadeSecret struct {
	ClientID string `json:"client_id"`
	Secret   string `json:"client_secret"`
	Mark     string `json:"mark"`
}

const (
	secretPrefix = "dbs_"
	mostSecrets  = 2 // one, and the next during a rotation
)

// MakeSecret makes a client secret for a connection's sender. It is good at once; so is the one before, until it is
// dropped.
func (g *Gateway) MakeSecret(ctx context.Context, name, who, why string) (MadeSecret, error) {
	c, err := g.receiving(name)
	if err != nil {
		return MadeSecret{}, err
	}
	check := c.verifier.OAuth()
	if check == nil {
		return MadeSecret{}, &Refusal{Status: http.StatusConflict, Text: name + " is not verified by tokens of our own; set inbound.verify to oauth: {}"}
	}
	made := MadeSecret{ClientID: check.ClientID, Secret: randomText(secretPrefix)}
	digits := hashOf(made.Secret)
	made.Mark = connectors.HashedSHA256(digits).Mark()
	now := g.now()
	err = g.store.InTx(ctx, func(tx *store.Tx) error {
		secret := store.ClientSecret{Connection: name, Mark: made.Mark, SHA256: digits, CreatedAt: now}
		if err := tx.AddClientSecret(ctx, secret, mostSecrets); err != nil {
			return err
		}
		return tx.Record(ctx, store.Entry{At: now, Kind: "secret.made", Subject: name,
			Content: map[string]any{"mark": made.Mark, "client_id": made.ClientID, "who": who, "why": why}})
	})
	if errors.Is(err, store.ErrConflict) {
		return MadeSecret{}, &Refusal{Status: http.StatusConflict, Text: fmt.Sprintf("%s has two secrets already; drop the one that is no longer used", name)}
	}
	if err != nil {
		return MadeSecret{}, err
	}
	return made, nil
}

// DropSecret removes a client secret the program made. Tokens given for it end by themselves within ten minutes, so that
// a sender that has the next secret by now is never refused; with revoke they end at once, which is for a secret that
// others know. It returns how many did.
func (g *Gateway) DropSecret(ctx context.Context, name, mark string, revoke bool, who, why string) (revoked int, err error) {
	if g.catalogue().connections[name] == nil {
		return 0, g.noConnection(name)
	}
	now := g.now()
	err = g.store.InTx(ctx, func(tx *store.Tx) error {
		if err := tx.DropClientSecret(ctx, name, mark); err != nil {
			return err
		}
		if revoke {
			if revoked, err = tx.RevokeTokens(ctx, name, mark, now); err != nil {
				return err
			}
		}
		return tx.Record(ctx, store.Entry{At: now, Kind: "secret.dropped", Subject: name,
			Content: map[string]any{"mark": mark, "tokens_revoked": revoked, "who": who, "why": why}})
	})
	if errors.Is(err, store.ErrNotFound) {
		return 0, &Refusal{Status: http.StatusNotFound, Text: fmt.Sprintf("the program made no secret %s for %s; one that stands in the document is taken out there", connectors.Clean(mark, 20), name)}
	}
	g.door.tokens.forget()
	return revoked, err
}

// RevokeTokens ends all access tokens of a connection, here at once and on other replicas within five seconds. Its sender
// gets new ones as long as it has a secret.
func (g *Gateway) RevokeTokens(ctx context.Context, name, who, why string) (revoked int, err error) {
	if g.catalogue().connections[name] == nil {
		return 0, g.noConnection(name)
	}
	now := g.now()
	err = g.store.InTx(ctx, func(tx *store.Tx) error {
		if revoked, err = tx.RevokeTokens(ctx, name, "", now); err != nil {
			return err
		}
		return tx.Record(ctx, store.Entry{At: now, Kind: "tokens.revoked", Subject: name,
			Content: map[string]any{"tokens": revoked, "who": who, "why": why}})
	})
	g.door.tokens.forget()
	return revoked, err
}

// forgetSecrets removes what only a connection itself may use: with it, and before one of its name is made again.
func forgetSecrets(ctx context.Context, tx *store.Tx, name string, now time.Time) error {
	if err := tx.DropClientSecrets(ctx, name); err != nil {
		return err
	}
	if err := tx.DropKept(ctx, name); err != nil {
		return err
	}
	_, err := tx.RevokeTokens(ctx, name, "", now)
	return err
}

// examineDoor looks at how a connection's sender proves itself; call says whether an issuer may be asked.
func (g *Gateway) examineDoor(ctx context.Context, r *Report, c *connection, call bool) error {
	about := kindConnection + "/" + c.doc.Name
	if c.verifier.Anybody() {
		r.add(about, Note, "it takes requests of anybody (inbound.verify: none), from %s", cmp.Or(strings.Join(c.doc.Inbound.From, ", "), "anywhere"))
	}
	if call {
		if err := c.verifier.Reach(ctx); err != nil {
			r.add(about, Bad, "its tokens cannot be checked: %v", err)
		}
	}
	list, err := g.credentialsOf(ctx, c)
	if err != nil {
		return err
	}
	if c.verifier.OAuth() != nil && len(list) == 0 {
		r.add(about, Look, "nobody can get a token for it; drawbridge secret make %s makes a secret", c.doc.Name)
	}
	for i, one := range list {
		for _, other := range list[i+1:] {
			if one.For == other.For {
				r.add(about, Note, "two of its %s are good: %s, %s, and %s, %s; take out the one that is no longer used", one.For,
					one.Mark, lastUsed(one), other.Mark, lastUsed(other))
			}
		}
	}
	return nil
}

func lastUsed(v CredentialView) string {
	if v.LastUsed.IsZero() {
		return "never used"
	}
	return "last used at " + stampText(v.LastUsed)
}
