package gateway

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/mapping"
)

// formTime is how long the desks have to tell what they accept.
const formTime = 10 * time.Second

// deskPlace is a place at a desk.
type deskPlace struct {
	desk  string
	place connectors.Place
}

// form is what a desk says of a place.
type form struct {
	schema connectors.Schema
	err    error
}

// Form asks a desk what it accepts at a place.
func (g *Gateway) Form(ctx context.Context, name string, place connectors.Place) (connectors.Schema, error) {
	conn := g.catalogue().connections[name]
	if conn == nil {
		return connectors.Schema{}, g.noConnection(name)
	}
	if conn.fault != nil {
		return connectors.Schema{}, conn.fault
	}
	describer, can := connectors.AsDescriber(conn.connector)
	if !can {
		return connectors.Schema{}, fmt.Errorf("%s (%s) cannot tell what it accepts", name, conn.doc.Connector)
	}
	ctx, cancel := context.WithTimeout(ctx, formTime)
	defer cancel()
	return describer.Describe(ctx, place)
}

// wrongPlace tells that a desk was asked and has no such place. What a desk merely does not find may be elsewhere, or out
// of the account's sight.
func (f *form) wrongPlace() bool {
	e := connectors.AsError(f.err)
	return f.err != nil && e.Kind == connectors.Permanent && e.Status == 0 && !errors.Is(f.err, connectors.ErrNotFound)
}

// checkForms compares rules with what their desks accept. What a desk would refuse is a fault; what could not be found
// out is a warning, by the rule's name.
func (c *catalogue) checkForms(ctx context.Context, names []string) (faults []*Fault, warnings map[string][]string) {
	var rules []*rule
	var asked []deskPlace
	for _, source := range sortedKeys(c.rules) {
		for _, r := range c.rules[source] {
			if slices.Contains(names, r.Rule().Name) {
				rules, asked = append(rules, r), append(asked, c.places(r)...)
			}
		}
	}
	forms := c.ask(ctx, asked)
	warnings = map[string][]string{}
	for _, r := range rules {
		name := r.Rule().Name
		places := c.places(r)
		wrong, doubts := checkForm(r, places, forms)
		if desk, _, _ := r.target(); len(places) == 0 && c.describes(desk) && hasForm(r.Rule()) {
			doubts = append(doubts, fmt.Sprintf("its fields could not be compared with what %s accepts: no rule that opens its tickets has a project and a type without an expression", desk))
		}
		if len(wrong) > 0 {
			faults = append(faults, &Fault{Kind: kindRule, Name: name, Err: wrong})
		}
		if len(doubts) > 0 {
			warnings[name] = doubts
		}
	}
	return faults, warnings
}

// hasForm tells whether a rule says anything that a desk's form could refuse.
func hasForm(r *mapping.Rule) bool { return r.Create != nil || r.Update != nil || r.Transition != nil }

// checkEdits compares the rules that would change with what their desks accept, and notes warnings with their edits.
func (c *catalogue) checkEdits(ctx context.Context, edits []Edit) []*Fault {
	var names []string
	for _, e := range edits {
		if e.Kind == kindRule && e.Change != "unchanged" {
			names = append(names, e.Name)
		}
	}
	faults, warnings := c.checkForms(ctx, names)
	for i, e := range edits {
		if e.Kind == kindRule {
			edits[i].Warnings = warnings[e.Name]
		}
	}
	return faults
}

// places are where a rule's tickets are, as far as that is the same for every event: what changes a ticket acts where
// rules of the same source open it.
func (c *catalogue) places(r *rule) []deskPlace {
	desk, slot, kind := r.target()
	if !c.describes(desk) {
		return nil
	}
	var found []deskPlace
	for _, one := range c.rules[r.Rule().On] {
		create := one.Rule().Create
		if create == nil || kind == string(connectors.Create) && one != r || create.At != desk || create.Slot != slot {
			continue
		}
		project, same := mapping.Constant(create.Project)
		typ, also := mapping.Constant(create.Type)
		if same && also {
			found = append(found, deskPlace{desk, connectors.Place{Project: strings.TrimSpace(project), Type: strings.TrimSpace(typ)}})
		}
	}
	return found
}

