package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/mapping"
	"github.com/drawbridge-itsm/drawbridge/store"
)

// claimed owes a desk n comments, each in a case of its own, and claims them.
func claimed(t *testing.T, g *Gateway, n int) []store.Delivery {
	t.Helper()
	ctx := t.Context()
	lease, ok, err := g.store.Acquire(ctx, "jira", "me", time.Hour)
	if err != nil || !ok {
		t.Fatalf("lease: %v, %v", ok, err)
	}
	var out []store.Delivery
	err = g.store.InTx(ctx, func(tx *store.Tx) error {
		for i := range n {
			receipts, err := tx.Accept(ctx, []store.Arrival{arriving(fmt.Sprint("r-", i), "access.requested")})
			if err != nil {
				return err
			}
			if _, err := tx.AddDelivery(ctx, store.Delivery{CaseID: receipts[0].CaseID, Lane: "l", Connection: "jira", Kind: "comment", CreatedAt: decidedAt}); err != nil {
				return err
			}
		}
		out, err = tx.Claim(ctx, lease, decidedAt, decidedAt.Add(time.Minute), n)
		return err
	})
	if err != nil || len(out) != n {
		t.Fatalf("claimed %d: %v", len(out), err)
	}
	return out
}

func delivered(d store.Delivery) result {
	return result{worker: &worker{name: "jira"}, delivery: d, action: connectors.Action{Kind: connectors.Comment},
		next: next{state: stateDelivered, usedAttempt: true}, started: decidedAt, ended: decidedAt}
}

func TestAResultOfWhatWasTakenBackHarmsNoOther(t *testing.T) {
	t.Parallel()
	g := newTestGateway(t)
	ds := claimed(t, g, 3)
	ds[1].Epoch-- // claimed under a lease that has passed on
	fenced, err := g.results.write(t.Context(), []result{delivered(ds[0]), delivered(ds[1]), delivered(ds[2])})
	if err != nil {
		t.Fatal(err)
	}
	for i, d := range ds {
		stored, err := g.store.Delivery(t.Context(), d.ID)
		if err != nil {
			t.Fatal(err)
		}
		attempts, err := g.store.AttemptsOf(t.Context(), d.ID)
		if err != nil {
			t.Fatal(err)
		}
		lost := i == 1
		if errors.Is(fenced[i], store.ErrConflict) != lost || (stored.State == stateRunning) != lost || (len(attempts) == 0) != lost {
			t.Errorf("delivery %d: %v, %s with %d attempts", i, fenced[i], stored.State, len(attempts))
		}
	}
}

func TestAResultThatCannotBeStoredHarmsOnlyItself(t *testing.T) {
	t.Parallel()
	g := newTestGateway(t)
	ds := claimed(t, g, 3)
	bad := delivered(ds[1])
	bad.action, bad.done = connectors.Action{Kind: connectors.Create}, connectors.Done{Ref: connectors.Ref{ID: "1"}} // of a link that is not there
	done := make(chan outcome[error], 3)
	var group []waiting[result, error]
	for _, r := range []result{delivered(ds[0]), bad, delivered(ds[2])} {
		group = append(group, waiting[result, error]{r, done})
	}
	g.results.flush(group)
	for i, d := range ds {
		o := <-done
		stored, err := g.store.Delivery(t.Context(), d.ID)
		if err != nil {
			t.Fatal(err)
		}
		if want := i != 1; (o.err == nil) != want || (stored.State == stateDelivered) != want {
			t.Errorf("delivery %d: %v, %s", i, o.err, stored.State)
		}
	}
}

func TestWhatStandsInTheStoreDoesNotOverruleWhatIsOnItsWayThere(t *testing.T) {
	t.Parallel()
	g := newTestGateway(t)
	now := g.now()
	if err := g.store.InTx(t.Context(), func(tx *store.Tx) error {
		return tx.SetHealth(t.Context(), store.Health{Connection: "jira", State: healthWell, Since: now})
	}); err != nil {
		t.Fatal(err)
	}
	w := newWorker(g, "jira")
	w.log = slog.New(slog.DiscardHandler)
	w.health = store.Health{Connection: "jira", State: healthUnwell, Since: now, NextPing: now.Add(time.Hour)}
	w.storing.Add(1)
	if err := w.ping(t.Context(), nil, now); err != nil || !w.unwell() {
		t.Errorf("unwell is %v, %v; want it to stay", w.unwell(), err)
	}
	w.storing.Add(-1)
	if err := w.ping(t.Context(), nil, now); err != nil || w.unwell() {
		t.Errorf("unwell is %v, %v; want what an admin set in the store", w.unwell(), err)
	}
}

