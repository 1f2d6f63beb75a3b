package datatheorem

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	"github.com/drawbridge-itsm/drawbridge/connectors/datatheorem/datatheoremstandin"
)

func openFinding(id string, more ...string) connectors.Decision {
	d := connectors.Decision{Kind: connectors.FindingOpened, RequestID: id, Outcome: connectors.Pending, At: connectortest.Now.Add(-2 * time.Hour)}
	if len(more) > 0 {
		d.IDs = map[string]string{fieldFindingID: more[0]}
	}
	return d
}

// told are the kinds of events about findings, by id.
func told(events []connectors.Event) map[string]string {
	kinds := map[string]string{}
	for _, e := range events {
		kinds[e.RequestID] = e.Kind
	}
	return kinds
}

func TestPollTellsOfFindingsThatWereClosed(t *testing.T) {
	t.Parallel()
	k, standin := against(t, datatheoremstandin.Options{PageSize: 2}, "")
	var about []connectors.Decision
	var ids []string
	for range 5 {
		ids = append(ids, standin.OpenViolation(datatheoremstandin.Violation{}))
		about = append(about, openFinding(ids[len(ids)-1]))
	}
	target, other := standin.OpenTarget("app-1", "A key is in the program"), standin.OpenTarget("app-1", "A backup holds a token")
	about = append(about, openFinding(target, "f-1"), openFinding(other, "f-2"), openFinding("gone", "f-3"))
	poller := &asking{k}
	if got, err := poller.Poll(t.Context(), about); err != nil || len(got) != 0 {
		t.Fatalf("while all are open: %+v, %v", got, err)
	}
	must := errors.Join(standin.Dismiss(ids[1], "accepted"), standin.Dismiss(ids[4], "accepted"), standin.Resolve(ids[2]),
		standin.CloseTarget(target, "CLOSED_FIXED"), standin.CloseTarget(other, "CLOSED_RISK_ACCEPTED"))
	if must != nil {
		t.Fatal(must)
	}
	got, err := poller.Poll(t.Context(), about)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		ids[1]: connectors.FindingDismissed, ids[4]: connectors.FindingDismissed,
		target: connectors.FindingResolved, other: connectors.FindingDismissed,
	}
	if diff := cmp.Diff(want, told(got)); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	for _, e := range got {
		if e.Reason == "" || e.Part == nil || len(e.Part.Body) == 0 {
			t.Errorf("%+v does not say what showed it", e)
		}
		kinds := connectors.Emits(k)
		at := slices.IndexFunc(kinds, func(t connectors.EventType) bool { return t.Kind == e.Kind })
		for name := range e.Data {
			if !slices.ContainsFunc(kinds[at].Data, func(f connectors.Field) bool { return f.ID == name }) {
				t.Errorf("data has %s, which Emits does not list", name)
			}
		}
	}
}

func TestPollTakesWhatIsMissingForResolvedOnlyWhereSet(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, settings string
		age            time.Duration
		want           map[string]string
	}{
		{"not set", "", 2 * time.Hour, map[string]string{}},
		{"set", "violations: {missing_is_resolved: true}", 2 * time.Hour, map[string]string{"id-1": connectors.FindingResolved}},
		{"opened just now", "violations: {missing_is_resolved: true}", time.Minute, map[string]string{}},
		{"the list is longer than may be read", "violations: {missing_is_resolved: true, max_pages: 1}", 2 * time.Hour, map[string]string{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			k, standin := against(t, datatheoremstandin.Options{PageSize: 2}, tt.settings)
			id := standin.OpenViolation(datatheoremstandin.Violation{})
			for range 4 {
				standin.OpenViolation(datatheoremstandin.Violation{})
			}
			if err := standin.Resolve(id); err != nil {
				t.Fatal(err)
			}
			d := openFinding(id)
			d.At = connectortest.Now.Add(-tt.age)
			got, err := (&asking{k}).Poll(t.Context(), []connectors.Decision{d})
			if diff := cmp.Diff(tt.want, told(got)); err != nil || diff != "" {
				t.Errorf("%v, events (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestPollAsksNothingAboutWhatIsNoOpenFinding(t *testing.T) {
	t.Parallel()
	k, standin := against(t, datatheoremstandin.Options{}, "")
	standin.FailNext(1000, 500)
	asset, decided, odd := openFinding("a-1"), openFinding("v-1"), openFinding("../x")
	asset.Kind, decided.Outcome = connectors.AssetDiscovered, connectors.Approved
	if got, err := (&asking{k}).Poll(t.Context(), []connectors.Decision{asset, decided, odd}); err != nil || len(got) != 0 {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestPollGoesOnAfterOneFindingThatCannotBeRead(t *testing.T) {
	t.Parallel()
	k, standin := against(t, datatheoremstandin.Options{}, "")
	broken, target := standin.OpenTarget("app-1", "A"), standin.OpenTarget("app-1", "B")
	if err := standin.CloseTarget(target, "CLOSED_FIXED"); err != nil {
		t.Fatal(err)
	}
	standin.FailNext(1, 400)
	got, err := (&asking{k}).Poll(t.Context(), []connectors.Decision{openFinding(broken, "f-1"), openFinding(target, "f-2")})
	if err == nil || connectors.AsError(err).Kind != connectors.Permanent || told(got)[target] != connectors.FindingResolved {
		t.Errorf("got %+v, %v", got, err)
	}
	standin.FailNext(1, 502)
	if got, err = (&asking{k}).Poll(t.Context(), []connectors.Decision{openFinding(target, "f-2")}); err == nil || connectors.AsError(err).Kind != connectors.Temporary || len(got) != 0 {
		t.Errorf("a fault of all: got %+v, %v", got, err)
	}
}
