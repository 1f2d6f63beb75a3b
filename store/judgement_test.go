package store_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/store"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

func TestOneCaseHasOneDecision(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		caseID := openCase(t, s, "r1")
		_, err := s.DecisionOf(t.Context(), caseID)
		wantErr(t, "before", err, store.ErrNotFound)
		want := store.Decision{ID: store.NewID(), CaseID: caseID, LinkID: "ln", Outcome: "approved", By: "bob", ByName: "Bob",
			Reason: "fine", Origin: "desk", Claim: "10/2", Rule: "apps", RuleVersion: 2, Policy: "p", PolicyVersion: 3,
			At: start, RecordedAt: at(time.Second), Once: true, Length: 90 * time.Minute, State: store.DecisionOwed,
			DeliveryID: "d1", Detail: json.RawMessage(`{"votes":1}`)}
		in(t, s, func(tx *store.Tx) error { return tx.AddDecision(t.Context(), want) })
		got, err := s.DecisionOf(t.Context(), caseID)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "decision", got, want)
		second := want
		second.ID, second.Outcome = store.NewID(), "denied"
		err = s.InTx(t.Context(), func(tx *store.Tx) error { return tx.AddDecision(t.Context(), second) })
		wantErr(t, "second decision", err, store.ErrConflict)
		in(t, s, func(tx *store.Tx) error { return tx.SetDecisionState(t.Context(), want.ID, store.DecisionPosted, "") })
		want.State = store.DecisionPosted
		if got, err = s.DecisionOf(t.Context(), caseID); err != nil {
			t.Fatal(err)
		}
		same(t, "posted", got, want)
		in(t, s, func(tx *store.Tx) error { return tx.SetDecisionState(t.Context(), want.ID, store.DecisionTold, "d2") })
		if got, _ = s.DecisionOf(t.Context(), caseID); got.DeliveryID != "d2" {
			t.Errorf("delivery = %q", got.DeliveryID)
		}
	})
}

func TestOfTwoDecisionsAtOnceOneIsKept(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		caseID := openCase(t, s, "r1")
		errs := make(chan error, 4)
		for range cap(errs) {
			go func() {
				errs <- s.InTx(t.Context(), func(tx *store.Tx) error {
					return tx.AddDecision(t.Context(), store.Decision{CaseID: caseID, Outcome: "approved", Origin: "desk"})
				})
			}()
		}
		kept := 0
		for range cap(errs) {
			if err := <-errs; err == nil {
				kept++
			} else {
				wantErr(t, "AddDecision", err, store.ErrConflict)
			}
		}
		if kept != 1 {
			t.Errorf("%d decisions were kept", kept)
		}
	})
}

func TestRefusalOfAClaimIsTakenOnce(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		caseID := openCase(t, s, "r1")
		r := store.Refusal{LinkID: "ln", CaseID: caseID, Claim: "10/2", Code: "not-in-group", Text: "Bob is not an approver",
			By: "bob", At: start}
		add := func(r store.Refusal) (fresh bool) {
			in(t, s, func(tx *store.Tx) (err error) {
				fresh, err = tx.AddRefusal(t.Context(), r)
				return err
			})
			return fresh
		}
		other := r
		other.Code = "late"
		if !add(r) || add(r) || !add(other) {
			t.Error("a refusal is not taken exactly once for each reason")
		}
		got, err := s.RefusalsOfCase(t.Context(), caseID)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "refusals", got, []store.Refusal{other, r})
	})
}

func TestVotes(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		caseID := openCase(t, s, "r1")
		v := store.Vote{ID: store.NewID(), CaseID: caseID, LinkID: "ln", Person: "bob", Account: "U1", Outcome: "approved",
			Reason: "ok", At: start}
		w := v
		w.ID, w.Person, w.At = "", "eve", at(time.Second)
		in(t, s, func(tx *store.Tx) error {
			if err := tx.AddVote(t.Context(), w); err != nil {
				return err
			}
			return tx.AddVote(t.Context(), v)
		})
		err := s.InTx(t.Context(), func(tx *store.Tx) error { return tx.AddVote(t.Context(), v) })
		wantErr(t, "the same vote again", err, store.ErrConflict)
		got, err := s.VotesOfCase(t.Context(), caseID)
		if err != nil || len(got) != 2 {
			t.Fatalf("votes = %v, %v", got, err)
		}
		w.ID = got[1].ID
		same(t, "votes", got, []store.Vote{v, w})
	})
}

