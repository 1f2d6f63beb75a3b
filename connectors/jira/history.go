package jira

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// statusField is what a step of the status is called in a snapshot.
const statusField = "status"

// steps turns Jira's histories into steps, oldest first. Which order Jira sends them in depends on how they are asked
// for.
func steps(histories []history, me self) ([]connectors.Step, error) {
	ordered := sorted(histories)
	var out []connectors.Step
	seen := map[string]bool{}
	for _, h := range ordered {
		if h.ID == "" || h.Created.IsZero() {
			return nil, connectors.Temporarily("read history: an entry has no id or time")
		}
		if seen[h.ID] { // pages may shift while they are read
			continue
		}
		seen[h.ID] = true
		for n, item := range h.Items {
			out = append(out, connectors.Step{
				ID: h.ID + "/" + strconv.Itoa(n), At: h.Created.Time, By: h.Author.seenBy(me),
				Field: fieldName(item.FieldID, item.FieldType, item.Field),
				From:  cmp.Or(item.FromString, item.From), To: cmp.Or(item.ToString, item.To),
			})
		}
	}
	return out, nil
}

// fieldName is a field's id. Data Centers may leave it out; a custom field that someone named Status must not be
// taken for the status then.
func fieldName(id, kind, name string) string {
	switch {
	case id != "":
		return id
	case kind == "custom":
		return "custom." + name
	default:
		return name
	}
}

func sorted(histories []history) []history {
	out := slices.Clone(histories)
	slices.SortStableFunc(out, func(a, b history) int {
		return cmp.Or(a.Created.Compare(b.Created.Time), cmp.Compare(len(a.ID), len(b.ID)), cmp.Compare(a.ID, b.ID))
	})
	return out
}

// leadsTo tells whether the last step of the status ends where the ticket is.
func leadsTo(i issue, histories []history) bool {
	var now status
	i.field("status", &now)
	ordered := sorted(histories)
	for _, h := range slices.Backward(ordered) {
		for _, item := range slices.Backward(h.Items) {
			if fieldName(item.FieldID, item.FieldType, item.Field) == statusField {
				return item.To == now.ID
			}
		}
	}
	return true
}
