package console_test

import (
	"strings"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/store"
)

func TestNoticesStandAboveTheList(t *testing.T) {
	t.Parallel()
	p, s := newTab(t), newSite(t)
	s.open("r-1", "Ana", "ACME Tool")
	p.open(s.url + "/#token=" + token)
	p.until("main tbody", "ACME Tool")
	if shown := p.text(".notices"); shown != "" {
		t.Errorf("without a notice it says %q", shown)
	}
	s.write(func(tx *store.Tx) error {
		_, _, err := tx.RaiseNotice(s.Context(), "shape", "epm/x/y", "a field is gone "+hostile, opened)
		return err
	})
	p.until(".notices", "a field is gone "+hostile)
	if shown := p.text(".notices"); !strings.Contains(shown, "since ") {
		t.Errorf("it says %q", shown)
	}
	if faults := p.complaints(); len(faults) > 0 {
		t.Errorf("the browser complains: %v", faults)
	}
}