// planned tells what became of all cases, without ids and times.
func planned(t *testing.T, g *Gateway) string {
	t.Helper()
	ctx := context.Background()
	var b strings.Builder
	cases, err := g.store.Cases(ctx, store.CaseFilter{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		fmt.Fprintln(&b, c.RequestID, c.State, c.NextSeq)
		links, err := g.store.LinksOfCase(ctx, c.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range links {
			fmt.Fprintln(&b, "  link", l.Desk, l.Slot, l.State, l.Rule)
		}
		if d, err := g.store.DecisionOf(ctx, c.ID); err == nil {
			fmt.Fprintln(&b, "  decision", d.Outcome, d.Origin, d.State)
		}
		deliveries, err := g.store.DeliveriesOfCase(ctx, c.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range deliveries {
			fmt.Fprintln(&b, "  delivery", d.Seq, d.Kind, d.Connection, d.Purpose, d.State, d.Ready)
		}
		timers, err := g.store.TimersOf(ctx, c.ID)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&b, "  timers", len(timers))
		record, err := g.store.RecordOfCase(ctx, c.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range record {
			if e.Kind != "event.accepted" { // all at first, where events come together
				fmt.Fprintln(&b, "  record", e.Kind, e.Subject)
			}
		}
	}
	return b.String()
}

func TestEventsPlannedTogetherArePlannedAsIfOneByOne(t *testing.T) {
	t.Parallel()
	var bodies []string
	for _, id := range []string{"a", "b", "c"} {
		bodies = append(bodies, strings.Replace(body, "r-1", id, 1))
	}
	approved := `{"EventType":"URM_NATIVE_DECISION_UPDATE","RequestId":"ID","TenantId":"t-100","Decision":"Approved","DecisionPerformedByUser":"kim"}`
	for _, id := range []string{"b", "c", "c"} {
		bodies = append(bodies, strings.Replace(approved, "ID", id, 1))
	}
	plan := func(batch bool) string {
		g := newTestGateway(t)
		if _, err := g.Apply(t.Context(), starterTexts(t), "tester", ""); err != nil {
			t.Fatal(err)
		}
		commits(t, g)
		for _, text := range bodies {
			if a, err := g.Accept(t.Context(), "epm", "", sent(text)); err != nil || a.Quarantined {
				t.Fatalf("%+v, %v", a, err)
			}
			if !batch {
				if n, err := g.planSome(t.Context()); err != nil || n > 1 {
					t.Fatalf("planned %d: %v", n, err)
				}
			}
		}
		if _, err := g.planSome(t.Context()); err != nil {
			t.Fatal(err)
		}
		return planned(t, g)
	}
	together := plan(true)
	if !strings.Contains(together, "decision approved source") || !strings.Contains(together, "link jira") {
		t.Errorf("this is not what is meant to be compared:\n%s", together)
	}
	if diff := cmp.Diff(plan(false), together); diff != "" {
		t.Errorf("planned together (-one by one +together):\n%s", diff)
	}
}

func TestManyRulesThatDoNotMatchShareAStep(t *testing.T) {
	t.Parallel()
	miss := func(i int) step {
		name := fmt.Sprint("rule-", i)
		return step{"rule.evaluated", name, matched{Rule: name, Version: 3, Terms: []mapping.Term{{Text: "a", True: true}, {Text: "b"}}}}
	}
	hit := step{"rule.evaluated", "hit", matched{Rule: "hit", Matched: true}}
	failed := step{"rule.evaluated", "failed", matched{Rule: "failed", Error: "no such table"}}
	first := step{"decision.recorded", "", map[string]any{}}
	steps := []step{first, hit}
	for i := range mostUnmatched {
		steps = append(steps, miss(i))
	}
	if got := foldUnmatched(steps); len(got) != len(steps) {
		t.Errorf("%d rules that do not match have %d steps, want one each", mostUnmatched, len(got)-2)
	}
	got := foldUnmatched(append(steps, failed, miss(mostUnmatched)))
	var kinds []string
	for _, s := range got {
		kinds = append(kinds, s.kind+" "+s.subject)
	}
	if diff := cmp.Diff([]string{"decision.recorded ", "rule.evaluated hit", "rules.unmatched ", "rule.evaluated failed"}, kinds); diff != "" {
		t.Fatalf("steps (-want +got):\n%s", diff)
	}
	text := string(mustJSON(got[2].content))
	if !strings.Contains(text, `{"rule":"rule-8","version":3,"false":"b"}`) || strings.Count(text, `"rule":`) != mostUnmatched+1 {
		t.Errorf("the shared step says %s", text)
	}
}
