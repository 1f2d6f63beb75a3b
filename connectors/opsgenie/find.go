package opsgenie

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Find returns the alerts with our key as their alias that our integration opened, oldest first, closed ones as well.
// Besides the search, which lags, the alert that answers to the alias is read.
func (c *connector) Find(ctx context.Context, key string) ([]connectors.Ref, error) {
	if err := connectors.KeyFault(key); err != nil {
		return nil, connectors.Permanently("find alert: %w", err)
	}
	var hits []alert
	for offset := 0; ; offset += pageSize {
		page := []alert{}
		path := fmt.Sprintf("alerts?query=%s&sort=createdAt&order=asc&limit=%d&offset=%d", url.QueryEscape(fmt.Sprintf("alias: %q", key)), pageSize, offset)
		if _, _, err := c.read(ctx, "find alert", path, &page); err != nil {
			return nil, err
		}
		hits = append(hits, page...)
		if len(page) < pageSize {
			break
		}
		if offset > maxPages*pageSize {
			return nil, connectors.Temporarily("find alert: the list does not end")
		}
	}
	var direct alert
	_, _, err := c.read(ctx, "find alert", "alerts/"+url.PathEscape(key)+"?identifierType=alias", &direct)
	if err != nil && !errors.Is(err, connectors.ErrNotFound) {
		return nil, err
	}
	if err == nil {
		hits = append(hits, direct)
	}
	slices.SortStableFunc(hits, func(a, b alert) int { return a.Created.Compare(b.Created) })
	refs := []connectors.Ref{}
	for _, hit := range hits {
		if hit.Alias == key && c.ours(hit) && idForm.MatchString(hit.ID) && !slices.ContainsFunc(refs, func(r connectors.Ref) bool { return r.ID == hit.ID }) {
			refs = append(refs, hit.ref())
		}
	}
	return refs, nil
}
