package freshworksstandin

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// standard are the fields beside those with a place of their own.
var standard = map[string][]string{
	"tickets": {
		"phone", "name", "group_id", "responder_id", "department_id", "category", "sub_category", "item_category", "impact", "urgency", "due_by", "fr_due_by",
		"source", "cc_emails", "company_id", "product_id",
	},
	"changes": {
		"group_id", "agent_id", "department_id", "category", "sub_category", "item_category", "impact", "risk", "change_type", "planned_start_date", "planned_end_date",
	},
}

// view is a record as the interface tells it.
func (x exchange) view(r *record) map[string]any {
	out := map[string]any{
		"id": r.id, "subject": r.subject, "description": r.description, "description_text": r.description, "status": r.status, "priority": r.priority,
		"requester_id": r.requester, "custom_fields": maps.Clone(r.custom), "created_at": r.created.Format(time.RFC3339), "updated_at": r.updated.Format(time.RFC3339),
		"attachments": []any{},
	}
	maps.Copy(out, r.standard)
	if x.opts.Service {
		out["workspace_id"] = r.workspace
		if r.kind == "changes" || r.typ == "Service Request" && !x.opts.NoRollUp {
			out["approval_status"] = r.rollUp()
		}
	}
	if r.kind == "tickets" {
		out["type"], out["tags"], out["spam"] = r.typ, append([]string{}, r.tags...), false
		if r.typ == "" {
			out["type"] = nil
		}
		if r.deleted {
			out["deleted"] = true
		}
	}
	return out
}

func (x exchange) one() string {
	if x.kind == "changes" {
		return "change"
	}
	return "ticket"
}

func (x exchange) create() {
	body, ok := x.body()
	if !ok {
		return
	}
	r := &record{kind: x.kind, workspace: primary, standard: map[string]any{}, custom: map[string]any{}, tags: []string{}}
	faults := x.apply(r, body, true)
	for _, name := range []string{"subject", "description", "priority", "status"} {
		if body[name] == nil || body[name] == "" {
			faults = append(faults, fault{name, "Mandatory field missing", "missing_field"})
		}
	}
	if r.requester == 0 {
		faults = append(faults, fault{"requester_id", "One of requester_id, phone, email must be filled", "missing_field"})
	}
	if x.kind == "tickets" {
		for _, f := range x.opts.Fields {
			if f.Required && r.custom[f.Name] == nil {
				faults = append(faults, fault{f.Name, "Mandatory field missing", "missing_field"})
			}
		}
	}
	if len(faults) > 0 {
		x.invalid(faults)
		return
	}
	x.add(r)
	x.w.Header().Set("Location", fmt.Sprintf("https://%s/api/v2/%s/%d", x.r.Host, x.kind, r.id))
	x.answer(http.StatusCreated, x.one(), x.view(r))
}

// add wants s.mu held.
func (s *Server) add(r *record) {
	r.id = s.number(r.kind)
	r.created = s.now()
	s.touch(r)
	s.records = append(s.records, r)
}

func (x exchange) read() {
	if r, ok := x.record(); ok {
		x.answer(http.StatusOK, x.one(), x.view(r))
	}
}

func (x exchange) update() {
	r, ok := x.record()
	if !ok {
		return
	}
	body, ok := x.body()
	if !ok {
		return
	}
	changed := *r
	changed.custom, changed.standard = maps.Clone(r.custom), maps.Clone(r.standard)
	faults := x.apply(&changed, body, false)
	if changed.kind == "tickets" && changed.status != r.status && (changed.status == 4 || changed.status == 5) {
		for _, f := range x.opts.Fields {
			if f.Closing && changed.custom[f.Name] == nil {
				faults = append(faults, fault{f.Name, "Mandatory field missing", "missing_field"})
			}
		}
	}
	if len(faults) > 0 {
		x.invalid(faults)
		return
	}
	*r = changed
	x.touch(r)
	x.answer(http.StatusOK, x.one(), x.view(r))
}

// apply sets what a body holds and tells what is wrong with it: every key the desk does not know is.
func (x exchange) apply(r *record, body map[string]any, opening bool) []fault {
	var faults []fault
	wrong := func(field, code string) { faults = append(faults, fault{field, "It should be a valid value", code}) }
	for _, name := range slices.Sorted(maps.Keys(body)) {
		v := body[name]
		switch name {
		case "subject", "description":
			text, ok := v.(string)
			if !ok || name == "subject" && len([]rune(text)) > 255 {
				wrong(name, "invalid_value")
			} else if name == "subject" {
				r.subject = text
			} else {
				r.description = text
			}
		case "priority", "status":
			n, ok := v.(float64)
			known := n >= 1 && n <= 4
			if name == "status" {
				known = slices.ContainsFunc(x.statuses(x.kind), func(s Status) bool { return s.Number == int(n) })
			}
			if !ok || !known {
				wrong(name, "invalid_value")
			} else if name == "status" {
				r.status = int(n)
			} else {
				r.priority = int(n)
			}
		case "requester_id":
			n, _ := v.(float64)
			r.requester = int64(n)
		case "email":
			mail, _ := v.(string)
			r.requester = x.person(mail)
		case "tags":
			r.tags = []string{}
			list, ok := v.([]any)
			for _, one := range list {
				tag, text := one.(string)
				ok = ok && text && len([]rune(tag)) <= 32
				r.tags = append(r.tags, tag)
			}
			if !ok || x.kind != "tickets" {
				wrong(name, "datatype_mismatch")
			}
		case "type":
			text, _ := v.(string)
			if !opening || x.kind != "tickets" || x.opts.Service && text != "Incident" {
				wrong(name, "invalid_value")
			}
			r.typ = text
		case "workspace_id":
			n, ok := v.(float64)
			if !ok || !opening || !x.opts.Service {
				wrong(name, "invalid_field")
			}
			r.workspace = int64(n)
		case "custom_fields":
			faults = append(faults, x.applyCustom(r, v)...)
		default:
			if !slices.Contains(standard[x.kind], name) {
				faults = append(faults, fault{name, "Unexpected/invalid field in request", "invalid_field"})
				continue
			}
			r.standard[name] = v
		}
	}
	return faults
}

