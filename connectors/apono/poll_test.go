package apono

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/apono/aponostandin"
)

func waiting(id string) connectors.Decision {
	return connectors.Decision{Kind: connectors.AccessRequested, RequestID: id, IDs: map[string]string{friendlyIDName: "AR-1"}, Outcome: connectors.Pending, At: noon}
}

// What a poll finds means what the webhook would have, had it arrived.
func TestPollTellsWhatAWebhookWouldHave(t *testing.T) {
	t.Parallel()
	type meaning struct {
		Kind, Type, RequestID string
		Outcome               connectors.Outcome
	}
	mean := func(e connectors.Event) meaning {
		m := meaning{Kind: e.Kind, Type: e.Type, RequestID: e.RequestID}
		if e.Decision != nil {
			m.Outcome = e.Decision.Outcome
		}
		return m
	}
	for _, tt := range []struct {
		name string
		end  func(*aponostandin.Server, string) error
		hook string // the trigger whose webhook is compared
	}{
		{"approved", func(s *aponostandin.Server, id string) error { return s.ApproveInPortal(id, kim.Email) }, "RequestApproved"},
		{"rejected", func(s *aponostandin.Server, id string) error { return s.RejectInPortal(id, kim.Email) }, "RequestRejected"},
		{"expired", (*aponostandin.Server).Expire, "RequestExpired"},
		{"failed", (*aponostandin.Server).Fail, "RequestFailed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBridge(t)
			k, standin := against(t, aponostandin.Options{HookURL: b.URL, HookToken: "hook"}, "")
			b.connector = k
			request := anaAsks
			request.Approvers = []aponostandin.Person{kim}
			id := standin.Request(request)
			if got, err := k.Poll(t.Context(), []connectors.Decision{waiting(id)}); err != nil || len(got) != 0 {
				t.Fatalf("while it waits: %+v, %v", got, err)
			}
			if err := tt.end(standin, id); err != nil {
				t.Fatal(err)
			}
			got, err := k.Poll(t.Context(), []connectors.Decision{waiting(id)})
			if err != nil || len(got) != 1 {
				t.Fatalf("got %+v, %v", got, err)
			}
			if _, err := standin.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			hook := <-b.events
			for hook.Type != tt.hook && len(b.events) > 0 {
				hook = <-b.events
			}
			if diff := cmp.Diff(mean(hook), mean(got[0])); diff != "" {
				t.Errorf("the poll means something else (-webhook +poll):\n%s", diff)
			}
			if got[0].Part == nil || len(got[0].Part.Body) == 0 {
				t.Error("what Apono answered is not kept")
			}
			for name := range got[0].Data {
				if !slices.ContainsFunc(k.Emits()[0].Data, func(f connectors.Field) bool { return f.ID == name }) {
					t.Errorf("data has %s, which Emits does not list", name)
				}
			}
		})
	}
}

func TestPollAsksOnlyAboutWhatWaits(t *testing.T) {
	t.Parallel()
	decided, other := waiting("r-1"), waiting("r-2")
	decided.Outcome, other.Kind = connectors.Approved, connectors.Anomaly
	k, standin := against(t, aponostandin.Options{}, "")
	standin.FailNext(1000, 500)
	if got, err := k.Poll(t.Context(), []connectors.Decision{decided, other}); err != nil || len(got) != 0 {
		t.Errorf("got %+v, %v", got, err)
	}
	off, standin := against(t, aponostandin.Options{}, "state: {path: ''}")
	standin.FailNext(1000, 500)
	if got, err := off.Poll(t.Context(), []connectors.Decision{waiting("r-1")}); err != nil || len(got) != 0 {
		t.Errorf("switched off: got %+v, %v", got, err)
	}
}

func TestPollGoesOnAfterOneThatCannotBeRead(t *testing.T) {
	t.Parallel()
	k, standin := against(t, aponostandin.Options{}, "")
	id := standin.Request(anaAsks)
	if err := standin.Expire(id); err != nil {
		t.Fatal(err)
	}
	got, err := k.Poll(t.Context(), []connectors.Decision{waiting("nobody-knows"), waiting(id)})
	if err != nil || len(got) != 1 {
		t.Errorf("one that is not found: got %+v, %v", got, err)
	}
	standin.FailNext(1, 403)
	if got, err = k.Poll(t.Context(), []connectors.Decision{waiting(id), waiting(id)}); len(got) != 1 || connectors.AsError(err).Kind != connectors.Permanent {
		t.Errorf("one that is refused: got %+v, %v", got, err)
	}
	standin.FailNext(1, 500)
	if got, err = k.Poll(t.Context(), []connectors.Decision{waiting(id), waiting(id)}); len(got) != 1 || connectors.AsError(err).Kind != connectors.Temporary {
		t.Errorf("one that always fails: got %+v, %v", got, err)
	}
	standin.FailNext(1, 429)
	if got, err = k.Poll(t.Context(), []connectors.Decision{waiting(id), waiting(id)}); len(got) != 0 || errors.Is(err, connectors.ErrNotFound) || connectors.AsError(err).Kind != connectors.Throttled {
		t.Errorf("a fault of all: got %+v, %v", got, err)
	}
}
