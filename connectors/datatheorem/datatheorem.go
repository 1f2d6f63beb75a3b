// Package datatheorem connects Data Theorem: its webhooks tell of policy violations in APIs, web and cloud, of mobile
// findings, of discovered services and of what its own users do, and its API can be asked what became of one.
//
// A violation is a case, known by its uuid; that it was opened, resolved or closed as an exception are events of the
// same case. Data Theorem documents no call that would take a decision on a violation, so such a decision stands in the
// record alone; for mobile findings it documents that there is one (PATCH of a finding target), not its body, so that
// call is off until the settings give it.
//
// Read config.go for the settings and what they rest on, classify.go for what an event's type and data mean, receive.go
// for how a body becomes an event, fields.go for what it may hold, state.go and poll.go for the questions asked and decide.go for the one call that changes
// something. Package
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
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

type connector struct {
	config   Config
	client   *connectors.Client // nil without a key: nothing is asked
	log      *slog.Logger
	now      func() time.Time
	base     string
	severity map[string]string // by upper-case word
	statuses map[string]string // kind by upper-case word
}

// asking is a connector that was given a key. Without one it has nobody to ask what became of findings.
type asking struct{ *connector }

var (
	_ connectors.Receiver    = (*connector)(nil)
	_ connectors.Decider     = (*connector)(nil)
	_ connectors.StateReader = (*connector)(nil)
	_ connectors.Poller      = (*asking)(nil)
	_ connectors.Emitter     = (*connector)(nil)
	_ connectors.Identifier  = (*connector)(nil)
	_ connectors.Signer      = (*connector)(nil)
	_ connectors.Marker      = (*connector)(nil)
	_ connectors.Uncaller    = (*connector)(nil)
)

// Ping reads the first page of policy violations, which changes nothing, and that of mobile finding targets where they
// are to be updated: a key has rights for each interface. Without a key there is nothing to ask: such a connection only
// listens, and the portal's connectivity check shows whether it is heard.
func (c *connector) Ping(ctx context.Context) error {
	if c.client == nil {
		return nil
	}
	if err := c.list(ctx, listViolations, c.config.PingPath, "settings.ping_path"); err != nil || c.config.Targets.Update.Body == "" {
		return err
	}
	return c.list(ctx, "list mobile finding targets", c.config.Targets.Path, "settings.targets.path")
}

// Uncalled is so without a key.
func (c *connector) Uncalled() string {
	if c.client == nil {
		return "without settings.api_key it only receives"
	}
	return ""
}

func (c *connector) list(ctx context.Context, name, path, setting string) error {
	answer, err := c.client.Do(ctx, connectors.Call{Name: name, Method: http.MethodGet, URL: c.base + path})
	if err != nil {
		e := explain(err)
		if e.Status == http.StatusNotFound {
			e.Err = fmt.Errorf("%w; check settings.base_url and %s", e.Err, setting)
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
	if c.config.Targets.Update.Body != "" {
		list = append(list, "settings.targets.update: that finding targets can be changed is documented, what the call takes and which statuses it accepts is not")
	}
	if c.config.Violations.MissingIsResolved {
		list = append(list, "settings.violations.missing_is_resolved: that the list leaves out what is resolved is not documented")
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