func (x exchange) applyCustom(r *record, v any) []fault {
	fields, ok := v.(map[string]any)
	if !ok {
		return faultIn("custom_fields", "It should be a/an JSON", "datatype_mismatch")
	}
	var faults []fault
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		i := slices.IndexFunc(x.opts.Fields, func(f Field) bool { return f.Name == name })
		if i < 0 {
			faults = append(faults, fault{name, "Unexpected/invalid field in request", "invalid_field"})
			continue
		}
		text, isText := fields[name].(string)
		switch f := x.opts.Fields[i]; {
		case f.Type == "dropdown" && !slices.Contains(f.Choices, text):
			faults = append(faults, fault{name, fmt.Sprintf("It should be one of these values: %v", f.Choices), "invalid_value"})
		case f.Type == "text" && (!isText || len([]rune(text)) > 255):
			faults = append(faults, fault{name, "It should be a String of 255 characters at most", "invalid_value"})
		default:
			r.custom[name] = fields[name]
		}
	}
	return faults
}

// person is the account with that address; unknown addresses become requesters.
func (s *Server) person(mail string) int64 {
	if mail == "" {
		return 0
	}
	for _, a := range s.opts.Accounts {
		if a.Mail == mail {
			return a.ID
		}
	}
	return 900
}

// fields are told in the two forms the desks have for choices.
func (x exchange) fields() {
	kind := x.path[1] + "s"
	choices := func(all []Status) any {
		if !x.opts.Service {
			out := map[string][]string{}
			for _, one := range all {
				out[strconv.Itoa(one.Number)] = []string{one.Name, one.Name}
			}
			return out
		}
		out := []map[string]any{}
		for _, one := range all {
			out = append(out, map[string]any{"id": one.Number, "value": one.Name})
		}
		return out
	}
	field := func(name, kind string, custom, required bool, values any) map[string]any {
		f := map[string]any{"id": len(name), "name": name, "label": name, "required_for_agents": required, "choices": values}
		word, standard := "default_"+name, "default"
		if custom {
			word = "custom_" + kind
		}
		if x.opts.Service {
			f["field_type"], standard = word, "default_field"
		} else {
			f["type"] = word
		}
		f[standard] = !custom
		return f
	}
	out := []map[string]any{
		field("subject", "", false, true, []any{}), field("description", "", false, true, []any{}), field("status", "", false, true, choices(x.statuses(kind))),
	}
	for _, f := range x.opts.Fields {
		out = append(out, field(f.Name, f.Type, true, f.Required, append([]string{}, f.Choices...)))
	}
	x.answer(http.StatusOK, x.path[1]+"_fields", out)
}

func (x exchange) item() {
	id, _ := strconv.ParseInt(x.path[1], 10, 64)
	if !slices.Contains(x.opts.Items, id) {
		x.refuse(http.StatusNotFound, "", "")
		return
	}
	x.answer(http.StatusOK, "service_item", map[string]any{"id": 7000 + id, "display_id": id, "name": "Access"})
}

// place opens a service request. Its approval is asked for at once where the item wants one.
func (x exchange) place() {
	id, _ := strconv.ParseInt(x.path[1], 10, 64)
	if !slices.Contains(x.opts.Items, id) {
		x.refuse(http.StatusNotFound, "", "")
		return
	}
	body, ok := x.body()
	if !ok {
		return
	}
	for name := range body {
		if !slices.Contains([]string{"quantity", "requested_for", "email", "custom_fields"}, name) {
			x.invalid(faultIn(name, "Unexpected/invalid field in request", "invalid_field"))
			return
		}
	}
	mail, _ := body["email"].(string)
	custom, _ := body["custom_fields"].(map[string]any)
	if mail == "" || body["quantity"] == nil {
		x.invalid(faultIn("email", "Mandatory field missing", "missing_field"))
		return
	}
	r := &record{
		kind: "tickets", typ: "Service Request", workspace: primary, requester: x.person(mail), subject: "Request for " + mail + " : Access",
		status: 2, priority: 1, standard: map[string]any{}, custom: map[string]any{}, item: custom, tags: []string{},
	}
	x.add(r)
	x.answer(http.StatusCreated, "service_request", x.view(r))
}

func (x exchange) requestedItems() {
	r, ok := x.record()
	if !ok {
		return
	}
	items := []any{}
	if r.typ == "Service Request" {
		items = append(items, map[string]any{"id": 5000 + r.id, "quantity": 1, "custom_fields": r.item})
	}
	x.answer(http.StatusOK, "requested_items", items)
}
