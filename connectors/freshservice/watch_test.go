package freshservice

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	"github.com/drawbridge-itsm/drawbridge/connectors/freshservice/freshservicestandin"
)

func TestWatch(t *testing.T) {
	t.Parallel()
	w := newWorld(t, freshservicestandin.Options{})
	ticket, order, other := w.create(t, "k1", request()), w.create(t, "k2", serviceOrder()), w.create(t, "k3", changeOrder())
	connectortest.Must(t, w.site.Ask(order.ID, 11))
	_, cursor, err := w.Watch(t.Context(), "", nil)
	connectortest.Must(t, err)
	w.time.Advance(time.Hour)
	watch := func(open ...connectors.Ref) (ids []string) {
		t.Helper()
		changes, next, err := w.Watch(t.Context(), cursor, open)
		connectortest.Must(t, err)
		for _, c := range changes {
			ids = append(ids, c.Ref.ID)
		}
		cursor = next
		w.time.Advance(time.Hour)
		return ids
	}
	watch()
	if got := watch(ticket, order, other); len(got) != 0 {
		t.Errorf("told of %v where nothing happened", got)
	}
	connectortest.Must(t, w.site.Move(ticket.ID, "Approved"))
	connectortest.Must(t, w.site.Move(other.ID, "Planning"))
	if got := watch(); !cmp.Equal(got, []string{ticket.ID, other.ID}) {
		t.Errorf("told of %v", got)
	}
	watch()                                                            // once more, for the overlap
	connectortest.Must(t, w.site.Answer(order.ID, 11, "approved", "")) // does not touch the ticket
	if got := watch(ticket, order, other); !cmp.Equal(got, []string{order.ID}) {
		t.Errorf("told of %v, want %s", got, order.ID)
	}
	watch()
	connectortest.Must(t, w.site.Delete(ticket.ID))
	if got := watch(ticket, other); !cmp.Equal(got, []string{ticket.ID}) {
		t.Errorf("told of %v, want %s", got, ticket.ID)
	}
	if _, err := w.Fetch(t.Context(), ticket); !errors.Is(err, connectors.ErrNotFound) {
		t.Errorf("fetch of a deleted ticket = %v", err)
	}
	if _, _, err := w.Watch(t.Context(), "nonsense", nil); err == nil {
		t.Error("a cursor of somebody else was taken")
	}
}

func TestWatchGoesRound(t *testing.T) {
	t.Parallel()
	w := newWorld(t, freshservicestandin.Options{}, func(c *Config) { c.Batch = 2 })
	var open []connectors.Ref
	for n := range 5 {
		open = append(open, w.create(t, fmt.Sprint("k", n), request()))
		connectortest.Must(t, w.site.Delete(open[n].ID))
	}
	_, cursor, err := w.Watch(t.Context(), "", nil)
	connectortest.Must(t, err)
	var told []string
	for range 3 {
		w.time.Advance(time.Hour)
		var changes []connectors.Change
		changes, cursor, err = w.Watch(t.Context(), cursor, open)
		connectortest.Must(t, err)
		for _, c := range changes {
			told = append(told, c.Ref.ID)
		}
	}
	slices.Sort(told)
	if len(told) != 5 || len(slices.Compact(told)) != 5 {
		t.Errorf("told of %v, want all five once", told)
	}
}
