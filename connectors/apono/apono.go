// Package apono connects Apono, which grants access to cloud resources for a while: its webhooks tell of access
// requests, of changes by administrators, of anomalies and of ailing integrations, and it learns what was decided, by a
// call or by asking.
//
// Read config.go for the settings and the ways back, variables.go for what an event may hold, body.go and receive.go
// for how a body in the customer's own layout becomes an event, answer.go for what Apono is answered at once, decide.go
// state.go and poll.go for the calls. Package aponostandin is a server to try all of it against.
package apono

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// What a connection can do depends on its settings, so there is a type for each: what it cannot do must not be there
// to be found.
type (
	// source receives.
	source struct {
		config Config
		log    *slog.Logger
		base   string
		fields *fieldMap
		types  map[string]string // event types, folded, to kinds
		words  map[string]connectors.Outcome
	}
	// account has a token besides: it reads states and revokes.
	account struct {
		*source
		client *connectors.Client
	}
	// approver tells a decision by a call.
	approver struct{ *account }
	// gate takes a decision without a call: for Apono to fetch by its manual webhook, or for nobody.
	gate struct{ way string }

	gatedSource struct {
		*source
		gate
	}
	gatedAccount struct {
		*account
		gate
	}
)

var (
	_ connectors.Receiver    = (*source)(nil)
	_ connectors.Emitter     = (*source)(nil)
	_ connectors.Identifier  = (*source)(nil)
	_ connectors.Signer      = (*source)(nil)
	_ connectors.Marker      = (*source)(nil)
	_ connectors.Uncaller    = (*source)(nil)
	_ connectors.StateReader = (*account)(nil)
	_ connectors.Poller      = (*account)(nil)
	_ connectors.Revoker     = (*account)(nil)
	_ connectors.Decider     = (*approver)(nil)
	_ connectors.Decider     = (*gatedSource)(nil)
	_ connectors.Decider     = (*gatedAccount)(nil)
)

// Ping has nobody to call without a token: such a connection works when webhooks arrive.
func (s *source) Ping(context.Context) error { return nil }

// Uncalled is so without a token.
func (s *source) Uncalled() string { return "without settings.token it only receives" }

// Uncalled is not so with a token.
func (a *account) Uncalled() string { return "" }

// Ping lists access requests, which changes nothing. A refusal names what the token may not do.
func (a *account) Ping(ctx context.Context) error {
	return a.list(ctx, "list access requests", a.config.PingPath, "settings.ping_path",
		"the token may not read access requests; its user needs a role that may")
}

// Ping also lists what waits for the token's user, the only harmless call of the kind that approves.
func (a *approver) Ping(ctx context.Context) error {
	if err := a.account.Ping(ctx); err != nil || a.config.Decision.TasksPath == "" {
		return err
	}
	return a.list(ctx, "list requests to approve", a.config.Decision.TasksPath, "settings.decision.tasks_path",
		"the token may not approve requests; use the token of a user whom the access flows name as an approver, or the way manual")
}

func (a *account) list(ctx context.Context, name, path, setting, forbidden string) error {
	answer, err := a.client.Do(ctx, connectors.Call{Name: name, Method: http.MethodGet, URL: a.base + path})
	if err != nil {
		e := explain(err, forbidden)
		if e.Status == http.StatusNotFound {
			e.Err = fmt.Errorf("%w; check settings.base_url and %s", e.Err, setting)
		}
		return e
	}
	var list any
	return answer.DecodeJSON(name, &list)
}

// Emits lists the kinds of events with the variables each may carry.
func (s *source) Emits() []connectors.EventType {
	list := make([]connectors.EventType, len(kinds))
	for i, k := range kinds {
		list[i] = connectors.EventType{Kind: k.kind, Data: s.fields.declare(k.family)}
	}
	return list
}

// Identifiers names what a decision carries back besides the request's id.
func (s *source) Identifiers() []string { return []string{friendlyIDName} }

// Verification expects a fixed bearer token, one of the documented ways a webhook can authenticate.
func (s *source) Verification() connectors.Verification {
	return connectors.Verification{Bearer: &connectors.BearerCheck{}}
}

// Unverified lists the settings in use that rest on less than public documentation.
func (s *source) Unverified() []string {
	c := s.config
	list := []string{
		"settings.answer_status: which statuses Apono counts as success is not documented",
		"response validators: whether a path that starts with $.data. means a member data of the answer or the answer itself is not documented; answers work both ways",
		"event_type of manual, audit log, anomaly and integration webhooks: not documented; ?webhook=manual, audit, anomaly or integration in the webhook's URL says it instead",
		"the payloads of anomaly and integration webhooks: shown in Apono's own pages only; settings.fields names what is carried",
	}
	switch c.Way {
	case wayAPI:
		list = append(list,
			"settings.decision.approve_path "+c.Decision.ApprovePath+" and reject_path "+c.Decision.RejectPath+": in the API description of Apono's command line tool, not in its public reference",
			"settings.decision.body: likewise",
			"settings.token: whether these calls take a service account's token is not known; a personal token is what the command line tool uses")
		if c.Decision.TasksPath != "" {
			list = append(list, "settings.decision.tasks_path "+c.Decision.TasksPath+": likewise in the tool's API description only")
		}
	case wayManual:
		list = append(list, "the body of a manual webhook: that it can carry the variables of a request is not documented")
	}
	if c.Unescape {
		list = append(list, "settings.unescape: stock Handlebars escapes HTML; whether Apono's does is not documented")
	}
	if len(c.Types) > 0 {
		list = append(list, "settings.types: event types that Apono does not document")
	}
	return list
}

// explain adds to a failed call what Apono said, and to a 403 what a person must change.
func explain(err error, forbidden string) *connectors.Error {
	e := *connectors.AsError(err)
	answered, ok := errors.AsType[*connectors.Answered](err)
	if !ok {
		return &e
	}
	switch e.Status {
	case http.StatusUnauthorized:
		e.Err = fmt.Errorf("%w; check settings.token", e.Err)
	case http.StatusForbidden:
		e.Err = fmt.Errorf("%w; %s", e.Err, forbidden)
	}
	if words := connectors.Clean(faultWords(answered.Body), 300); words != "" {
		e.Err = fmt.Errorf("%w; Apono says: %s", e.Err, words)
	}
	return &e
}

// faultWords finds Apono's own words in an error body. Only that of a 401 is documented, so the usual members of a JSON
// error are tried; a page is not quoted.
func faultWords(body []byte) string {
	var members map[string]any
	if json.Unmarshal(body, &members) != nil {
		return ""
	}
	for _, name := range []string{"message", "detail", "error_description", "title", "error", "code"} {
		if text, ok := members[name].(string); ok && text != "" {
			return text
		}
	}
	return ""
}
