package mapping

import (
	"maps"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/types"
)

// Field is one field of an event's data or of a ticket.
type Field struct {
	Name    string   `json:"name"`
	Type    string   `json:"type"` // text, number, bool, time, list, object, any
	Doc     string   `json:"doc,omitempty"`
	Allowed []string `json:"allowed,omitempty"`
}

// Env is what a rule or policy is checked against: what its source sends, what its desk keeps, and the tables there are.
type Env struct {
	Data   map[string][]Field // event kind to the fields of event.data; nil: the source is not known. Without fields data is open
	Ticket []Field            // the fields of ticket.fields; nil: open
	Tables map[string]*Table
}

// Kinds of events the gateway makes itself, at any source.
var ownKinds = []string{"test", "integration.warning"}

// eventTypes is what expressions over an event may name. kinds narrows event.data to what these kinds carry; nil
// takes all kinds.
func (e Env) eventTypes(kinds []string) types.Map {
	person := types.Map{"account": types.String, "name": types.String, "mail": types.String}
	event := types.Map{
		"kind": types.String, "type": types.String, "tenant": types.String, "request_id": types.String,
		"parent": types.String, "time": types.String, "expires": types.String, "requester": person, "subject": types.String,
		"reason": types.String, "severity": types.String, "url": types.String,
		"decision": types.Map{"outcome": types.String, "by": person, "at": types.String},
		"data":     e.dataType(kinds), "test": types.Bool, "raw": types.Any,
	}
	return types.Map{"event": event}
}

func (e Env) dataType(kinds []string) types.Type {
	if e.Data == nil {
		return types.Any
	}
	if kinds == nil {
		kinds = sortedKeys(e.Data)
	}
	data := types.Map{}
	for _, kind := range kinds {
		if e.Data[kind] == nil {
			return types.Any
		}
		addFields(data, e.Data[kind])
	}
	return data
}

// ticketTexts are the parts of a ticket that every desk has. The status category is not among them: desks keep it out
// of the history, so nobody could tell who brought about a condition on it.
var ticketTexts = []string{"status", "summary", "priority", "key", "id", "url"}

const (
	category   = "category"
	noCategory = "the history of a ticket does not show its category, so nobody could tell who brought it there; name statuses: ticket.status in [\"Approved\"]"
)

// withoutCategory is a ticket as expressions see it, whatever way they look.
func withoutCategory(ticket map[string]any) map[string]any {
	if _, ok := ticket[category]; ok {
		ticket = maps.Clone(ticket)
		delete(ticket, category)
	}
	return ticket
}

// ticketTypes is what expressions over a ticket may name.
func (e Env) ticketTypes() types.Map {
	var fields types.Type = types.Any
	if e.Ticket != nil {
		known := types.Map{}
		addFields(known, e.Ticket)
		fields = known
	}
	ticket := types.Map{"fields": fields}
	for _, name := range ticketTexts {
		ticket[name] = types.String
	}
	return types.Map{"ticket": ticket}
}

// hasField tells whether the desk keeps a field, as far as is known.
func (e Env) hasField(name string) bool {
	return e.Ticket == nil || slices.ContainsFunc(e.Ticket, func(f Field) bool { return f.Name == name })
}

// addFields adds fields to a map type. A name that has two types in two kinds may hold anything.
func addFields(into types.Map, fields []Field) {
	for _, f := range fields {
		t := fieldType(f.Type)
		if had, ok := into[f.Name]; ok && had != t {
			t = types.Any
		}
		into[f.Name] = t
	}
}

var listType = types.TypeOf([]any{})

func fieldType(name string) types.Type {
	switch name {
	case "text", "time":
		return types.String
	case "number":
		return types.Float64
	case "bool":
		return types.Bool
	case "list":
		return listType
	default:
		return types.Any
	}
}

// unknownKinds returns the kinds no event of the source can have.
func (e Env) unknownKinds(kinds []string) []string {
	if e.Data == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(kinds), func(kind string) bool {
		_, known := e.Data[kind]
		return known || slices.Contains(ownKinds, kind)
	})
}

// narrowed parses a condition over an event and returns the scope to compile it in: event.data has the fields of the
// kinds that the condition admits. names says what else it may name. ok is false where a fault was noted.
func (e Env) narrowed(d document, text, path string, names func(kinds []string) types.Map, faults *Errors) (s *scope, root ast.Node, kinds []string, ok bool) {
	root, ok = newScope(d, names(nil), e.Tables, faults).parse(text, path, 0)
	if !ok {
		return nil, nil, nil, false
	}
	kinds = kindsOf(root)
	s = newScope(d, names(kinds), e.Tables, faults)
	if unknown := e.unknownKinds(kinds); len(unknown) > 0 {
		s.add(path, max(0, runeIndex(text, unknown[0])), "the source sends no events of kind "+strings.Join(unknown, ", ")+"; it sends "+strings.Join(sortedKeys(e.Data), ", "))
		return nil, nil, kinds, false
	}
	if kinds != nil && len(kinds) == 0 {
		s.add(path, 0, "no event can meet this condition: event.kind cannot be two kinds at once")
		return nil, nil, kinds, false
	}
	return s, root, kinds, true
}
