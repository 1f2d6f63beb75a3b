package jirastandin

import (
	"bytes"
	"crypto/subtle"
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// pageHandler shows the tickets to people and lets them act as anybody. There is no sign-in: the stand-in is for
// machines nobody else can reach.
func (s *Server) pageHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.showList)
	mux.HandleFunc("GET /browse/{key}", s.showTicket)
	mux.HandleFunc("POST /browse/{key}/transition", s.acted(s.postTransition))
	mux.HandleFunc("POST /browse/{key}/approval", s.acted(s.postApproval))
	mux.HandleFunc("POST /browse/{key}/comment", s.acted(s.postComment))
	return mux
}

// pageData is what the template shows: the list, or one ticket.
type pageData struct {
	Title   string
	Product string
	Token   string
	Fault   string
	List    []Issue
	Ticket  *ticketPage
	People  []Account
	As      string // who acted last on this page
}

type ticketPage struct {
	Issue
	Description template.HTML
	Rows        [][2]string
	Transitions []transitionForm
	Approval    bool
	Names       map[string]string // account id to name
}

type transitionForm struct {
	ID, Name, To string
	Fields       []formField
}

type formField struct {
	ID, Name string
	Required bool
	Options  []string
}

func (s *Server) page(title string) pageData {
	product := "Jira Cloud"
	if s.o.DataCenter {
		product = "Jira Data Center"
	}
	return pageData{Title: title, Product: product, Token: s.formToken, People: s.o.Accounts}
}

func (s *Server) showList(w http.ResponseWriter, _ *http.Request) {
	data := s.page("All tickets")
	data.List = s.Issues()
	slices.Reverse(data.List)
	render(w, http.StatusOK, data)
}

func (s *Server) showTicket(w http.ResponseWriter, r *http.Request) {
	s.renderTicket(w, r, http.StatusOK, "")
}

func (s *Server) renderTicket(w http.ResponseWriter, r *http.Request, status int, fault string) {
	s.mu.Lock()
	i := s.find(r.PathValue("key"))
	if i == nil {
		s.mu.Unlock()
		http.NotFound(w, r)
		return
	}
	data := s.page(i.key)
	data.Fault, data.Ticket, data.As = fault, s.ticketPage(i), r.FormValue("person")
	s.mu.Unlock()
	render(w, status, data)
}

func (s *Server) ticketPage(i *issue) *ticketPage {
	t := &ticketPage{Issue: i.copy(), Names: map[string]string{}}
	for _, a := range s.accounts {
		t.Names[a.ID] = a.Name
	}
	if text, ok := i.values["description"].(richText); ok {
		t.Description = text.html()
	}
	t.Rows = [][2]string{{"Type", t.Type}, {"Created", t.Created.UTC().Format(time.DateTime) + " UTC by " + t.Names[t.Creator]}}
	for _, f := range i.kind.screen {
		if text := t.Fields[f.id]; text != "" && f.id != "summary" && f.id != "description" {
			t.Rows = append(t.Rows, [2]string{f.name, text})
		}
	}
	if t.Resolution != "" {
		t.Rows = append(t.Rows, [2]string{"Resolution", t.Resolution})
	}
	for _, tr := range i.reachable() {
		form := transitionForm{ID: tr.id, Name: tr.name, To: tr.to.name}
		for _, f := range tr.screen {
			if f.kind != commentKind {
				form.Fields = append(form.Fields, newFormField(f))
			}
		}
		t.Transitions = append(t.Transitions, form)
	}
	if n := len(i.approvals); n > 0 {
		t.Approval = i.approvals[n-1].final == "pending" && i.status.name == i.approvals[n-1].name
	}
	return t
}

func newFormField(f *field) formField {
	out := formField{ID: f.id, Name: f.name, Required: f.required}
	options := f.options
	if f.kind == resolutionKind {
		options = resolutions
	}
	for _, c := range options {
		out.Options = append(out.Options, c.name)
	}
	return out
}

// acted serves a form: it checks the token that proves the form came from our page, acts, and shows the ticket again.
func (s *Server) acted(act func(key string, form url.Values) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
		if err := r.ParseForm(); err != nil {
			http.Error(w, "The form cannot be read.", http.StatusBadRequest)
			return
		}
		if subtle.ConstantTimeCompare([]byte(r.PostForm.Get("token")), []byte(s.formToken)) != 1 {
			http.Error(w, "This form is from another page or from before a restart. Go back and reload it.", http.StatusForbidden)
			return
		}
		key := r.PathValue("key")
		if err := act(key, r.PostForm); err != nil {
			s.renderTicket(w, r, http.StatusUnprocessableEntity, forPeople(err))
			return
		}
		http.Redirect(w, r, "/browse/"+url.PathEscape(key)+"?person="+url.QueryEscape(r.PostForm.Get("person")), http.StatusSeeOther)
	}
}

func forPeople(err error) string {
	f, ok := errors.AsType[*fault](err)
	if !ok {
		return err.Error()
	}
	texts := slices.Clone(f.messages)
	for _, text := range f.fields {
		texts = append(texts, text)
	}
	slices.Sort(texts)
	return strings.Join(texts, " ")
}

func (s *Server) postTransition(key string, form url.Values) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, by, err := s.acting(key, form.Get("person"))
	if err != nil {
		return err
	}
	for _, t := range i.reachable() {
		if t.id == form.Get("transition") {
			return s.moveAs(i, by, t, s.formFields(t, form))
		}
	}
	return fmt.Errorf("the ticket is now %q, and that step is not possible any more", i.status.name)
}

// formFields turns the texts of a form into the values the REST interface takes.
func (s *Server) formFields(t *transition, form url.Values) map[string]any {
	out := map[string]any{}
	for _, f := range t.screen {
		text := form.Get("field." + f.id)
		switch {
		case text == "":
		case f.kind == Select:
			out[f.id] = map[string]string{"value": text}
		case f.kind == UserPicker:
			out[f.id] = map[string]string{"accountId": text, "name": text}
		default:
			out[f.id] = text
		}
	}
	return out
}

func (s *Server) postApproval(key string, form url.Values) error {
	return s.Answer(key, form.Get("person"), form.Get("decision"))
}

func (s *Server) postComment(key string, form url.Values) error {
	return s.CommentAs(key, form.Get("person"), form.Get("text"))
}

func render(w http.ResponseWriter, status int, data pageData) {
	var out bytes.Buffer
	if err := pageTemplate.Execute(&out, data); err != nil {
		http.Error(w, "The page cannot be shown.", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=UTF-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(out.Bytes()) // the reader may be gone
}
