package mapping

import (
	"fmt"
	"slices"
	"strings"
)

// Draft is what a rule wants done at a desk, with every text computed.
type Draft struct {
	Kind        string         `json:"kind"` // create, update, comment, transition, send
	At          string         `json:"at"`   // the desk connection's name
	Slot        string         `json:"slot,omitempty"`
	Project     string         `json:"project,omitempty"`
	Type        string         `json:"type,omitempty"`
	Summary     string         `json:"summary,omitempty"`
	Description string         `json:"description,omitempty"` // Markdown
	Priority    string         `json:"priority,omitempty"`
	Labels      []string       `json:"labels,omitempty"`
	Fields      map[string]any `json:"fields,omitempty"`
	Body        string         `json:"body,omitempty"` // Markdown
	Public      bool           `json:"public,omitempty"`
	Status      string         `json:"status,omitempty"`
	Attach      *File          `json:"attach,omitempty"`
	Record      map[string]any `json:"record,omitempty"` // of a send; nil: the sink's own form
}

// File is what a draft attaches to its ticket.
type File struct {
	Name    string `json:"name,omitempty"`
	Content string `json:"content,omitempty"`
	Fault   string `json:"fault,omitempty"` // why it cannot be made; the rest of the draft stands
}

// draftPlan is a draft before its texts are computed.
type draftPlan struct {
	constant Draft
	texts    []textPlan
	labels   []*template
	fields   *tree
	file     *filePlan
	record   *tree
	document document
}

// filePlan computes the file of a draft.
type filePlan struct{ name, content *template }

// textPlan computes one text of a draft.
type textPlan struct {
	template *template
	as       mode
	required bool
	field    func(*Draft) *string
}

// draft compiles the rule's action, nil where it has none.
func (s *scope) draft(r *Rule) *draftPlan {
	action := r.Action()
	if action == "" {
		return nil
	}
	at, slot := r.Desk()
	p := &draftPlan{constant: Draft{Kind: action, At: at, Slot: slot}, document: s.document}
	text := func(name, value string, as mode, required bool, field func(*Draft) *string) {
		if strings.TrimSpace(value) == "" {
			return
		}
		if t := s.template(value, action+"."+name, as); t != nil {
			p.texts = append(p.texts, textPlan{t, as, required, field})
		}
	}
	described := func(summary, description, priority string, labels []string, required bool) {
		text("summary", summary, asLine, required, func(d *Draft) *string { return &d.Summary })
		text("description", description, asMarkdown, false, func(d *Draft) *string { return &d.Description })
		text("priority", priority, asLine, false, func(d *Draft) *string { return &d.Priority })
		for i, label := range labels {
			if t := s.template(label, fmt.Sprintf("%s.labels[%d]", action, i), asLine); t != nil {
				p.labels = append(p.labels, t)
			}
		}
	}
	var fields map[string]any
	switch action {
	case "create":
		c := r.Create
		text("project", c.Project, asLine, true, func(d *Draft) *string { return &d.Project })
		text("type", c.Type, asLine, true, func(d *Draft) *string { return &d.Type })
		described(c.Summary, c.Description, c.Priority, c.Labels, true)
		fields = c.Fields
	case "update":
		u := r.Update
		described(u.Summary, u.Description, u.Priority, u.Labels, false)
		fields = u.Fields
	case "comment":
		text("body", r.Comment.Body, asMarkdown, true, func(d *Draft) *string { return &d.Body })
		p.constant.Public = r.Comment.Public
	case "transition":
		text("status", r.Transition.Status, asLine, true, func(d *Draft) *string { return &d.Status })
		fields = r.Transition.Fields
	case "send":
		if len(r.Send.Record) > 0 {
			p.record = s.tree(r.Send.Record, "send.record")
		}
	}
	if len(fields) > 0 {
		p.fields = s.tree(fields, action+".fields")
	}
	if f := r.File(); f != nil {
		p.file = &filePlan{s.template(f.Name, action+".attach.name", asLine), s.template(f.Content, action+".attach.content", asText)}
	}
	return p
}

// fill computes the draft.
func (p *draftPlan) fill(r *runner) (*Draft, error) {
	d := p.constant
	for _, t := range p.texts {
		value, err := t.template.text(r, t.as)
		if err != nil {
			return nil, err
		}
		if value == "" && t.required {
			return nil, t.template.document.fault(t.template.path, 0, t.template.path+" is empty for this event")
		}
		*t.field(&d) = value
	}
	for _, t := range p.labels {
		if err := addLabels(r, &d, t); err != nil {
			return nil, err
		}
	}
	for _, part := range []struct {
		tree *tree
		room room
		into *map[string]any
	}{{p.fields, usual, &d.Fields}, {p.record, ofRecords, &d.Record}} {
		if part.tree == nil {
			continue
		}
		r.meter.room = part.room
		v, _, err := part.tree.value(r)
		if err != nil {
			return nil, err
		}
		*part.into = v.(map[string]any)
	}
	r.meter.room = usual
	if p.record != nil && len(d.Record) == 0 { // nothing would stand for the sink's own form, which tells more
		return nil, p.document.fault("send.record", 0, "send.record is empty for this event")
	}
	if p.file != nil {
		d.Attach = p.file.fill(r)
		return &d, r.meter.ctx.Err()
	}
	return &d, nil
}

// fill computes the file, nil where it has no content. What goes wrong is the file's fault alone.
func (p *filePlan) fill(r *runner) *File {
	name, err := p.name.text(r, asLine)
	if err == nil && name == "" {
		err = p.name.document.fault(p.name.path, 0, p.name.path+" is empty for this event")
	}
	if err != nil {
		return &File{Fault: err.Error()}
	}
	content, err := p.content.text(r, asText)
	if err != nil {
		return &File{Name: name, Fault: err.Error()}
	}
	if strings.TrimSpace(content) == "" {
		return nil
	}
	return &File{Name: name, Content: content}
}

// addLabels adds what one template gives: a list gives several labels, the empty text none, and none is added twice.
func addLabels(r *runner, d *Draft, t *template) error {
	add := func(label string) {
		if label = oneLine(label); label != "" && !slices.Contains(d.Labels, label) {
			d.Labels = append(d.Labels, label)
		}
	}
	if t.sole == nil {
		label, err := t.text(r, asLine)
		add(label)
		return err
	}
	v, err := t.value(r)
	if err != nil {
		return err
	}
	list, isList := v.([]any)
	if !isList {
		list = []any{v}
	}
	for _, one := range list {
		label, err := textOf(&r.meter, one)
		if err != nil {
			return t.sole.fault(err)
		}
		add(label)
	}
	return nil
}
