package gateway

import (
	"context"
	"encoding/base64"
	"maps"
	"slices"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Whom a desk asks by link answers on a page of ours, /vote/{token}. A token says which link it answers and whom it was
// sent to, and bears our mark; it is made anew for every delivery and kept nowhere.

// VotePath is where the links lead, before the token.
const VotePath = "/vote/"

const votePurpose = "vote links"

// answersByLink tells whether the connection's people answer on our page: where the vendor tells who answered, they
// answer there.
func (c *connection) answersByLink() bool {
	if !c.asks() {
		return false
	}
	_, resolves := connectors.AsResolver(c.connector)
	return !resolves
}

// withLinks gives a request that is put to people the links they answer by. Without an address of ours, or a key to mark
// them with, there are none.
func (g *Gateway) withLinks(conn *connection, a connectors.Action) (connectors.Action, error) {
	if a.Kind != connectors.Create || a.Ticket == nil || g.baseURL == "" || len(g.opener.vault.Keys) == 0 || !conn.answersByLink() {
		return a, nil
	}
	asker, _ := connectors.AsAsker(conn.connector)
	ticket := *a.Ticket
	to := asker.Addressees(ticket)
	if to == nil {
		to = []string{""}
	}
	ticket.Links, ticket.LinksShow = make(map[string]string, len(to)), g.signIn == nil
	for _, mail := range to {
		token, err := g.voteToken(a.Key, mail)
		if err != nil {
			return a, connectors.Permanently("make link: %w", err)
		}
		ticket.Links[mail] = strings.TrimRight(g.baseURL, "/") + VotePath + token
	}
	a.Ticket = &ticket
	return a, nil
}

// voteToken is the token of one addressee; of whoever sees it, where that is nobody in particular.
func (g *Gateway) voteToken(key, to string) (string, error) {
	text := key + "\x00" + to
	mark, err := g.opener.vault.Sign(votePurpose, text)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString([]byte(text)) + "." + base64.RawURLEncoding.EncodeToString(mark), nil
}

// longestVoteToken is more than a key and the longest mail address come to.
const longestVoteToken = 800

func (g *Gateway) readVoteToken(token string) (key, to string, ok bool) {
	if len(token) > longestVoteToken {
		return "", "", false
	}
	first, second, _ := strings.Cut(token, ".")
	strict := base64.RawURLEncoding.Strict()
	text, err := strict.DecodeString(first)
	mark, bad := strict.DecodeString(second)
	if err != nil || bad != nil || !g.opener.vault.Signed(votePurpose, string(text), mark) {
		return "", "", false
	}
	return strings.Cut(string(text), "\x00")
}

// sameMail tells whether two texts are one mail address: only the letters of ASCII have two cases there.
func sameMail(a, b string) bool { return a != "" && lowerASCII(a) == lowerASCII(b) }

func lowerASCII(text string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, text)
}

// examineLinks tells why nobody can answer by the links a connection sends, where a rule has it ask for decisions.
func (g *Gateway) examineLinks(ctx context.Context, r *Report, about string, c *connection) {
	asks := func(one *rule) bool {
		create := one.Rule().Create
		return create != nil && create.At == c.doc.Name && one.Rule().Decision != nil
	}
	if !slices.ContainsFunc(slices.Concat(slices.Collect(maps.Values(g.catalogue().rules))...), asks) {
		return
	}
	switch {
	case g.baseURL == "":
		r.add(about, Look, "nobody can answer what it asks: it sends no links without --base-url")
	case len(g.opener.vault.Keys) == 0:
		r.add(about, Look, "nobody can answer what it asks: it sends no links without a key file")
	case g.signIn == nil:
		r.add(about, Look, "nobody can answer what it asks: its links only show the tickets without an identity provider, --oidc-issuer")
	default:
		if err := g.signIn.Ping(ctx); err != nil {
			r.add(about, Bad, "nobody can sign in to answer what it asks: %v", err)
			return
		}
		r.add(about, Fine, "people can sign in to answer what it asks")
	}
}
