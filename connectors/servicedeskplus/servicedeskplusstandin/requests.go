package servicedeskplusstandin

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

type request struct {
	id          string
	display     string
	subject     string
	description string
	template    string
	status      string
	createdBy   User
	created     time.Time
	updated     time.Time
	trashed     bool
	fields      map[string]any // lookups by name and texts
	additional  map[string]any
	notes       []Note
	files       []file
	rounds      []*level
	history     []entry
	closure     map[string]any
}

// Note is a note as it was written.
type Note struct {
	ID     string
	By     User
	Text   string
	Public bool
}

type file struct {
	id, name string
	size     int
	by       User
	at       time.Time
}

type entry struct {
	id       string
	by       User
	at       time.Time
	field    string
	from, to any
}

func (s *Server) next() string {
	s.lastID++
	return strconv.FormatInt(s.lastID, 10)
}

// find finds a request by its id, or by what people call it.
func (s *Server) find(id string) *request {
	id = strings.TrimPrefix(id, "#")
	for _, r := range s.requests {
		if r.id == id || r.display == id {
			return r
		}
	}
	return nil
}

func (c *call) one() (*request, error) {
	for _, r := range c.s.requests {
		if r.id == c.args[0] {
			return r, nil
		}
	}
	return nil, refuse(http.StatusNotFound, 4007, "Invalid ID")
}

func stamped(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return map[string]any{"value": strconv.FormatInt(t.UnixMilli(), 10), "display_value": t.Format("Jan 2, 2006 03:04 PM")}
}

func (u User) view() any {
	if u == (User{}) {
		return nil
	}
	view := map[string]any{"id": u.ID, "name": u.Name, "email_id": u.Mail}
	if u.Mail == "" {
		view["email_id"] = nil
	}
	return view
}

func named(name string) any {
	if name == "" {
		return nil
	}
	return map[string]any{"id": "1000000000000" + strconv.Itoa(10000+len(name)), "name": name}
}

func (r *request) view() map[string]any {
	var files []any
	for _, f := range r.files {
		files = append(files, map[string]any{"id": f.id, "name": f.name, "size": strconv.Itoa(f.size), "attached_by": f.by.view(), "attached_on": stamped(f.at)})
	}
	view := map[string]any{
		"id": r.id, "display_id": r.display, "subject": r.subject, "description": r.description, "template": named(r.template), "status": named(r.status),
		"created_by": r.createdBy.view(), "created_time": stamped(r.created), "last_updated_time": stamped(r.updated), "is_trashed": r.trashed,
		"udf_fields": r.additional, "attachments": files, "approval_status": named(r.rollUp()), "completed_by_denial": r.rollUp() == Denied,
	}
	for id, v := range r.fields {
		view[id] = v
	}
	return view
}

// change sets a value and writes it into the history.
func (r *request) change(s *Server, by User, at time.Time, field string, from, to any, set func()) {
	set()
	r.updated = at
	r.history = append(r.history, entry{s.next(), by, at, field, from, to})
}

var (
	lookups  = []string{"category", "group", "impact", "item", "level", "mode", "priority", "request_type", "service_category", "site", "subcategory", "urgency"}
	people   = []string{"requester", "technician", "on_behalf_of", "editor"}
	shorts   = []string{"impact_details", "update_reason", "status_change_comments"}
	readOnly = []string{"id", "display_id", "approval_status", "completed_by_denial", "is_service_request", "created_by", "last_updated_time"}
)

