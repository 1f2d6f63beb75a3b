package servicenow

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// What admins configure at the instance: the choices of fields and the columns of tables.

// base is the table all others extend.
const base = "task"

// choice is one value of a field and what it is called.
type choice struct{ table, element, value, label string }

// choicesOf are the choices of a field: the table's own, or those of task.
func (c *connector) choicesOf(ctx context.Context, table, element string) ([]choice, error) {
	if given := c.conf.States[table]; element == stateField && given != nil {
		var out []choice
		for _, value := range slices.Sorted(maps.Keys(given)) {
			out = append(out, choice{table, element, value, given[value]})
		}
		return out, nil
	}
	all, err := c.allChoices(ctx, table)
	if err != nil {
		return nil, err
	}
	var own, inherited []choice
	for _, one := range all {
		switch {
		case one.element != element:
		case one.table == table:
			own = append(own, one)
		default:
			inherited = append(inherited, one)
		}
	}
	if len(own) > 0 {
		return own, nil
	}
	return inherited, nil
}

func (c *connector) allChoices(ctx context.Context, table string) ([]choice, error) {
	c.mu.Lock()
	known, ok := c.choices[table]
	c.mu.Unlock()
	if ok && c.now().Sub(known.read) < cacheAge {
		return known.value, nil
	}
	names := []string{table, base}
	rows, err := c.all(ctx, listing{
		name: "read choices", table: "sys_choice", fields: []string{sysID, "name", "element", "value", "label", "language", "inactive"},
		where: []condition{in("name", names), is("language", "en"), is("inactive", "false")},
	})
	if err != nil {
		return nil, err
	}
	var out []choice
	for _, row := range rows {
		if slices.Contains(names, row["name"]) && row["language"] == "en" && row["inactive"] == "false" {
			out = append(out, choice{row["name"], row["element"], row["value"], row["label"]})
		}
	}
	slices.SortStableFunc(out, func(a, b choice) int {
		x, _ := strconv.Atoi(a.value) // those that are no numbers stay together
		y, _ := strconv.Atoi(b.value)
		return cmp.Or(cmp.Compare(x, y), strings.Compare(a.value, b.value))
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	c.choices[table] = cached[[]choice]{out, c.now()}
	return out, nil
}

// called is the name of a value, the value itself where it has none.
func called(choices []choice, value string) string {
	for _, one := range choices {
		if one.value == value {
			return one.label
		}
	}
	return value
}

// chosen finds a choice by its name or value. A name like "2 - High" is found by "High", too.
func chosen(choices []choice, text string) (choice, bool) {
	for _, same := range []func(choice) bool{
		func(one choice) bool { return strings.EqualFold(one.label, text) },
		func(one choice) bool { return one.value == text },
		func(one choice) bool { return strings.EqualFold(one.label, one.value+" - "+text) },
	} {
		if at := slices.IndexFunc(choices, same); at >= 0 {
			return choices[at], true
		}
	}
	return choice{}, false
}

func labels(choices []choice) []string {
	var out []string
	for _, one := range choices {
		out = append(out, one.label)
	}
	return out
}

// column is one field of a table, or, without a name, the table itself.
type column struct {
	table, name, label, kind, audit string
	length                          int
	mandatory                       bool
}

// columnsOf are the columns of a table and of task; of one that is in both the table's own.
func (c *connector) columnsOf(ctx context.Context, table string) ([]column, error) {
	c.mu.Lock()
	known, ok := c.columns[table]
	c.mu.Unlock()
	if ok && c.now().Sub(known.read) < cacheAge {
		return known.value, nil
	}
	names := []string{table, base}
	rows, err := c.all(ctx, listing{
		name: "read dictionary", table: "sys_dictionary", where: []condition{in("name", names)},
		fields: []string{sysID, "name", "element", "column_label", "internal_type", "max_length", "mandatory", "audit"},
	})
	if err != nil {
		return nil, err
	}
	byName := map[string]column{}
	for _, row := range rows {
		one := column{
			table: row["name"], name: row["element"], label: row["column_label"], kind: row["internal_type"], audit: row["audit"], mandatory: row["mandatory"] == "true",
		}
		one.length, _ = strconv.Atoi(row["max_length"]) // none: no limit is known
		if !slices.Contains(names, one.table) || (one.name == "" && one.table != table) {
			continue
		}
		if before, ok := byName[one.name]; !ok || before.table != table {
			byName[one.name] = one
		}
	}
	var out []column
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		out = append(out, byName[name])
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.columns[table] = cached[[]column]{out, c.now()}
	return out, nil
}

// usual are lengths where the dictionary has none to tell.
var usual = map[string]int{summary: 160, description: 4000, keyField: 100, markField: 100}

// limits tells how long the texts of a table's fields may be. Where the account may not read the dictionary, the usual
// ones are taken: what the instance then cuts is seen afterwards.
func (c *connector) limits(ctx context.Context, table string) (func(field string) int, error) {
	columns, err := c.columnsOf(ctx, table)
	if err != nil && !refusedRead(err) {
		return nil, err
	}
	return func(field string) int {
		for _, one := range columns {
			if one.name == field && one.length > 0 {
				return one.length
			}
		}
		return usual[field]
	}, nil
}

// Describe tells the fields of one table, what they take, and its states. What a data policy or a business rule asks for
// besides is told when a ticket is refused.
func (c *connector) Describe(ctx context.Context, at connectors.Place) (connectors.Schema, error) {
	if !slices.Contains(c.conf.Tables, at.Project) {
		return connectors.Schema{}, c.unknownTable(at.Project)
	}
	columns, err := c.columnsOf(ctx, at.Project)
	if err != nil {
		return connectors.Schema{}, err
	}
	limit, err := c.limits(ctx, at.Project)
	if err != nil {
		return connectors.Schema{}, err
	}
	out := connectors.Schema{Rate: "as the instance's rate limit rules say, where an admin made any"}
	for _, one := range columns {
		if one.name == "" || reserved(one.name) || strings.HasPrefix(one.name, "sys_") {
			continue
		}
		allowed, err := c.choicesOf(ctx, at.Project, one.name)
		if err != nil {
			return connectors.Schema{}, err
		}
		field := connectors.Field{ID: one.name, Name: one.label, Type: fieldType(one.kind), Required: one.mandatory, FormOnly: one.mandatory}
		if field.Type == "text" {
			field.Max = limit(one.name)
		}
		for _, value := range allowed {
			field.Allowed = append(field.Allowed, value.value)
		}
		switch lookedUp[one.name] {
		case "sys_user":
			field.Doc = "a person's User ID, address or sys_id"
		case "sys_user_group":
			field.Doc = "a group's name or sys_id"
		default:
			if names := labels(allowed); len(names) > 0 {
				field.Doc = connectors.Clean(strings.Join(names, ", "), 400)
			}
		}
		out.Fields = append(out.Fields, field)
	}
	states, err := c.choicesOf(ctx, at.Project, stateField)
	if err != nil {
		return connectors.Schema{}, err
	}
	out.Statuses = labels(states)
	return out, nil
}

func (c *connector) unknownTable(name string) error {
	return connectors.Permanently("%q is not among the tables of the connection; they are: %s", connectors.Clean(name, 100), strings.Join(c.conf.Tables, ", "))
}

func fieldType(kind string) string {
	switch kind {
	case "boolean":
		return "bool"
	case "integer", "decimal", "float", "longint":
		return "number"
	case "glide_date", "glide_date_time", "due_date":
		return "time"
	default:
		return "text"
	}
}
