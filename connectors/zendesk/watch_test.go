package zendesk

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	"github.com/drawbridge-itsm/drawbridge/connectors/zendesk/zendeskstandin"
)

// watched follows a desk as the gateway does, from cursor to cursor.
type watched struct {
	*world
	cursor connectors.Cursor
	open   []connectors.Ref
}

func watching(t *testing.T, w *world) *watched {
	t.Helper()
	_, cursor, err := w.Watch(t.Context(), "", nil)
	connectortest.Must(t, err)
	return &watched{world: w, cursor: cursor}
}

// told are the tickets that were told as changed, with the changes' ids.
func (w *watched) told(t *testing.T) map[string][]string {
	t.Helper()
	changes, next, err := w.Watch(t.Context(), w.cursor, w.open)
	connectortest.Must(t, err)
	w.cursor = next
	out := map[string][]string{}
	for _, c := range changes {
		out[c.Ref.ID] = append(out[c.Ref.ID], c.ID)
	}
	return out
}

func TestTheExportMissesNothing(t *testing.T) {
	t.Parallel()
	w := watching(t, newWorld(t, zendeskstandin.Options{}))
	refs := map[string]int{}
	for i := range 150 { // changed one after the other while it is watched
		ref := w.create(t, "k"+strconv.Itoa(i))
		refs[ref.ID] = 0
		w.time.Advance(3 * time.Second)
		for id := range w.told(t) {
			refs[id]++
		}
	}
	for range 6 {
		w.time.Advance(30 * time.Second)
		for id := range w.told(t) {
			refs[id]++
		}
	}
	for id, n := range refs {
		if n != 1 {
			t.Errorf("ticket %s was told %d times, want once", id, n)
		}
	}
	if n := w.desk.Requests("export"); n > 25 {
		t.Errorf("the export was asked %d times in ten minutes", n)
	}
}

func TestTheExportLeavesOutOthersTickets(t *testing.T) {
	t.Parallel()
	w := watching(t, newWorld(t, zendeskstandin.Options{}))
	ref := w.create(t, "k1")
	clone := w.desk.Clone(ref.ID, somebody, somebody)
	w.time.Advance(2 * time.Minute)
	if got := w.told(t); len(got[ref.ID]) != 1 || len(got[clone]) != 0 {
		t.Errorf("told %v", got)
	}
	connectortest.Must(t, w.desk.Delete(ref.ID, kim))
	w.time.Advance(2 * time.Minute)
	if got := w.told(t); len(got[ref.ID]) != 1 || !strings.HasSuffix(got[ref.ID][0], "@deleted") {
		t.Errorf("told %v, want the ticket as deleted", got)
	}
}

func TestOpenTicketsAreSeenAtOnce(t *testing.T) {
	t.Parallel()
	w := watching(t, newWorld(t, zendeskstandin.Options{}))
	ref := w.create(t, "k1")
	w.open = []connectors.Ref{ref}
	w.time.Advance(time.Minute)
	first := w.told(t)[ref.ID]
	connectortest.Must(t, w.desk.Move(ref.ID, kim, "Approved"))
	second := w.told(t)[ref.ID]
	connectortest.Must(t, w.desk.Move(ref.ID, kim, "Declined")) // in the same second
	third := w.told(t)[ref.ID]
	w.time.Advance(settle)
	fourth, fifth := w.told(t)[ref.ID], w.told(t)[ref.ID]
	seen := map[string]bool{}
	for _, ids := range [][]string{first, second, fourth} {
		if len(ids) != 1 || seen[ids[0]] {
			t.Errorf("ids %v after %v, want one that is new", ids, seen)
			continue
		}
		seen[ids[0]] = true
	}
	if len(third) != 1 || fourth[0] != fifth[0] || fourth[0] == second[0] {
		t.Errorf("ids %v, %v, %v: want the last to stay", third, fourth, fifth)
	}
	w.time.Advance(2 * time.Minute)
	if got := w.told(t)[ref.ID]; len(got) != 1 || got[0] != fourth[0] {
		t.Errorf("told %v, want the export to use the same id", got)
	}
	connectortest.Must(t, w.desk.Delete(ref.ID, kim))
	if got := w.told(t)[ref.ID]; len(got) != 1 || !strings.Contains(got[0], "@gone@") {
		t.Errorf("told %v, want the ticket as gone", got)
	}
}

func TestAThrottledExportWaits(t *testing.T) {
	t.Parallel()
	w := watching(t, newWorld(t, zendeskstandin.Options{}))
	ref := w.create(t, "k1")
	w.open = []connectors.Ref{ref}
	w.time.Advance(2 * time.Minute)
	w.desk.Faults.FailOn("export", 1, http.StatusTooManyRequests, http.Header{"Retry-After": {"90"}})
	if got := w.told(t)[ref.ID]; len(got) != 1 {
		t.Errorf("told %v, want what the open tickets show", got)
	}
	asked := w.desk.Requests("export")
	w.time.Advance(80 * time.Second)
	w.told(t)
	if w.desk.Requests("export") != asked {
		t.Error("the export was asked though it said to wait")
	}
	w.open = nil
	w.time.Advance(11 * time.Second)
	if got := w.told(t)[ref.ID]; len(got) != 1 {
		t.Errorf("told %v, want what the export kept", got)
	}
	w.time.Advance(time.Minute)
	w.desk.Faults.FailOn("export", 1, http.StatusTooManyRequests, http.Header{"Retry-After": {"90"}})
	if _, _, err := w.Watch(t.Context(), w.cursor, nil); err == nil || connectors.AsError(err).RetryAfter != 90*time.Second {
		t.Errorf("with nothing else to do: %v, want throttled", err)
	}
}

func TestWithoutTheExport(t *testing.T) {
	t.Parallel()
	w := watching(t, newWorld(t, zendeskstandin.Options{Role: "agent"}, func(c *Config) { c.NoExport = true }))
	ref := w.create(t, "k1")
	w.open = []connectors.Ref{ref}
	w.time.Advance(time.Hour)
	if got := w.told(t)[ref.ID]; len(got) != 1 || w.desk.Requests("export") != 0 {
		t.Errorf("told %v with %d calls of the export", got, w.desk.Requests("export"))
	}
	if _, _, err := w.Watch(t.Context(), "nonsense", nil); err == nil {
		t.Error("a foreign cursor was taken")
	}
}

func TestOpenTicketsAreLookedAtAHundredAtATime(t *testing.T) {
	t.Parallel()
	var open []connectors.Ref
	for i := 250; i > 0; i-- {
		open = append(open, connectors.Ref{ID: strconv.Itoa(i)}, connectors.Ref{ID: "x"})
	}
	seen, after := map[string]int{}, ""
	for range 4 {
		ids := round(open, after)
		for _, id := range ids {
			seen[id]++
		}
		after = ids[len(ids)-1]
	}
	if len(seen) != 250 || seen["1"] != 2 || seen["250"] != 1 {
		t.Errorf("after four rounds %d were seen, 1 %d times, 250 %d times", len(seen), seen["1"], seen["250"])
	}
}
