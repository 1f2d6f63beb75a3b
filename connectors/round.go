package connectors

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// Progress is how far watching came, for desks that are asked what changed since a time.
type Progress struct {
	At   time.Time `json:"at"`             // everything before was told, by the desk's clock
	Seen string    `json:"seen,omitempty"` // the open ticket that was looked at last
}

// Cursor is p as a Watcher returns it.
func (p Progress) Cursor() Cursor {
	text, _ := json.Marshal(p) // a time and a text always encode
	return Cursor(text)
}

// ReadProgress reads a cursor; the empty one is no progress.
func ReadProgress(c Cursor) (Progress, error) {
	var p Progress
	if c == "" {
		return p, nil
	}
	if err := json.Unmarshal([]byte(c), &p); err != nil || p.At.IsZero() {
		return p, Permanently("watch: the cursor is not one of ours")
	}
	return p, nil
}

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
