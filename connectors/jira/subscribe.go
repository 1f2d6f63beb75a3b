package jira

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// subscriber is a connector whose app has webhooks of its own. Jira ends them after 30 days.
type subscriber struct{ *connector }

const (
	hookReserve = 15 * 24 * time.Hour // their life is extended when no more of it is left
	hookLook    = 6 * time.Hour       // how often they are looked after
)

// noticed are the events the app wants. Comments decide nothing.
var noticed = []string{"jira:issue_created", "jira:issue_updated", "jira:issue_deleted"}

// registered is a webhook as Jira lists it.
type registered struct {
	ID      int64    `json:"id"`
	URL     string   `json:"url"`
	Events  []string `json:"events"`
	Filter  string   `json:"jqlFilter"`
	Expires expiry   `json:"expirationDate"`
}

// expiry is a time that Jira's description has as milliseconds and its example as text.
type expiry struct{ time.Time }

func (e *expiry) UnmarshalJSON(text []byte) error {
	var millis int64
	if json.Unmarshal(text, &millis) == nil {
		e.Time = time.UnixMilli(millis)
		return nil
	}
	var at stamp
	if err := at.UnmarshalJSON(text); err != nil {
		return err
	}
	e.Time = at.Time
	return nil
}

// Subscribe leaves the app with one webhook to notices, good for some time yet. Others of the app's that go to the same
// path, which are of this connection at a former address or with former projects, are removed.
func (s *subscriber) Subscribe(ctx context.Context, notices string) (time.Duration, error) {
	all, err := s.webhooks(ctx)
	if err != nil {
		return 0, connectors.Unsent(err)
	}
	filter := s.noticeFilter()
	var kept *registered
	var stale []int64
	others := 0
	for i, h := range all {
		switch {
		case h.URL == notices && h.Filter == filter && sameEvents(h.Events) && kept == nil:
			kept = &all[i]
		case pathOf(h.URL) == pathOf(notices):
			stale = append(stale, h.ID)
		default:
			others++
		}
	}
	if len(stale) > 0 {
		if err := s.call(ctx, "remove webhooks", http.MethodDelete, s.api("webhook"), map[string]any{"webhookIds": stale}, nil); err != nil {
			return 0, err
		}
	}
	switch {
	case kept == nil:
		err = s.register(ctx, notices, filter)
	case kept.Expires.Before(s.now().Add(hookReserve)):
		err = s.call(ctx, "extend webhooks", http.MethodPut, s.api("webhook/refresh"), map[string]any{"webhookIds": []int64{kept.ID}}, nil)
	}
	if err != nil && others > 0 {
		err = fmt.Errorf("%w (the app has webhooks to another address, and Jira allows it one: give each connection an app of its own)", err)
	}
	return hookLook, err
}

func (s *subscriber) webhooks(ctx context.Context) ([]registered, error) {
	var all []registered
	err := s.pages(ctx, "read webhooks", s.api("webhook"), func(text json.RawMessage) (int, int, error) {
		var page struct {
			Values []registered `json:"values"`
			Total  int          `json:"total"`
		}
		if err := json.Unmarshal(text, &page); err != nil {
			return 0, 0, err
		}
		all = append(all, page.Values...)
		return len(page.Values), page.Total, nil
	})
	return all, err
}

func (s *subscriber) register(ctx context.Context, notices, filter string) error {
	body := map[string]any{"url": notices, "webhooks": []any{map[string]any{"events": noticed, "jqlFilter": filter}}}
	var answer struct {
		Results []struct {
			ID     int64    `json:"createdWebhookId"`
			Errors []string `json:"errors"`
		} `json:"webhookRegistrationResult"`
	}
	if err := s.call(ctx, "register webhook", http.MethodPost, s.api("webhook"), body, &answer); err != nil {
		return err
	}
	if len(answer.Results) != 1 || answer.Results[0].ID <= 0 {
		var words []string
		for _, r := range answer.Results {
			words = append(words, r.Errors...)
		}
		return connectors.Permanently("register webhook: Jira made none: %s", connectors.Clean(strings.Join(words, "; "), 400))
	}
	return nil
}

// noticeFilter is the part of JQL that webhooks may be filtered by. Labels are no part of it.
func (c *connector) noticeFilter() string {
	if len(c.conf.Projects) == 0 {
		return "project != EMPTY"
	}
	return c.inProjects()
}

func sameEvents(events []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(events)), slices.Sorted(slices.Values(noticed)))
}

func pathOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Path
}