// describes tells whether a desk can tell what it accepts.
func (c *catalogue) describes(desk string) bool {
	conn := c.connections[desk]
	if conn == nil || conn.connector == nil {
		return false
	}
	_, can := connectors.AsDescriber(conn.connector)
	return can
}

// ask has desks describe places, all at once and each place once. Only those that are active are called.
func (c *catalogue) ask(ctx context.Context, places []deskPlace) map[deskPlace]*form {
	ctx, cancel := context.WithTimeout(ctx, formTime)
	defer cancel()
	told := map[deskPlace]*form{}
	var wait sync.WaitGroup
	for _, p := range places {
		if told[p] != nil {
			continue
		}
		f := &form{}
		told[p] = f
		conn := c.connections[p.desk]
		if conn.doc.State != connectionActive {
			f.err = fmt.Errorf("it is %s", conn.doc.State)
			continue
		}
		describer, _ := connectors.AsDescriber(conn.connector)
		wait.Go(func() { f.schema, f.err = describer.Describe(ctx, p.place) })
	}
	wait.Wait()
	return told
}

// checkForm compares a rule with each place it may act at. One that suits it is enough.
func checkForm(r *rule, places []deskPlace, forms map[deskPlace]*form) (faults mapping.Errors, warnings []string) {
	for i, p := range places {
		f := forms[p]
		if f.err != nil && !f.wrongPlace() {
			warnings = append(warnings, fmt.Sprintf("its fields were not checked, since %s cannot be asked: %v", p.desk, f.err))
			return nil, warnings
		}
		var wrong formFaults
		if f.err != nil {
			path := r.Rule().Action()
			if r.Rule().Create != nil {
				path += ".project"
			}
			wrong.faults = mapping.Errors{r.Rule().At(path, fmt.Sprintf("%s has no such place: %v", p.desk, f.err))}
		} else {
			wrong = compare(r.Rule(), f.schema)
		}
		if len(wrong.faults) == 0 {
			return nil, wrong.warnings
		}
		if i == 0 {
			faults = wrong.faults
		}
	}
	return faults, nil
}

// formFaults collects what a desk would not take of a rule.
type formFaults struct {
	rule     *mapping.Rule
	schema   connectors.Schema
	faults   mapping.Errors
	warnings []string
}

func compare(r *mapping.Rule, s connectors.Schema) formFaults {
	f := formFaults{rule: r, schema: s}
	switch {
	case r.Create != nil:
		f.values("create.fields", r.Create.Fields)
		f.value("create.priority", f.part("priority"), r.Create.Priority)
		f.required(r.Create)
	case r.Update != nil:
		f.values("update.fields", r.Update.Fields)
		f.value("update.priority", f.part("priority"), r.Update.Priority)
	case r.Transition != nil:
		f.status("transition.status", r.Transition.Status)
	}
	if r.Decision != nil && strings.TrimSpace(r.Decision.Granted) != "" {
		f.known("decision.granted", strings.TrimSpace(r.Decision.Granted))
	}
	if r.Settle != nil {
		for outcome, move := range r.Settle.Moves() {
			if move != nil {
				f.status("settle."+outcome+".status", move.Status)
			}
		}
	}
	slices.SortStableFunc(f.faults, func(a, b *mapping.Error) int { return a.Line - b.Line })
	return f
}

func (f *formFaults) add(path, format string, args ...any) {
	f.faults = append(f.faults, f.rule.At(path, fmt.Sprintf(format, args...)))
}

// field finds a field by id.
func (f *formFaults) field(id string) *connectors.Field {
	return f.find(func(one connectors.Field) bool { return strings.EqualFold(one.ID, id) })
}

