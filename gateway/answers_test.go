package gateway

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/gateway/judge"
	"github.com/drawbridge-itsm/drawbridge/mapping"
	"github.com/drawbridge-itsm/drawbridge/store"
)

// verdicts judges answers one after another, as the worker does. kim and lee may decide, ana asks, max is somebody else.
func verdicts(t *testing.T, terms mapping.Terms, answers []answer) (all []judge.Verdict) {
	t.Helper()
	terms.Matters = []string{"summary", "description"}
	asked := connectors.Ticket{Summary: "Ana asks", Description: "for a tool", Fields: map[string]any{"durations": []any{"1h"}}}
	link := store.Link{ID: "lnk-1", Key: "lnk-1", RefID: "C1:1.0"}
	movers := map[string]judge.Mover{}
	for _, who := range []string{"ana", "kim", "lee", "max"} {
		movers[who] = judge.Mover{Person: who}
	}
	baseline := judge.Content(answered(link, asked, nil), terms.Matters)
	for i := range answers {
		says := func(is string) func(ticket map[string]any) bool {
			return func(ticket map[string]any) bool { return ticket["status"] == is }
		}
		all = append(all, judge.Judge(judge.Input{
			Opened: decidedAt, Waiting: true, Requester: "ana", Terms: terms,
			Admit: func(_ mapping.Approvers, who mapping.Actor, _ map[string]any) (bool, error) {
				return slices.Contains([]string{"kim", "lee"}, who.Person), nil
			},
			Ticket: judge.Evidence{
				Link: link.ID, Key: link.Key, RefID: link.RefID, Baseline: baseline, Snapshot: answered(link, asked, answers[:i+1]), Movers: movers, Matters: terms.Matters,
				Holds: func(ticket map[string]any) (mapping.Verdict, error) {
					return mapping.Verdict{Approved: says("approved")(ticket), Denied: says("denied")(ticket)}, nil
				},
				Duration: func(ticket map[string]any) (bool, time.Duration, error) {
					text, _ := ticket["fields"].(map[string]any)["duration"].(string)
					if text == "" {
						return false, 0, nil
					}
					length, err := time.ParseDuration(text)
					return false, length, err
				},
				Reason: func(ticket map[string]any) (string, error) {
					text, _ := ticket["fields"].(map[string]any)["reason"].(string)
					return text, nil
				},
			},
		}))
	}
	return all
}

func given(who string, outcome connectors.Outcome, rest ...string) answer {
	a := answer{Answer: store.Answer{Account: who, Outcome: string(outcome)}, by: connectors.Account{Person: connectors.Person{Account: who}}}
	if len(rest) == 2 {
		a.Duration, a.Reason = rest[0], rest[1]
	}
	return a
}

func TestAnswersAreJudgedOneAfterAnother(t *testing.T) {
	t.Parallel()
	yes, no := connectors.Approved, connectors.Denied
	robot := given("kim", yes)
	robot.by.Automation = true
	two := mapping.Terms{Quorum: 2}
	for _, test := range []struct {
		name    string
		terms   mapping.Terms
		answers []answer
		want    []judge.Outcome
		codes   []judge.Code
	}{
		{"somebody who may", mapping.Terms{}, []answer{given("kim", yes)}, []judge.Outcome{judge.Approved}, []judge.Code{""}},
		{"somebody who may denies", two, []answer{given("kim", no)}, []judge.Outcome{judge.Denied}, []judge.Code{""}},
		{"others do not hide who may", mapping.Terms{}, []answer{given("max", no), given("ana", yes), given("nobody", no), robot, given("kim", yes)},
			[]judge.Outcome{judge.Refused, judge.Refused, judge.Refused, judge.Refused, judge.Approved},
			[]judge.Code{judge.NotAnApprover, judge.SelfApproval, judge.UnknownMover, judge.Automation, ""}},
		{"two people", two, []answer{given("kim", yes), given("lee", yes)}, []judge.Outcome{judge.Counted, judge.Approved}, []judge.Code{"", ""}},
		{"one person in two tabs", two, []answer{given("kim", yes), given("kim", yes)}, []judge.Outcome{judge.Counted, judge.Counted}, []judge.Code{"", ""}},
		{"somebody without the right between two", two, []answer{given("kim", yes), given("max", no), given("max", yes), given("lee", yes)},
			[]judge.Outcome{judge.Counted, judge.Refused, judge.Refused, judge.Approved}, []judge.Code{"", judge.NotAnApprover, judge.NotAnApprover, ""}},
		{"a mind changed", mapping.Terms{Quorum: 2, DenyByQuorum: true}, []answer{given("kim", yes), given("kim", no), given("lee", yes), given("kim", yes)},
			[]judge.Outcome{judge.Counted, judge.Counted, judge.Counted, judge.Approved}, []judge.Code{"", "", "", ""}},
		{"a veto after a yes", two, []answer{given("kim", yes), given("kim", no)}, []judge.Outcome{judge.Counted, judge.Denied}, []judge.Code{"", ""}},
		{"no reason, then one", mapping.Terms{ReasonRequired: true}, []answer{given("kim", yes), given("max", yes, "", "mine"), given("kim", yes, "", "so be it")},
			[]judge.Outcome{judge.Refused, judge.Refused, judge.Approved}, []judge.Code{judge.NoReason, judge.NotAnApprover, ""}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for i := range test.answers {
				test.answers[i].ID = string(rune('a' + i))
				test.answers[i].At = decidedAt.Add(time.Duration(i) * time.Second)
			}
			for i, v := range verdicts(t, test.terms, test.answers) {
				if v.Outcome != test.want[i] || v.Code != test.codes[i] || v.Claim != test.answers[i].ID {
					t.Errorf("answer %d: %s %s (%s) by claim %q, want %s %s", i, v.Outcome, v.Code, v.Text, v.Claim, test.want[i], test.codes[i])
				}
			}
		})
	}
}

