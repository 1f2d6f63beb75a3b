package gateway_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

// TestSinkThatHangsHoldsUpNoTicket is of a sink of its own, and of one that is the desk as well.
func TestSinkThatHangsHoldsUpNoTicket(t *testing.T) {
	t.Parallel()
	both := "kind: Connection\nname: both\nconnector: both\n"
	tests := []struct {
		name      string
		documents []string
	}{
		{"a sink", []string{drainSink, drainRule, benchRule}},
		{"a desk and sink", []string{both, strings.Replace(drainRule, "at: sink", "at: both", 1), strings.Replace(benchRule, "at: desk", "at: both", 1)}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			storetest.Engines(t, func(t *testing.T, engine string) {
				r := newRig(t, storetest.DSN(t, engine), test.documents...)
				r.sink.gate.Lock()
				stop := r.run(t)
				defer stop()
				const n = 20
				for i := range n {
					if err := r.send(fmt.Sprint("r-", i)); err != nil {
						t.Fatal(err)
					}
				}
				if err := until(t.Context(), "all tickets are there", func() (bool, error) { return r.desk.created.Load() == n, nil }); err != nil {
					t.Error(err)
				}
				if got := r.sink.taken.Load(); got != 0 {
					t.Errorf("the sink has taken %d records", got)
				}
				r.sink.gate.Unlock()
				if err := until(t.Context(), "all is sent", func() (bool, error) {
					waiting, err := r.waiting(t.Context())
					return waiting == 0, err
				}); err != nil {
					t.Error(err)
				}
				if got := r.sink.taken.Load(); got != n {
					t.Errorf("the sink has taken %d records, want %d", got, n)
				}
			})
		})
	}
}
