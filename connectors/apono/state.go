package apono

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// knownStatuses are the words of Apono's two APIs for what became of a request, in lower case. A request that was
// revoked or failed takes no decision any more, like an expired one.
var knownStatuses = map[string]connectors.Outcome{
	"pending": connectors.Pending, "initializing": connectors.Pending, "pendingmfa": connectors.Pending,
	"approved": connectors.Approved, "granting": connectors.Approved, "granted": connectors.Approved, "active": connectors.Approved,
	"rejected": connectors.Denied,
	"revoking": connectors.Expired, "revoked": connectors.Expired, "expired": connectors.Expired, "failed": connectors.Expired,
}

// State asks Apono what became of a request, nothing of by whom: it does not say. Pending after an approval that was
// taken means that further approvers are missing, or a second factor.
func (a *account) State(ctx context.Context, d connectors.Decision) (connectors.State, error) {
	s, err := a.standing(ctx, d)
	return connectors.State{Outcome: s.outcome}, err
}

// standing is how Apono holds a request.
type standing struct {
	outcome connectors.Outcome
	word    string // in lower case
	answer  []byte // that said so
}

func (a *account) standing(ctx context.Context, d connectors.Decision) (standing, error) {
	const name = "read access request"
	if a.config.State.Path == "" {
		return standing{}, connectors.Permanently("%s: settings.state.path is empty: %w", name, connectors.ErrUnsupported)
	}
	address, err := a.address(name, a.config.State.Path, d)
	if err != nil {
		return standing{}, err
	}
	got, err := a.client.Do(ctx, connectors.Call{Name: name, Method: http.MethodGet, URL: address})
	if err != nil {
		return standing{}, explain(err, "the token may not read this request")
	}
	var body struct{ Status any }
	if err := got.DecodeJSON(name, &body); err != nil {
		return standing{}, err
	}
	status := body.Status
	if inner, ok := status.(map[string]any); ok {
		status = inner["status"]
	}
	word, _ := status.(string)
	word = strings.ToLower(word)
	outcome, ok := a.words[word]
	if !ok {
		return standing{}, &connectors.Error{Kind: connectors.Permanent, Err: fmt.Errorf("%s: the answer has no known status; say in settings.state.words what yours means", name)}
	}
	return standing{outcome, word, got.Body}, nil
}

// Revoke takes back access that was granted. A request whose access is over already counts as revoked.
func (a *account) Revoke(ctx context.Context, d connectors.Decision) error {
	const name = "revoke access request"
	if !usable(d.RequestID) {
		return connectors.Permanently("%s: the decision has no usable request id", name)
	}
	got, err := a.client.Do(ctx, connectors.Call{
		Name: name, Method: http.MethodPost, URL: a.base + a.config.RevokePath, JSON: map[string][]string{"request_ids": {d.RequestID}},
	})
	if err == nil {
		return checkTaken(name, got)
	}
	e := explain(err, "the token may not revoke access; its user needs a role that may")
	switch e.Status {
	case http.StatusBadRequest, http.StatusConflict, http.StatusUnprocessableEntity:
		if state, err := a.State(ctx, d); err == nil && state.Outcome == connectors.Expired {
			return nil
		}
	}
	return e
}
