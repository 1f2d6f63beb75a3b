package jirastandin

import (
	"encoding/json"
	"net/http"
	"strings"
)

type transitionWire struct {
	ID          string                   `json:"id"`
	Name        string                   `json:"name"`
	To          statusWire               `json:"to"`
	HasScreen   bool                     `json:"hasScreen"`
	IsGlobal    bool                     `json:"isGlobal"`
	IsInitial   bool                     `json:"isInitial"`
	IsAvailable bool                     `json:"isAvailable"`
	Fields      map[string]fieldMetaWire `json:"fields,omitempty"`
}

// listTransitions lists what the ticket can do now, with the fields of the screens on request. Whoever may not move
// it sees none.
func (c *call) listTransitions() (int, any, error) {
	i, err := c.issue()
	if err != nil {
		return 0, nil, err
	}
	out := []transitionWire{}
	for _, t := range i.reachable() {
		if !c.s.may("TRANSITION_ISSUES", c.me) {
			break
		}
		w := transitionWire{
			ID: t.id, Name: t.name, To: c.view.status(t.to), HasScreen: len(t.screen) > 0, IsGlobal: t.from == nil, IsAvailable: true,
		}
		if c.expands("transitions.fields") {
			w.Fields = map[string]fieldMetaWire{}
			for _, f := range t.screen {
				w.Fields[f.id] = c.view.fieldMeta(f)
			}
		}
		out = append(out, w)
	}
	return http.StatusOK, map[string]any{"expand": "transitions", "transitions": out}, nil
}

// doTransition moves a ticket. Only fields on the transition's screen are accepted, and its required ones demanded.
func (c *call) doTransition() (int, any, error) {
	i, err := c.issue()
	if err != nil {
		return 0, nil, err
	}
	var body updateBody
	if err := c.decode(&body); err != nil {
		return 0, nil, err
	}
	if body.Transition == nil || len(body.Transition.ID) == 0 {
		return 0, nil, refuse(http.StatusBadRequest, "Missing 'transition' identifier")
	}
	id := strings.Trim(string(body.Transition.ID), `"`)
	for _, t := range i.reachable() {
		if t.id == id && c.s.may("TRANSITION_ISSUES", c.me) {
			return http.StatusNoContent, nil, c.s.transition(i, c.me, t, body, c.version)
		}
	}
	return 0, nil, refuse(http.StatusBadRequest, "Transition id '%s' is not valid for this issue.", id)
}

// transition checks the fields given against the screen and moves the ticket.
func (s *Server) transition(i *issue, by *account, t *transition, body updateBody, version int) error {
	e := s.readScreen(t.screen, body, version, i.values)
	e.demand(t.screen, i.values)
	if err := refuseFields(e.problems); err != nil {
		return err
	}
	s.move(i, by, t, e.set, e.comments)
	return nil
}

// fieldMetaWire describes a field on a screen.
type fieldMetaWire struct {
	FieldID    string     `json:"fieldId,omitempty"`
	Key        string     `json:"key"`
	Name       string     `json:"name"`
	Required   bool       `json:"required"`
	Operations []string   `json:"operations"`
	HasDefault bool       `json:"hasDefaultValue"`
	Allowed    []any      `json:"allowedValues,omitempty"`
	Schema     schemaWire `json:"schema"`
}

type schemaWire struct {
	Type     string      `json:"type"`
	Items    string      `json:"items,omitempty"`
	System   string      `json:"system,omitempty"`
	Custom   string      `json:"custom,omitempty"`
	CustomID json.Number `json:"customId,omitempty"`
}

func (v view) fieldMeta(f *field) fieldMetaWire {
	w := fieldMetaWire{
		Key: f.id, Name: f.name, Required: f.required, Operations: []string{"set"},
		HasDefault: f.id == "priority" || f.id == "reporter", Schema: f.schema(),
	}
	set, resource, key := f.options, "customFieldOption", "value"
	switch f.kind {
	case labelsKind:
		w.Operations = []string{"add", "set", "remove"}
	case commentKind:
		w.Operations = []string{"add"}
	case priorityKind:
		set, resource, key = priorities, "priority", "name"
	case resolutionKind:
		set, resource, key = resolutions, "resolution", "name"
	case requestTypeKind:
		set = nil // Jira names none here; the service desk lists them
	}
	for _, c := range set {
		w.Allowed = append(w.Allowed, v.choice(resource, key, c))
	}
	return w
}

func (f *field) schema() schemaWire {
	var w schemaWire
	switch f.kind {
	case Number:
		w.Type = "number"
	case Date:
		w.Type = "date"
	case DateTime:
		w.Type = "datetime"
	case UserPicker:
		w.Type = "user"
	case Select:
		w.Type = "option"
	case MultiSelect:
		w.Type, w.Items = "array", "option"
	case labelsKind:
		w.Type, w.Items = "array", "string"
	case priorityKind, resolutionKind:
		w.Type = string(f.kind)
	case commentKind:
		w.Type = "comments-page"
	case requestTypeKind:
		w.Type = "sd-customerrequesttype"
	default:
		w.Type = "string"
	}
	switch {
	case !f.custom():
		w.System = f.id
	case f.kind == requestTypeKind:
		w.Custom = "com.atlassian.servicedesk:vp-origin"
	default:
		w.Custom = "com.atlassian.jira.plugin.system.customfieldtypes:" + string(f.kind)
	}
	if f.custom() {
		w.CustomID = json.Number(strings.TrimPrefix(f.id, "customfield_"))
	}
	return w
}
