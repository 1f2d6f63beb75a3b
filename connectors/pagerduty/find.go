package pagerduty

import (
	"context"
	"net/url"
	"slices"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Find returns the incidents with our key that the user we work as triggered, oldest first. Those that were merged into
// another are left out.
func (c *connector) Find(ctx context.Context, key string) ([]connectors.Ref, error) {
	if err := connectors.KeyFault(key); err != nil {
		return nil, connectors.Permanently("find incident: %w", err)
	}
	me, err := c.account(ctx)
	if err != nil {
		return nil, err
	}
	var hits []incident
	query := "incidents?incident_key=" + url.QueryEscape(key) + "&date_range=all&include[]=first_trigger_log_entries"
	err = list(ctx, c, "find incident", query, "incidents", func(hit incident) error {
		if hit.Key != key || hit.mergedAway() || hit.Triggered == nil || !me.did(*hit.Triggered) {
			return nil
		}
		if !idForm.MatchString(hit.ID) {
			return connectors.Temporarily("find incident: a hit has no id")
		}
		hits = append(hits, hit)
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(hits, func(a, b incident) int { return a.Number - b.Number })
	refs := []connectors.Ref{}
	for _, hit := range slices.CompactFunc(hits, func(a, b incident) bool { return a.ID == b.ID }) { // pages may shift while they are read
		refs = append(refs, hit.ref())
	}
	return refs, nil
}

// did tells whether the log says that somebody did something.
func (u user) did(e entry) bool { return e.Agent.isUser() && e.Agent.ID == u.ID }
