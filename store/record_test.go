package store_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/store"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

func TestRecordShowsTampering(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		in(t, s, func(tx *store.Tx) error {
			err := tx.Record(t.Context(), store.Entry{At: start, CaseID: "c1", Kind: "decision.made", Subject: "d1",
				Content: map[string]any{"by": "bob"}})
			if err != nil {
				return err
			}
			return tx.RecordAll(t.Context(), []store.Entry{
				{At: at(time.Second), Kind: "rule.published", Subject: "apps", Content: nil},
				{At: at(time.Second), CaseID: "c1", Kind: "decision.made", Subject: "d1", Content: map[string]any{"by": "bob"}},
			})
		})
		es, err := s.RecordOfCase(t.Context(), "c1")
		if err != nil || len(es) != 2 {
			t.Fatalf("record = %v, %v", es, err)
		}
		if got := string(es[0].Content.(json.RawMessage)); got != `{"by":"bob"}` || es[0].Kind != "decision.made" || !es[0].At.Equal(start) {
			t.Errorf("entry = %+v, %s", es[0], got)
		}
		if string(es[0].Salt) == string(es[1].Salt) || string(es[0].Digest) == string(es[1].Digest) {
			t.Error("two entries share salt or digest")
		}
		all, err := s.Records(t.Context(), "", 10)
		if err != nil || len(all) != 3 || all[0].ID != es[0].ID || all[1].Subject != "apps" {
			t.Fatalf("Records = %+v, %v", all, err)
		}
		if rest, err := s.Records(t.Context(), all[0].ID, 1); err != nil || len(rest) != 1 || rest[0].ID != all[1].ID {
			t.Errorf("Records after the first = %+v, %v", rest, err)
		}
		for _, e := range all {
			if !e.Intact() {
				t.Errorf("%s is not intact", e.Kind)
			}
		}
		for name, change := range map[string]func(*store.Entry){
			"content": func(e *store.Entry) { e.Content = json.RawMessage(`{"by":"eve"}`) },
			"subject": func(e *store.Entry) { e.Subject = "d2" },
			"kind":    func(e *store.Entry) { e.Kind = "decision.mad"; e.Subject = "e" + e.Subject },
			"case":    func(e *store.Entry) { e.CaseID = "c2" },
			"time":    func(e *store.Entry) { e.At = e.At.Add(time.Millisecond) },
			"salt":    func(e *store.Entry) { e.Salt = nil },
		} {
			e := all[0]
			if change(&e); e.Intact() {
				t.Errorf("a changed %s goes unnoticed", name)
			}
		}
	})
}
