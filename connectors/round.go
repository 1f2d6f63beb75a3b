package connectors

import (
	"slices"
	"strings"
)

// Round is the few open tickets that follow the one with the id after, each once and in the order of their ids, from the
// start again behind the last: for desks where watching looks at them one by one.
func Round(open []Ref, after string, few int) []Ref {
	sorted := slices.Clone(open)
	slices.SortFunc(sorted, func(a, b Ref) int { return strings.Compare(a.ID, b.ID) })
	sorted = slices.CompactFunc(sorted, func(a, b Ref) bool { return a.ID == b.ID })
	if len(sorted) <= few {
		return sorted
	}
	at := max(slices.IndexFunc(sorted, func(r Ref) bool { return r.ID > after }), 0)
	return sorted[at:min(at+few, len(sorted))]
}
