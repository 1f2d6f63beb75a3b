package store_test

import (
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/store"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

func TestJudgementsOfAStretchOfTime(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		for i, request := range []string{"R1", "R2", "R3"} {
			caseID := openCase(t, s, request)
			in(t, s, func(tx *store.Tx) error {
				link, _, err := tx.AddLink(t.Context(), store.Link{CaseID: caseID, Desk: "jira", Slot: "main"})
				if err != nil {
					return err
				}
				if request == "R2" {
					err = tx.SetLinkRef(t.Context(), link.ID, store.Ref{ID: "10", Key: "IT-1"}, start)
				} else {
					link.ID = ""
				}
				if err != nil {
					return err
				}
				return tx.AddDecision(t.Context(), store.Decision{CaseID: caseID, LinkID: link.ID, Outcome: "approved", By: "ana", Origin: "desk",
					At: at(time.Duration(i) * time.Hour)})
			})
		}
		all, err := s.Judgements(t.Context(), time.Time{}, time.Time{}, "", 10)
		if err != nil || len(all) != 3 || all[0].Case.RequestID != "R1" || all[0].Desk != "" {
			t.Fatalf("Judgements = %+v, %v", all, err)
		}
		if got, err := s.Judgements(t.Context(), at(time.Hour), at(2*time.Hour), "", 10); err != nil || len(got) != 1 || got[0].Ticket != "IT-1" ||
			got[0].Desk != "jira" || got[0].Decision.By != "ana" || !got[0].Case.OpenedAt.Equal(start) {
			t.Errorf("second hour = %+v, %v", got, err)
		}
		if got, err := s.Judgements(t.Context(), time.Time{}, time.Time{}, all[0].Decision.ID, 1); err != nil || len(got) != 1 || got[0].Case.RequestID != "R2" {
			t.Errorf("next page = %+v, %v", got, err)
		}
	})
}
