package jira

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// needed are the permissions without which the loop does not close, by Jira's names.
var needed = []string{"BROWSE_PROJECTS", "CREATE_ISSUES", "EDIT_ISSUES", "TRANSITION_ISSUES", "ADD_COMMENTS", "CREATE_ATTACHMENTS"}

// agent is the permission besides that internal notes on requests take.
const agent = "SERVICEDESK_AGENT"

// Ping signs in and names what the account lacks: permissions in every configured project, or anywhere where none is, and
// behind the gateway the token's scopes.
func (c *connector) Ping(ctx context.Context) error {
	if _, err := c.signIn(ctx); err != nil {
		return c.elsewhere(err)
	}
	desks, err := c.desks(ctx)
	if err != nil {
		return err
	}
	if err := c.scopes(ctx, len(desks) > 0); err != nil {
		return err
	}
	projects := c.conf.Projects
	if len(projects) == 0 {
		projects = []string{""}
	}
	var faults []string
	for _, project := range projects {
		missing, err := c.missing(ctx, project, slices.Contains(desks, project))
		if err != nil {
			return err
		}
		if len(missing) > 0 && project != "" {
			faults = append(faults, "in project "+project+": "+strings.Join(missing, ", "))
		} else if len(missing) > 0 {
			faults = append(faults, "in any project: "+strings.Join(missing, ", "))
		}
	}
	if len(faults) > 0 {
		return connectors.Permanently("the account lacks permissions %s", strings.Join(faults, "; "))
	}
	return nil
}

// elsewhere adds to a refusal at a site where tokens with scopes are taken.
func (c *connector) elsewhere(err error) error {
	e := *connectors.AsError(err)
	if e.Status != http.StatusUnauthorized || c.conf.Deployment != cloud || c.conf.behindGateway() {
		return err
	}
	e.Err = fmt.Errorf("%w; a token with scopes is taken at base_url https://%s/ex/jira/CLOUD-ID only", e.Err, gatewayHost)
	return &e
}

// desks are the configured projects that are service desks. A project the account may not see is none: what it lacks
// there is found by its permissions.
func (c *connector) desks(ctx context.Context) ([]string, error) {
	var out []string
	for _, key := range c.conf.Projects {
		var p project
		err := c.get(ctx, "read project", c.api("project/"+key), &p)
		if errors.Is(err, connectors.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if p.Type == serviceDesk {
			out = append(out, key)
		}
	}
	return out, nil
}

// missing names the permissions the account lacks in a project, or in all of them.
func (c *connector) missing(ctx context.Context, project string, desk bool) ([]string, error) {
	asked := slices.Clone(needed)
	if desk {
		asked = append(asked, agent)
	}
	path := c.api("mypermissions?permissions=" + strings.Join(asked, ","))
	if project != "" {
		path += "&projectKey=" + project
	}
	var answer permissions
	err := c.get(ctx, "read permissions", path, &answer)
	if project != "" && errors.Is(err, connectors.ErrNotFound) {
		return []string{"BROWSE_PROJECTS (there is no such project, or the account may not see it)"}, nil
	}
	if err != nil {
		return nil, err
	}
	var missing []string
	for _, name := range asked {
		// Older Data Centers answer with names of their own; what is not told is not missing.
		if p, told := answer.Permissions[name]; told && !p.Have {
			missing = append(missing, name)
		}
	}
	return missing, nil
}

// scopes names the scopes the token lacks, where it needs any. The writes it tries say nothing that could be written.
func (c *connector) scopes(ctx context.Context, desk bool) error {
	if !c.conf.behindGateway() {
		return nil
	}
	type probe struct{ method, path string }
	probes := []probe{{http.MethodGet, c.api("mypermissions?permissions=BROWSE_PROJECTS")}, {http.MethodPost, c.api("issue")}}
	if desk {
		probes = append(probes, probe{http.MethodGet, deskAPI + "servicedesk?limit=1"}, probe{http.MethodPost, deskAPI + "request"})
	}
	if c.conf.Auth.dynamic() {
		probes = append(probes, probe{http.MethodGet, c.api("webhook?maxResults=1")})
	}
	var lacking []string
	for _, p := range probes {
		var body any
		if p.method == http.MethodPost {
			body = map[string]any{"fields": map[string]any{}}
			if strings.HasPrefix(p.path, deskAPI) {
				body = map[string]any{}
			}
		}
		err := c.call(ctx, "try the scopes", p.method, p.path, body, nil)
		if lack, ok := errors.AsType[*missingScope](err); ok {
			lacking = append(lacking, lack.scope)
		} else if e := connectors.AsError(err); e != nil && e.Kind != connectors.Permanent {
			return connectors.Unsent(err)
		}
	}
	if len(lacking) > 0 {
		return &connectors.Error{Kind: connectors.Unwell, Err: errors.New("the token lacks the scopes " + strings.Join(lacking, ", "))}
	}
	return nil
}
