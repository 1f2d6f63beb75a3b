package elimity

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// reader takes documented members out of objects. It keeps the first fault and reads on, so that callers look once.
type reader struct{ err error }

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = &connectors.Malformed{Reason: fmt.Sprintf(format, args...)}
	}
}

// text reads a member that is a text; at is the object's path, to be named in a fault.
func (r *reader) text(o map[string]any, at, name string) string {
	switch v := o[name].(type) {
	case string:
		return v
	case nil:
	default:
		r.fail("%s%s is not a text", at, name)
	}
	return ""
}

// needed reads a member that is a text with something in it.
func (r *reader) needed(o map[string]any, at, name string) string {
	v := r.text(o, at, name)
	if v == "" {
		r.fail("%s%s is missing", at, name)
	}
	return v
}

func (r *reader) object(o map[string]any, at, name string) map[string]any {
	switch v := o[name].(type) {
	case map[string]any:
		return v
	case nil:
		r.fail("%s%s is missing", at, name)
	default:
		r.fail("%s%s is not an object", at, name)
	}
	return nil
}

// objects reads a member that is a list of objects; null and a missing one are empty lists.
func (r *reader) objects(o map[string]any, name string) []map[string]any {
	list, ok := o[name].([]any)
	if !ok && o[name] != nil {
		r.fail("%s is not a list", name)
	}
	objects := make([]map[string]any, len(list))
	for i, item := range list {
		if objects[i], ok = item.(map[string]any); !ok {
			r.fail("%s[%d] is not an object", name, i)
		}
	}
	return objects
}

// key is what an entity is known by.
type key struct {
	Source json.Number `json:"source"`
	Type   string      `json:"type"`
	ID     string      `json:"id"`
}

// entity is an Entity object.
type entity struct {
	key
	name, source string // for people to read
	raw          any    // as rules see it
}

func (r *reader) entity(o map[string]any, at, name string) entity {
	raw := r.object(o, at, name)
	at += name + "."
	e := entity{raw: connectors.AsStored(raw)}
	if raw == nil {
		return e
	}
	e.ID, e.Type = r.needed(raw, at, "id"), r.needed(raw, at, "type")
	e.name, e.source = r.text(raw, at, "name"), r.text(raw, at, "sourceName")
	switch v := raw["sourceId"].(type) {
	case json.Number:
		n, err := v.Int64() // 4.0 is another text than 4, and the text says which request it is
		if err != nil {
			r.fail("%ssourceId is not a whole number", at)
		}
		e.Source = json.Number(strconv.FormatInt(n, 10))
	case nil:
		r.fail("%ssourceId is missing", at)
	default:
		r.fail("%ssourceId is not a number", at)
	}
	if e.name == "" {
		e.name = e.ID
	}
	return e
}

// in names an entity with its source.
func (e entity) in() string {
	if e.source == "" {
		return e.name
	}
	return e.name + " (" + e.source + ")"
}

// change is one thing to be done: a change request by itself, or one change of a review.
type change struct {
	kind      string // what Elimity calls it
	operation string // relationshipChange: add or remove
	comment   string
	subject   string
	effect    string // an effect, in the one way to write it
	data      map[string]any
	raw       map[string]any // of a review: the change as it was sent
}

// What a change does to the data.
const (
	doRemove = "remove" // the entity goes
	doUnlink = "unlink" // the entity's link to Other goes
	doLink   = "link"   // the entity is linked to Other
	doAssign = "assign" // the entity's attribute gets a value
)

// effect is what the data shows once a change was carried out.
type effect struct {
	Do        string `json:"do"`
	Entity    key    `json:"entity"`
	Other     *key   `json:"other,omitempty"`
	Attribute string `json:"attribute,omitempty"`
	ValueType string `json:"value_type,omitempty"`
	Value     any    `json:"value,omitempty"` // nil: no value
}

func (r *reader) entityRemoval(o map[string]any) change {
	e := r.entity(o, "", "entity")
	return change{
		subject: "remove " + e.in(), effect: canonical(effect{Do: doRemove, Entity: e.key}), data: map[string]any{"entity": e.raw},
	}
}

func (r *reader) relationshipRemoval(o map[string]any) change {
	from, to := r.entity(o, "", "fromEntity"), r.entity(o, "", "toEntity")
	return change{
		subject: "remove the relationship from " + from.in() + " to " + to.in(),
		effect:  canonical(effect{Do: doUnlink, Entity: from.key, Other: &to.key}),
		data:    map[string]any{"fromEntity": from.raw, "toEntity": to.raw},
	}
}

func (r *reader) attributeAssignment(o map[string]any) change {
	e, value := r.entity(o, "", "entity"), r.object(o, "", "value")
	id, name := r.needed(o, "", "attributeTypeId"), r.text(o, "", "attributeTypeName")
	kind := r.needed(value, "value.", "type")
	if name == "" {
		name = id
	}
	return change{
		subject: "set " + name + " of " + e.in(),
		effect:  canonical(effect{Do: doAssign, Entity: e.key, Attribute: id, ValueType: kind, Value: value["requested"]}),
		data:    map[string]any{"entity": e.raw, "value": connectors.AsStored(value), "attributeTypeId": id, "attributeTypeName": name},
	}
}

func (r *reader) relationshipChange(o map[string]any, at string) change {
	row, column := r.entity(o, at, "rowEntity"), r.entity(o, at, "columnEntity")
	c := change{
		raw: o, kind: "relationshipChange", operation: r.needed(o, at, "operation"), comment: r.text(o, at, "comment"),
	}
	done := effect{Entity: row.key, Other: &column.key}
	switch c.operation {
	case "add":
		done.Do, c.subject = doLink, "add "+column.in()+" to "+row.in()
	case "remove":
		done.Do, c.subject = doUnlink, "remove "+column.in()+" from "+row.in()
	default:
		r.fail("%soperation is neither add nor remove", at) // it says which policy counts, so nobody guesses
	}
	c.effect = canonical(done)
	c.data = map[string]any{"operation": c.operation, "rowEntity": row.raw, "columnEntity": column.raw}
	return c
}

func (r *reader) rowRemoval(o map[string]any, at string) change {
	e := r.entity(o, at, "entity")
	return change{
		raw: o, kind: "rowRemoval", comment: r.text(o, at, "comment"), subject: "remove " + e.in(),
		effect: canonical(effect{Do: doRemove, Entity: e.key}), data: map[string]any{"entity": e.raw},
	}
}