// part finds the field that a part of a ticket fills.
func (f *formFaults) part(name string) *connectors.Field {
	return f.find(func(one connectors.Field) bool { return one.Part == name })
}

func (f *formFaults) find(is func(connectors.Field) bool) *connectors.Field {
	if i := slices.IndexFunc(f.schema.Fields, is); i >= 0 {
		return &f.schema.Fields[i]
	}
	return nil
}

// known refuses a field the desk does not have. What is set later than at the create may stand on another form, which
// nobody can be asked for before there is a ticket.
func (f *formFaults) known(path, id string) *connectors.Field {
	field := f.field(id)
	if field != nil || f.schema.Open {
		return field
	}
	var have []string
	for _, one := range f.schema.Fields {
		if one.Part == "" {
			have = append(have, one.ID)
		}
	}
	slices.Sort(have)
	text := fmt.Sprintf("the desk has no field %s%s", id, among(have))
	if strings.HasPrefix(path, "create.") {
		f.faults = append(f.faults, f.rule.At(path, text))
	} else {
		f.warnings = append(f.warnings, path+": for new tickets "+text)
	}
	return nil
}

func (f *formFaults) values(path string, given map[string]any) {
	for _, id := range slices.Sorted(maps.Keys(given)) {
		if field := f.known(path+"."+id, id); field != nil {
			f.value(path+"."+id, field, given[id])
		}
	}
}

// value refuses a constant that the field does not allow. What is empty empties a field.
func (f *formFaults) value(path string, field *connectors.Field, v any) {
	if field == nil || len(field.Allowed) == 0 {
		return
	}
	switch v := v.(type) {
	case string:
		text, constant := mapping.Constant(v)
		text = strings.TrimSpace(text)
		if constant && text != "" && !slices.ContainsFunc(field.Allowed, func(one string) bool { return strings.EqualFold(one, text) }) {
			f.add(path, "%s does not take %q; it takes %s", field.ID, text, strings.Join(field.Allowed, ", "))
		}
	case []any:
		for _, one := range v {
			f.value(path, field, one)
		}
	case nil, bool, map[string]any:
	default:
		f.value(path, field, fmt.Sprint(v))
	}
}

// required refuses a create that leaves out what the desk asks for.
func (f *formFaults) required(c *mapping.Create) {
	parts := map[string]bool{"summary": true, "description": strings.TrimSpace(c.Description) != "", "priority": strings.TrimSpace(c.Priority) != "", "labels": len(c.Labels) > 0}
	for _, one := range f.schema.Fields {
		set := parts[one.Part]
		for id := range c.Fields {
			set = set || strings.EqualFold(id, one.ID)
		}
		if !one.Required || set {
			continue
		}
		name := one.ID
		if one.Name != "" && one.Name != one.ID {
			name += " (" + one.Name + ")"
		}
		takes := ""
		if len(one.Allowed) > 0 {
			takes = "; it takes " + strings.Join(one.Allowed, ", ")
		}
		if one.FormOnly {
			f.warnings = append(f.warnings, fmt.Sprintf("the desk's form asks for %s, which the rule does not set%s", name, takes))
			continue
		}
		f.add("create", "the desk asks for %s, which the rule does not set%s", name, takes)
	}
}

// status refuses a status the desk does not have. A number is taken for an id.
func (f *formFaults) status(path, status string) {
	text, constant := mapping.Constant(status)
	text = strings.TrimSpace(text)
	if !constant || len(f.schema.Statuses) == 0 || strings.Trim(text, "0123456789") == "" {
		return
	}
	if !slices.ContainsFunc(f.schema.Statuses, func(one string) bool { return strings.EqualFold(one, text) }) {
		f.add(path, "the desk has no status %q; it has %s", text, strings.Join(f.schema.Statuses, ", "))
	}
}
