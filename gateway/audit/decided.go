package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/drawbridge-itsm/drawbridge/store"
)

// KindDecided is the kind of the entry that says what was decided: each decision has one, written with it.
const KindDecided = "decision.recorded"

// Decided is what the record keeps of a decision and what Verify compares the decision with ever after. The report is
// made of the same.
func Decided(d store.Decision, c store.Case) map[string]any {
	var requester any = json.RawMessage(c.Requester)
	if !json.Valid([]byte(c.Requester)) {
		requester = store.Kept(c.Requester)
	}
	return map[string]any{
		"outcome": d.Outcome, "by": store.Kept(d.By), "by_name": store.Kept(d.ByName), "at": d.At.UTC().Truncate(time.Millisecond),
		"origin": d.Origin, "rule": d.Rule, "rule_version": d.RuleVersion, "policy": d.Policy, "policy_version": d.PolicyVersion,
		"once": d.Once, "seconds": int64(d.Length / time.Second), "reason": store.Kept(d.Reason),
		"for": requester, "what": store.Kept(c.Subject), "source": c.Connection, "request": store.Kept(c.RequestID),
	}
}

// decisions compares every decision with what the record says of it.
func (v *verifier) decisions(ctx context.Context) error {
	after := ""
	for {
		found, err := v.db.Judgements(ctx, time.Time{}, time.Time{}, after, verifyBatch)
		if err != nil {
			return err
		}
		cases := make([]string, len(found))
		for i, j := range found {
			cases[i], after = j.Case.ID, j.Decision.ID
		}
		entries, err := v.db.RecordOfCases(ctx, KindDecided, cases)
		if err != nil {
			return err
		}
		recorded := map[string][]store.Entry{}
		for _, e := range entries {
			recorded[e.CaseID] = append(recorded[e.CaseID], e)
		}
		for _, j := range found {
			if err := v.decision(ctx, j, recorded[j.Case.ID]); err != nil {
				return err
			}
		}
		if len(found) < verifyBatch {
			break
		}
	}
	if v.past > 0 {
		v.Notes = append(v.Notes, fmt.Sprintf("what the record said of %d decisions is past its retention: they can no longer be compared", v.past))
	}
	missing, err := v.db.Undecided(ctx, KindDecided, maxFaults)
	for _, e := range missing {
		v.rowFault(e, "its case is there, and the decision is not")
	}
	return err
}

func (v *verifier) decision(ctx context.Context, j store.Judged, recorded []store.Entry) error {
	for _, e := range recorded {
		if differs := differences(e, Decided(j.Decision, j.Case)); len(differs) > 0 {
			v.rowFault(e, fmt.Sprintf("the decision of case %s was changed since: %q is not what was recorded", j.Case.ID, differs))
		}
	}
	if len(recorded) > 0 {
		return nil
	}
	// Retention may have cut it off, while we were reading even.
	cut, err := v.db.NewestCheckpoint(ctx, store.CheckpointCut)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if cut.N > 0 && !j.Decision.RecordedAt.After(cut.At) {
		v.past++
		return nil
	}
	v.fault(Fault{What: fmt.Sprintf("the decision of case %s is not in the record", j.Case.ID)})
	return nil
}

// differences names what an entry says otherwise. What was erased says nothing, and what is not intact counts as broken
// already.
func differences(e store.Entry, want map[string]any) []string {
	content, ok := e.Content.(json.RawMessage)
	if !ok || !e.Intact() {
		return nil
	}
	var got, like map[string]any
	text, err := json.Marshal(want)
	if err != nil || json.Unmarshal(text, &like) != nil || json.Unmarshal(content, &got) != nil {
		return []string{"content"}
	}
	var differs []string
	for _, name := range slices.Sorted(maps.Keys(like)) {
		if !reflect.DeepEqual(got[name], like[name]) {
			differs = append(differs, name)
		}
	}
	return differs
}
