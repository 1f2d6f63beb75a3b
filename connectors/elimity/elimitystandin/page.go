package elimitystandin

import (
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

var pageTemplate = template.Must(template.New("page").Parse(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Elimity stand-in</title>
<style>
body{font:16px/1.5 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem;color:#1b2733;background:#fbfbf9}
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.4rem .6rem;border-bottom:1px solid #d8dcd9;vertical-align:top}
form.raise{display:flex;flex-wrap:wrap;gap:.8rem;align-items:end;margin:1rem 0}label{display:block;font-size:.85rem}
input,select{font:inherit;padding:.25rem .4rem}button{font:inherit;padding:.25rem .8rem;cursor:pointer}
.note{background:#fff4d6;padding:.6rem 1rem;border-left:4px solid #c98a00}code{font-size:.85em}
</style>
</head>
<body>
<h1>Elimity stand-in</h1>
<p class="note">This is a stand-in, not Elimity Insights. It keeps everything in memory and sends webhooks like those a server sends.</p>
<p>Webhooks waiting: {{.Queued}}</p>
<h2>Ask for a change</h2>
<form class="raise" method="post" action="requests">
<input type="hidden" name="form" value="{{.Form}}">
<label>Change<br><select name="do">
<option value="remove">Remove Bo from HR</option>
<option value="unlink">Remove SAP_ALL from Ana</option>
<option value="assign">Set Ana's department to Finance</option>
<option value="review">Submit a review: take SAP_ALL from Ana, give SAP_CLERK to Bo, remove a row</option>
</select></label>
<label>By<br><input name="by" value="lee@corp.example" required maxlength="200"></label>
<label>Comment<br><input name="comment" value="left the company" required maxlength="2000" size="36"></label>
<button>Ask</button>
</form>
<h2>Change requests</h2>
{{if .Requests}}<table>
<thead><tr><th scope="col">What</th><th scope="col">By</th><th scope="col">Comment</th><th scope="col">At the source</th></tr></thead>
<tbody>{{range .Requests}}
<tr><td>{{.What}}<br><code>{{.Type}}</code></td><td>{{.By}}</td><td>{{.Comment}}</td>
<td>{{if .Done}}carried out{{else}}<form method="post" action="requests"><input type="hidden" name="form" value="{{$.Form}}"><input type="hidden" name="n" value="{{.N}}">
<button name="do" value="carry-out" aria-label="Carry out: {{.What}}">Carry out and reload</button></form>{{end}}</td></tr>{{end}}
</tbody></table>{{else}}<p>None yet.</p>{{end}}
<h2>Connector log of the journal source</h2>
{{if .Log}}<ul>{{range .Log}}<li>{{.Timestamp.Format "2006-01-02 15:04:05"}} {{.Level}}: {{.Message}}</li>{{end}}</ul>{{else}}<p>Empty.</p>{{end}}
</body>
</html>
`))

// page lists the change requests, newest first, with forms to make them and carry them out.
func (s *Server) page(w http.ResponseWriter, _ *http.Request) {
	requests := s.Requests()
	slices.Reverse(requests)
	var page strings.Builder
	err := pageTemplate.Execute(&page, map[string]any{"Form": s.form, "Queued": s.Queued(), "Requests": requests, "Log": s.Log()})
	if err != nil {
		http.Error(w, "the page cannot be shown", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write([]byte(page.String()))
}

// act does what a form of our own page asks for.
func (s *Server) act(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if err := r.ParseForm(); err != nil || !same(r.PostForm.Get("form"), s.form) {
		http.Error(w, "the form is not from this page; load the page again", http.StatusForbidden)
		return
	}
	by, comment := r.PostForm.Get("by"), r.PostForm.Get("comment")
	switch r.PostForm.Get("do") {
	case "remove":
		s.RemoveEntity(by, comment, Bo)
	case "unlink":
		s.RemoveRelationship(by, comment, Ana, Admin)
	case "assign":
		s.AssignText(by, comment, Ana, "department", "Department", "Finance")
	case "review":
		s.SubmitReview(SampleReview(by, comment))
	case "carry-out":
		n, _ := strconv.Atoi(r.PostForm.Get("n"))
		if err := s.CarryOut(n); err != nil {
			http.Error(w, err.Error(), http.StatusConflict)
			return
		}
		s.reloadAll()
	default:
		http.Error(w, "there is no such change", http.StatusBadRequest)
		return
	}
	w.Header().Set("Location", "./")
	w.WriteHeader(http.StatusSeeOther)
}

func (s *Server) reloadAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range s.sources {
		s.reload(one)
	}
}

// SampleReview is a review that takes SAP_ALL from Ana, gives SAP_CLERK to Bo and removes a row that is gone already.
func SampleReview(by, comment string) Review {
	return Review{
		By: by, Comment: comment, Campaign: "Q1 SAP", CreatedBy: "owner@corp.example",
		Changes: []RelationshipChange{
			{Operation: "remove", Row: Ana, Column: Admin, Comment: "not needed"},
			{Operation: "add", Row: Bo, Column: Clerk, Comment: "new duties"},
		},
		Removals: []RowRemoval{{Entity: Entity{"u-7", "Cem", 4, "HR", "person"}, Comment: "contract ended"}},
	}
}
