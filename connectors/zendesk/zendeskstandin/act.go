package zendeskstandin

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"
)

// Ticket is a ticket as tests look at it.
type Ticket struct {
	ID       string
	External string
	Subject  string
	Text     string // of the first comment
	Status   string // as agents see it
	Priority string
	Type     string
	Tags     []string
	Group    int64
	Custom   map[int64]any
	Comments []Comment
	Deleted  bool
}

// Comment is one comment of a ticket, the first one included.
type Comment struct {
	Author     int64
	HTML, Text string
	Public     bool
	Files      []string
}

// Tickets are all tickets there are, deleted ones included.
func (s *Server) Tickets() []Ticket {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Ticket
	for _, t := range s.tickets {
		out = append(out, s.look(t))
	}
	return out
}

// Ticket is one ticket.
func (s *Server) Ticket(id string) (Ticket, bool) {
	for _, t := range s.Tickets() {
		if t.ID == id {
			return t, true
		}
	}
	return Ticket{}, false
}

func (s *Server) look(t *ticket) Ticket {
	v := Ticket{
		ID: fmt.Sprint(t.id), External: stringOf(t.fields["external_id"]), Subject: stringOf(t.fields["subject"]), Text: t.text, Status: stringOf(t.fields["status"]),
		Priority: stringOf(t.fields["priority"]), Type: stringOf(t.fields["type"]), Tags: slices.Clone(t.tags), Custom: maps.Clone(t.custom), Deleted: t.deleted,
	}
	v.Group, _ = t.fields["group_id"].(int64)
	for _, c := range customStatuses() {
		if c.ID == t.fields["custom_status_id"] && c.Category == v.Status && !s.o.NoCustomStatuses {
			v.Status = c.Label
		}
	}
	for _, a := range t.audits {
		for _, e := range a["events"].([]map[string]any) {
			if e["type"] != "Comment" {
				continue
			}
			c := Comment{Author: e["author_id"].(int64), HTML: e["html_body"].(string), Text: e["body"].(string), Public: e["public"].(bool)}
			for _, f := range e["attachments"].([]map[string]any) {
				c.Files = append(c.Files, f["file_name"].(string))
			}
			v.Comments = append(v.Comments, c)
		}
	}
	return v
}

// act changes a ticket in somebody's name.
func (s *Server) act(id string, by way, do func(t *ticket, a map[string]any) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, _ := strconv.ParseInt(id, 10, 64)
	t := s.find(n)
	if t == nil {
		return fmt.Errorf("there is no ticket %s", id)
	}
	if t.fields["status"] == "closed" {
		return fmt.Errorf("ticket %s is closed", id)
	}
	a := s.audit(t, by)
	if err := do(t, a); err != nil {
		t.audits = t.audits[:len(t.audits)-1]
		return err
	}
	s.done(t, a, by.author)
	return nil
}

// Move brings a ticket to a status in the agents' workspace.
func (s *Server) Move(id string, who int64, status string) error {
	return s.move(id, way{who, "web", ""}, status)
}

// MoveBy does so through another channel: rule, api, email.
func (s *Server) MoveBy(id string, who int64, channel, status string) error {
	return s.move(id, way{who, channel, ""}, status)
}

func (s *Server) move(id string, by way, status string) error {
	return s.act(id, by, func(t *ticket, a map[string]any) error {
		category, custom, err := s.statusByName(status)
		if err == nil {
			s.setStatus(t, a, "Change", category, custom)
		}
		return err
	})
}

// MoveAndTrigger has somebody change a field, upon which a trigger moves the ticket in the same update.
func (s *Server) MoveAndTrigger(id string, who, field int64, value any, status string) error {
	return s.act(id, way{who, "web", ""}, func(t *ticket, a map[string]any) error {
		s.setCustom(t, a, "Change", field, value)
		from := len(a["events"].([]map[string]any))
		category, custom, err := s.statusByName(status)
		if err != nil {
			return err
		}
		s.setStatus(t, a, "Change", category, custom)
		for _, e := range a["events"].([]map[string]any)[from:] {
			e["via"] = way{0, "rule", "trigger"}.view()
		}
		return nil
	})
}

// Edit changes fields: subject, priority, external_id, tags, or custom fields by number.
func (s *Server) Edit(id string, who int64, fields map[string]any) error {
	return s.act(id, way{who, "web", ""}, func(t *ticket, a map[string]any) error {
		for _, name := range slices.Sorted(maps.Keys(fields)) {
			if n, err := strconv.ParseInt(name, 10, 64); err == nil {
				s.setCustom(t, a, "Change", n, fields[name])
			} else if tags, ok := fields[name].([]string); ok {
				s.setTags(t, a, "Change", tags)
			} else {
				s.set(t, a, "Change", name, fields[name])
			}
		}
		return nil
	})
}

// SwapKeys exchanges the external ids of two tickets without a trace in their audits.
func (s *Server) SwapKeys(a, b string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x, _ := strconv.ParseInt(a, 10, 64)
	y, _ := strconv.ParseInt(b, 10, 64)
	t, u := s.find(x), s.find(y)
	t.fields["external_id"], u.fields["external_id"] = u.fields["external_id"], t.fields["external_id"]
}

