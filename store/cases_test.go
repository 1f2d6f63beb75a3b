package store_test

import (
	"fmt"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/store"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

func TestCasesAreFound(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		s := storetest.New(t, engine)
		var want []string
		for i, subject := range []string{"Wireshark 4", "100% CPU_tool", `C:\Temp`} {
			a := event(fmt.Sprint("e", i), fmt.Sprint("Req-", i))
			a.Case.Subject = subject
			want = append(want, accept(t, s, a)[0].CaseID)
		}
		in(t, s, func(tx *store.Tx) error {
			c, err := tx.LockCase(t.Context(), want[2])
			c.State = store.CaseClosed
			if err != nil {
				return err
			}
			return tx.SaveCase(t.Context(), c)
		})
		tests := []struct {
			name   string
			filter store.CaseFilter
			want   []string
		}{
			{"all, newest first", store.CaseFilter{}, []string{want[2], want[1], want[0]}},
			{"state", store.CaseFilter{State: store.CaseOpen}, []string{want[1], want[0]}},
			{"other connection", store.CaseFilter{Connection: "apono"}, nil},
			{"text in any case", store.CaseFilter{Text: "WIRE"}, want[:1]},
			{"request id", store.CaseFilter{Text: "req-1"}, want[1:2]},
			{"percent is a character", store.CaseFilter{Text: "0% cpu_"}, want[1:2]},
			{"underscore is no wildcard", store.CaseFilter{Text: "cpu%tool"}, nil},
			{"backslash", store.CaseFilter{Text: `c:\temp`}, want[2:]},
			{"next page", store.CaseFilter{Before: want[2], Limit: 1}, want[1:2]},
		}
		for _, test := range tests {
			cases, err := s.Cases(t.Context(), test.filter)
			if err != nil {
				t.Errorf("%s: %v", test.name, err)
			}
			var got []string
			for _, c := range cases {
				got = append(got, c.ID)
			}
			same(t, test.name, got, test.want)
		}
	})
}
