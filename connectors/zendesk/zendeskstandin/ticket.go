package zendeskstandin

import (
	"fmt"
	"html"
	"regexp"
	"slices"
	"strings"
	"time"
)

// ticket is one ticket with its history.
type ticket struct {
	id        int64
	submitter int64
	fields    map[string]any // by Zendesk's names; custom fields by number, as text
	custom    map[int64]any
	tags      []string
	created   time.Time
	updated   time.Time
	generated time.Time
	change    int64 // counts changes of all tickets, for the export
	deleted   bool
	text      string
	audits    []map[string]any
}

// way is how a change came about.
type way struct {
	author  int64
	channel string
	rel     string
}

func (w way) view() map[string]any {
	return map[string]any{"channel": w.channel, "source": map[string]any{"from": map[string]any{}, "to": map[string]any{}, "rel": nilIfEmpty(w.rel)}}
}

func nilIfEmpty(text string) any {
	if text == "" {
		return nil
	}
	return text
}

func (s *Server) view(t *ticket) map[string]any {
	v := map[string]any{
		"id": t.id, "url": fmt.Sprintf("https://example.zendesk.com/api/v2/tickets/%d.json", t.id), "submitter_id": t.submitter,
		"description": t.text, "tags": append([]string{}, t.tags...), "created_at": t.created.UTC().Format(time.RFC3339),
		"updated_at": t.updated.UTC().Format(time.RFC3339), "generated_timestamp": t.generated.Unix(),
	}
	for _, name := range []string{
		"subject", "priority", "type", "status", "custom_status_id", "external_id", "group_id", "assignee_id", "brand_id", "due_at",
		"organization_id", "problem_id", "requester_id", "ticket_form_id",
	} {
		v[name] = t.fields[name]
	}
	if t.deleted {
		v["status"] = "deleted"
	}
	custom := []map[string]any{}
	for _, f := range s.fields() {
		if id := int64(f["id"].(int)); s.fieldKinds[id] != "" {
			custom = append(custom, map[string]any{"id": id, "value": t.custom[id]})
		}
	}
	v["custom_fields"] = custom
	return v
}

// audit begins the audit of one update.
func (s *Server) audit(t *ticket, by way) map[string]any {
	a := map[string]any{
		"id": s.id(), "ticket_id": t.id, "author_id": by.author, "created_at": s.o.Now().UTC().Format(time.RFC3339), "via": by.view(), "events": []map[string]any{},
	}
	t.audits = append(t.audits, a)
	return a
}

func (s *Server) event(a map[string]any, kind string, more map[string]any) map[string]any {
	e := map[string]any{"id": s.id(), "type": kind}
	for k, v := range more {
		e[k] = v
	}
	a["events"] = append(a["events"].([]map[string]any), e)
	return e
}

// set gives a field a value and notes it in the audit.
func (s *Server) set(t *ticket, a map[string]any, kind, name string, value any) {
	before := t.fields[name]
	if kind == "Change" && fmt.Sprint(before) == fmt.Sprint(value) {
		return
	}
	t.fields[name] = value
	s.event(a, kind, change(kind, name, before, value))
}

func (s *Server) setCustom(t *ticket, a map[string]any, kind string, id int64, value any) {
	before := t.custom[id]
	if kind == "Change" && fmt.Sprint(before) == fmt.Sprint(value) {
		return
	}
	t.custom[id] = value
	s.event(a, kind, change(kind, fmt.Sprint(id), before, value))
}

func change(kind, name string, before, value any) map[string]any {
	if n, ok := value.(int64); ok {
		value = fmt.Sprint(n) // audits write numbers as text
	}
	if n, ok := before.(int64); ok {
		before = fmt.Sprint(n)
	}
	e := map[string]any{"field_name": name, "value": value}
	if kind == "Change" {
		e["previous_value"] = before
	}
	return e
}

// setStatus gives a ticket a status: a custom one and its category.
func (s *Server) setStatus(t *ticket, a map[string]any, kind, category string, custom int64) {
	s.set(t, a, kind, "status", category)
	if !s.o.NoCustomStatuses && custom != 0 {
		s.set(t, a, kind, "custom_status_id", custom)
	}
}

func (s *Server) setTags(t *ticket, a map[string]any, kind string, tags []string) {
	if slices.Equal(t.tags, tags) {
		return
	}
	s.event(a, kind, change(kind, "tags", append([]string{}, t.tags...), tags))
	t.tags = tags
}

// touch stamps a ticket as changed now.
func (s *Server) touch(t *ticket) {
	s.changes++
	t.updated, t.generated, t.change = s.o.Now().UTC().Truncate(time.Second), s.o.Now().UTC(), s.changes
}

var (
	blockEnd = regexp.MustCompile(`</(p|div|li|h[1-6]|pre|blockquote|tr)>`)
	element  = regexp.MustCompile(`<[^>]*>`)
)

// plainText is HTML as Zendesk writes it without.
func plainText(source string) string {
	source = blockEnd.ReplaceAllString(strings.ReplaceAll(source, "<br>", "\n"), "\n\n")
	return strings.TrimSpace(html.UnescapeString(element.ReplaceAllString(source, "")))
}

// placed is a text in which Zendesk replaced the placeholders.
func placed(source string) string {
	return strings.NewReplacer("{{ticket.requester.email}}", "LEAKED", "{{dc.secret}}", "LEAKED").Replace(source)
}

func (s *Server) find(id int64) *ticket {
	at := slices.IndexFunc(s.tickets, func(t *ticket) bool { return t.id == id })
	if at < 0 || s.tickets[at].deleted {
		return nil
	}
	return s.tickets[at]
}

// statusByName finds a status by its label or word.
func (s *Server) statusByName(name string) (category string, custom int64, err error) {
	if !s.o.NoCustomStatuses {
		for _, c := range customStatuses() {
			if strings.EqualFold(c.Label, name) {
				return c.Category, c.ID, nil
			}
		}
	}
	if slices.Contains([]string{"new", "open", "pending", "hold", "solved", "closed"}, strings.ToLower(name)) {
		return strings.ToLower(name), defaultStatus(strings.ToLower(name)), nil
	}
	return "", 0, fmt.Errorf("there is no status %q", name)
}

func defaultStatus(category string) int64 {
	for _, c := range customStatuses() {
		if c.Category == category && c.Default {
			return c.ID
		}
	}
	return 0
}
