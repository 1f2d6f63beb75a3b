package jirastandin

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// account is a person or app with their zone loaded.
type account struct {
	Account
	zone *time.Location
}

type project struct {
	id, key, name string
	desk          string // id of the service desk, empty for other projects
	requestTypes  []choice
	types         []*issueType
	count         int
}

type issueType struct {
	id, name string
	screen   []*field
	flow     workflow
}

type status struct{ id, name, category string }

type workflow struct {
	statuses    []*status
	transitions []*transition
	approvals   map[*status]Approval
}

type transition struct {
	id, name string
	from     []*status // nil: from everywhere
	to       *status
	screen   []*field
}

// choice is one of a fixed set: a priority, a resolution, an option, a request type.
type choice struct{ id, name string }

var (
	priorities  = []choice{{"1", "Highest"}, {"2", "High"}, {"3", "Medium"}, {"4", "Low"}, {"5", "Lowest"}}
	resolutions = []choice{{"10000", "Done"}, {"10001", "Won't Do"}, {"10002", "Duplicate"}, {"10003", "Declined"}}
	linkTypes   = []linkType{
		{"10000", "Blocks", "is blocked by", "blocks"},
		{"10002", "Duplicate", "is duplicated by", "duplicates"},
		{"10003", "Relates", "relates to", "relates to"},
	}
)

type linkType struct{ id, name, inward, outward string }

// issue is a ticket. values holds, by field id, what parse makes of a field; an absent value is an empty field.
type issue struct {
	id         int
	key        string
	project    *project
	kind       *issueType
	status     *status
	values     map[string]any
	creator    *account
	created    time.Time
	updated    time.Time
	properties map[string]json.RawMessage
	comments   []*comment
	history    []*change
	files      []*file
	links      []link
	approvals  []*approval
	index      []indexed
}

type comment struct {
	id         int
	by         *account
	at         time.Time
	body       richText
	internal   bool
	properties map[string]json.RawMessage
}

// change is one entry of a ticket's history: what one account changed at one time.
type change struct {
	id    int
	by    *account
	at    time.Time
	items []changeItem
}

type changeItem struct {
	field, fieldID, kind string // kind: jira or custom
	from, fromText       string
	to, toText           string
}

type file struct {
	id   int
	name string
	kind string
	data []byte
	by   *account
	at   time.Time
}

type link struct {
	id      int
	kind    linkType
	other   *issue
	outward bool // this ticket is the one that blocks, duplicates
}

type approval struct {
	id        int
	name      string
	step      Approval
	created   time.Time
	completed time.Time
	answers   map[string]string // account id to approved or declined
	final     string            // approved, declined or pending
}

func (s *Server) newID() int {
	s.lastID++
	return s.lastID
}

// build makes the state from the options. It panics where they contradict themselves.
func (s *Server) build() {
	for _, a := range s.o.Accounts {
		if a.Zone == "" {
			a.Zone = "UTC"
		}
		if a.Login == "" {
			a.Login, _, _ = strings.Cut(a.Mail, "@")
		}
		if a.Kind == "" {
			a.Kind = "atlassian"
		}
		zone, err := time.LoadLocation(a.Zone)
		if err != nil {
			panic(fmt.Sprintf("jirastandin: account %s: %v", a.ID, err))
		}
		s.accounts = append(s.accounts, &account{Account: a, zone: zone})
	}
	for i, p := range s.o.Projects {
		s.projects = append(s.projects, s.buildProject(i, p))
	}
}

