package pagerduty

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	pd "github.com/drawbridge-itsm/drawbridge/connectors/pagerduty/pagerdutystandin"
)

func TestSnapshotTellsWhoDidWhat(t *testing.T) {
	t.Parallel()
	must := func(errs ...error) error { return errors.Join(errs...) }
	for _, tc := range []struct {
		name string
		o    pd.Options
		do   func(w *world, id string) error
		want []string // field, from, to, who
	}{
		{"nothing", pd.Options{}, func(*world, string) error { return nil }, nil},
		{"a value", pd.Options{}, func(w *world, id string) error { return w.desk.Set(id, "PKIM", "approval", "Approved") }, []string{"approval||Approved|PKIM kim@corp.example"}},
		{"a value taken back", pd.Options{}, func(w *world, id string) error {
			return must(w.desk.Set(id, "PKIM", "approval", "Approved"), w.desk.Set(id, "PLEE", "approval", nil))
		}, []string{"approval||Approved|PKIM kim@corp.example", "approval|Approved||PLEE lee@corp.example"}},
		{"a list", pd.Options{}, func(w *world, id string) error { return w.desk.Set(id, "PKIM", "systems", []any{"payroll", "mail"}) }, []string{"systems|mail|mail, payroll|PKIM kim@corp.example"}},
		{"a rule", pd.Options{}, func(w *world, id string) error { return w.desk.Set(id, "", "approval", "Approved") }, []string{"approval||Approved|PACCESS automation"}},
		{"a program with a key", pd.Options{}, func(w *world, id string) error { return w.desk.SetVia(id, "PKIM", "api", "approval", "Approved") }, []string{"approval||Approved|PKIM kim@corp.example automation"}},
		{"a user that is an app", pd.Options{}, func(w *world, id string) error { return w.desk.Set(id, "PMAX", "approval", "Approved") }, []string{"approval||Approved|PMAX max@corp.example automation"}},
		{"without a trace", pd.Options{Silent: true}, func(w *world, id string) error { return w.desk.Set(id, "PKIM", "approval", "Approved") }, nil},
		{"acknowledged twice, and left", pd.Options{}, func(w *world, id string) error {
			return must(w.desk.Move(id, "PKIM", "acknowledged"), w.desk.Move(id, "PLEE", "acknowledged"), w.desk.Move(id, "", "triggered"))
		}, []string{"status|triggered|acknowledged|PKIM kim@corp.example", "status|acknowledged|triggered|PACCESS automation"}},
		{"resolved", pd.Options{}, func(w *world, id string) error { return w.desk.Resolve(id, "PKIM", "resolved", "fine") },
			[]string{"status|triggered|resolved|PKIM kim@corp.example", "resolution||fine|PKIM kim@corp.example"}},
		{"resolved with a word", pd.Options{}, func(w *world, id string) error {
			return w.desk.Resolve(id, "PKIM", "resolved", "Approved.\nfor a week")
		},
			[]string{"answer||Approved|PKIM kim@corp.example", "status|triggered|resolved|PKIM kim@corp.example", "resolution||Approved.\nfor a week|PKIM kim@corp.example"}},
		{"reopened", pd.Options{}, func(w *world, id string) error {
			return must(w.desk.Move(id, "PKIM", "resolved"), w.desk.Move(id, "PLEE", "triggered"))
		}, []string{"status|triggered|resolved|PKIM kim@corp.example", "status|resolved|triggered|PLEE lee@corp.example"}},
		{"reopened without a trace", pd.Options{Reopens: "none"}, func(w *world, id string) error {
			return must(w.desk.Move(id, "PKIM", "resolved"), w.desk.Move(id, "PLEE", "triggered"))
		}, []string{"status|triggered|resolved|PKIM kim@corp.example"}},
		{"renamed", pd.Options{}, func(w *world, id string) error { return w.desk.Rename(id, "PKIM", "other") }, []string{"summary|Ana asks to run Setup Tool|other|PKIM kim@corp.example"}},
		{"paged", pd.Options{}, func(w *world, id string) error { return w.desk.Page(id, 250) }, nil},
		{"our own account", pd.Options{}, func(w *world, id string) error { return w.desk.Set(id, pd.Bridge, "approval", "Approved") }, []string{"approval||Approved|PBRIDGE bridge@corp.example ours"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, tc.o, func(c *Config) { c.Automation = []string{"PMAX"} })
			ticket := request()
			ref, err := w.Create(t.Context(), "k1", ticket)
			connectortest.Must(t, err)
			before := len(w.fetch(t, ref).History)
			w.time.Advance(time.Minute)
			connectortest.Must(t, tc.do(w, ref.ID))
			got := w.fetch(t, ref)
			if !got.Ours || got.Key != "k1" || !got.Creator.Ours || got.Creator.Account != pd.Bridge {
				t.Errorf("ours %t, key %q, creator %+v", got.Ours, got.Key, got.Creator)
			}
			var steps []string
			ids := map[string]bool{}
			for _, s := range got.History[before:] {
				who := strings.TrimSpace(s.By.Account + " " + s.By.Mail)
				if s.By.Ours {
					who += " ours"
				}
				if s.By.Automation {
					who += " automation"
				}
				if ids[s.ID] || s.ID == "" || s.At.IsZero() {
					t.Errorf("step %+v", s)
				}
				ids[s.ID] = true
				steps = append(steps, strings.Join([]string{s.Field, s.From, s.To, who}, "|"))
			}
			if d := cmp.Diff(tc.want, steps); d != "" {
				t.Errorf("steps (-want +got):\n%s", d)
			}
			if again := w.fetch(t, ref); !cmp.Equal(again.History, got.History) {
				t.Error("the history is another the second time")
			}
		})
	}
}

