// Package teams asks people in a channel of Microsoft Teams: a request becomes a card with a button that opens a page of
// ours, where they sign in and answer. The card is posted through a workflow of the channel, which takes messages at an
// address of its own.
//
// A workflow tells nothing back and changes no card. A comment is a further card; a status is not posted, and stands in our
// record alone. When the answer to a post is lost, the card is posted again: both ask the same, and lead to the same page.
//
// What a workflow answers means that it took the message. Whether the card then appears shows in the workflow's history
// only.
package teams

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Config is what an operator writes for one channel.
type Config struct {
	// URL is the workflow's address, as "When a Teams webhook request is received" shows it. Whoever knows it can post.
	URL connectors.Secret `yaml:"url"`
}

// New returns the settings of a Teams connection, to be decoded into and opened.
func New() connectors.Config { return &Config{} }

// Example is the least an operator has to write.
func (c *Config) Example() string { return "url: {env: DRAWBRIDGE_SECRET_TEAMS_URL}\n" }

// Open checks the settings and builds the connector.
func (c *Config) Open(env connectors.Env) (connectors.Connector, error) {
	if c.URL.IsZero() {
		return nil, errors.New("url is missing: the workflow's address")
	}
	mark := "workflow-" + rand.Text()
	client := env.Client.With(connectors.Placed{Secrets: map[string]connectors.Secret{mark: c.URL}, Whole: mark, Finish: private})
	return &connector{url: connectors.WholeURL(mark), client: client}, nil
}

// private refuses an address that a card would travel to in the open. What is wrong with it is said without showing it.
func private(u *url.URL) error {
	if u.User != nil || u.Scheme != "https" && (u.Scheme != "http" || !connectors.Loopback(u.Hostname())) {
		return errors.New("url is no https address of a workflow")
	}
	return nil
}

type connector struct {
	url    string // stands for the workflow's address
	client *connectors.Client
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

// What a rule's type says of a card.
const (
	typeAsk    = "ask"    // with a button
	typeNotice = "notice" // without
)

// CreatesOnce: a card posted twice asks once.
func (c *connector) CreatesOnce() {}

// Addressees names nobody: whoever sees the channel may follow the button, and the policy judges who counts.
func (c *connector) Addressees(t connectors.Ticket) []string {
	if t.Type != typeAsk {
		return []string{}
	}
	return nil
}

// Unverified lists what this connection relies on although it was not read in Microsoft's own documents, or not tried.
func (c *connector) Unverified() []string {
	return []string{
		"everything: built from Microsoft's documents, and tried against a stand-in, not against a channel",
		"success: that a workflow answers 202 is known from practice; 200 is taken for the same",
		"size: that a message may have 28 KB is known from practice",
	}
}

// Ping looks whether the server is there: a workflow cannot be asked anything without posting.
func (c *connector) Ping(ctx context.Context) error {
	return c.client.Reach(ctx, "reach the workflow's server", c.url)
}

// Create posts the request as a card.
func (c *connector) Create(ctx context.Context, key string, t connectors.Ticket) (connectors.Ref, error) {
	link := ""
	switch t.Type {
	case typeAsk:
		if link = t.Links[""]; link == "" {
			return connectors.Ref{}, connectors.Permanently("create: there is no link to answer by; it needs --base-url, and a key file")
		}
	case typeNotice:
	default:
		return connectors.Ref{}, connectors.Permanently("create: type is %s or %s", typeAsk, typeNotice)
	}
	for name := range t.Fields {
		if name != "durations" && name != "reason" {
			return connectors.Ref{}, connectors.Permanently("create: fields.%s: a card has durations and reason", connectors.Clean(name, 50))
		}
	}
	sum := sha256.Sum256([]byte(key))
	ref := connectors.Ref{ID: "teams-" + hex.EncodeToString(sum[:10])}
	ref.Key = ref.ID
	return ref, c.post(ctx, "post card", request(t, link))
}

// Comment posts what is to be said as a card of its own. After a lost answer it may stand there twice.
func (c *connector) Comment(ctx context.Context, _ connectors.Ref, n connectors.Note) error {
	return c.post(ctx, "post comment", comment(n))
}

// Transition posts the note that belongs to a status, where there is one.
func (c *connector) Transition(ctx context.Context, ref connectors.Ref, m connectors.Move) error {
	if m.Note == nil {
		return nil
	}
	note := *m.Note
	note.Asked = m.Asked
	return c.Comment(ctx, ref, note)
}

// post hands a message to the workflow. Connectors of Office 365, whose addresses look alike, answered 200 with an error
// in words where too much was posted.
func (c *connector) post(ctx context.Context, name string, message []byte) error {
	answer, err := c.client.Do(ctx, connectors.Call{Name: name, Method: http.MethodPost, URL: c.url, Body: message,
		Header: http.Header{"Content-Type": {"application/json"}}})
	if err != nil {
		return err
	}
	switch {
	case bytes.Contains(answer.Body, []byte("HTTP error 429")):
		return &connectors.Error{Kind: connectors.Throttled, Status: answer.Status, Err: fmt.Errorf("%s: too many messages for the channel", name)}
	case bytes.Contains(answer.Body, []byte("HTTP error")):
		return &connectors.Error{Kind: connectors.Permanent, Status: answer.Status, Err: fmt.Errorf("%s: the channel refused the message", name)}
	case strings.Contains(answer.Header.Get("Content-Type"), "json") && len(answer.Body) > 0 && !json.Valid(answer.Body):
		return &connectors.Error{Kind: connectors.Temporary, Sent: true, Status: answer.Status, Err: fmt.Errorf("%s: the answer is not whole", name)}
	case answer.Status != http.StatusAccepted && answer.Status != http.StatusOK:
		return &connectors.Error{Kind: connectors.Temporary, Sent: true, Status: answer.Status, Err: fmt.Errorf("%s: a workflow answers 202", name)}
	}
	return nil
}
