// Package mail asks people by mail: a request becomes one mail for each addressee, with a link of their own to a page
// where they sign in and answer. The link decides nothing by being opened, and nothing for anybody else.
//
// There is no ticket that could be read back. A comment is a further mail in the same thread. A status is not mailed: the
// comment before it says what was decided. It is kept by us alone.
//
// Every mail has a Message-ID made of our key and its addressee. When the answer to the last line of a mail is lost, the
// same mail goes out again under the same id, which mail programs show once. send.go tells what becomes of the others
// where one cannot be sent now.
package mail

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"strings"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Open checks the settings and builds the connector.
func (c *Config) Open(env connectors.Env) (connectors.Connector, error) {
	settings := c.withDefaults()
	if err := settings.faults(); err != nil {
		return nil, err
	}
	client := env.Client
	if o := settings.OAuth; o != nil {
		client = client.With(connectors.ClientCredentials{TokenURL: o.TokenURL, ID: o.ClientID, Secret: o.ClientSecret, Scopes: o.Scopes})
		if !o.RefreshToken.IsZero() {
			client = env.Client.With(connectors.RefreshToken{TokenURL: o.TokenURL, ID: o.ClientID, Secret: o.ClientSecret, Token: o.RefreshToken})
		}
	}
	return &connector{conf: settings, client: client, log: env.Log, now: env.Now}, nil
}

type connector struct {
	conf   Config
	client *connectors.Client
	log    *slog.Logger
	now    func() time.Time
	begun  begun
}

var (
	_ connectors.Creator      = (*connector)(nil)
	_ connectors.Commenter    = (*connector)(nil)
	_ connectors.Transitioner = (*connector)(nil)
	_ connectors.Asker        = (*connector)(nil)
	_ connectors.Idempotent   = (*connector)(nil)
	_ connectors.Marker       = (*connector)(nil)
	_ connectors.Exampler     = (*Config)(nil)
)

// What a rule's type says of a mail.
const (
	typeAsk    = "ask"    // with a link to answer by
	typeNotice = "notice" // without
)

// maxAddressees is how many people one request is mailed to.
const maxAddressees = 50

// CreatesOnce: a mail that is sent again has the same Message-ID.
func (c *connector) CreatesOnce() {}

// Addressees are those that project names; nobody needs a link to a notice.
func (c *connector) Addressees(t connectors.Ticket) []string {
	to, err := addressees(t)
	if err != nil || t.Type != typeAsk {
		return []string{}
	}
	return to
}

// addressees reads mail addresses parted by commas, each once.
func addressees(t connectors.Ticket) ([]string, error) {
	var to []string
	seen := map[string]bool{}
	for text := range strings.SplitSeq(t.Project, ",") {
		text = strings.Trim(text, " \t")
		if !plainAddress(text) {
			return nil, connectors.Permanently("create: project is the mail addresses of those who are asked, parted by commas, and nothing else")
		}
		if lower := strings.ToLower(text); !seen[lower] {
			seen[lower] = true
			to = append(to, text)
		}
	}
	if len(to) > maxAddressees {
		return nil, connectors.Permanently("create: a request is mailed to %d people at most", maxAddressees)
	}
	return to, nil
}

// Unverified lists what was not tried against the servers people have.
func (c *connector) Unverified() []string {
	return []string{
		"servers: tried against a mail server library over TLS, not against Exchange Online or Gmail",
		"oauth: that XOAUTH2 takes client credentials at Exchange Online, and refresh tokens at Gmail, is known from practice",
		"Message-ID: that mail programs show two mails of one id once is known from practice",
	}
}

// Ping signs in and sends nothing.
func (c *connector) Ping(ctx context.Context) error {
	s, err := c.connect(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	return s.rest()
}

// Create mails the request to everybody it is for. Where some cannot be reached for good, the others are asked.
func (c *connector) Create(ctx context.Context, key string, t connectors.Ticket) (connectors.Ref, error) {
	to, err := addressees(t)
	if err != nil {
		return connectors.Ref{}, err
	}
	switch t.Type {
	case typeAsk, typeNotice:
	default:
		return connectors.Ref{}, connectors.Permanently("create: type is %s or %s", typeAsk, typeNotice)
	}
	if err := fieldFaults(t.Fields); err != nil {
		return connectors.Ref{}, err
	}
	ref := connectors.Ref{ID: "mail-" + digest(key)}
	ref.Key = ref.ID
	var mails []letter
	for _, addressee := range to {
		l := c.request(ref, addressee, t)
		l.shows = t.LinksShow
		if t.Type == typeAsk {
			if l.link = t.Links[addressee]; l.link == "" {
				return connectors.Ref{}, connectors.Permanently("create: there are no links to answer by; they need --base-url, and a key file")
			}
		}
		mails = append(mails, l)
	}
	return ref, c.send(ctx, mails)
}

// fieldFaults refuses fields that are not looked at. durations and reason are for the page where people answer.
func fieldFaults(fields map[string]any) error {
	for name := range fields {
		if name != "durations" && name != "reason" {
			return connectors.Permanently("create: fields.%s: a mail has durations and reason", connectors.Clean(name, 50))
		}
	}
	return nil
}

// Comment mails what is to be said to everybody who was asked, in the thread of their request.
func (c *connector) Comment(ctx context.Context, ref connectors.Ref, n connectors.Note) error {
	if n.Asked == nil {
		return connectors.Permanently("comment: whom the request was mailed to is not known any more")
	}
	to, err := addressees(*n.Asked)
	if err != nil {
		return err
	}
	key := n.Key
	if key == "" {
		key = n.Body
	}
	var mails []letter
	for _, addressee := range to {
		mails = append(mails, c.further(ref, addressee, *n.Asked, digest(key), n.Body))
	}
	return c.send(ctx, mails)
}

// Transition mails the note that belongs to a status, where there is one. The status itself stands in our record.
func (c *connector) Transition(ctx context.Context, ref connectors.Ref, m connectors.Move) error {
	if m.Note == nil || m.Asked == nil {
		return nil
	}
	note := *m.Note
	note.Asked = m.Asked
	return c.Comment(ctx, ref, note)
}

// digest is a short name for a text that tells nothing of it.
func digest(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:10])
}
