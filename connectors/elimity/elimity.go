// Package elimity connects Elimity Insights: its ITSM webhook tells of changes that people ask for in the data about
// who may what, like an account that should be removed, and of the changes an access review ended with.
//
// A change request carries no id, so one is made from its content: the same webhook sent again is the same request, the
// same change asked for at another time is another. A review submission is a case with a child for each of its changes,
// so that a rule can open one ticket for all of them or one for each, and give what grants access (operation add) a
// policy of its own:
//
//	one ticket a request, a review as a whole   event.parent == nil
//	one ticket a change                         event.type != "accessReviewSubmission"
//	a change that grants access                 event.data.operation == "add"
//	a review that grants any                    any(event.data.relationshipChanges ?? [], .operation == "add")
//
// Elimity documents no call that reports a change request's fate. Where the settings name a custom source made for it,
// decisions are written into that source's connector log, which is a journal to read and changes nothing; without one
// they stand in the record alone, and the ticket says so. Where the settings hold an API token, Poll tells whether a
// change has taken effect. That says nothing of the journal, whose log cannot be read: there is no State to ask for.
//
// Read config.go for the settings and what they rest on, receive.go for how a body becomes events, change.go for the
// objects in it, identity.go for what makes two of them the same, fields.go for what an event may hold, journal.go,
// state.go and poll.go for the calls, wire.go for their bodies. Package elimitystandin is a server to try all of it against.
package elimity

import (
	"context"
	"fmt"
	"net/http"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

type connector struct {
	config Config
	name   string // the connection's
	base   string
	asking *connectors.Client // with the API token; nil: nothing is checked
	source *connectors.Client // with the journal source's token; nil: there is no journal
}

// checking is a connector that was given an API token. Without one nothing can be looked for.
type checking struct{ *connector }

var (
	_ connectors.Receiver   = (*connector)(nil)
	_ connectors.Decider    = (*connector)(nil)
	_ connectors.Poller     = (*checking)(nil)
	_ connectors.Follower   = (*checking)(nil)
	_ connectors.Emitter    = (*connector)(nil)
	_ connectors.Identifier = (*connector)(nil)
	_ connectors.Signer     = (*connector)(nil)
	_ connectors.Marker     = (*connector)(nil)
	_ connectors.Uncaller   = (*connector)(nil)
)

// Uncalled is so without a token of either kind.
func (c *connector) Uncalled() string {
	if c.asking == nil && c.source == nil {
		return "without settings.journal and settings.check it only receives"
	}
	return ""
}

// Ping reads the list of sources with the API token and the journal source's schema with its token, as far as they are
// set. It changes nothing. Without either there is nothing to ask: such a connection only listens.
func (c *connector) Ping(ctx context.Context) error {
	if c.asking != nil {
		if _, err := c.sources(ctx); err != nil {
			return err
		}
	}
	if c.source == nil {
		return nil
	}
	const name = "read schema of journal source"
	answer, err := c.source.Do(ctx, connectors.Call{Name: name, Method: http.MethodGet, URL: c.sourceURL("domain-graph-schema")})
	if err != nil {
		return explain(err, "settings.journal")
	}
	var schema map[string]any
	return answer.DecodeJSON(name, &schema)
}

// Identifiers names what is needed to look for a change's effect.
func (c *connector) Identifiers() []string { return []string{fieldEffect} }

// Verification expects a token in the URL: of the form under Advanced settings > ITSM WEBHOOK nothing but a URL is
// known for certain. Another scheme is set in the connection where that form offers it.
func (c *connector) Verification() connectors.Verification {
	return connectors.Verification{Token: &connectors.TokenCheck{}}
}

// Unverified lists what the connection rests on beyond Elimity's documents.
func (c *connector) Unverified() []string {
	list := []string{
		"verification: which credentials the form under Advanced settings > ITSM WEBHOOK takes is not documented; look there whether more than a URL can be given",
		"requestedAt: that it is written like 2026-01-05T09:30:00Z is assumed; another form leaves the event without a time",
		"value: how current and requested are written for each type is not documented; they are passed on as they are",
		"what makes two webhooks one request: Elimity gives no id and says nothing of repeated deliveries; the content is compared",
	}
	if c.source != nil {
		list = append(list, "settings.journal: connector logs are known from Elimity's own clients; that they serve as a journal is our use of them")
	}
	if c.asking != nil {
		list = append(list,
			"settings.check: queries are known from Elimity's own client; "+c.config.Check.Condition+" and "+c.config.Check.Link+" are the conditions it sends",
			"settings.check: that a change has taken effect is concluded from the reloaded data, as nothing reports it",
		)
	}
	return list
}

// Emits lists change requests, with what all four types and the changes of a review may carry, changes that are found to
// be made, and what is unknown.
func (c *connector) Emits() []connectors.EventType {
	return []connectors.EventType{
		{Kind: connectors.ChangeRequested, Data: changeFields}, {Kind: connectors.ChangeMade, Data: madeFields}, {Kind: unknown, Data: unknownFields},
	}
}

// explain adds to a failed call what a person must change.
func explain(err error, setting string) *connectors.Error {
	e := *connectors.AsError(err)
	switch e.Status {
	case http.StatusUnauthorized, http.StatusForbidden:
		e.Err = fmt.Errorf("%w; check the token in %s", e.Err, setting)
	case http.StatusNotFound:
		e.Err = fmt.Errorf("%w; check settings.base_url and %s", e.Err, setting)
	}
	return &e
}
