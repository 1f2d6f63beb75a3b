package elimity

import (
	"slices"
	"strings"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	"github.com/drawbridge-itsm/drawbridge/connectors/elimity/elimitystandin"
)

func (x *stage) poll(t *testing.T, about ...connectors.Decision) ([]connectors.Event, error) {
	t.Helper()
	p, _, ok := connectors.AsPoller(x.k)
	if !ok {
		t.Fatal("it cannot be polled")
	}
	return p.Poll(t.Context(), about)
}

func TestPollTellsOfChangesThatWereMade(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, says string
		ask        func(*elimitystandin.Server) int
		source     []int64
	}{
		{"entity removal", " is gone or inactive, in data reloaded at 2026-", func(s *elimitystandin.Server) int {
			return s.RemoveEntity("lee@corp.example", "", elimitystandin.Bo)
		}, []int64{elimitystandin.Bo.SourceID}},
		{"relationship removal", " are not linked, in data", func(s *elimitystandin.Server) int {
			return s.RemoveRelationship("lee@corp.example", "", elimitystandin.Ana, elimitystandin.Admin)
		}, []int64{elimitystandin.Ana.SourceID, elimitystandin.Admin.SourceID}},
		{"attribute", "department of ", func(s *elimitystandin.Server) int {
			return s.AssignText("lee@corp.example", "", elimitystandin.Ana, "department", "Department", "Finance")
		}, []int64{elimitystandin.Ana.SourceID}},
		{"a link that is added", " are linked, in data", func(s *elimitystandin.Server) int {
			return s.SubmitReview(elimitystandin.Review{By: "lee@corp.example", Changes: []elimitystandin.RelationshipChange{{Operation: "add", Row: elimitystandin.Bo, Column: elimitystandin.Clerk}}})
		}, []int64{elimitystandin.Bo.SourceID, elimitystandin.Clerk.SourceID}},
	} {
		for _, outcome := range []connectors.Outcome{connectors.Pending, connectors.Approved} {
			t.Run(tt.name+", "+string(outcome), func(t *testing.T) {
				t.Parallel()
				x := newStage(t, elimitystandin.Options{}, checkSettings)
				n := tt.ask(x.Server)
				d := x.asked(t)[0]
				d.Outcome = outcome
				quiet := func(when string) {
					t.Helper()
					if got, err := x.poll(t, d); err != nil || len(got) != 0 {
						t.Errorf("%s: got %+v, %v", when, got, err)
					}
				}
				quiet("before it is made")
				if err := x.CarryOut(n); err != nil {
					t.Fatal(err)
				}
				quiet("before the data is reloaded")
				x.reload(t, tt.source...)
				got, err := x.poll(t, d)
				if err != nil || len(got) != 1 {
					t.Fatalf("got %+v, %v", got, err)
				}
				e := got[0]
				if e.Kind != connectors.ChangeMade || e.RequestID != d.RequestID || !strings.Contains(e.Subject, tt.says) || !e.Time.After(d.At) {
					t.Errorf("got %+v, want a change made that says %q", e, tt.says)
				}
				for name := range e.Data {
					if !slices.ContainsFunc(madeFields, func(f connectors.Field) bool { return f.ID == name }) {
						t.Errorf("data has %s, which Emits does not list", name)
					}
				}
			})
		}
	}
}

func TestPollLooksOnlyForWhatMayCome(t *testing.T) {
	t.Parallel()
	x := newStage(t, elimitystandin.Options{}, checkSettings)
	x.RemoveEntity("lee@corp.example", "", elimitystandin.Bo)
	denied := x.asked(t)[0]
	denied.Outcome = connectors.Denied
	x.FailNext(1000, 500)
	review := connectors.Decision{Kind: connectors.ChangeRequested, RequestID: "elm-1", Outcome: connectors.Approved}
	if got, err := x.poll(t, denied, review); err != nil || len(got) != 0 {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestPollGoesOnAfterAChangeThatCannotBeLookedFor(t *testing.T) {
	t.Parallel()
	x := newStage(t, elimitystandin.Options{}, checkSettings)
	n := x.RemoveEntity("lee@corp.example", "", elimitystandin.Bo)
	d := x.asked(t)[0]
	if err := x.CarryOut(n); err != nil {
		t.Fatal(err)
	}
	x.reload(t, elimitystandin.Bo.SourceID)
	elsewhere, broken := d, d
	elsewhere.IDs = map[string]string{"effect": `{"do":"remove","entity":{"source":77,"type":"person","id":"u-1"}}`}
	broken.IDs = map[string]string{"effect": `{"do":"dance"}`}
	got, err := x.poll(t, elsewhere, broken, d)
	if len(got) != 1 || connectors.AsError(err).Kind != connectors.Permanent {
		t.Errorf("got %+v, %v", got, err)
	}
	x.FailNext(1, 502)
	if got, err = x.poll(t, d); len(got) != 0 || connectors.AsError(err).Kind != connectors.Temporary {
		t.Errorf("a fault of all: got %+v, %v", got, err)
	}
}

// A child of a review is kept as it stood in the review, not with the whole of it.
func TestAChangeOfAReviewIsKeptByItself(t *testing.T) {
	t.Parallel()
	receiver, _ := connectors.AsReceiver(mustOpen(t, ""))
	body := connectortest.Body(t, "testdata/receive/review_submission")
	got, err := receiver.Receive(t.Context(), connectors.Request{Method: "POST", Body: body, Time: connectortest.Now})
	if err != nil || len(got.Events) < 3 {
		t.Fatalf("got %+v, %v", got, err)
	}
	if got.Events[0].Part != nil {
		t.Error("the review is not kept whole")
	}
	for _, e := range got.Events[1:] {
		if e.Part == nil || len(e.Part.Body) >= len(body) || strings.Contains(string(e.Part.Body), "campaignName") || !strings.Contains(string(e.Part.Body), "ntity") {
			t.Errorf("kept of %s is %+v", e.Subject, e.Part)
		}
	}
}
