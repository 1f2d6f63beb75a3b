package apono

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Decide takes a decision without telling anybody: Apono asks, and is answered from the state of the case (Receive).
// Success means that the answer is ready, not that Apono has fetched it. With the way none nothing is: the
// decision is recorded here only.
func (g gate) Decide(_ context.Context, d connectors.Decision) error {
	const name = "keep decision for Apono to ask"
	if d.RequestID == "" {
		return connectors.Permanently("%s: it has no request id", name)
	}
	if d.Outcome != connectors.Approved && d.Outcome != connectors.Denied {
		return connectors.Permanently("%s: it is neither approved nor denied", name)
	}
	if g.way == wayNone {
		return &connectors.Kept{Why: "settings.way is none"}
	}
	return nil
}

// Decide approves or rejects in the name of the token's user. nil means that Apono took this answer, which need not be
// the end: where an access flow wants all of its approvers, one approval leaves the request pending, and State says
// Pending until the others have answered. The request is read back; where it came to the opposite, Decide fails for
// good.
//
// Whether Apono takes a second answer is not known, so a refusal is looked into: a request that is in that state
// already counts as told, one that came to another end fails for good.
func (a *approver) Decide(ctx context.Context, d connectors.Decision) error {
	call, err := a.call(d)
	if err != nil {
		return err
	}
	got, err := a.client.Do(ctx, call)
	if err == nil {
		if err := checkTaken(call.Name, got); err != nil {
			return err
		}
		return a.readBack(ctx, d, call.Name)
	}
	e := explain(err, "the token's user is no approver of this request; name that user in the access flow, or use the way manual")
	switch e.Status {
	case http.StatusBadRequest, http.StatusConflict, http.StatusUnprocessableEntity:
	default:
		return e
	}
	state, err := a.account.State(ctx, d)
	if err != nil {
		return e // the refusal says more than a failed question about it
	}
	switch state.Outcome {
	case d.Outcome:
		return nil
	case connectors.Pending:
		e.Err = fmt.Errorf("%w; the request still waits at Apono: perhaps this account's answer is there already and other approvers are missing", e.Err)
		return e
	default:
		return &connectors.Error{Kind: connectors.Permanent, Status: e.Status, Err: fmt.Errorf("%w; Apono already holds the request as %s", e.Err, state.Outcome)}
	}
}

// readBack looks at what an answer that was taken led to.
func (a *approver) readBack(ctx context.Context, d connectors.Decision, name string) error {
	state, err := a.account.State(ctx, d)
	switch {
	case err != nil:
		a.log.Warn("answer taken by Apono, but the request could not be read back", "request", d.RequestID, "error", err)
	case state.Outcome == connectors.Pending:
		a.log.Info("answer taken by Apono, the request still waits there, as for further approvers", "request", d.RequestID, "outcome", d.Outcome)
	case d.Outcome == connectors.Approved && state.Outcome == connectors.Denied, d.Outcome == connectors.Denied && state.Outcome == connectors.Approved:
		return &connectors.Error{Kind: connectors.Permanent, Sent: true, Err: fmt.Errorf("%s: Apono took the answer, but holds the request as %s", name, state.Outcome)}
	}
	return nil
}

// call builds the request for d, the same for the same decision.
func (a *approver) call(d connectors.Decision) (connectors.Call, error) {
	call := connectors.Call{Method: http.MethodPost, Header: http.Header{"Content-Type": {"application/json"}}}
	path, word := "", ""
	switch d.Outcome {
	case connectors.Approved:
		call.Name, path, word = "approve access request", a.config.Decision.ApprovePath, "Approved"
		if d.Duration != (connectors.Duration{}) {
			return call, connectors.Permanently("%s: Apono takes no duration with an approval, the access flow sets it; remove the duration from the rule", call.Name)
		}
	case connectors.Denied:
		call.Name, path, word = "reject access request", a.config.Decision.RejectPath, "Rejected"
	default:
		return call, connectors.Permanently("tell decision: Apono takes approved and denied, nothing else")
	}
	address, err := a.address(call.Name, path, d)
	if err != nil {
		return call, err
	}
	call.URL = address
	by, ticket := cmp.Or(d.By.Name, d.By.Mail, d.By.Account), cmp.Or(d.Ticket.Key, d.Ticket.ID)
	call.Body = []byte(fillBody(a.config.Decision.Body, bodyValues{
		reason: reason(word, by, ticket, d.Reason, a.config.Decision.ReasonLimit), by: by, ticket: ticket,
		requestID: d.RequestID, friendlyID: d.IDs[friendlyIDName],
	}))
	return call, nil
}

// address is the URL of a request's call. An id that would lead elsewhere is refused.
func (a *account) address(name, path string, d connectors.Decision) (string, error) {
	friendlyID := d.IDs[friendlyIDName]
	if !usable(d.RequestID) || strings.Contains(path, "{friendly_id}") && !usable(friendlyID) {
		return "", connectors.Permanently("%s: the decision has no usable request id", name)
	}
	return a.base + fillPath(path, d.RequestID, friendlyID), nil
}

func usable(id string) bool { return id != "" && id != "." && id != ".." }

// reason names the person who decided, as Apono only sees the token's user. Some access flows demand one, so it is
// never empty.
func reason(word, by, ticket, words string, limit int) string {
	if by != "" {
		word += " by " + by
	}
	if ticket != "" {
		word += " in " + ticket
	}
	if words = strings.TrimSpace(words); words != "" {
		word += ": " + words
	}
	return connectors.Clean(word, limit)
}

func fillPath(path, requestID, friendlyID string) string {
	return strings.NewReplacer("{request_id}", url.PathEscape(requestID), "{friendly_id}", url.PathEscape(friendlyID)).Replace(path)
}

// bodyValues are what a decision's body may hold.
type bodyValues struct{ reason, by, ticket, requestID, friendlyID string }

func fillBody(template string, v bodyValues) string {
	return strings.NewReplacer("{reason}", quote(v.reason), "{by}", quote(v.by), "{ticket}", quote(v.ticket),
		"{request_id}", quote(v.requestID), "{friendly_id}", quote(v.friendlyID)).Replace(template)
}

func quote(text string) string {
	quoted, _ := json.Marshal(text) // texts can always be written
	return string(quoted)
}

// checkTaken tells Apono's success from somebody else's: a page or broken JSON comes from a proxy or was cut.
func checkTaken(name string, a connectors.Answer) error {
	body := bytes.TrimSpace(a.Body)
	kind, _, _ := mime.ParseMediaType(a.Header.Get("Content-Type"))
	broken := len(body) > 0 && strings.Contains(kind, "json") && !json.Valid(body)
	if !broken && !bytes.HasPrefix(body, []byte("<")) {
		return nil
	}
	return &connectors.Error{Kind: connectors.Temporary, Sent: true, Status: a.Status, Err: fmt.Errorf("%s: the answer is a page or broken JSON, so it is not known whether Apono took it", name)}
}