func TestAnswersAreTakenOnceInTheirOrder(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		caseID := openCase(t, s, "r1")
		first := store.Answer{ID: "z", CaseID: caseID, LinkID: "ln", Account: "U1", Mail: "bob@corp.example", Name: "Bob", Machine: true,
			Outcome: "approved", Reason: "ok", Duration: "1h", At: at(time.Hour), RecordedAt: start}
		second, other := first, first
		second.ID, second.Outcome, second.At = "a", "denied", start
		other.ID, other.LinkID, other.RecordedAt = "b", "other", at(time.Second)
		for _, a := range []store.Answer{first, second, first, other} {
			in(t, s, func(tx *store.Tx) error {
				if _, err := tx.LockCase(t.Context(), caseID); err != nil {
					return err
				}
				fresh, err := tx.AddAnswer(t.Context(), a)
				if again := a.ID == "z" && second.N > 0; fresh == again {
					t.Errorf("answer %s: fresh = %v", a.ID, fresh)
				}
				if a.ID == "a" {
					second.N = 2
				}
				return err
			})
		}
		in(t, s, func(tx *store.Tx) error { return tx.JudgedAnswer(t.Context(), "z") })
		wantErr(t, "an answer that is not there", s.InTx(t.Context(), func(tx *store.Tx) error { return tx.JudgedAnswer(t.Context(), "none") }), store.ErrNotFound)
		first.N, first.Judged, other.N = 1, true, 1
		got, err := s.AnswersOf(t.Context(), "ln")
		if err != nil {
			t.Fatal(err)
		}
		same(t, "answers of the link", got, []store.Answer{first, second})
		if got, err = s.AnswersOfCase(t.Context(), caseID); err != nil {
			t.Fatal(err)
		}
		same(t, "answers of the case", got, []store.Answer{first, second, other})
	})
}

func TestClearedTimersMakeRoomForOthers(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		caseID := openCase(t, s, "r1")
		timer := func(id, link, kind string, due time.Duration) store.Timer {
			return store.Timer{ID: id, CaseID: caseID, LinkID: link, Kind: kind, Due: at(due)}
		}
		add := func(tx *store.Tx, timers ...store.Timer) error {
			for _, timer := range timers {
				if err := tx.AddTimer(t.Context(), timer); err != nil {
					return err
				}
			}
			return nil
		}
		in(t, s, func(tx *store.Tx) error {
			return errors.Join(
				add(tx, timer("a1", "a", store.TimerRemind, 1), timer("a2", "a", store.TimerRemind, time.Second),
					timer("a3", "a", store.TimerDeadline, time.Second), timer("b1", "b", store.TimerRemind, time.Second)),
				tx.EndTimer(t.Context(), "a1", "done"), tx.EndTimer(t.Context(), "a3", "done"),
				tx.ClearTimers(t.Context(), "a"),
				add(tx, timer("a4", "a", store.TimerRemind, 1), timer("a5", "a", store.TimerRemind, time.Second), timer("a6", "a", store.TimerDeadline, time.Second)),
			)
		})
		got, err := s.TimersOf(t.Context(), caseID)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "timers that wait", got, []store.Timer{
			timer("a5", "a", store.TimerRemind, time.Second), timer("a6", "a", store.TimerDeadline, time.Second), timer("b1", "b", store.TimerRemind, time.Second),
		})
	})
}

