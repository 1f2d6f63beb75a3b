package servicenow

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	"github.com/drawbridge-itsm/drawbridge/connectors/servicenow/servicenowstandin"
)

var (
	kim    = connectors.Account{Person: connectors.Person{Account: "kim", Name: "Kim Example", Mail: "kim@corp.example"}}
	lee    = connectors.Account{Person: connectors.Person{Account: "lee", Name: "Lee Example", Mail: "lee@corp.example"}}
	max0   = connectors.Account{Person: connectors.Person{Account: "max", Name: "Max Example", Mail: "max@corp.example"}}
	robot  = connectors.Account{Person: connectors.Person{Account: "robot", Name: "Robot"}, Automation: true}
	script = connectors.Account{Person: connectors.Person{Account: "system"}, Automation: true}
	bridge = connectors.Account{Person: connectors.Person{Account: "drawbridge", Name: "Drawbridge"}, Ours: true, Automation: true}
)

func TestHistoryTellsWhoDidWhat(t *testing.T) {
	t.Parallel()
	w := newWorld(t, servicenowstandin.Options{})
	ref, err := w.Create(t.Context(), "k1", request())
	connectortest.Must(t, err)
	opened := w.time.Now()
	w.time.Advance(time.Minute)
	moved := w.time.Now()
	connectortest.Must(t, w.desk.CommentAs(ref.Key, "kim", "status: Approved", true)) // no step
	connectortest.Must(t, w.desk.Move(ref.Key, "kim", "In Progress", nil))
	connectortest.Must(t, w.desk.Move(ref.Key, "robot", "On Hold", nil))
	connectortest.Must(t, w.desk.Move(ref.Key, "system", "New", nil))
	connectortest.Must(t, w.desk.Move(ref.Key, "lee", "Approved", nil)) // four in one second
	connectortest.Must(t, w.desk.Edit(ref.Key, "max", map[string]string{"short_description": "other", "priority": "4"}))
	connectortest.Must(t, w.Update(t.Context(), ref, connectors.Ticket{Summary: "again"}))
	s := w.fetch(t, ref)
	var got []connectors.Step
	for _, one := range s.History {
		if one.ID == "" {
			t.Errorf("a step without id: %+v", one)
		}
		one.ID = ""
		got = append(got, one)
	}
	step := func(by connectors.Account, field, from, to string) connectors.Step {
		return connectors.Step{At: moved, By: by, Field: field, From: from, To: to}
	}
	want := []connectors.Step{
		step(kim, "status", "New", "In Progress"), step(robot, "status", "In Progress", "On Hold"), step(script, "status", "On Hold", "New"),
		step(lee, "status", "New", "Approved"), step(max0, "priority", "2 - High", "4 - Low"), step(max0, "summary", "Ana asks to run Setup Tool", "other"),
		step(bridge, "summary", "other", "again"),
	}
	sortPriority(got)
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("history (-want +got):\n%s", d)
	}
	if again := w.fetch(t, ref); !cmp.Equal(again, s) {
		t.Errorf("read again it differs:\n%s", cmp.Diff(s, again))
	}
	if s.Status != "Approved" || s.Category != "active" || s.Summary != "again" || s.Priority != "4 - Low" || s.Key != "k1" || !s.Ours ||
		!cmp.Equal(s.Creator, bridge) || !s.Created.Equal(opened) || !s.Updated.Equal(moved) || s.Fields["u_department"] != "Sales" || s.Fields["approval"] != "not requested" {
		t.Errorf("snapshot %+v", s)
	}
}

// sortPriority puts the two steps of one change in order: they have one time and one count.
func sortPriority(steps []connectors.Step) {
	if n := len(steps); n == 7 && steps[4].Field == "summary" {
		steps[4], steps[5] = steps[5], steps[4]
	}
}

