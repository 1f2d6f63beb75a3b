package zendesk

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Ping signs in and names what is missing: the role, a scope, or a group that tickets are opened for.
func (c *connector) Ping(ctx context.Context) error {
	me, now, err := c.signIn(ctx)
	if err != nil {
		return err
	}
	var faults []string
	switch {
	case me.Suspended:
		faults = append(faults, "the account is suspended")
	case me.Role != "agent" && me.Role != "admin":
		faults = append(faults, "the account is no agent: its role is "+connectors.Clean(me.Role, 50))
	}
	if r := me.Restriction; r == "assigned" || r == "requested" {
		faults = append(faults, "the account sees only tickets that are "+r+" to it or by it; it needs those of its groups at least")
	}
	found, err := c.probes(ctx, now)
	if err != nil {
		return err
	}
	if faults = append(faults, found...); len(faults) > 0 {
		return connectors.Permanently("%s", strings.Join(faults, "; "))
	}
	return nil
}

// probes makes one call of each kind, and names what those lack that are forbidden.
func (c *connector) probes(ctx context.Context, now time.Time) ([]string, error) {
	var faults []string
	var newest struct{ Tickets []ticket }
	var all struct{ Groups []named }
	for _, p := range []struct {
		path, lacks string
		out         any
		on          bool
	}{
		{"tickets?page[size]=1", "read tickets: the scope tickets:read, or all of read", &newest, true},
		{"custom_statuses", "read statuses: the scope read", nil, true},
		{"groups?page[size]=100", "read groups: the scope read", &all, true},
		{"users/show_many?ids=1", "read people: the scope users:read, or all of read", nil, true},
		{
			"incremental/tickets/cursor?start_time=" + strconv.FormatInt(now.Add(-sinceLast).Unix(), 10),
			"read the incremental export: the role administrator and the scope read, or no_export in the settings", nil, !c.conf.NoExport,
		},
		{approvalList, "read approval requests: the role administrator and the scope read", nil, c.conf.Approvals != nil},
	} {
		if !p.on {
			continue
		}
		if _, err := c.read(ctx, "try what the account may do", p.path, p.out); isForbidden(err) {
			faults = append(faults, "the account may not "+p.lacks)
		} else if p.path == approvalList && errors.Is(err, connectors.ErrNotFound) {
			faults = append(faults, "the account has no approval requests; take approvals out of the settings")
		} else if err != nil && !errors.Is(err, connectors.ErrNotFound) {
			return nil, err
		}
	}
	if len(newest.Tickets) > 0 && number.MatchString(string(newest.Tickets[0].ID)) {
		path := "tickets/" + string(newest.Tickets[0].ID) + "/audits?page[size]=1"
		if _, err := c.read(ctx, "try to read a history", path, nil); isForbidden(err) {
			faults = append(faults, "the account may not read a ticket's history: the whole of the scope read; tickets:read is not enough")
		} else if err != nil && !errors.Is(err, connectors.ErrNotFound) {
			return nil, err
		}
	}
	// There is no ticket 0; who may not write is told so before that.
	_, _, err := c.put(ctx, "try to write", "0", map[string]any{})
	switch status := connectors.AsError(err); {
	case isForbidden(err):
		faults = append(faults, "the account may not write tickets: the scope tickets:write, or all of write")
	case err != nil && status.Status != http.StatusNotFound && status.Status != http.StatusBadRequest && status.Status != http.StatusUnprocessableEntity:
		return nil, connectors.Unsent(err)
	}
	for _, name := range c.conf.Groups {
		if !has(all.Groups, name) && all.Groups != nil {
			faults = append(faults, "there is no group "+strconv.Quote(name)+", or the account may not see it")
		}
	}
	return faults, nil
}

func has(all []named, name string) bool {
	for _, g := range all {
		if strings.EqualFold(g.Name, name) {
			return true
		}
	}
	return false
}

func isForbidden(err error) bool {
	return err != nil && connectors.AsError(err).Status == http.StatusForbidden
}