func TestNoticeIsSeenOnce(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		in(t, s, func(tx *store.Tx) error {
			for i, want := range []bool{true, false} {
				if fresh, err := tx.SeeChange(t.Context(), "jira", "n1", start); err != nil || fresh != want {
					t.Errorf("time %d: %v, %v", i, fresh, err)
				}
			}
			fresh, err := tx.SeeChange(t.Context(), "servicenow", "n1", start)
			if !fresh {
				t.Error("another connection's notice counts as seen")
			}
			return err
		})
	})
}

func TestChangeWaitsUntilItWasReadAsToldLast(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		note := func(ref string, due time.Time) {
			in(t, s, func(tx *store.Tx) error {
				return tx.AddChange(t.Context(), store.Change{Connection: "jira", RefID: ref, RefKey: "K-" + ref, Due: due})
			})
		}
		due := func(now time.Time) []store.Change {
			cs, err := s.DueChanges(t.Context(), "jira", now, 10)
			if err != nil {
				t.Fatal(err)
			}
			return cs
		}
		note("1", at(time.Minute))
		note("2", start)
		if got := due(start); len(got) != 1 || got[0].RefID != "2" || got[0].RefKey != "K-2" {
			t.Errorf("due = %+v", got)
		}
		note("1", start)
		note("2", at(time.Hour))
		got := due(start)
		if len(got) != 2 {
			t.Fatalf("told of again: due = %+v", got)
		}
		one := got[0]
		if one.RefID != "1" {
			one = got[1]
		}
		note("1", start)
		in(t, s, func(tx *store.Tx) error {
			if err := tx.DoneChange(t.Context(), one); err != nil {
				return err
			}
			return tx.PostponeChange(t.Context(), one, at(time.Hour))
		})
		if got := due(start); len(got) != 2 {
			t.Errorf("a claim that came during the reading is lost: %+v", got)
		}
		// One is done with, and told of anew, while it is read a second time.
		for _, c := range due(start) {
			in(t, s, func(tx *store.Tx) error { return tx.DoneChange(t.Context(), c) })
			note(c.RefID, start)
			in(t, s, func(tx *store.Tx) error { return tx.DoneChange(t.Context(), c) })
		}
		if got := due(start); len(got) != 2 {
			t.Errorf("a claim after the change was done with is lost: %+v", got)
		}
		for _, c := range due(start) {
			in(t, s, func(tx *store.Tx) error { return tx.PostponeChange(t.Context(), c, at(time.Minute)) })
		}
		if got := due(start); len(got) != 0 {
			t.Errorf("put off, but due: %+v", got)
		}
		for _, c := range due(at(time.Minute)) {
			if c.Tries != 1 {
				t.Errorf("tries = %d", c.Tries)
			}
			in(t, s, func(tx *store.Tx) error { return tx.DoneChange(t.Context(), c) })
		}
		if got := due(at(time.Hour)); len(got) != 0 {
			t.Errorf("done, but due: %+v", got)
		}
	})
}

func TestCursor(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		for _, want := range []string{"", "a", "b"} {
			if want != "" {
				in(t, s, func(tx *store.Tx) error { return tx.SetCursor(t.Context(), "jira", "watch", want) })
			}
			if got, err := s.Cursor(t.Context(), "jira", "watch"); err != nil || got != want {
				t.Errorf("Cursor = %q, %v; want %q", got, err, want)
			}
		}
	})
}

func TestHealth(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		unwell := store.Health{Connection: "jira", State: store.Unwell, Reason: "401", Since: start, NextPing: at(time.Minute), Pings: 2}
		other := store.Health{Connection: "epm", State: store.Well, Since: start}
		for _, h := range []store.Health{unwell, other} {
			in(t, s, func(tx *store.Tx) error { return tx.SetHealth(t.Context(), h) })
		}
		got, err := s.Healths(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		same(t, "health", got, []store.Health{other, unwell})
		well := store.Health{Connection: "jira", State: store.Well, Since: at(time.Hour)}
		in(t, s, func(tx *store.Tx) error { return tx.SetHealth(t.Context(), well) })
		if got, err = s.Healths(t.Context()); err != nil || len(got) != 2 || got[1] != well {
			t.Errorf("health = %+v, %v", got, err)
		}
	})
}