// A channel nobody has heard of is a program's until somebody says otherwise.
func TestOnlyChannelsPeopleUseAreTheirOwnDoing(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		via    []string // people_via; empty: as it is by itself
		own    []string
		others []string
	}{
		{nil, []string{"website", "Website", "mobile"}, []string{
			"", " ", "api", "API", "rest_api", "events_api_v2", "integration", "incident_workflow", "auto", "email", "sms", "web_trigger", "note", "nagios", "timeout", "slack", "websites",
		}},
		{[]string{"Website", "sms"}, []string{"website", "SMS"}, []string{"", "api", "mobile", "email"}},
	} {
		w := newWorld(t, pd.Options{}, func(c *Config) { c.PeopleVia = tc.via })
		ref := w.create(t, "k1")
		for i, via := range append(tc.own[:len(tc.own):len(tc.own)], tc.others...) {
			value := []string{"Approved", "Declined"}[i%2]
			connectortest.Must(t, w.desk.SetVia(ref.ID, "PKIM", via, "approval", value))
			connectortest.Must(t, w.desk.MoveVia(ref.ID, "PKIM", via, []string{"acknowledged", "triggered"}[i%2], ""))
			history := w.fetch(t, ref).History
			for _, s := range history[len(history)-2:] {
				if s.By.Account != "PKIM" || s.By.Automation != (i >= len(tc.own)) {
					t.Errorf("people_via %q: %s by the channel %q is told as %+v", tc.via, s.Field, via, s.By)
				}
			}
		}
	}
}

func TestAnswersByNote(t *testing.T) {
	t.Parallel()
	w := newWorld(t, pd.Options{})
	ref := w.create(t, "k1")
	say := func(who, text string) string {
		t.Helper()
		w.time.Advance(time.Minute)
		id, err := w.desk.Note(ref.ID, who, text)
		connectortest.Must(t, err)
		return id
	}
	expect := func(answer, reason string, by ...string) {
		t.Helper()
		s := w.fetch(t, ref)
		var who []string
		for _, step := range s.History {
			if step.Field == connectors.AnswerField && step.To != "" {
				who = append(who, step.By.Account)
			}
		}
		if s.Fields["answer"] != answer || s.Fields["answer_reason"] != reason || !cmp.Equal(who, by) {
			t.Errorf("answer %q, reason %q by %v, want %q, %q by %v", s.Fields["answer"], s.Fields["answer_reason"], who, answer, reason, by)
		}
	}
	say("PKIM", "I think: Approved")
	expect("", "")
	say("PKIM", "approved.\n\nfor a week")
	expect("Approved", "for a week", "PKIM")
	edited := say("PLEE", "looks good")
	connectortest.Must(t, w.desk.EditNote(ref.ID, edited, "Declined"))
	expect("Approved", "for a week", "PKIM")
	say("PLEE", "Declined")
	expect("Declined", "", "PKIM", "PLEE")

	silent := newWorld(t, pd.Options{}, func(c *Config) { c.Answers = nil })
	ref2 := silent.create(t, "k1")
	_, err := silent.desk.Note(ref2.ID, "PKIM", "Approved")
	connectortest.Must(t, err)
	if s := silent.fetch(t, ref2); s.Fields["answer"] != "" {
		t.Errorf("a note answers although nobody said so: %v", s.Fields)
	}
}

// A custom field that is called like one of our own must not pass for it.
func TestACustomFieldCalledLikeOurOwnIsNotTold(t *testing.T) {
	t.Parallel()
	set := func(names ...string) entry {
		var e entry
		e.ID, e.Type = "R1", "custom_field_value_change_log_entry"
		text := `{"channel":{"type":"website","changeset":{"customer_fields":[{"name":"` + strings.Join(names, `","old_value":null,"value":"x"},{"name":"`) + `","old_value":null,"value":"x"}]}}}`
		connectortest.Must(t, json.Unmarshal([]byte(text), &e))
		return e
	}
	got := steps([]entry{set("status", "answer", "resolution", "urgency", "summary", "approval")}, naming{})
	if len(got) != 1 || got[0].Field != "approval" || got[0].To != "x" {
		t.Errorf("steps %+v", got)
	}
	e := evidence{values: []fieldValue{{"answer", []byte(`"Approved"`)}, {"resolution", []byte(`"fine"`)}, {"approval", []byte(`"x"`)}}}
	if f := e.fields(); f["answer"] != nil || f["resolution"] != "" || f["approval"] != "x" {
		t.Errorf("fields %v", f)
	}
}

