package epm

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// State asks EPM what became of a request. Which id the call takes is not documented, so the configured paths are
// tried in turn; where none knows the request the error wraps connectors.ErrNotFound. An answer about another ticket
// counts as not found, as two desks may use the same id.
func (c *connector) State(ctx context.Context, d connectors.Decision) (connectors.State, error) {
	const name = "read request state"
	setting, paths := "application", c.config.State.Application
	if d.Kind == connectors.AdminRequested {
		setting, paths = "admin", c.config.State.Admin
	}
	if len(paths) == 0 {
		return connectors.State{}, connectors.Permanently("%s: settings.state.%s is empty: %w", name, setting, connectors.ErrUnsupported)
	}
	urls, err := c.stateURLs(paths, d)
	if err != nil {
		return connectors.State{}, err
	}
	var missing *connectors.Error
	for _, u := range urls {
		answer, err := c.client.Do(ctx, connectors.Call{Name: name, Method: http.MethodGet, URL: u})
		if err != nil {
			e := explain(err)
			if !errors.Is(e, connectors.ErrNotFound) && e.Status != http.StatusBadRequest {
				return connectors.State{}, e
			}
			if missing == nil || missing.Status == http.StatusBadRequest { // an id of a form the path does not take
				missing = e
			}
			continue
		}
		var body any
		if err := answer.DecodeJSON(name, &body); err != nil {
			return connectors.State{}, err
		}
		if c.isAnothers(body, d) {
			continue
		}
		return c.state(name, body)
	}
	if missing == nil {
		missing = connectors.Permanently("%s: %w", name, connectors.ErrNotFound)
	}
	return connectors.State{}, missing
}

// stateURLs fills the ids of d into paths; paths that come to the same are asked once.
func (c *connector) stateURLs(paths []string, d connectors.Decision) ([]string, error) {
	ids := []string{d.RequestID, systemID(d), ticketID(d)}
	if slices.ContainsFunc(ids, func(id string) bool { return id == "" || id == "." || id == ".." }) {
		return nil, connectors.Permanently("read request state: the decision has no usable id")
	}
	fill := placeholders(url.PathEscape(ids[0]), url.PathEscape(ids[1]), url.PathEscape(ids[2]))
	var urls []string
	for _, path := range paths {
		if u := c.base + fill.Replace(path); !slices.Contains(urls, u) {
			urls = append(urls, u)
		}
	}
	return urls, nil
}

func placeholders(requestID, systemID, ticketID string) *strings.Replacer {
	return strings.NewReplacer("{request_id}", requestID, "{system_id}", systemID, "{ticket_id}", ticketID)
}

// isAnothers tells whether the answer names another ticket's address than ours.
func (c *connector) isAnothers(body any, d connectors.Decision) bool {
	theirs := lookUp(body, c.config.State.TicketURL)
	return theirs != "" && d.Ticket.URL != "" && theirs != d.Ticket.URL
}

func (c *connector) state(name string, body any) (connectors.State, error) {
	outcome, ok := c.words[strings.ToLower(lookUp(body, c.config.State.Outcome))]
	if !ok {
		return connectors.State{}, &connectors.Error{Kind: connectors.Permanent, Err: fmt.Errorf("%s: the answer has no known outcome; set settings.state.outcome and settings.state.words to what your tenant answers", name)}
	}
	s := connectors.State{Outcome: outcome, By: lookUp(body, c.config.State.By)}
	at := lookUp(body, c.config.State.At)
	s.At, _ = parseTime(at)
	return s, nil
}