func TestADurationIsThatOfWhoDecides(t *testing.T) {
	t.Parallel()
	all := verdicts(t, mapping.Terms{}, []answer{given("max", connectors.Approved, "72h", "mine"), given("kim", connectors.Approved, "1h", "fine")})
	if v := all[1]; v.Outcome != judge.Approved || v.Length != time.Hour || v.Reason != "fine" {
		t.Errorf("got %+v", v)
	}
	all = verdicts(t, mapping.Terms{}, []answer{given("max", connectors.Approved, "72h", "mine"), given("kim", connectors.Approved)})
	if v := all[1]; v.Outcome != judge.Approved || v.Length != 0 || v.Reason != "" {
		t.Errorf("what somebody else chose before counts: %+v", v)
	}
}

func TestAnAnswerIsTakenOnceAndOnlyWhereItBelongs(t *testing.T) {
	t.Parallel()
	g := newTimed(t, probing("verify: {none: true}"))
	arrival := store.Arrival{
		Event: store.Event{Connection: "probe", Kind: "access.requested", RequestID: "r-1", Normal: []byte("{}"), ReceivedAt: decidedAt},
		Case:  store.Case{Connection: "probe", RequestID: "r-1", Requester: "{}", OpenedAt: decidedAt},
	}
	var link store.Link
	in := func(f func(tx *store.Tx) error) {
		t.Helper()
		if err := g.store.InTx(t.Context(), f); err != nil {
			t.Fatal(err)
		}
	}
	in(func(tx *store.Tx) error {
		receipts, err := tx.Accept(t.Context(), []store.Arrival{arrival})
		if err != nil {
			return err
		}
		for _, l := range []store.Link{{ID: "lnk-1", CaseID: receipts[0].CaseID, Desk: "probe"}, {ID: "lnk-2", CaseID: receipts[0].CaseID, Desk: "other"}, {ID: "lnk-3", CaseID: receipts[0].CaseID, Desk: "probe", Slot: "twin", State: store.LinkTwin}} {
			if _, _, err := tx.AddLink(t.Context(), l); err != nil {
				return err
			}
		}
		if err := tx.SetLinkRef(t.Context(), "lnk-1", store.Ref{ID: "C1:1"}, decidedAt); err != nil {
			return err
		}
		link, err = tx.Link(t.Context(), "lnk-1")
		return err
	})
	vote := connectors.Vote{ID: "v-1", Key: link.Key, Ref: connectors.Ref{ID: "C1:1"}, Outcome: connectors.Approved, By: connectors.Account{Person: connectors.Person{Account: "U1"}}}
	with := func(change func(*connectors.Vote)) connectors.Vote {
		v := vote
		change(&v)
		return v
	}
	for name, wrong := range map[string]connectors.Vote{
		"of no id":              with(func(v *connectors.Vote) { v.ID = "" }),
		"of an unknown key":     with(func(v *connectors.Vote) { v.Key = "lnk-9" }),
		"of another connection": with(func(v *connectors.Vote) { v.Key = "lnk-2" }),
		"on a twin":             with(func(v *connectors.Vote) { v.Key = "lnk-3" }),
		"on another message":    with(func(v *connectors.Vote) { v.Ref.ID = "C1:2" }),
		"that says nothing":     with(func(v *connectors.Vote) { v.Outcome = connectors.Pending }),
	} {
		if err := g.noteAnswers(t.Context(), "probe", []connectors.Vote{wrong}); err != nil {
			t.Errorf("one %s: %v", name, err)
		}
	}
	if stored, err := g.store.AnswersOfCase(t.Context(), link.CaseID); err != nil || len(stored) != 0 {
		t.Fatalf("stored %+v, %v", stored, err)
	}
	for i := range 2 {
		fresh, err := g.Answer(t.Context(), link, vote)
		if err != nil || fresh != (i == 0) {
			t.Errorf("told for time %d: fresh = %v, %v", i+1, fresh, err)
		}
	}
	due, err := g.store.DueChanges(t.Context(), "probe", g.now(), 10)
	if err != nil || len(due) != 1 || due[0].RefID != "C1:1" {
		t.Errorf("to be read: %+v, %v", due, err)
	}
	var ignored, received int
	if err := g.store.DB().QueryRowContext(t.Context(), `SELECT (SELECT COUNT(*) FROM records WHERE kind = 'answer.ignored'),
		(SELECT COUNT(*) FROM records WHERE kind = 'answer.received')`).Scan(&ignored, &received); err != nil || ignored != 6 || received != 1 {
		t.Errorf("recorded %d ignored and %d received, %v", ignored, received, err)
	}
	now := g.now()
	asked := store.Link{CreatedAt: now.Add(-time.Hour)}
	for told, want := range map[time.Time]time.Time{
		{}: now, now.Add(time.Second): now, now.Add(-time.Minute): now.Add(-time.Minute), now.Add(-2 * time.Hour): asked.CreatedAt,
	} {
		if at := givenAt(told, asked, now); !at.Equal(want) {
			t.Errorf("told for %s, an answer counts as given at %s, want %s", told, at, want)
		}
	}
	remove(t, g.beside(t), "probe")
	if _, err := g.Answer(t.Context(), link, with(func(v *connectors.Vote) { v.ID = "v-2" })); !errors.Is(err, errGone) {
		t.Errorf("after the connection was deleted: %v", err)
	}
}

