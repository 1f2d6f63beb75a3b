package gateway_test

import (
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/store"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

func TestTicketOfAnotherRequestIsNotTakenOver(t *testing.T) {
	t.Parallel()
	r := newRig(t, storetest.DSN(t, storetest.SQLite))
	r.desk.always = "7"
	defer r.run(t)()
	for _, id := range []string{"first", "second"} {
		if err := r.send(id); err != nil {
			t.Fatal(err)
		}
	}
	var dead []store.Delivery
	for end := time.Now().Add(time.Minute); len(dead) == 0; time.Sleep(5 * time.Millisecond) {
		var err error
		if dead, err = r.store.DeadLetters(t.Context(), "desk", 0); err != nil || time.Now().After(end) {
			t.Fatalf("there is no dead letter, %v", err)
		}
	}
	if len(dead) != 1 || !strings.Contains(dead[0].Error, "belongs to another request already") {
		t.Errorf("dead are %+v", dead)
	}
	links, err := r.store.LinksOfCase(t.Context(), dead[0].CaseID)
	if err != nil || len(links) != 1 || links[0].State != store.LinkPlanned {
		t.Errorf("the second request has %+v, %v; want no ticket", links, err)
	}
	if first, err := r.store.LinkByRef(t.Context(), "desk", "7"); err != nil || first.State != store.LinkLinked || first.CaseID == dead[0].CaseID {
		t.Errorf("the first request has %+v, %v", first, err)
	}
}