// apply checks every field before it sets any.
func (c *call) apply(r *request, fresh bool) error {
	var body map[string]json.RawMessage
	if json.Unmarshal(c.input["request"], &body) != nil || len(c.input) != 1 || body == nil {
		return refuse(http.StatusBadRequest, 4012, "Mandatory field missing", "request")
	}
	var sets []func()
	put := func(field string, from, to any, set func()) {
		if fresh {
			sets = append(sets, set)
		} else if fmt.Sprint(from) != fmt.Sprint(to) {
			sets = append(sets, func() { r.change(c.s, c.s.o.Account, c.now, field, from, to, set) })
		}
	}
	for field, raw := range body {
		switch {
		case slices.Contains(readOnly, field):
			return refuse(http.StatusBadRequest, 4014, "Read-only", field)
		case field == "subject", field == "description":
			var text string
			if json.Unmarshal(raw, &text) != nil {
				return refuse(http.StatusBadRequest, 4021, "Wrong type", field)
			}
			if field == "subject" {
				if strings.TrimSpace(text) == "" {
					return refuse(http.StatusBadRequest, 4012, "Mandatory field missing", field)
				}
				if utf8.RuneCountInString(text) > 250 {
					return refuse(http.StatusBadRequest, 4001, "Too long", field)
				}
				put(field, r.subject, text, func() { r.subject = text })
			} else {
				put(field, r.description, text, func() { r.description = text })
			}
		case field == "template", field == "status", slices.Contains(lookups, field):
			name, err := c.lookup(field, raw)
			if err != nil {
				return err
			}
			switch field {
			case "template":
				put(field, r.template, name, func() { r.template = name })
			case "status":
				put(field, named(r.status), named(name), func() { r.status = name })
			default:
				put(field, r.fields[field], named(name), func() { r.fields[field] = named(name) })
			}
		case slices.Contains(people, field):
			var u struct {
				ID   string `json:"id"`
				Mail string `json:"email_id"`
				Name string `json:"name"`
			}
			if json.Unmarshal(raw, &u) != nil {
				return refuse(http.StatusBadRequest, 4021, "Wrong type", field)
			}
			who, ok := c.s.user(u.ID + u.Mail)
			if !ok {
				return refuse(http.StatusBadRequest, 4001, "Unknown", field)
			}
			put(field, r.fields[field], who.view(), func() { r.fields[field] = who.view() })
		case slices.Contains(shorts, field):
			var text string
			if json.Unmarshal(raw, &text) != nil || utf8.RuneCountInString(text) > 250 {
				return refuse(http.StatusBadRequest, 4021, "Wrong type", field)
			}
			put(field, r.fields[field], text, func() { r.fields[field] = text })
		case field == "udf_fields":
			var values map[string]any
			if json.Unmarshal(raw, &values) != nil {
				return refuse(http.StatusBadRequest, 4021, "Wrong type", field)
			}
			for name, v := range values {
				if !slices.Contains(c.s.o.Fields, name) {
					return refuse(http.StatusBadRequest, 4001, "Unknown field", "udf_fields", name)
				}
				put("udf_fields."+name, r.additional[name], v, func() { r.additional[name] = v })
			}
		default:
			return refuse(http.StatusBadRequest, 4001, "Extra field", field)
		}
	}
	if fresh && body["subject"] == nil {
		return refuse(http.StatusBadRequest, 4012, "Mandatory field missing", "subject")
	}
	for _, set := range sets {
		set()
	}
	return nil
}

// lookup reads a reference by name or id.
func (c *call) lookup(field string, raw json.RawMessage) (string, error) {
	var ref struct{ ID, Name string }
	if json.Unmarshal(raw, &ref) != nil || (ref.ID == "") == (ref.Name == "") {
		return "", refuse(http.StatusBadRequest, 4021, "Wrong type", field)
	}
	known := func(names []string) (string, error) {
		for _, name := range names {
			if strings.EqualFold(name, ref.Name) {
				return name, nil
			}
		}
		return "", refuse(http.StatusBadRequest, 4001, "Unknown", field)
	}
	switch field {
	case "status":
		return known(c.s.o.Statuses)
	case "priority":
		return known(c.s.o.Priorities)
	case "template":
		var names []string
		for name := range c.s.o.Templates {
			names = append(names, name)
		}
		return known(names)
	default:
		return ref.Name, nil
	}
}

