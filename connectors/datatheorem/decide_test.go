package datatheorem

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	"github.com/drawbridge-itsm/drawbridge/connectors/datatheorem/datatheoremstandin"
)

const updateBody = "targets: {update: {body: '{\"status\":{status},\"comment\":{reason}}', denied: OPEN_READY_TO_RESCAN}}"

func acceptRisk(id string, o connectors.Outcome) connectors.Decision {
	return connectors.Decision{
		Kind: connectors.FindingOpened, RequestID: id, IDs: map[string]string{fieldFindingID: "f-1"}, Outcome: o,
		By: connectors.Person{Name: "Kim"}, At: connectortest.Now, Reason: `a "test" app`, Ticket: connectors.Ref{Key: "SEC-1"},
	}
}

func TestDecideUpdatesAMobileFindingTarget(t *testing.T) {
	t.Parallel()
	k, standin := against(t, datatheoremstandin.Options{}, updateBody)
	id := standin.OpenTarget("app-1", "A key is in the program")
	for _, o := range []connectors.Outcome{connectors.Approved, connectors.Denied} {
		if err := k.Decide(t.Context(), acceptRisk(id, o)); err != nil {
			t.Fatalf("%s: %v", o, err)
		}
		want := map[connectors.Outcome]connectors.Outcome{connectors.Approved: connectors.Approved, connectors.Denied: connectors.Pending}[o]
		if s, err := k.State(t.Context(), acceptRisk(id, o)); err != nil || s.Outcome != want {
			t.Errorf("%s: the state is %+v, %v, want %s", o, s, err, want)
		}
	}
	want := []datatheoremstandin.Update{{Target: id, Status: "CLOSED_RISK_ACCEPTED", Comment: `a "test" app`}, {Target: id, Status: "OPEN_READY_TO_RESCAN", Comment: `a "test" app`}}
	if diff := cmp.Diff(want, standin.Updates()); diff != "" {
		t.Errorf("updates (-want +got):\n%s", diff)
	}
}

func TestTheUpdateIsOffUntilItsBodyIsSet(t *testing.T) {
	t.Parallel()
	k, standin := against(t, datatheoremstandin.Options{}, "")
	id := standin.OpenTarget("app-1", "A key is in the program")
	err := k.Decide(t.Context(), acceptRisk(id, connectors.Approved))
	if err == nil || connectors.AsError(err).Kind != connectors.Permanent || connectors.AsError(err).Sent || !strings.Contains(err.Error(), "set settings.targets.update.body") {
		t.Errorf("got %v, want it refused with the setting's name", err)
	}
	if done := standin.Updates(); len(done) != 0 {
		t.Errorf("Data Theorem was told %+v", done)
	}
	listening := mustOpen(t, updateBody)
	if err := listening.Decide(t.Context(), acceptRisk(id, connectors.Approved)); err == nil || !strings.Contains(err.Error(), "settings.api_key is missing") {
		t.Errorf("without a key: %v", err)
	}
}

func TestADecisionThatHasNoCallIsKept(t *testing.T) {
	t.Parallel()
	violation := acceptRisk("v-1", connectors.Approved)
	violation.IDs = nil
	for _, tt := range []struct {
		name string
		d    connectors.Decision
		why  string
	}{
		{"on a violation", violation, "documents no call"},
		{"that leaves a target open", acceptRisk("t-1", connectors.Denied), "stays there as it is"},
	} {
		err := mustOpen(t, "").Decide(t.Context(), tt.d)
		if kept, ok := errors.AsType[*connectors.Kept](err); !ok || !strings.Contains(kept.Why, tt.why) {
			t.Errorf("%s: got %v, want it kept: %s", tt.name, err, tt.why)
		}
	}
	if err := mustOpen(t, "").Decide(t.Context(), acceptRisk("t-1", connectors.Expired)); err == nil || connectors.AsError(err).Kind != connectors.Permanent {
		t.Errorf("an outcome that is no decision: %v", err)
	}
}

func TestDecideReadsAnswers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		status int
		kind   connectors.Kind
		words  string
	}{
		{http.StatusForbidden, connectors.Permanent, "the right"},
		{http.StatusUnauthorized, connectors.Unwell, "settings.api_key"},
		{http.StatusBadGateway, connectors.Temporary, ""},
	} {
		k, standin := against(t, datatheoremstandin.Options{}, updateBody)
		id := standin.OpenTarget("app-1", "A")
		standin.FailNext(1, tt.status)
		err := k.Decide(t.Context(), acceptRisk(id, connectors.Approved))
		if err == nil || connectors.AsError(err).Kind != tt.kind || !strings.Contains(err.Error(), tt.words) || strings.Contains(err.Error(), "canary") {
			t.Errorf("HTTP %d: got %v, want %s", tt.status, err, tt.kind)
		}
	}
}