func (s *Server) buildProject(i int, from Project) *project {
	p := &project{id: strconv.Itoa(10000 + i), key: from.Key, name: from.Name}
	if from.ServiceDesk {
		p.desk = strconv.Itoa(i + 1)
		for j, name := range from.RequestTypes {
			p.requestTypes = append(p.requestTypes, choice{strconv.Itoa(10*(i+1) + j), name})
		}
	}
	for j, t := range from.Types {
		kind := &issueType{id: strconv.Itoa(10100 + 100*i + j), name: t.Name, screen: systemFields(p)}
		for _, f := range t.Fields {
			kind.screen = append(kind.screen, newField(f))
		}
		for _, f := range kind.screen {
			f.required = f.required || slices.Contains(s.o.Required, f.id)
		}
		kind.flow = s.buildWorkflow(kind, t.Workflow)
		p.types = append(p.types, kind)
	}
	return p
}

func (s *Server) buildWorkflow(kind *issueType, from Workflow) workflow {
	w := workflow{approvals: map[*status]Approval{}}
	find := func(name string) *status {
		i := slices.IndexFunc(w.statuses, func(st *status) bool { return st.name == name })
		if i < 0 {
			panic(fmt.Sprintf("jirastandin: workflow of %q has no status %q", kind.name, name))
		}
		return w.statuses[i]
	}
	for _, st := range from.Statuses {
		known := s.status(st)
		w.statuses = append(w.statuses, known)
		if st.Approval != nil {
			w.approvals[known] = *st.Approval
		}
	}
	for i, t := range from.Transitions {
		tr := &transition{id: strconv.Itoa(11 + 10*i), name: t.Name, to: find(t.To)}
		for _, name := range t.From {
			tr.from = append(tr.from, find(name))
		}
		for _, on := range t.Screen {
			f := kind.fieldOrSystem(on.Field)
			if f == nil {
				panic(fmt.Sprintf("jirastandin: transition %q shows the unknown field %q", t.Name, on.Field))
			}
			shown := *f
			shown.required = on.Required
			tr.screen = append(tr.screen, &shown)
		}
		w.transitions = append(w.transitions, tr)
	}
	return w
}

func (s *Server) status(from Status) *status {
	for _, st := range s.statuses {
		if st.name == from.Name {
			return st
		}
	}
	st := &status{id: strconv.Itoa(10200 + len(s.statuses)), name: from.Name, category: from.Category}
	s.statuses = append(s.statuses, st)
	return st
}

// fieldOrSystem finds a field of the create screen, or one only transitions show.
func (k *issueType) fieldOrSystem(id string) *field {
	switch id {
	case "resolution":
		return &field{id: id, name: "Resolution", kind: resolutionKind}
	case "comment":
		return &field{id: id, name: "Comment", kind: commentKind}
	}
	return onScreen(k.screen, id)
}

func onScreen(screen []*field, id string) *field {
	for _, f := range screen {
		if f.id == id {
			return f
		}
	}
	return nil
}

func (s *Server) account(id string) *account {
	for _, a := range s.accounts {
		if a.ID == id {
			return a
		}
	}
	return nil
}

// named finds an account as this deployment names it: by account id, or by user name at Data Center.
func (s *Server) named(name string) *account {
	if !s.o.DataCenter {
		return s.account(name)
	}
	for _, a := range s.accounts {
		if strings.EqualFold(a.Login, name) {
			return a
		}
	}
	return nil
}

func (s *Server) project(idOrKey string) *project {
	for _, p := range s.projects {
		if p.id == idOrKey || strings.EqualFold(p.key, idOrKey) {
			return p
		}
	}
	return nil
}

// find returns the ticket with that id or key, also under a key it had before a move.
func (s *Server) find(idOrKey string) *issue {
	for _, i := range s.issues {
		if strconv.Itoa(i.id) == idOrKey || strings.EqualFold(i.key, idOrKey) {
			return i
		}
	}
	return s.formerly[strings.ToUpper(idOrKey)]
}

// reachable lists the transitions a ticket can make now.
func (i *issue) reachable() []*transition {
	var out []*transition
	for _, t := range i.kind.flow.transitions {
		if (t.from == nil || slices.Contains(t.from, i.status)) && t.to != i.status {
			out = append(out, t)
		}
	}
	return out
}
