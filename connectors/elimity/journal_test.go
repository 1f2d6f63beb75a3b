package elimity

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	"github.com/drawbridge-itsm/drawbridge/connectors/elimity/elimitystandin"
)

var approval = connectors.Decision{
	Kind: connectors.ChangeRequested, RequestID: "elm-1", Outcome: connectors.Approved, By: connectors.Person{Name: "Lee", Account: "5b10"},
	At: connectortest.Now, Reason: "no longer\nneeded", Ticket: connectors.Ref{ID: "10042", Key: "ITSEC-42"},
}

func TestDecisionsAreWrittenIntoTheJournal(t *testing.T) {
	t.Parallel()
	x := newStage(t, elimitystandin.Options{}, journalSettings)
	denial, bare, long := approval, approval, approval
	denial.Outcome, denial.By.Name = connectors.Denied, ""
	bare.By, bare.Reason, bare.Ticket = connectors.Person{}, "", connectors.Ref{}
	long.Reason = strings.Repeat("x", 2000)
	var want []elimitystandin.LogLine
	for _, tt := range []struct {
		decision connectors.Decision
		message  string
	}{
		{approval, "change elm-1 approved by Lee in ITSEC-42: no longer needed"},
		{denial, "change elm-1 denied by 5b10 in ITSEC-42: no longer needed"},
		{bare, "change elm-1 approved"},
		{long, "change elm-1 approved by Lee in ITSEC-42: " + strings.Repeat("x", 1000-len("change elm-1 approved by Lee in ITSEC-42: ")-1) + "…"},
	} {
		if _, err := connectors.Do(t.Context(), x.k, connectors.Action{Kind: connectors.Decide, Decision: &tt.decision}); err != nil {
			t.Fatal(err)
		}
		want = append(want, elimitystandin.LogLine{Level: "info", Message: tt.message, Timestamp: connectortest.Now})
	}
	if diff := cmp.Diff(want, x.Log()); diff != "" {
		t.Errorf("journal (-want +got):\n%s", diff)
	}
}

func TestDecisionsThatSayTooLittleAreNotWritten(t *testing.T) {
	t.Parallel()
	x := newStage(t, elimitystandin.Options{}, journalSettings)
	for name, change := range map[string]func(*connectors.Decision){
		"no request": func(d *connectors.Decision) { d.RequestID = "" },
		"no time":    func(d *connectors.Decision) { d.At = time.Time{} },
		"pending":    func(d *connectors.Decision) { d.Outcome = connectors.Pending },
	} {
		d := approval
		change(&d)
		_, err := connectors.Do(t.Context(), x.k, connectors.Action{Kind: connectors.Decide, Decision: &d})
		if err == nil || connectors.AsError(err).Kind != connectors.Permanent || connectors.AsError(err).Sent {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(x.Log()) != 0 {
		t.Errorf("journal: %v", x.Log())
	}
}
