// Package epm connects BeyondTrust Endpoint Privilege Management for Windows and Mac (PM Cloud): its webhooks tell of
// just-in-time requests for applications and administrator rights, and its Management API is told what was decided.
//
// Read config.go for the settings and the vendor's limits, variables.go for what an event may hold, receive.go for how
// a body in the customer's own layout becomes an event (document.go reads it, repair.go mends one whose values were
// pasted in raw), decide.go and state.go for the way back. wire.go holds the bodies. Package epmstandin is a server to
// try all of it against.
package epm

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

type connector struct {
	config Config
	client *connectors.Client
	now    func() time.Time
	base   string
	layout string
	words  map[string]connectors.Outcome
	exact  map[time.Duration]string
	fields *fieldMap
}

var (
	_ connectors.Receiver    = (*connector)(nil)
	_ connectors.Decider     = (*connector)(nil)
	_ connectors.Revoker     = (*connector)(nil)
	_ connectors.StateReader = (*connector)(nil)
	_ connectors.Emitter     = (*connector)(nil)
	_ connectors.Identifier  = (*connector)(nil)
	_ connectors.Signer      = (*connector)(nil)
	_ connectors.Marker      = (*connector)(nil)
)

// Ping gets a token and lists JIT requests, which changes nothing. A refusal names the permission that is missing.
func (c *connector) Ping(ctx context.Context) error {
	const name = "list JIT requests"
	answer, err := c.client.Do(ctx, connectors.Call{Name: name, Method: http.MethodGet, URL: c.base + c.config.PingPath})
	if err != nil {
		e := explain(err)
		if e.Status == http.StatusNotFound {
			e.Err = fmt.Errorf("%w; check settings.base_url and settings.ping_path", e.Err)
		}
		return e
	}
	var list any
	return answer.DecodeJSON(name, &list)
}

// Emits lists the four documented events; the two decisions are a kind each for either outcome.
func (c *connector) Emits() []connectors.EventType {
	return []connectors.EventType{
		{Kind: connectors.AccessRequested, Data: c.fields.declare(appCreated)},
		{Kind: connectors.AccessApproved, Data: c.fields.declare(appDecided)},
		{Kind: connectors.AccessDenied, Data: c.fields.declare(appDecided)},
		{Kind: connectors.AdminRequested, Data: c.fields.declare(adminCreated)},
		{Kind: connectors.AdminApproved, Data: c.fields.declare(adminDecided)},
		{Kind: connectors.AdminDenied, Data: c.fields.declare(adminDecided)},
	}
}

// Identifiers names what a decision carries back besides the RequestId.
func (c *connector) Identifiers() []string { return []string{"TicketNumber"} }

// Verification expects HTTP Basic, the simplest of the documented ways a webhook can authenticate.
func (c *connector) Verification() connectors.Verification {
	return connectors.Verification{Basic: &connectors.BasicCheck{}}
}

// Unverified lists the settings in use that rest on client code or on analogy.
func (c *connector) Unverified() []string {
	s := c.config
	list := []string{
		"settings.application.path " + s.Application.Path + ": the operation is documented, this path is known from client code",
		"the names in the body of an application decision: their number is documented, the names are known from client code",
		"settings.statuses " + s.Statuses.Approved + " and " + s.Statuses.Denied + ": known from client code",
		"settings.date_format " + s.DateFormat + ": known from client code; the clients differ on the time zone, UTC is sent",
		"settings.duration: Once and seconds are known from client code; what a denial should carry is not known",
		"settings.ping_path " + s.PingPath + ": the operation is documented, what it answers without a filter was not tried",
	}
	if s.Admin.DecisionPath != "" {
		list = append(list, "settings.admin.decision_path "+s.Admin.DecisionPath+" and settings.admin.names: compare them with the tenant's /management-api/swagger/index.html")
	}
	for _, path := range slices.Concat(s.State.Application, s.State.Admin) {
		list = append(list, "settings.state "+path+": which id it takes and what it answers are not documented")
	}
	if s.CorrelationHeader {
		list = append(list, "settings.correlation_header: sent by one published client")
	}
	if s.Scope != "" {
		list = append(list, "settings.scope: the documented token request has none")
	}
	if s.MixedEvents {
		list = append(list, "settings.mixed_events: no documented event carries a request and a decision")
	}
	return list
}

// explain adds to a failed call what EPM said and what a person must change.
func explain(err error) *connectors.Error {
	e := *connectors.AsError(err)
	answered, ok := errors.AsType[*connectors.Answered](err)
	if !ok {
		return &e
	}
	if e.Status == http.StatusForbidden {
		e.Err = fmt.Errorf("%w; give the API account the JIT permission in EPM under Configuration > API Settings", e.Err)
	}
	if words := connectors.Clean(faultWords(answered.Body), 300); words != "" {
		e.Err = fmt.Errorf("%w; EPM says: %s", e.Err, words)
	}
	return &e
}
