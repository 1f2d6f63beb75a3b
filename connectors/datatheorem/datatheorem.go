// Package datatheorem connects Data Theorem: its webhooks tell of policy violations in APIs, web and cloud, of mobile
// findings, of discovered services and of what its own users do, and its API can be asked what became of one.
//
// A violation is a case, known by its uuid; that it was opened, resolved or closed as an exception are events of the
// same case. A finding has no decision: Data Theorem documents no call that would take one for a violation, and for
// mobile findings only that there is one (PATCH of a finding target), not its body.
//
// Read config.go for the settings and what they rest on, classify.go for what an event's type and data mean, receive.go
// for how a body becomes an event, fields.go for what it may hold and state.go for the questions asked. Package
// datatheoremstandin is a server to try all of it against.
package datatheorem

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

type connector struct {
	config   Config
	client   *connectors.Client // nil without a key: nothing is asked
	log      *slog.Logger
	base     string
	severity map[string]string // by upper-case word
	statuses map[string]string // kind by upper-case word
}

var (
	_ connectors.Receiver    = (*connector)(nil)
	_ connectors.StateReader = (*connector)(nil)
	_ connectors.Emitter     = (*connector)(nil)
	_ connectors.Identifier  = (*connector)(nil)
	_ connectors.Signer      = (*connector)(nil)
	_ connectors.Marker      = (*connector)(nil)
)

// Ping reads the first page of policy violations, which changes nothing. Without a key there is nothing to ask: such a
// connection only listens, and the portal's connectivity check shows whether it is heard.
func (c *connector) Ping(ctx context.Context) error {
	if c.client == nil {
		return nil
	}
	const name = "list policy violations"
	answer, err := c.client.Do(ctx, connectors.Call{Name: name, Method: http.MethodGet, URL: c.base + c.config.PingPath})
	if err != nil {
		e := explain(err)
		if e.Status == http.StatusNotFound {
			e.Err = fmt.Errorf("%w; check settings.base_url and settings.ping_path", e.Err)
		}
		return e
	}
	var page map[string]any
	return answer.DecodeJSON(name, &page)
}

// Identifiers names what tells, besides a finding's own id, where it can be asked about.
func (c *connector) Identifiers() []string { return []string{fieldFindingID} }

// Verification expects a bearer token, which is what the portal takes beside the URL: there it is typed as the whole
// header, "Bearer TOKEN".
func (c *connector) Verification() connectors.Verification {
	return connectors.Verification{Bearer: &connectors.BearerCheck{}}
}

// Unverified lists what the connection rests on beyond Data Theorem's documents.
func (c *connector) Unverified() []string {
	list := []string{
		"event types: documented are API_SECURE__POLICY_VIOLATION_RESOLVED and MOBILE_SECURE__USER_CREATED, _DELETED, _LOGIN_FAILED and _LOGIN_SUCCESSFUL; all others are recognised by the words in their names, settings.types corrects that",
		"settings.statuses: of a violation's status only RESOLVED is documented; the words of mobile findings are documented for the API",
		"settings.severity: IMPORTANT is the only documented relevance, and what it means for a severity is our choice",
		"settings.mobile: the members of a mobile finding's event are not documented",
		"what makes two webhooks one event: Data Theorem gives no event id and says nothing of repeated deliveries; type, finding, status and time are compared",
	}
	if c.client != nil {
		list = append(list,
			"exceptions: that exception_type is set once a person closed a violation in the portal is known from client code, and so are the names in the list",
			"settings.targets.status: the status words are documented, where they stand in a finding target is not",
		)
	}
	for _, route := range c.config.Types {
		list = append(list, "settings.types "+route.Type+": set by the operator")
	}
	return list
}

// Emits lists the kinds of events with the members their data is known to have. Further members are carried along.
func (c *connector) Emits() []connectors.EventType {
	kinds := map[string][]connectors.Field{
		connectors.FindingOpened: findingFields, connectors.FindingResolved: findingFields, connectors.FindingDismissed: findingFields,
		connectors.AssetDiscovered: assetFields, connectors.Audit: auditFields, connectors.Anomaly: anyFields,
		connectors.Test: testFields, unknown: anyFields,
	}
	var types []connectors.EventType
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		types = append(types, connectors.EventType{Kind: kind, Data: kinds[kind]})
	}
	return types
}

// explain adds to a failed call what a person must change.
func explain(err error) *connectors.Error {
	e := *connectors.AsError(err)
	switch e.Status {
	case http.StatusUnauthorized:
		e.Err = fmt.Errorf("%w; check settings.api_key against the keys in the portal", e.Err)
	case http.StatusForbidden:
		e.Err = fmt.Errorf("%w; give the API key the right to read these results in the portal", e.Err)
	}
	return &e
}

// upper makes words comparable.
func upper(word string) string { return strings.ToUpper(strings.TrimSpace(word)) }
