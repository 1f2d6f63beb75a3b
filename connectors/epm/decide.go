package epm

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// What EPM grants for one administrator session.
// https://docs.beyondtrust.com/epm-wm/docs/jit-admin-access
const (
	shortestSession = 5 * time.Minute
	longestSession  = 24 * time.Hour
)

// Decide posts a decision. Whether EPM takes a second one is not known, so a refusal is looked into where State can
// be asked: a request that already is in that decision counts as told, one that holds another fails for good.
func (c *connector) Decide(ctx context.Context, d connectors.Decision) error {
	call, err := c.call(d)
	if err != nil {
		return err
	}
	answer, err := c.client.Do(ctx, call)
	if err == nil {
		return checkTaken(call.Name, answer)
	}
	e := explain(err)
	switch e.Status {
	case http.StatusBadRequest, http.StatusConflict, http.StatusUnprocessableEntity:
	default:
		return e
	}
	state, err := c.State(ctx, d)
	if err != nil {
		return e // the refusal says more than a failed question about it
	}
	switch state.Outcome {
	case d.Outcome:
		return nil
	case connectors.Pending:
		return e
	default:
		return &connectors.Error{Kind: connectors.Permanent, Status: e.Status, Err: fmt.Errorf("%w; EPM already holds the request as %s", e.Err, state.Outcome)}
	}
}

// Revoke ends an administrator session that was approved: EPM lets such a request be set to denied later. Access to an
// application cannot be taken back.
// https://docs.beyondtrust.com/epm-wm/docs/jit-admin-access
func (c *connector) Revoke(ctx context.Context, d connectors.Decision) error {
	if d.Kind != connectors.AdminRequested {
		return connectors.Permanently("revoke access: EPM takes back administrator sessions only, not %s: %w", connectors.Clean(d.Kind, 60), connectors.ErrUnsupported)
	}
	d.Outcome, d.Duration = connectors.Denied, connectors.Duration{}
	return c.Decide(ctx, d)
}

// call builds the request for d, the same for the same decision.
func (c *connector) call(d connectors.Decision) (connectors.Call, error) {
	body, err := c.decision(d)
	if err != nil {
		return connectors.Call{}, err
	}
	call := connectors.Call{Method: http.MethodPost, Header: http.Header{}}
	if c.config.CorrelationHeader {
		call.Header.Set("X-Correlation-Id", d.RequestID)
	}
	switch d.Kind {
	case connectors.AccessRequested:
		call.Name, call.URL = "post application decision", c.base+c.config.Application.Path
		if body.Duration, err = c.duration(d); err != nil {
			return connectors.Call{}, err
		}
		call.JSON = body
	case connectors.AdminRequested:
		if c.config.Admin.DecisionPath == "" {
			return connectors.Call{}, connectors.Permanently("post administrator decision: settings.admin.decision_path is empty; BeyondTrust does not document this path, take it from the tenant's /management-api/swagger/index.html and check settings.admin.names against it")
		}
		call.Name, call.URL = "post administrator decision", c.base+c.config.Admin.DecisionPath
		if body.Duration, err = session(d); err != nil {
			return connectors.Call{}, err
		}
		call.JSON = c.config.Admin.Names.adminDecision(body)
	default:
		return connectors.Call{}, connectors.Permanently("post decision: EPM takes decisions on %s and %s, not on %s: %w", connectors.AccessRequested, connectors.AdminRequested, connectors.Clean(d.Kind, 60), connectors.ErrUnsupported)
	}
	return call, nil
}

// decision fills in what both kinds of requests share. EPM takes no empty text, so each has something to fall back on.
func (c *connector) decision(d connectors.Decision) (applicationDecision, error) {
	b := applicationDecision{RequestID: d.RequestID, PerformedBy: cmp.Or(d.By.Name, d.By.Mail, d.By.Account)}
	switch {
	case d.RequestID == "":
		return b, connectors.Permanently("post decision: it has no RequestId")
	case b.PerformedBy == "":
		return b, connectors.Permanently("post decision: it does not say who decided, which EPM requires")
	case d.At.IsZero():
		return b, connectors.Permanently("post decision: it does not say when it was made, which EPM requires")
	}
	switch d.Outcome {
	case connectors.Approved:
		b.Decision, b.Status = "Approved", c.config.Statuses.Approved
	case connectors.Denied:
		b.Decision, b.Status = "Denied", c.config.Statuses.Denied
	default:
		return b, connectors.Permanently("post decision: EPM takes approved and denied, nothing else")
	}
	b.SystemID = systemID(d)
	b.TicketID = ticketID(d)
	b.TicketURL = cmp.Or(d.Ticket.URL, c.base)
	b.Time = d.At.UTC().Format(c.layout)
	b.Message = cmp.Or(strings.TrimSpace(d.Reason), c.config.Message, b.Decision+" in "+b.TicketID)
	return b, nil
}

// systemID is the ticket at the desk; a client without a desk repeats the RequestId.
func systemID(d connectors.Decision) string { return cmp.Or(d.Ticket.ID, d.Ticket.Key, d.RequestID) }

// ticketID is what people call the ticket, EPM's own number where there is no ticket.
func ticketID(d connectors.Decision) string {
	return cmp.Or(d.Ticket.Key, d.IDs[documented[vTicketNumber].name], d.Ticket.ID, d.RequestID)
}

func (c *connector) duration(d connectors.Decision) (string, error) {
	text, length := c.config.Duration, d.Duration.Length
	switch {
	case d.Outcome == connectors.Denied:
		return text.Denied, nil
	case d.Duration.Once:
		return text.Once, nil
	case length == 0:
		return text.Unset, nil
	case c.exact[length] != "":
		return c.exact[length], nil
	case length < time.Second:
		return "", connectors.Permanently("post application decision: access for less than a second cannot be given")
	default:
		return inSeconds(length), nil
	}
}

// session is the length of an administrator session in seconds, empty where EPM's own default counts.
func session(d connectors.Decision) (string, error) {
	length := d.Duration.Length
	switch {
	case d.Outcome == connectors.Denied, d.Duration == connectors.Duration{}:
		return "", nil
	case d.Duration.Once, length < shortestSession, length > longestSession:
		return "", connectors.Permanently("post administrator decision: a session lasts from 5 minutes to 24 hours; set the rule's duration accordingly")
	default:
		return inSeconds(length), nil
	}
}

func inSeconds(d time.Duration) string { return strconv.FormatInt(int64(d/time.Second), 10) }

// checkTaken tells EPM's success from somebody else's: the documented answer is 200 and nothing is said of a body, so
// an empty or plain one is fine, while a page or broken JSON comes from a proxy or was cut.
func checkTaken(name string, a connectors.Answer) error {
	body := bytes.TrimSpace(a.Body)
	kind, _, _ := mime.ParseMediaType(a.Header.Get("Content-Type"))
	broken := len(body) > 0 && strings.Contains(kind, "json") && !json.Valid(body)
	if !broken && !bytes.HasPrefix(body, []byte("<")) {
		return nil
	}
	return &connectors.Error{Kind: connectors.Temporary, Sent: true, Status: a.Status, Err: fmt.Errorf("%s: the answer is a page or broken JSON, so it is not known whether EPM took the decision", name)}
}
