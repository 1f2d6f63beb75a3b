package pagerduty

import (
	"slices"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// changes are the kinds of entries that a snapshot tells of; the others say who was paged.
var changes = map[string]bool{
	"trigger": true, "acknowledge": true, "unacknowledge": true, "resolve": true, "reopen": true, "annotate": true,
	"urgency_change": true, "priority_change": true, "field_value_change": true, "custom_field_value_change": true,
}

// status is the status an entry leaves an incident with, empty where it leaves it as it is. An acknowledgement ends, by a
// person or by itself, in triggered.
func (e entry) status() string {
	switch e.kind() {
	case "trigger", "unacknowledge", "reopen":
		return triggered
	case "acknowledge", "acknowledgement":
		return acknowledged
	case "resolve":
		return resolved
	default:
		return ""
	}
}

// end is the status a log leads to.
func end(log []entry) string {
	at := ""
	for _, e := range log {
		if to := e.status(); to != "" {
			at = to
		}
	}
	return at
}

// resolution is what an incident was last resolved with.
func resolution(log []entry) string {
	out := ""
	for _, e := range log {
		if e.kind() == "resolve" {
			out = e.Note
		}
	}
	return out
}

// ownFields are the fields of a snapshot that are no custom ones.
var ownFields = []string{
	"status", "summary", "description", "priority", "urgency", "service", "escalation_policy", "incident_type", "resolution",
	connectors.AnswerField, connectors.AnswerReason,
}

// own are the names that PagerDuty's own fields have in a snapshot.
var own = map[string]string{"title": "summary"}

// steps are the changed fields. What an incident was opened with is no step.
func steps(log []entry, who naming) []connectors.Step {
	var out []connectors.Step
	at, with := triggered, ""
	add := func(e entry, id, field, from, to string) {
		if from != to {
			out = append(out, connectors.Step{ID: id, At: e.Created.UTC(), By: who.by(e), Field: field, From: from, To: to})
		}
	}
	for _, e := range log {
		if to := e.status(); to != "" {
			add(e, e.ID, "status", at, to)
			at = to
		}
		if e.kind() == "resolve" {
			add(e, e.ID+"/resolution", "resolution", with, e.Note)
			with = e.Note
		}
		if e.Channel.Changeset == nil {
			continue
		}
		for _, f := range e.Channel.Changeset.Custom {
			if slices.Contains(ownFields, f.Name) { // a custom field that is called like one of our own is not told
				continue
			}
			add(e, e.ID+"/"+f.Name, f.Name, text(f.From), text(f.To))
		}
		for _, f := range e.Channel.Changeset.Own {
			name := f.Name
			if shown, ok := own[name]; ok {
				name = shown
			}
			if name != "status" { // told by the entries of its own
				add(e, e.ID+"/"+f.Name, name, text(f.From), text(f.To))
			}
		}
	}
	return out
}
