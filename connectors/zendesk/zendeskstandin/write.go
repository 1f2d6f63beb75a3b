package zendeskstandin

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// idempotent is the answer of a create with an Idempotency-Key.
type idempotent struct {
	body   [32]byte
	answer json.RawMessage
	at     time.Time
}

type upload struct {
	name, kind string
	size       int64
}

// known are the members of a ticket that this stand-in takes.
var known = []string{
	"subject", "priority", "type", "status", "custom_status_id", "external_id", "group_id", "assignee_id", "brand_id", "due_at", "organization_id",
	"problem_id", "requester", "requester_id", "ticket_form_id", "custom_fields", "submitter_id", "tags", "comment", "safe_update", "updated_stamp",
}

func decode(body []byte) (map[string]any, *answer) {
	var in struct {
		Ticket map[string]any `json:"ticket"`
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	if err := decoder.Decode(&in); err != nil || in.Ticket == nil {
		a := refusal(http.StatusBadRequest, "InvalidRequest", "the body holds no ticket")
		return nil, &a
	}
	for _, name := range slices.Sorted(maps.Keys(in.Ticket)) {
		if !slices.Contains(known, name) {
			a := invalid(name, name+" is no field of a ticket")
			return nil, &a
		}
	}
	return in.Ticket, nil
}

func (s *Server) create(r request) answer {
	key, sum := r.Header.Get("Idempotency-Key"), sha256.Sum256(r.body)
	if len(key) > 255 {
		return refusal(http.StatusBadRequest, "IdempotentRequestError", "the key is too long")
	}
	if before, ok := s.keys[key]; ok && key != "" && s.o.Now().Sub(before.at) < 2*time.Hour {
		if before.body != sum {
			return refusal(http.StatusBadRequest, "IdempotentRequestError", "Request parameters don't match the idempotency key's first use")
		}
		return answer{status: http.StatusCreated, body: before.answer, header: http.Header{"X-Idempotency-Lookup": {"hit"}}}
	}
	in, fault := decode(r.body)
	if fault != nil {
		return *fault
	}
	if _, ok := in["comment"].(map[string]any); !ok {
		return invalid("base", "Description: cannot be blank")
	}
	submitter := s.submitter(in)
	delete(in, "submitter_id")
	t := &ticket{id: s.id(), submitter: submitter, fields: map[string]any{"requester_id": Bridge}, custom: map[int64]any{}, created: s.o.Now().UTC().Truncate(time.Second)}
	a := s.audit(t, way{submitter, "api", ""})
	s.setStatus(t, a, "Create", "new", 1)
	if fault := s.apply(t, a, "Create", in); fault != nil {
		return *fault
	}
	s.tickets = append(s.tickets, t)
	s.touch(t)
	s.notify(t, Bridge, "created", nil)
	body, err := json.Marshal(map[string]any{"ticket": s.view(t), "audit": a})
	if err != nil {
		return refusal(http.StatusInternalServerError, "Internal", err.Error())
	}
	if key != "" {
		s.keys[key] = idempotent{sum, body, s.o.Now()}
	}
	return answer{status: http.StatusCreated, body: json.RawMessage(body), header: http.Header{
		"X-Idempotency-Lookup": {"miss"}, "Location": {fmt.Sprintf("https://example.zendesk.com/api/v2/tickets/%d.json", t.id)},
	}}
}

// submitter is who a new ticket is from: whom it names, or else the requester. The first comment is theirs.
func (s *Server) submitter(in map[string]any) int64 {
	if v, ok := in["submitter_id"]; ok {
		return numberOf(v)
	}
	if v, ok := in["requester_id"]; ok {
		return numberOf(v)
	}
	if m, ok := in["requester"].(map[string]any); ok {
		for _, p := range s.o.People {
			if p.Mail == m["email"] {
				return p.ID
			}
		}
	}
	return Bridge
}

func (s *Server) update(r request) answer {
	id, _ := strconv.ParseInt(r.PathValue("id"), 10, 64)
	t := s.find(id)
	if t == nil {
		return notFound()
	}
	in, fault := decode(r.body)
	if fault != nil {
		return *fault
	}
	if t.fields["status"] == "closed" {
		return invalid("status", "Status: closed prevents ticket update")
	}
	if in["safe_update"] == true {
		stamp, err := time.Parse(time.RFC3339, fmt.Sprint(in["updated_stamp"]))
		if err != nil {
			return invalid("updated_stamp", "Updated stamp: is required")
		}
		if t.updated.After(stamp) {
			return refusal(http.StatusConflict, "UpdateConflict", "Safe Update prevented the update due to outdated ticket data")
		}
	}
	before := *t
	before.fields, before.custom, before.audits = maps.Clone(t.fields), maps.Clone(t.custom), slices.Clone(t.audits)
	a := s.audit(t, way{Bridge, "api", ""})
	if fault := s.apply(t, a, "Change", in); fault != nil {
		*t = before
		return *fault
	}
	s.done(t, a, Bridge)
	return ok(map[string]any{"ticket": s.view(t), "audit": a})
}

// done stamps an update and tells of it.
func (s *Server) done(t *ticket, a map[string]any, by int64) {
	s.touch(t)
	for _, e := range a["events"].([]map[string]any) {
		switch {
		case e["type"] == "Comment":
			s.notify(t, by, "comment_added", e)
		case e["field_name"] == "status":
			s.notify(t, by, "status_changed", e)
		case e["field_name"] == "custom_status_id":
			s.notify(t, by, "custom_status_changed", e)
		case e["type"] == "Change":
			s.notify(t, by, "custom_field_changed", e)
		}
	}
}

// apply makes the changes of one call.
func (s *Server) apply(t *ticket, a map[string]any, kind string, in map[string]any) *answer {
	refuse := func(field, description string) *answer {
		a := invalid(field, description)
		return &a
	}
	for _, name := range slices.Sorted(maps.Keys(in)) {
		switch v := in[name]; name {
		case "comment", "safe_update", "updated_stamp", "status", "custom_status_id":
		case "custom_fields":
			for _, one := range v.([]any) {
				f := one.(map[string]any)
				id, err := f["id"].(json.Number).Int64()
				if err != nil || s.fieldKinds[id] == "" {
					continue // Zendesk says nothing either
				}
				if s.fieldKinds[id] == "tagger" && !slices.Contains([]any{nil, "pending", "approved", "denied"}, f["value"]) {
					return refuse("base", "Approval: "+fmt.Sprint(f["value"])+" is invalid")
				}
				s.setCustom(t, a, kind, id, f["value"])
			}
		case "tags":
			var tags []string
			for _, one := range v.([]any) {
				tags = append(tags, one.(string))
			}
			if fault := badTags(tags); fault != nil {
				return fault
			}
			s.setTags(t, a, kind, tags)
		case "requester":
			m, _ := v.(map[string]any)
			for _, p := range s.o.People {
				if p.Mail == m["email"] {
					s.set(t, a, kind, "requester_id", p.ID)
				}
			}
		case "priority":
			if !slices.Contains([]any{"urgent", "high", "normal", "low"}, v) {
				return refuse(name, "Priority: "+fmt.Sprint(v)+" is not valid")
			}
			s.set(t, a, kind, name, v)
		case "type":
			if !slices.Contains([]any{"question", "incident", "problem", "task"}, v) {
				return refuse(name, "Type: "+fmt.Sprint(v)+" is not valid")
			}
			s.set(t, a, kind, name, v)
		case "subject":
			if text, ok := v.(string); !ok || len([]rune(text)) > 150 {
				return refuse(name, "Subject: is too long")
			}
			s.set(t, a, kind, name, placed(v.(string)))
		case "group_id":
			id := numberOf(v)
			if !slices.ContainsFunc(groups(), func(g map[string]any) bool { return int64(g["id"].(int)) == id }) {
				return refuse("group", "Group: is invalid")
			}
			s.set(t, a, kind, name, id)
		default:
			if n, ok := v.(json.Number); ok {
				v = numberOf(n)
			}
			s.set(t, a, kind, name, v)
		}
	}
	if fault := s.applyStatus(t, a, kind, in); fault != nil {
		return fault
	}
	if c, ok := in["comment"].(map[string]any); ok {
		return s.comment(t, a, way{a["author_id"].(int64), "api", ""}, c)
	}
	return nil
}

func numberOf(v any) int64 {
	n, _ := strconv.ParseInt(fmt.Sprint(v), 10, 64)
	return n
}

func (s *Server) applyStatus(t *ticket, a map[string]any, kind string, in map[string]any) *answer {
	category, custom := "", int64(0)
	if v, ok := in["custom_status_id"]; ok && !s.o.NoCustomStatuses {
		custom = numberOf(v)
		for _, c := range customStatuses() {
			if c.ID == custom {
				category = c.Category
			}
		}
		if category == "" {
			fault := invalid("custom_status_id", "Custom status: is invalid")
			return &fault
		}
	} else if v, ok := in["status"].(string); ok {
		category, custom = v, defaultStatus(v)
		if !slices.Contains([]string{"new", "open", "pending", "hold", "solved", "closed"}, v) {
			fault := invalid("status", "Status: "+v+" is not valid")
			return &fault
		}
	}
	if category == "" {
		return nil
	}
	if category == "solved" && s.o.RequiredOnSolve && (t.custom[360003] == nil || t.custom[360003] == "") {
		fault := invalid("base", "Resolution: is required when solving a ticket")
		return &fault
	}
	s.setStatus(t, a, kind, category, custom)
	return nil
}

// comment adds a comment: public unless it says otherwise.
func (s *Server) comment(t *ticket, a map[string]any, by way, c map[string]any) *answer {
	refuse := func(description string) *answer {
		a := invalid("comment", description)
		return &a
	}
	source, _ := c["html_body"].(string)
	if source == "" {
		source, _ = c["body"].(string)
	}
	if strings.TrimSpace(source) == "" || len(source) > 65535 {
		return refuse("Comment: is empty or too long")
	}
	public := true
	if v, ok := c["public"].(bool); ok {
		public = v
	}
	attachments := []map[string]any{}
	if tokens, ok := c["uploads"].([]any); ok {
		for _, token := range tokens {
			u, ok := s.uploads[token.(string)]
			if !ok {
				return refuse("Comment: an upload token is invalid")
			}
			delete(s.uploads, token.(string))
			attachments = append(attachments, map[string]any{"id": s.id(), "file_name": u.name, "size": u.size, "content_type": u.kind})
		}
	}
	source = placed(source)
	s.event(a, "Comment", map[string]any{
		"author_id": by.author, "html_body": source, "body": plainText(source), "public": public, "attachments": attachments,
	})
	if len(t.audits) == 1 && t.text == "" {
		t.text = plainText(source)
	}
	return nil
}

func badTags(tags []string) *answer {
	for _, tag := range tags {
		if tag == "" || len([]rune(tag)) > 255 || strings.ContainsFunc(tag, func(r rune) bool {
			return unicode.IsSpace(r) || unicode.IsUpper(r) || strings.ContainsRune(`,;"'!?&@#$%^*()`, r)
		}) {
			a := invalid("tags", "Tags: contain an invalid character")
			return &a
		}
	}
	return nil
}

func (s *Server) addTags(r request) answer {
	id, _ := strconv.ParseInt(r.PathValue("id"), 10, 64)
	t := s.find(id)
	if t == nil {
		return notFound()
	}
	var in struct{ Tags []string }
	if json.Unmarshal(r.body, &in) != nil {
		return refusal(http.StatusBadRequest, "InvalidRequest", "no tags")
	}
	if fault := badTags(in.Tags); fault != nil {
		return *fault
	}
	all := slices.Clone(t.tags)
	for _, tag := range in.Tags {
		if !slices.Contains(all, tag) {
			all = append(all, tag)
		}
	}
	a := s.audit(t, way{Bridge, "api", ""})
	s.setTags(t, a, "Change", all)
	s.done(t, a, Bridge)
	return ok(map[string]any{"tags": t.tags})
}

var fileName = regexp.MustCompile(`^[^/\\]{1,255}$`)

func (s *Server) upload(r request) answer {
	name := r.URL.Query().Get("filename")
	if !fileName.MatchString(name) || len(r.body) == 0 || len(r.body) > 50<<20 {
		return invalid("base", "Attachment: is invalid")
	}
	token := fmt.Sprintf("upload-%d", s.id())
	s.uploads[token] = upload{name, r.Header.Get("Content-Type"), int64(len(r.body))}
	return answer{status: http.StatusCreated, body: map[string]any{"upload": map[string]any{"token": token}}}
}
