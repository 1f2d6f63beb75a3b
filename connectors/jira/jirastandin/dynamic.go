package jirastandin

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

// dynamicHook is a webhook an app asked for. It ends after 30 days unless its life is extended.
type dynamicHook struct {
	id      int
	url     string
	events  []string
	filter  string
	expires time.Time
}

const hookLife = 30 * 24 * time.Hour

// Webhook is one an app asked for, as tests look at it.
type Webhook struct {
	URL, Filter string
	Events      []string
	Expires     time.Time
}

// Webhooks returns those the app has, also those that are over.
func (s *Server) Webhooks() []Webhook {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Webhook
	for _, h := range s.app.hooks {
		out = append(out, Webhook{h.url, h.filter, h.events, h.expires})
	}
	return out
}

// wanting are the webhooks that an event of a ticket is sent to.
func (a *app) wanting(event string, i *issue, now time.Time) []*dynamicHook {
	if a == nil {
		return nil
	}
	var out []*dynamicHook
	for _, h := range a.hooks {
		if now.Before(h.expires) && slices.Contains(h.events, event) && h.matches(i) {
			out = append(out, h)
		}
	}
	return out
}

// The part of JQL that filters of webhooks may have, as far as it is played here.
var (
	anyProject  = "project != EMPTY"
	projectTerm = regexp.MustCompile(`^project (?:=|in) \(?("[A-Z][A-Z0-9_]*"(?:, "[A-Z][A-Z0-9_]*")*)\)?$`)
)

func (h *dynamicHook) matches(i *issue) bool {
	if h.filter == anyProject {
		return true
	}
	parts := projectTerm.FindStringSubmatch(h.filter)
	return parts != nil && strings.Contains(parts[1], `"`+i.project.key+`"`)
}

// signCaller signs as Jira does for an app's webhook: who sends it, and not what.
func (s *Server) signCaller(r *http.Request, _ []byte) {
	now := s.o.Now().Unix()
	part := base64.RawURLEncoding.EncodeToString
	text := part([]byte(`{"typ":"JWT","alg":"HS256"}`)) + "." + part(fmt.Appendf(nil, `{"iss":%q,"iat":%d,"exp":%d}`, s.app.ID, now, now+180))
	mac := hmac.New(sha256.New, []byte(s.app.Secret))
	mac.Write([]byte(text))
	r.Header.Set("Authorization", "Bearer "+text+"."+part(mac.Sum(nil)))
}

// byApp refuses callers that are no app somebody consented to.
func (c *call) byApp() error {
	if c.gateway == nil || !c.gateway.consent {
		return refuse(http.StatusForbidden, "Only Connect and OAuth 2.0 apps can use this operation.")
	}
	return nil
}

type webhookWire struct {
	ID      int      `json:"id"`
	URL     string   `json:"url"`
	Events  []string `json:"events"`
	Filter  string   `json:"jqlFilter"`
	Expires int64    `json:"expirationDate"`
}

// listWebhooks pages through the app's webhooks.
func (c *call) listWebhooks() (int, any, error) {
	if err := c.byApp(); err != nil {
		return 0, nil, err
	}
	start, err := c.number("startAt", 0, 0)
	if err != nil {
		return 0, nil, err
	}
	size, err := c.number("maxResults", 50, 100)
	if err != nil {
		return 0, nil, err
	}
	all := []webhookWire{}
	for _, h := range c.s.app.hooks {
		if c.now.Before(h.expires) {
			all = append(all, webhookWire{h.id, h.url, h.events, h.filter, h.expires.UnixMilli()})
		}
	}
	shown := append([]webhookWire{}, page(all, start, size)...)
	return http.StatusOK, map[string]any{"startAt": start, "maxResults": size, "total": len(all), "isLast": start+size >= len(all), "values": shown}, nil
}

// registerWebhooks asks for webhooks. What is wrong with one is said in its place of the answer.
func (c *call) registerWebhooks() (int, any, error) {
	if err := c.byApp(); err != nil {
		return 0, nil, err
	}
	var body struct {
		URL      string `json:"url"`
		Webhooks []struct {
			Events []string `json:"events"`
			Filter string   `json:"jqlFilter"`
		} `json:"webhooks"`
	}
	if err := c.decode(&body); err != nil {
		return 0, nil, err
	}
	a := c.s.app
	a.hooks = slices.DeleteFunc(a.hooks, func(h *dynamicHook) bool { return !c.now.Before(h.expires) })
	if slices.ContainsFunc(a.hooks, func(h *dynamicHook) bool { return h.url != body.URL }) {
		return 0, nil, refuse(http.StatusBadRequest, "Only a single URL per app is allowed to be registered.")
	}
	var results []map[string]any
	for _, w := range body.Webhooks {
		switch {
		case w.Filter != anyProject && !projectTerm.MatchString(w.Filter):
			results = append(results, map[string]any{"errors": []string{"The clause is unsupported."}})
		case len(a.hooks) >= 5:
			results = append(results, map[string]any{"errors": []string{"The limit of webhooks is reached."}})
		default:
			a.lastID++
			a.hooks = append(a.hooks, &dynamicHook{id: a.lastID, url: body.URL, events: w.Events, filter: w.Filter, expires: c.now.Add(hookLife)})
			results = append(results, map[string]any{"createdWebhookId": a.lastID})
		}
	}
	return http.StatusOK, map[string]any{"webhookRegistrationResult": results}, nil
}

func (c *call) webhookIDs() ([]int, error) {
	var body struct {
		IDs []int `json:"webhookIds"`
	}
	if err := c.byApp(); err != nil {
		return nil, err
	}
	if err := c.decode(&body); err != nil {
		return nil, err
	}
	if len(body.IDs) == 0 {
		return nil, refuse(http.StatusBadRequest, "The list of webhook IDs is missing.")
	}
	return body.IDs, nil
}

// removeWebhooks ends webhooks; ids of others are ignored.
func (c *call) removeWebhooks() (int, any, error) {
	ids, err := c.webhookIDs()
	if err != nil {
		return 0, nil, err
	}
	c.s.app.hooks = slices.DeleteFunc(c.s.app.hooks, func(h *dynamicHook) bool { return slices.Contains(ids, h.id) })
	return http.StatusAccepted, nil, nil
}

// refreshWebhooks gives webhooks another 30 days.
func (c *call) refreshWebhooks() (int, any, error) {
	ids, err := c.webhookIDs()
	if err != nil {
		return 0, nil, err
	}
	until := c.now.Add(hookLife)
	for _, h := range c.s.app.hooks {
		if slices.Contains(ids, h.id) && c.now.Before(h.expires) {
			h.expires = until
		}
	}
	return http.StatusOK, map[string]any{"expirationDate": until.UnixMilli()}, nil
}