func (c *call) create() (any, error) {
	r := &request{
		status: c.s.o.Statuses[0], template: "Default Request", createdBy: c.s.o.Account, created: c.now, updated: c.now, fields: map[string]any{}, additional: map[string]any{},
	}
	for _, name := range c.s.o.Fields {
		r.additional[name] = nil
	}
	if err := c.apply(r, true); err != nil {
		return nil, err
	}
	var missing []string
	for _, field := range c.s.o.Templates[r.template].Mandatory {
		if r.fields[field] == nil {
			missing = append(missing, field)
		}
	}
	if len(missing) > 0 {
		return nil, refuse(http.StatusBadRequest, 4012, "Mandatory field missing", missing...)
	}
	r.id = c.s.next()
	r.display = strconv.Itoa(800 + len(c.s.requests))
	for n, who := range c.s.o.Templates[r.template].Levels {
		r.ask(c.s, n+1, who)
	}
	c.s.requests = append(c.s.requests, r)
	c.s.notify("request.created", r)
	return map[string]any{"request": r.view()}, nil
}

func (c *call) get() (any, error) {
	r, err := c.one()
	if err != nil {
		return nil, err
	}
	return map[string]any{"request": r.view()}, nil
}

func (c *call) update() (any, error) {
	r, err := c.one()
	if err != nil {
		return nil, err
	}
	if err := c.apply(r, false); err != nil {
		return nil, err
	}
	c.s.notify("request.edited", r)
	return map[string]any{"request": r.view()}, nil
}

func (c *call) close() (any, error) {
	r, err := c.one()
	if err != nil {
		return nil, err
	}
	var body struct {
		Closure map[string]any `json:"closure_info"`
	}
	decoder := json.NewDecoder(strings.NewReader(string(c.input["request"])))
	decoder.DisallowUnknownFields()
	if decoder.Decode(&body) != nil || body.Closure == nil {
		return nil, refuse(http.StatusBadRequest, 4012, "Mandatory field missing", "closure_info")
	}
	r.closure = body.Closure
	r.change(c.s, c.s.o.Account, c.now, "status", named(r.status), named("Closed"), func() { r.status = "Closed" })
	c.s.notify("request.edited", r)
	return map[string]any{}, nil
}

func (c *call) notes() (any, error) {
	r, err := c.one()
	if err != nil {
		return nil, err
	}
	var all []any
	for _, n := range r.notes {
		all = append(all, map[string]any{"id": n.ID, "description": n.Text, "show_to_requester": n.Public, "created_by": n.By.view()})
	}
	return c.page("notes", all)
}

func (c *call) comment() (any, error) {
	r, err := c.one()
	if err != nil {
		return nil, err
	}
	raw, ok := c.input[c.s.o.NoteWrapper]
	if !ok {
		return nil, refuse(http.StatusBadRequest, 4012, "Mandatory field missing", c.s.o.NoteWrapper)
	}
	var n struct {
		Text   string `json:"description"`
		Public bool   `json:"show_to_requester"`
		Notify bool   `json:"notify_technician"`
		First  bool   `json:"mark_first_response"`
		Linked bool   `json:"add_to_linked_requests"`
	}
	decoder := json.NewDecoder(strings.NewReader(string(raw)))
	decoder.DisallowUnknownFields()
	if decoder.Decode(&n) != nil || n.Text == "" {
		return nil, refuse(http.StatusBadRequest, 4012, "Mandatory field missing", "description")
	}
	r.notes = append(r.notes, Note{c.s.next(), c.s.o.Account, n.Text, n.Public})
	return map[string]any{c.s.o.NoteWrapper: map[string]any{"id": r.notes[len(r.notes)-1].ID, "show_to_requester": n.Public}}, nil
}

func (c *call) history() (any, error) {
	r, err := c.one()
	if err != nil {
		return nil, err
	}
	var all []any
	for _, e := range r.history {
		all = append(all, map[string]any{
			"id": e.id, "operation": "UPDATE", "by": e.by.view(), "time": stamped(e.at),
			"diff": []any{map[string]any{"field": e.field, "previous_value": e.from, "current_value": e.to}},
		})
	}
	return c.page("history", all)
}