// Reword brings a ticket to a status without a trace in its audits.
func (s *Server) Reword(id, status string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, _ := strconv.ParseInt(id, 10, 64)
	t := s.find(n)
	category, custom, err := s.statusByName(status)
	if err == nil {
		t.fields["status"], t.fields["custom_status_id"] = category, custom
	}
	return err
}

// SetGroups puts somebody into these groups and no others.
func (s *Server) SetGroups(who int64, groups ...int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, a := range s.o.People {
		if a.ID == who {
			s.o.People[i].Groups = groups
		}
	}
}

// CommentAs adds a comment.
func (s *Server) CommentAs(id string, who int64, text string, public bool) error {
	by := way{who, "web", ""}
	return s.act(id, by, func(t *ticket, a map[string]any) error {
		if fault := s.comment(t, a, by, map[string]any{"body": text, "public": public}); fault != nil {
			return fmt.Errorf("comment: %v", fault.body)
		}
		return nil
	})
}

// Clone makes a ticket like another, with the same external id, in somebody else's name; submitter is whom it is said to
// be from.
func (s *Server) Clone(id string, who, submitter int64) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, _ := strconv.ParseInt(id, 10, 64)
	from := s.find(n)
	t := &ticket{id: s.id(), submitter: submitter, fields: maps.Clone(from.fields), custom: maps.Clone(from.custom), tags: slices.Clone(from.tags), text: from.text, created: s.o.Now().UTC().Truncate(time.Second)}
	a := s.audit(t, way{who, "web", ""})
	s.setStatus(t, a, "Create", "new", 1)
	_ = s.comment(t, a, way{who, "web", ""}, map[string]any{"body": from.text}) // it was taken before
	s.tickets = append(s.tickets, t)
	s.touch(t)
	s.notify(t, who, "created", nil)
	return fmt.Sprint(t.id)
}

// Delete deletes a ticket.
func (s *Server) Delete(id string, who int64) error {
	return s.act(id, way{who, "web", ""}, func(t *ticket, _ map[string]any) error {
		t.deleted = true
		return nil
	})
}

// Merge merges a ticket into another, which closes it.
func (s *Server) Merge(id, into string, who int64) error {
	by := way{who, "web", "merge"}
	if err := s.act(into, by, func(t *ticket, a map[string]any) error {
		_ = s.comment(t, a, by, map[string]any{"body": "Request #" + id + " was merged into this one.", "public": false}) // never empty
		return nil
	}); err != nil {
		return err
	}
	return s.act(id, by, func(t *ticket, a map[string]any) error {
		_ = s.comment(t, a, by, map[string]any{"body": "This request was closed and merged into #" + into + ".", "public": false}) // never empty
		s.setStatus(t, a, "Change", "closed", 0)
		s.setTags(t, a, "Change", append(slices.Clone(t.tags), "closed_by_merge"))
		return nil
	})
}

// approval is one approval request.
type approval struct {
	id       string
	ticket   int64
	assignee int64
	status   string
	created  time.Time
	decided  time.Time
	by       int64
}

// Ask asks somebody for an approval on a ticket, and returns the request's id.
func (s *Server) Ask(id string, assignee int64) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, _ := strconv.ParseInt(id, 10, 64)
	r := &approval{id: fmt.Sprintf("01JJ%022d", s.id()), ticket: n, assignee: assignee, status: "active", created: s.o.Now().UTC()}
	s.approvals = append(s.approvals, r)
	return r.id
}

// Answer answers an approval request: approved, rejected or withdrawn. The ticket's own time stays.
func (s *Server) Answer(request string, who int64, status string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.approvals {
		if r.id == request && r.status == "active" {
			r.status, r.decided, r.by = status, s.o.Now().UTC(), who
			return nil
		}
	}
	return fmt.Errorf("there is no request %s that waits", request)
}

func (s *Server) listApprovals(r request) answer {
	if !s.o.Approvals {
		return notFound()
	}
	const size = 2 // so that a few need several pages
	start, _ := strconv.Atoi(r.URL.Query().Get("after_cursor"))
	end := min(start+size, len(s.approvals))
	found := []map[string]any{}
	for _, a := range s.approvals[min(start, end):end] {
		found = append(found, map[string]any{
			"id": a.id, "status": a.status, "ticket_id": a.ticket, "assignee_user_id": a.assignee, "created_at": a.created.Format(time.RFC3339),
		})
	}
	after := any(nil)
	if end < len(s.approvals) {
		after = strconv.Itoa(end)
	}
	return ok(map[string]any{"approval_requests": found, "after_cursor": after})
}

func (s *Server) showApproval(r request) answer {
	for _, a := range s.approvals {
		if a.id != r.PathValue("id") {
			continue
		}
		v := map[string]any{
			"id": a.id, "status": a.status, "created_at": a.created.Format(time.RFC3339), "decided_at": nil, "decisions": []any{},
			"assignee_user": map[string]any{"id": a.assignee, "name": cmp.Or(s.name(a.assignee), "?")},
		}
		if a.status == "approved" || a.status == "rejected" {
			at := a.decided.Format(time.RFC3339)
			v["decided_at"] = at
			v["decisions"] = []any{map[string]any{"status": a.status, "decided_at": at, "decided_by_user": map[string]any{"id": a.by, "name": s.name(a.by)}}}
		}
		return ok(map[string]any{"approval_request": v})
	}
	return notFound()
}

func (s *Server) name(id int64) string {
	a, _ := s.account(id)
	return a.Name
}
