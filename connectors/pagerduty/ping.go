package pagerduty

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// nobody is an incident there is none of: who may not write is told so before that.
const nobody = "PDRAWBRIDGE0"

// Ping signs in and names what is missing: a permission of the key, the user we work as, or a service.
func (c *connector) Ping(ctx context.Context) error {
	var faults []string
	me, err := c.signIn(ctx)
	switch {
	case isForbidden(err):
		faults = append(faults, "the key may not read users")
	case err != nil:
		return err
	case strings.HasPrefix(me.Role, "read_only") || me.Role == "observer":
		faults = append(faults, "the user in from may not write: the role is "+connectors.Clean(me.Role, 40))
	}
	owner, err := c.owner(ctx)
	if err != nil {
		return err
	}
	if owner != "" && me.ID != "" && owner != me.ID {
		faults = append(faults, "the key belongs to another user than the one in from")
	}
	found, err := c.probes(ctx)
	if err != nil {
		return err
	}
	if faults = append(faults, found...); len(faults) > 0 {
		return connectors.Permanently("%s", strings.Join(faults, "; "))
	}
	return nil
}

// owner is the user a key belongs to, empty where it is one of the account, for which the question is a mistake.
func (c *connector) owner(ctx context.Context) (string, error) {
	var answer struct{ User user }
	_, err := c.read(ctx, "read the key's user", "users/me", &answer)
	if status := connectors.AsError(err); err != nil && (status.Status == http.StatusBadRequest || status.Status == http.StatusForbidden || status.Status == http.StatusNotFound) {
		return "", nil
	}
	return answer.User.ID, err
}

// probes makes one call of each kind, and names what those lack that are forbidden.
func (c *connector) probes(ctx context.Context) ([]string, error) {
	var faults []string
	for _, p := range []struct {
		path, lacks string
		on          bool
	}{
		{"incidents?limit=1", "read incidents", true},
		{"log_entries?limit=1", "read the log", true},
		{"incidents/custom_fields", "read custom fields; without them set no_custom_fields", !c.conf.NoCustomFields},
	} {
		if !p.on {
			continue
		}
		if _, err := c.read(ctx, "try what the key may do", p.path, nil); isForbidden(err) {
			faults = append(faults, "the key may not "+p.lacks)
		} else if err != nil {
			return nil, err
		}
	}
	services, err := c.all(ctx, "services", "services")
	if isForbidden(err) {
		faults = append(faults, "the key may not read services")
	} else if err != nil {
		return nil, err
	}
	for _, name := range c.conf.Services {
		if err == nil && !slices.ContainsFunc(services, func(n named) bool { return strings.EqualFold(n.Name, name) || n.ID == name }) {
			faults = append(faults, "there is no service "+name+", or the key may not see it")
		}
	}
	_, err = c.put(ctx, "try to write", nobody, map[string]any{})
	switch {
	case isForbidden(err):
		faults = append(faults, "the key may not write incidents")
	case err != nil && !errors.Is(err, connectors.ErrNotFound) && connectors.AsError(err).Status != http.StatusBadRequest:
		return nil, connectors.Unsent(err)
	}
	return faults, nil
}
