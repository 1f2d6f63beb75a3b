package epmstandin

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
<title>EPM stand-in</title>
<style>
body{font:16px/1.5 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem;color:#1b2733;background:#fbfbf9}
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.4rem .6rem;border-bottom:1px solid #d8dcd9;vertical-align:top}
form.raise{display:flex;flex-wrap:wrap;gap:.8rem;align-items:end;margin:1rem 0}label{display:block;font-size:.85rem}
input{font:inherit;padding:.25rem .4rem}button{font:inherit;padding:.25rem .8rem;cursor:pointer}
.note{background:#fff4d6;padding:.6rem 1rem;border-left:4px solid #c98a00}.Approved{color:#146c2e}.Denied{color:#a11d1d}code{font-size:.85em}
</style>
</head>
<body>
<h1>EPM stand-in</h1>
<p class="note">This is a stand-in, not BeyondTrust EPM. It keeps everything in memory and sends webhooks like those a tenant sends.</p>
<p>Webhooks waiting: {{.Queued}}</p>
<h2>Ask for an application</h2>
<form class="raise" method="post" action="requests">
<input type="hidden" name="form" value="{{.Form}}"><input type="hidden" name="kind" value="application">
<label>User<br><input name="user" value="CORP\ana" required maxlength="200"></label>
<label>Product<br><input name="product" value="ACME Tool" required maxlength="200"></label>
<label>Reason<br><input name="reason" value="install driver" required maxlength="2000" size="40"></label>
<button>Ask</button>
</form>
<h2>Ask for administrator rights</h2>
<form class="raise" method="post" action="requests">
<input type="hidden" name="form" value="{{.Form}}"><input type="hidden" name="kind" value="admin">
<label>User<br><input name="user" value="CORP\ana" required maxlength="200"></label>
<label>Computer<br><input name="product" value="PC-7" required maxlength="200"></label>
<label>Reason<br><input name="reason" value="set up printer" required maxlength="2000" size="40"></label>
<button>Ask</button>
</form>
<h2>Requests</h2>
{{if .Requests}}<table>
<thead><tr><th scope="col">Number</th><th scope="col">For</th><th scope="col">User</th><th scope="col">Reason</th><th scope="col">State</th><th scope="col">Decide in the console</th></tr></thead>
<tbody>{{range .Requests}}
<tr><td>{{.Number}}<br><code>{{.ID}}</code></td><td>{{.What}}</td><td>{{.Who}}</td><td>{{.Why}}</td>
<td class="{{.State}}">{{.State}}{{if .By}}<br>by {{.By}}{{end}}{{if .TicketID}}<br>ticket {{.TicketID}}{{end}}</td>
<td>{{if .Open}}<form method="post" action="decisions"><input type="hidden" name="form" value="{{$.Form}}"><input type="hidden" name="request" value="{{.ID}}">
<button name="decision" value="Approved" aria-label="Approve {{.Number}}">Approve</button> <button name="decision" value="Denied" aria-label="Deny {{.Number}}">Deny</button></form>{{end}}</td></tr>{{end}}
</tbody></table>{{else}}<p>None yet.</p>{{end}}
</body>
</html>
`))

type row struct {
	Request
	What, Who, Why string
	Open           bool
}

// page lists the requests, newest first, with forms to make and decide them.
func (s *Server) page(w http.ResponseWriter, _ *http.Request) {
	var rows []row
	for _, r := range slices.Backward(s.Requests()) {
		v := r.Variables
		line := row{Request: r, What: or(v["ProductName"], v["FilePathObjectId"]), Who: v["User"], Why: v["Reason"], Open: r.State == Pending}
		if r.Admin {
			line.What, line.Who = "administrator rights on "+v["ComputerId"], v["UserName"]
		}
		rows = append(rows, line)
	}
	var page strings.Builder
	err := pageTemplate.Execute(&page, map[string]any{"Form": s.form, "Queued": s.Queued(), "Requests": rows})
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

// ours reads a form that came from our own page.
func (s *Server) ours(w http.ResponseWriter, r *http.Request) bool {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if err := r.ParseForm(); err != nil || !same(r.PostForm.Get("form"), s.form) {
		http.Error(w, "the form is not from this page; load the page again", http.StatusForbidden)
		return false
	}
	return true
}

// raise makes a request from the page.
func (s *Server) raise(w http.ResponseWriter, r *http.Request) {
	if !s.ours(w, r) {
		return
	}
	user, product, reason := r.PostForm.Get("user"), r.PostForm.Get("product"), r.PostForm.Get("reason")
	if r.PostForm.Get("kind") == "admin" {
		s.RequestAdmin(AdminRequest{UserName: user, ComputerID: product, Reason: reason, Duration: time.Hour})
	} else {
		s.RequestApplication(AppRequest{
			User: user, ProductName: product, Reason: reason, Hostname: "PC-7", Publisher: "ACME Ltd",
			FilePath: `C:\tools\acme.exe`, ComputerGroup: "Office",
		})
	}
	back(w)
}

// console decides a request from the page.
func (s *Server) console(w http.ResponseWriter, r *http.Request) {
	if !s.ours(w, r) {
		return
	}
	err := s.DecideInConsole(r.PostForm.Get("request"), State(r.PostForm.Get("decision")), "console@corp.example")
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
