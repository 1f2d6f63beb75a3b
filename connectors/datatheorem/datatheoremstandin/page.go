package datatheoremstandin

import (
	"html/template"
	"net/http"
	"slices"
	"strings"
)

var pageTemplate = template.Must(template.New("page").Parse(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Data Theorem stand-in</title>
<style>
body{font:16px/1.5 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem;color:#1b2733;background:#fbfbf9}
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.4rem .6rem;border-bottom:1px solid #d8dcd9;vertical-align:top}
form.raise{display:flex;flex-wrap:wrap;gap:.8rem;align-items:end;margin:1rem 0}label{display:block;font-size:.85rem}
input,select{font:inherit;padding:.25rem .4rem}button{font:inherit;padding:.25rem .8rem;cursor:pointer}
.note{background:#fff4d6;padding:.6rem 1rem;border-left:4px solid #c98a00}code{font-size:.85em}
</style>
</head>
<body>
<h1>Data Theorem stand-in</h1>
<p class="note">This is a stand-in, not Data Theorem. It keeps everything in memory and sends webhooks like those an account sends. The names of most event types are not documented and are guesses here.</p>
<p>Webhooks waiting: {{.Queued}}</p>
<h2>Find a violation</h2>
<form class="raise" method="post" action="events">
<input type="hidden" name="form" value="{{.Form}}">
<label>Host<br><input name="host" value="shop.example" required maxlength="200"></label>
<label>Relevance<br><input name="relevance" value="IMPORTANT" required maxlength="60"></label>
<label>Description<br><input name="description" value="The certificate ends in less than 30 days." required maxlength="2000" size="44"></label>
<button name="do" value="open">Find</button>
</form>
<h2>Send something else</h2>
<form class="raise" method="post" action="events">
<input type="hidden" name="form" value="{{.Form}}">
<label>Event<br><select name="do">
<option value="check">Connectivity check</option>
<option value="example">The documented example</option>
<option value="discover">Network service discovered</option>
<option value="target">Mobile finding</option>
<option value="login">Login failed</option>
<option value="protect">Mobile Protect event</option>
</select></label>
<button>Send</button>
</form>
<h2>Violations</h2>
{{if .Violations}}<table>
<thead><tr><th scope="col">Asset</th><th scope="col">What</th><th scope="col">Status</th><th scope="col">In the portal</th></tr></thead>
<tbody>{{range .Violations}}
<tr><td>{{.Asset}}<br><code>{{.ID}}</code></td><td>{{.Description}}</td><td>{{.Status}}{{if .Exception}}<br>{{.Exception}}{{end}}</td>
<td><form method="post" action="events"><input type="hidden" name="form" value="{{$.Form}}"><input type="hidden" name="id" value="{{.ID}}">
{{if eq .Status "OPEN"}}<button name="do" value="resolve" aria-label="Resolve {{.Asset}}">Resolve</button> <button name="do" value="dismiss" aria-label="Won't fix {{.Asset}}">Won't fix</button>{{else}}<button name="do" value="reopen" aria-label="Open {{.Asset}} again">Open again</button>{{end}}</form></td></tr>{{end}}
</tbody></table>{{else}}<p>None yet.</p>{{end}}
</body>
</html>
`))

// page lists the violations, newest first, with forms to make and change them.
func (s *Server) page(w http.ResponseWriter, _ *http.Request) {
	violations := s.Violations()
	slices.Reverse(violations)
	var page strings.Builder
	err := pageTemplate.Execute(&page, map[string]any{"Form": s.form, "Queued": s.Queued(), "Violations": violations})
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
	var err error
	id := r.PostForm.Get("id")
	switch r.PostForm.Get("do") {
	case "open":
		s.OpenViolation(Violation{Asset: r.PostForm.Get("host"), Relevance: r.PostForm.Get("relevance"), Description: r.PostForm.Get("description")})
	case "resolve":
		err = s.Resolve(id)
	case "dismiss":
		err = s.Dismiss(id, "accepted until the next release")
	case "reopen":
		err = s.Reopen(id)
	case "check":
		s.TestConnectivity()
	case "example":
		s.SendExample()
	case "discover":
		s.DiscoverService("new.shop.example")
	case "target":
		s.OpenTarget("app-1", "Backups hold a session token")
	case "login":
		s.Login("ana@corp.example", "WRONG_PASSWORD")
	case "protect":
		s.Protect("MOBILE", "DEVICE_ROOTED")
	default:
		http.Error(w, "there is no such event", http.StatusBadRequest)
		return
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusConflict)
		return
	}
	w.Header().Set("Location", "./")
	w.WriteHeader(http.StatusSeeOther)
}