func TestApprovals(t *testing.T) {
	t.Parallel()
	const pending, yes, no = connectors.Pending, connectors.Approved, connectors.Denied
	type answer struct {
		by      connectors.Account
		outcome connectors.Outcome
	}
	type act func(w *world, ref connectors.Ref) error
	ask := func(who ...string) act {
		return func(w *world, ref connectors.Ref) error { return w.desk.Ask(ref.Key, "system", who...) }
	}
	says := func(who, by, state string) act {
		return func(w *world, ref connectors.Ref) error { return w.desk.Answer(ref.Key, who, by, state) }
	}
	for _, tc := range []struct {
		name  string
		table string
		acts  []act
		want  []answer
		final connectors.Outcome
	}{
		{"nobody was asked", "sc_req_item", nil, nil, pending},
		{"asked", "sc_req_item", []act{ask("kim", "lee")}, []answer{{kim, pending}, {lee, pending}}, pending},
		{"one of two approved", "sc_req_item", []act{ask("kim", "lee"), says("kim", "kim", "approved")}, []answer{{kim, yes}, {lee, pending}}, pending},
		{"both approved", "change_request", []act{ask("kim", "lee"), says("kim", "kim", "approved"), says("lee", "lee", "approved")}, []answer{{kim, yes}, {lee, yes}}, yes},
		{"rejected", "sc_task", []act{ask("kim", "lee"), says("lee", "lee", "rejected")}, []answer{{kim, pending}, {lee, no}}, no},
		{"the other was not needed", "sc_req_item", []act{ask("kim", "lee"), says("kim", "kim", "approved"), says("lee", "system", "not_required")}, []answer{{kim, yes}}, yes},
		{"the other was cancelled", "sc_req_item", []act{ask("kim", "lee"), says("kim", "kim", "approved"), says("lee", "system", "cancelled")}, []answer{{kim, yes}, {lee, pending}}, yes},
		{"a delegate answered", "incident", []act{ask("kim"), says("kim", "lee", "approved")}, []answer{{lee, yes}}, yes},
		{"somebody else answered for them", "incident", []act{ask("kim"), says("kim", "max", "approved")}, []answer{{max0, yes}}, yes},
		{"a robot answered for them", "incident", []act{ask("kim"), says("kim", "robot", "approved")}, []answer{{robot, yes}}, yes},
		{"a script answered for them", "incident", []act{ask("kim"), says("kim", "system", "approved")}, []answer{{script, yes}}, yes},
		{"touched again by a change of mind", "incident", []act{ask("kim"), says("kim", "kim", "approved"), says("kim", "kim", "rejected")}, []answer{{kim, no}}, no},
		{"touched by the approver after somebody else answered", "incident", []act{ask("kim"), says("kim", "max", "approved"), func(w *world, ref connectors.Ref) error {
			return w.desk.Answer(ref.Key, "kim", "kim", "approved")
		}}, []answer{{max0, yes}}, yes},
		{"the ticket's field alone", "incident", []act{ask("kim"), func(w *world, ref connectors.Ref) error {
			return w.desk.Edit(ref.Key, "max", map[string]string{"approval": "approved"})
		}}, []answer{{kim, pending}}, yes},
	} {
		for _, audited := range []string{"audited", "not audited"} {
			t.Run(tc.name+", "+audited, func(t *testing.T) {
				t.Parallel()
				o := servicenowstandin.Options{}
				if audited != "audited" {
					o.Unaudited = []string{"sysapproval_approver"}
				}
				w := newWorld(t, o)
				ref := w.createIn(t, "k1", tc.table)
				for _, act := range tc.acts {
					w.time.Advance(time.Minute)
					connectortest.Must(t, act(w, ref))
				}
				s := w.fetch(t, ref)
				var got []answer
				for _, a := range s.Approvals {
					got = append(got, answer{a.By, a.Outcome})
					if a.Final != tc.final || a.ID == "" || a.At.IsZero() != (a.Outcome == pending) {
						t.Errorf("approval %+v, want it to come to %s", a, tc.final)
					}
				}
				sortAnswers := cmp.Transformer("set", func(all []answer) map[string]connectors.Outcome {
					out := map[string]connectors.Outcome{}
					for _, one := range all {
						out[one.by.Account+"/"+one.by.Name] = one.outcome
					}
					return out
				})
				want := tc.want
				if audited != "audited" && strings.Contains(tc.name, "touched") { // twice, and nobody knows by whom
					want = []answer{{connectors.Account{}, tc.want[0].outcome}}
				}
				if d := cmp.Diff(want, got, cmp.AllowUnexported(answer{}), sortAnswers); d != "" {
					t.Errorf("answers (-want +got):\n%s", d)
				}
			})
		}
	}
}

func TestHalfAHistoryIsNoEvidence(t *testing.T) {
	t.Parallel()
	t.Run("a state changed without a trace", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, servicenowstandin.Options{})
		ref := w.create(t, "k1")
		connectortest.Must(t, w.desk.Move(ref.Key, "kim", "In Progress", nil))
		connectortest.Must(t, w.desk.Reword(ref.Key, "20"))
		if _, err := w.Fetch(t.Context(), ref); err == nil || !strings.Contains(err.Error(), "does not lead to the state") || connectors.AsError(err).Kind != connectors.Temporary {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a gap in between", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, servicenowstandin.Options{})
		ref := w.create(t, "k1")
		connectortest.Must(t, w.desk.Move(ref.Key, "kim", "In Progress", nil))
		connectortest.Must(t, w.desk.Reword(ref.Key, "20"))
		connectortest.Must(t, w.desk.Move(ref.Key, "kim", "On Hold", nil))
		if _, err := w.Fetch(t.Context(), ref); err == nil {
			t.Error("it was taken for evidence")
		}
	})
	t.Run("history may not be read", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, servicenowstandin.Options{Unreadable: []string{"sys_audit"}})
		_, err := w.Fetch(t.Context(), w.create(t, "k1"))
		connectortest.Permanent(t, err, "read history", "User Not Authorized")
	})
}

func TestStatesOfTheSettingsStandInForChoices(t *testing.T) {
	t.Parallel()
	w := newWorld(t, servicenowstandin.Options{}, func(c *Config) { c.States = map[string]map[string]string{"incident": {"1": "Neu", "2": "Genehmigt"}} })
	ref := w.create(t, "k1")
	connectortest.Must(t, w.Transition(t.Context(), ref, connectors.Move{Status: "Genehmigt"}))
	if s := w.fetch(t, ref); s.Status != "Genehmigt" || s.History[0].From != "Neu" {
		t.Errorf("snapshot %+v", s)
	}
}
