package jirastandin

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// updateBody is the body of create, edit and transition.
type updateBody struct {
	Fields     map[string]json.RawMessage              `json:"fields"`
	Update     map[string][]map[string]json.RawMessage `json:"update"`
	Properties []propertyWire                          `json:"properties"`
	Transition *struct {
		ID json.RawMessage `json:"id"`
	} `json:"transition"`
}

type propertyWire struct {
	Key   string          `json:"key"`
	Value json.RawMessage `json:"value"`
}

// edit is a body read against a screen: the fields to set, the comments to add, and what is wrong by field.
type edit struct {
	set      map[string]any
	comments []richText
	problems map[string]string
}

// readScreen reads fields and update. current are the values before, which update's add and remove work on.
func (s *Server) readScreen(screen []*field, body updateBody, version int, current map[string]any) edit {
	e := edit{set: map[string]any{}, problems: map[string]string{}}
	for _, id := range slices.Sorted(maps.Keys(body.Fields)) {
		f := onScreen(screen, id)
		if f == nil || f.kind == commentKind {
			e.problems[id] = cannotBeSet(id)
			continue
		}
		e.put(f, body.Fields[id], s, version)
	}
	for _, id := range slices.Sorted(maps.Keys(body.Update)) {
		f := onScreen(screen, id)
		switch _, twice := body.Fields[id]; {
		case f == nil:
			e.problems[id] = cannotBeSet(id)
		case twice:
			e.problems[id] = fmt.Sprintf("Field '%s' cannot appear in both 'fields' and 'update'", id)
		default:
			for _, operation := range body.Update[id] {
				e.operate(f, operation, s, version, current)
			}
		}
	}
	return e
}

func (e *edit) put(f *field, raw json.RawMessage, s *Server, version int) {
	value, problem := s.parse(f, raw, version)
	switch {
	case problem != "":
		e.problems[f.id] = problem
	case value == nil && f.kind == summaryKind:
		e.problems[f.id] = "You must specify a summary of the issue."
	case value == nil && f.required:
		e.problems[f.id] = f.name + " is required."
	default:
		e.set[f.id] = value
	}
}

// operate performs one operation of update: set on every field, add and remove on labels, add on comments.
func (e *edit) operate(f *field, operation map[string]json.RawMessage, s *Server, version int, current map[string]any) {
	for verb, raw := range operation {
		switch {
		case f.kind == commentKind && verb == "add":
			e.addComment(raw, version)
		case f.kind != commentKind && verb == "set":
			e.put(f, raw, s, version)
		case f.kind == labelsKind && (verb == "add" || verb == "remove"):
			e.changeLabel(f, verb, raw, current)
		default:
			e.problems[f.id] = fmt.Sprintf("Field with id '%s' and name '%s' does not support operation '%s'", f.id, f.name, verb)
		}
	}
}

func (e *edit) addComment(raw json.RawMessage, version int) {
	var written struct {
		Body json.RawMessage `json:"body"`
	}
	if json.Unmarshal(raw, &written) != nil || len(written.Body) == 0 {
		e.problems["comment"] = "Comment body can not be empty!"
		return
	}
	value, problem := parseRich(written.Body, version)
	body, ok := value.(richText)
	switch {
	case problem != "":
		e.problems["comment"] = problem
	case !ok:
		e.problems["comment"] = "Comment body can not be empty!"
	default:
		e.comments = append(e.comments, body)
	}
}

func (e *edit) changeLabel(f *field, verb string, raw json.RawMessage, current map[string]any) {
	label, problem := parseString(raw)
	if problem == "" {
		problem = wrongLabel(label)
	}
	if problem != "" {
		e.problems[f.id] = problem
		return
	}
	held, set := e.set[f.id]
	if !set {
		held = current[f.id]
	}
	before, _ := held.([]string)
	labels := slices.DeleteFunc(slices.Clone(before), func(l string) bool { return l == label })
	if verb == "add" {
		labels = append(labels, label)
		slices.Sort(labels)
	}
	if len(labels) == 0 {
		e.set[f.id] = nil
		return
	}
	e.set[f.id] = labels
}

// demand notes the required fields of a screen that would stay empty.
func (e *edit) demand(screen []*field, current map[string]any) {
	for _, f := range screen {
		value, set := e.set[f.id]
		if !set {
			value = current[f.id]
		}
		if !f.required || value != nil || e.problems[f.id] != "" {
			continue
		}
		switch {
		case f.kind == commentKind && len(e.comments) > 0:
		case f.kind == summaryKind:
			e.problems[f.id] = "You must specify a summary of the issue."
		default:
			e.problems[f.id] = f.name + " is required."
		}
	}
}
