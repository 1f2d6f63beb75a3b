package datatheorem

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// State asks Data Theorem what became of a finding. Pending means that it is open, Approved that an exception was
// granted there (a risk accepted, a compensating control, Won't Fix), Expired that it was fixed, so that nothing is left
// to decide. A violation is looked for in the list of violations, which says nothing of when or by whom; one that is not
// in it is not found, which may mean that it was fixed or that the key may not see it. A mobile finding target, known by
// the security_finding_id beside its own id, is read by its id.
func (c *connector) State(ctx context.Context, d connectors.Decision) (connectors.State, error) {
	switch {
	case c.client == nil:
		return connectors.State{}, connectors.Permanently("read finding: settings.api_key is missing: %w", connectors.ErrUnsupported)
	case !plain(d.RequestID):
		return connectors.State{}, connectors.Permanently("read finding: there is no usable id")
	case d.IDs[fieldFindingID] != "":
		return c.targetState(ctx, d.RequestID)
	default:
		return c.violationState(ctx, d.RequestID)
	}
}

// violationPage is one page of the list of violations, of which little is needed.
type violationPage struct {
	Violations []violation `json:"policy_violations"`
	Paging     struct {
		Next string `json:"next_cursor"`
	} `json:"pagination_information"`
}

type violation struct {
	ID            string `json:"id"`
	ExceptionType any    `json:"exception_type"`
}

// excepted tells whether somebody closed it as an exception.
func (v violation) excepted() bool { return v.ExceptionType != nil && v.ExceptionType != "" }

const listViolations = "list policy violations"

func (c *connector) violationState(ctx context.Context, id string) (connectors.State, error) {
	state := connectors.State{}
	whole, err := c.violations(ctx, func(v violation) (enough bool) {
		if !strings.EqualFold(v.ID, id) {
			return false
		}
		state.Outcome = connectors.Pending
		if v.excepted() {
			state.Outcome = connectors.Approved
		}
		return true
	})
	switch {
	case err != nil || state.Outcome != "":
		return state, err
	case whole:
		return state, connectors.Permanently("%s: the violation is not among them: %w", listViolations, connectors.ErrNotFound)
	default:
		return state, connectors.Permanently("%s: the violation is not on the first %d pages; raise settings.violations.max_pages", listViolations, c.config.Violations.MaxPages)
	}
}

// violations shows every violation in the list to look, until that is enough. whole tells whether the list was read to
// its end.
func (c *connector) violations(ctx context.Context, look func(violation) (enough bool)) (whole bool, err error) {
	seen := map[string]bool{}
	cursor := ""
	for range c.config.Violations.MaxPages {
		at := c.base + c.config.Violations.Path
		if cursor != "" {
			at += "?" + url.Values{"cursor": {cursor}}.Encode()
		}
		var page violationPage
		if err := c.read(ctx, listViolations, at, &page); err != nil {
			return false, err
		}
		for _, v := range page.Violations {
			if look(v) {
				return false, nil
			}
		}
		if cursor = page.Paging.Next; cursor == "" {
			return true, nil
		}
		if seen[cursor] {
			return false, &connectors.Error{Kind: connectors.Temporary, Err: fmt.Errorf("%s: the list leads back to a page that was read", listViolations)}
		}
		seen[cursor] = true
	}
	return false, nil
}

// outcomes are what a finding's state means as an answer to State.
var outcomes = map[string]connectors.Outcome{
	connectors.FindingOpened: connectors.Pending, connectors.FindingResolved: connectors.Expired, connectors.FindingDismissed: connectors.Approved,
}

func (c *connector) targetState(ctx context.Context, id string) (connectors.State, error) {
	kind, _, err := c.target(ctx, id)
	return connectors.State{Outcome: outcomes[kind]}, err
}

// target reads a mobile finding target: the kind of event its status stands for, and the status itself.
func (c *connector) target(ctx context.Context, id string) (kind, status string, err error) {
	const name = "read finding target"
	var target any
	if err := c.read(ctx, name, c.targetURL(id), &target); err != nil {
		return "", "", err
	}
	status = upper(lookUp(target, c.config.Targets.Status))
	kind, ok := c.statuses[status]
	if !ok {
		return "", "", connectors.Permanently("%s: the answer has no known status; set settings.targets.status and settings.statuses to what your account answers", name)
	}
	return kind, status, nil
}

func (c *connector) targetURL(id string) string {
	return c.base + strings.TrimRight(c.config.Targets.Path, "/") + "/" + url.PathEscape(id)
}

func (c *connector) read(ctx context.Context, name, at string, into any) error {
	answer, err := c.client.Do(ctx, connectors.Call{Name: name, Method: http.MethodGet, URL: at})
	if err != nil {
		e := explain(err)
		if errors.Is(e, connectors.ErrNotFound) {
			e.Err = fmt.Errorf("%w; check settings.base_url and the path where this is not the finding's fault", e.Err)
		}
		return e
	}
	return answer.DecodeJSON(name, into)
}

// lookUp returns the text at the first of the pointers that leads to one.
func lookUp(v any, pointers []string) string {
	for _, pointer := range pointers {
		at := v
		for _, key := range strings.Split(pointer[1:], "/") {
			key = strings.NewReplacer("~1", "/", "~0", "~").Replace(key)
			switch inside := at.(type) {
			case map[string]any:
				at = inside[key]
			case []any:
				i, err := strconv.Atoi(key)
				at = nil
				if err == nil && i >= 0 && i < len(inside) {
					at = inside[i]
				}
			default:
				at = nil
			}
		}
		if found, ok := at.(string); ok && strings.TrimSpace(found) != "" {
			return found
		}
	}
	return ""
}
