package aponostandin

import (
	"html/template"
	"net/http"
	"slices"
	"strings"
	"time"
)

var pageTemplate = template.Must(template.New("page").Parse(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Apono stand-in</title>
<style>
body{font:16px/1.5 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem;color:#1b2733;background:#fbfbf9}
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.4rem .6rem;border-bottom:1px solid #d8dcd9;vertical-align:top}
form.raise{display:flex;flex-wrap:wrap;gap:.8rem;align-items:end;margin:1rem 0}label{display:block;font-size:.85rem}
input,select{font:inherit;padding:.25rem .4rem}button{font:inherit;padding:.25rem .8rem;cursor:pointer}
.note{background:#fff4d6;padding:.6rem 1rem;border-left:4px solid #c98a00}.GRANTED{color:#146c2e}.REJECTED,.FAILED{color:#a11d1d}code{font-size:.85em}
</style>
</head>
<body>
<h1>Apono stand-in</h1>
<p class="note">This is a stand-in, not Apono. It keeps everything in memory and sends webhooks like those an account sends.</p>
<p>Webhooks waiting: {{.Queued}}</p>
<h2>Ask for access</h2>
<form class="raise" method="post" action="requests">
<input type="hidden" name="form" value="{{.Form}}">
<label>Name<br><input name="name" value="Ana Silva" required maxlength="200"></label>
<label>Address<br><input name="email" type="email" value="ana@corp.example" required maxlength="200"></label>
<label>Permission<br><input name="permission" value="Read" required maxlength="200"></label>
<label>Resource<br><input name="resource" value="orders" required maxlength="200"></label>
<label>Reason<br><input name="reason" value="check a customer's order" required maxlength="2000" size="40"></label>
<label>Access flow<br><select name="flow">
<option value="any">one approver</option><option value="all">two approvers</option><option value="webhook">manual webhook</option>
</select></label>
<button>Ask</button>
</form>
<h2>Requests</h2>
{{if .Requests}}<table>
<thead><tr><th scope="col">Number</th><th scope="col">For</th><th scope="col">By</th><th scope="col">Reason</th><th scope="col">State</th><th scope="col">In Apono itself</th></tr></thead>
<tbody>{{range .Requests}}
<tr><td>{{.FriendlyID}}<br><code>{{.ID}}</code></td><td>{{.What}}</td><td>{{.Requester.Name}}</td><td>{{.Justification}}</td>
<td><span class="{{.State}}">{{.State}}</span>{{range .Approvals}}<br>{{.Approver.Name}}: {{.Status}}{{end}}{{if .BehindWebhook}}<br>asked {{.Asked}} times{{end}}</td>
<td><form method="post" action="actions"><input type="hidden" name="form" value="{{$.Form}}"><input type="hidden" name="request" value="{{.ID}}">
{{if .Open}}{{if .BehindWebhook}}<button name="action" value="ask" aria-label="Ask again for {{.FriendlyID}}">Ask again</button>{{else}}<button name="action" value="approve" aria-label="Approve {{.FriendlyID}}">Approve</button> <button name="action" value="reject" aria-label="Reject {{.FriendlyID}}">Reject</button>{{end}}{{end}}
{{if .Running}}<button name="action" value="expire" aria-label="Let {{.FriendlyID}} expire">Expire</button>{{end}}</form></td></tr>{{end}}
</tbody></table>{{else}}<p>None yet.</p>{{end}}
</body>
</html>
`))

type row struct {
	Request
	What          string
	Open, Running bool
}

// page lists the requests, newest first, with forms to make and decide them.
func (s *Server) page(w http.ResponseWriter, _ *http.Request) {
	var rows []row
	for _, r := range slices.Backward(s.Requests()) {
		var what []string
		for _, x := range r.Resources {
			what = append(what, x.Permission+" on "+x.Name)
		}
		rows = append(rows, row{Request: r, What: strings.Join(what, ", "), Open: r.State == Pending, Running: r.State == Pending || r.State == Granted || r.State == Revoking})
	}
	var page strings.Builder
	if err := pageTemplate.Execute(&page, map[string]any{"Form": s.form, "Queued": s.Queued(), "Requests": rows}); err != nil {
		http.Error(w, "the page cannot be shown", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write([]byte(page.String()))
}

// ours reads a form that came from our own page.
func (s *Server) ours(w http.ResponseWriter, r *http.Request) bool {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if err := r.ParseForm(); err != nil || !same(r.PostForm.Get("form"), s.form) {
		http.Error(w, "the form is not from this page; load the page again", http.StatusForbidden)
		return false
	}
	return true
}

// dana is the second approver of requests made on the page.
var dana = Person{"user-dana", "Dana Cruz", "dana@corp.example"}

// raise makes a request from the page.
func (s *Server) raise(w http.ResponseWriter, r *http.Request) {
	if !s.ours(w, r) {
		return
	}
	get := r.PostForm.Get
	a := AccessRequest{
		Requester:     Person{"user-" + get("email"), get("name"), get("email")},
		Justification: get("reason"), Integration: "Production", Type: "Postgresql", Duration: time.Hour,
		Resources: []Resource{{Name: get("resource"), Type: "Database", Permission: get("permission")}},
		Approvers: []Person{s.options.User, dana},
	}
	switch get("flow") {
	case "all":
		a.Relation = AllOf
	case "webhook":
		a.BehindWebhook, a.Approvers = true, nil
	}
	s.Request(a)
	back(w)
}

// act does from the page what people do in Apono itself; the second approver answers.
func (s *Server) act(w http.ResponseWriter, r *http.Request) {
	if !s.ours(w, r) {
		return
	}
	id, err := r.PostForm.Get("request"), error(nil)
	switch r.PostForm.Get("action") {
	case "approve":
		err = s.ApproveInPortal(id, dana.Email)
	case "reject":
		err = s.RejectInPortal(id, dana.Email)
	case "expire":
		err = s.Expire(id)
	case "ask":
		s.AskAgain()
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusConflict)
		return
	}
	back(w)
}

// back leads to the list, wherever the stand-in is mounted.
func back(w http.ResponseWriter) {
	w.Header().Set("Location", "./")
	w.WriteHeader(http.StatusSeeOther)
}
