package connectors

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWordsThatAnswer(t *testing.T) {
	t.Parallel()
	kim, lee := Account{Person: Person{Account: "kim"}}, Account{Person: Person{Account: "lee"}}
	steps, answer, reason := Words{"Approved", "Not now"}.Steps([]Said{
		{ID: "1", By: kim, Lines: Lines("I think: Approved")},
		{ID: "2", By: kim, Lines: Lines(" \n approved. \n\n for  a week")},
		{ID: "3", By: lee},
		{ID: "4", By: lee, Lines: Lines("not  now!")},
	})
	want := []Step{
		{ID: "2/1", By: kim, Field: "answer", To: "Approved"},
		{ID: "4/0", By: lee, Field: "answer", From: "Approved"},
		{ID: "4/1", By: lee, Field: "answer", To: "Not now"},
	}
	if d := cmp.Diff(want, steps); d != "" || answer != "Not now" || reason != "" {
		t.Errorf("answer %q, reason %q, steps (-want +got):\n%s", answer, reason, d)
	}
	if steps, answer, _ := (Words)(nil).Steps([]Said{{ID: "1", By: kim, Lines: []string{"Approved"}}}); steps != nil || answer != "" {
		t.Errorf("without words: %v, %q", steps, answer)
	}
	if got := len(Words{"Approved", "", "Yes.", " no", "a  b"}.Faults()); got != 4 {
		t.Errorf("%d faults, want 4", got)
	}
	if got := LastLine("text\n\nmark:k1\n", "mark:"); got != "k1" || LastLine("mark:k1\nmore", "mark:") != "" || LastLine("", "mark:") != "" {
		t.Errorf("last line %q", got)
	}
}