// TestAnswersInAnyOrderComeToWhatTheyShould draws answers and compares the judgement with a count of heads.
func TestAnswersInAnyOrderComeToWhatTheyShould(t *testing.T) {
	t.Parallel()
	const sequences = 2000
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 0))
	for range sequences {
		terms := mapping.Terms{Quorum: 1 + r.IntN(2), DenyByQuorum: r.IntN(2) == 0}
		var answers []answer
		for i := range 1 + r.IntN(6) {
			a := given([]string{"kim", "lee", "max", "ana", "nobody"}[r.IntN(5)], []connectors.Outcome{connectors.Approved, connectors.Denied}[r.IntN(2)])
			a.ID, a.At = string(rune('a'+i)), decidedAt.Add(time.Duration(i)*time.Second)
			answers = append(answers, a)
		}
		want, got := heads(terms, answers), judge.Wait
		for _, v := range verdicts(t, terms, answers) {
			if v.Outcome == judge.Approved || v.Outcome == judge.Denied {
				got = v.Outcome
				break
			}
		}
		if got != want {
			t.Fatalf("seed %d: quorum %d, deny by quorum %v: %s, want %s, of %+v", seed, terms.Quorum, terms.DenyByQuorum, got, want, answers)
		}
	}
}

// heads counts what those who may decide said last.
func heads(terms mapping.Terms, answers []answer) judge.Outcome {
	last := map[string]string{}
	for _, a := range answers {
		if a.Account != "kim" && a.Account != "lee" {
			continue
		}
		last[a.Account] = a.Outcome
		n := 0
		for _, said := range last {
			if said == a.Outcome {
				n++
			}
		}
		if n >= terms.Quorum || a.Outcome == "denied" && !terms.DenyByQuorum {
			return judge.Outcome(a.Outcome)
		}
	}
	return judge.Wait
}
