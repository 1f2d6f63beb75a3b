package freshworksstandin

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

type note struct {
	id       int64
	user     int64 // 0: a rule
	body     string
	private  bool
	incoming bool
	source   int
	files    []file
	created  time.Time
	updated  time.Time
	edited   bool
}

type file struct {
	id   int64
	name string
	size int64
}

// viewNote is a note as the interface tells it.
func (x exchange) viewNote(r *record, n *note) map[string]any {
	files := []any{}
	for _, f := range n.files {
		files = append(files, map[string]any{"id": f.id, "name": f.name, "size": f.size, "content_type": "text/plain", "created_at": n.created.Format(time.RFC3339)})
	}
	out := map[string]any{
		"id": n.id, "body": "<div>" + n.body + "</div>", "body_text": n.body, "created_at": n.created.Format(time.RFC3339), "updated_at": n.updated.Format(time.RFC3339),
		"attachments": files, "user_id": n.user,
	}
	if n.user == 0 {
		out["user_id"] = nil
	}
	if r.kind == "changes" {
		return out
	}
	out["incoming"], out["private"], out["source"], out["ticket_id"] = n.incoming, n.private, n.source, r.id
	if !x.opts.Service {
		out["last_edited_at"] = nil
		if n.edited {
			out["last_edited_at"] = n.updated.Format(time.RFC3339)
		}
	}
	return out
}

// keep wants s.mu held.
func (s *Server) keep(r *record, n *note) *note {
	n.id = 1000 + s.number("notes")
	n.created = s.now()
	n.updated = n.created
	for i := range n.files {
		n.files[i].id = 2000 + s.number("files")
	}
	r.notes = append(r.notes, n)
	s.touch(r)
	return n
}

const maxForm = 64 << 20

func (x exchange) note() {
	r, ok := x.record()
	if !ok {
		return
	}
	n := &note{user: x.who.ID, private: true, source: 2}
	if strings.HasPrefix(x.r.Header.Get("Content-Type"), "multipart/form-data") {
		if x.r.ParseMultipartForm(maxForm) != nil {
			x.refuse(http.StatusBadRequest, "invalid_json", "The form cannot be read.")
			return
		}
		n.body, n.private = x.r.FormValue("body"), x.r.FormValue("private") != "false"
		for _, f := range x.r.MultipartForm.File["attachments[]"] {
			n.files = append(n.files, file{name: f.Filename, size: f.Size})
		}
	} else {
		body, ok := x.body()
		if !ok {
			return
		}
		for name := range body {
			if !slices.Contains([]string{"body", "private", "notify_emails", "incoming", "user_id"}, name) || r.kind == "changes" && name != "body" {
				x.invalid(faultIn(name, "Unexpected/invalid field in request", "invalid_field"))
				return
			}
		}
		n.body, _ = body["body"].(string)
		if private, ok := body["private"].(bool); ok {
			n.private = private
		}
		if user, ok := body["user_id"].(float64); ok { // whoever may write notes may do so in another's name
			n.user = int64(user)
		}
	}
	if n.body == "" {
		x.invalid(faultIn("body", "Mandatory field missing", "missing_field"))
		return
	}
	wrapper := "conversation"
	if r.kind == "changes" {
		wrapper = "note"
	}
	x.answer(http.StatusCreated, wrapper, x.viewNote(r, x.keep(r, n)))
}

func (x exchange) notes() {
	r, ok := x.record()
	if !ok {
		return
	}
	out := []map[string]any{}
	for _, n := range r.notes {
		out = append(out, x.viewNote(r, n))
	}
	wrapper := "conversations"
	if r.kind == "changes" {
		wrapper = "notes"
	}
	if items, ok := page(x, out, 30); ok {
		x.answer(http.StatusOK, wrapper, items)
	}
}