func TestWhatIsNotOurs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, pd.Options{})
	ref := w.create(t, "k1")
	clone, err := w.desk.Clone(ref.ID, "PMAX")
	connectortest.Must(t, err)
	if s := w.fetch(t, connectors.Ref{ID: clone}); s.Ours || s.Key != "" || s.Creator.Ours {
		t.Errorf("an incident of others with our key counts as ours: %+v", s)
	}
	if got := w.find(t, "k1"); !cmp.Equal(got, []string{ref.ID}) {
		t.Errorf("found %v", got)
	}
	other := w.create(t, "k2")
	connectortest.Must(t, w.desk.Merge(ref.ID, other.ID, "PMAX"))
	if _, err := w.Fetch(t.Context(), ref); !errors.Is(err, connectors.ErrNotFound) {
		t.Errorf("fetch of a merged incident = %v", err)
	}
	if got := w.find(t, "k1"); len(got) != 0 {
		t.Errorf("found %v, which was merged away", got)
	}
	connectortest.Must(t, w.desk.Hide(other.ID))
	if _, err := w.Fetch(t.Context(), other); !errors.Is(err, connectors.ErrNotFound) {
		t.Errorf("fetch of a hidden incident = %v", err)
	}
}

func TestWatch(t *testing.T) {
	t.Parallel()
	w := newWorld(t, pd.Options{})
	one, two := w.create(t, "k1"), w.create(t, "k2")
	_, cursor, err := w.Watch(t.Context(), "", nil)
	connectortest.Must(t, err)
	seen := map[string]bool{}
	watch := func(open ...connectors.Ref) (fresh []string) {
		t.Helper()
		w.time.Advance(10 * time.Minute)
		changes, next, err := w.Watch(t.Context(), cursor, open)
		connectortest.Must(t, err)
		for _, c := range changes {
			if !seen[c.ID] {
				fresh = append(fresh, c.Ref.ID)
			}
			seen[c.ID] = true
		}
		cursor = next
		return fresh
	}
	watch(one, two)
	if got := watch(one, two); len(got) != 0 {
		t.Errorf("told of %v where nothing happened", got)
	}
	connectortest.Must(t, w.desk.Set(one.ID, "PKIM", "approval", "Approved"))
	_, err = w.desk.Note(two.ID, "PKIM", "Approved")
	connectortest.Must(t, err)
	connectortest.Must(t, w.desk.Page(one.ID, 10))
	clone, err := w.desk.Clone(one.ID, "PMAX") // on a service that is not watched
	connectortest.Must(t, err)
	if got := watch(); !cmp.Equal(got, []string{two.ID, one.ID}) {
		t.Errorf("told of %v, want %v", got, []string{two.ID, one.ID})
	}
	if got := watch(connectors.Ref{ID: clone}); !cmp.Equal(got, []string{clone}) {
		t.Errorf("told of %v, want the open one", got)
	}
	connectortest.Must(t, w.desk.Hide(two.ID))
	if got := watch(two); !cmp.Equal(got, []string{two.ID}) {
		t.Errorf("told of %v, want the one that is gone", got)
	}
	if _, _, err := w.Watch(t.Context(), "nonsense", nil); err == nil {
		t.Error("a cursor of somebody else was taken")
	}
}

// Ten thousand entries are all that one list gives; what is behind them is asked for by time.
func TestWatchMissesNothingOfABusyAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t, pd.Options{})
	quiet, busy := w.create(t, "k1"), w.create(t, "k2")
	_, cursor, err := w.Watch(t.Context(), "", nil)
	connectortest.Must(t, err)
	w.time.Advance(time.Minute)
	connectortest.Must(t, w.desk.Set(quiet.ID, "PKIM", "approval", "Approved"))
	for range 12 {
		w.time.Advance(time.Second)
		connectortest.Must(t, w.desk.Page(busy.ID, 1000))
	}
	changes, _, err := w.Watch(t.Context(), cursor, nil)
	connectortest.Must(t, err)
	told := false
	for _, c := range changes {
		told = told || c.Ref.ID == quiet.ID
	}
	if !told {
		t.Errorf("%d changes, none of the quiet incident", len(changes))
	}
	w.time.Advance(time.Second)
	connectortest.Must(t, w.desk.Page(busy.ID, 10100))
	if _, next, err := w.Watch(t.Context(), cursor, nil); err == nil || next != cursor {
		t.Errorf("more than can be read within a second: %v", err)
	}
}
