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
	Violations []struct {
		ID            string `json:"id"`
		ExceptionType any    `json:"exception_type"`
	} `json:"policy_violations"`
	Paging struct {
		Next string `json:"next_cursor"`
	} `json:"pagination_information"`
}

func (c *connector) violationState(ctx context.Context, id string) (connectors.State, error) {
	const name = "list policy violations"
	seen := map[string]bool{}
	cursor := ""
	for range c.config.Violations.MaxPages {
		at := c.base + c.config.Violations.Path
		if cursor != "" {
			at += "?" + url.Values{"cursor": {cursor}}.Encode()
		}
		var page violationPage
		if err := c.read(ctx, name, at, &page); err != nil {
			return connectors.State{}, err
		}
		for _, v := range page.Violations {
			if !strings.EqualFold(v.ID, id) {
				continue
			}
			if v.ExceptionType != nil && v.ExceptionType != "" {
				return connectors.State{Outcome: connectors.Approved}, nil
			}
			return connectors.State{Outcome: connectors.Pending}, nil
		}
		if cursor = page.Paging.Next; cursor == "" {
			return connectors.State{}, connectors.Permanently("%s: the violation is not among them: %w", name, connectors.ErrNotFound)
		}
		if seen[cursor] {
			return connectors.State{}, &connectors.Error{Kind: connectors.Temporary, Err: fmt.Errorf("%s: the list leads back to a page that was read", name)}
		}
		seen[cursor] = true
	}
	return connectors.State{}, connectors.Permanently("%s: the violation is not on the first %d pages; raise settings.violations.max_pages", name, c.config.Violations.MaxPages)
}

func (c *connector) targetState(ctx context.Context, id string) (connectors.State, error) {
	const name = "read finding target"
	var target any
	if err := c.read(ctx, name, c.base+strings.TrimRight(c.config.Targets.Path, "/")+"/"+url.PathEscape(id), &target); err != nil {
		return connectors.State{}, err
	}
	switch c.statuses[upper(lookUp(target, c.config.Targets.Status))] {
	case connectors.FindingOpened:
		return connectors.State{Outcome: connectors.Pending}, nil
	case connectors.FindingResolved:
		return connectors.State{Outcome: connectors.Expired}, nil
	case connectors.FindingDismissed:
		return connectors.State{Outcome: connectors.Approved}, nil
	default:
		return connectors.State{}, connectors.Permanently("%s: the answer has no known status; set settings.targets.status and settings.statuses to what your account answers", name)
	}
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
