package mail

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

func TestOneRefusedAddresseeKeepsNobodyElseFromTheirMail(t *testing.T) {
	t.Parallel()
	w := newWorld(t, signedIn)
	w.server.FailNext("rcpt", 550, "no such mailbox")
	w.create()
	if len(w.server.To(kim)) != 0 || len(w.server.To(lee)) != 1 {
		t.Errorf("mails: %+v", w.server.Mails())
	}
	w.server.FailNext("rcpt", 550, "no such mailbox")
	w.server.FailNext("rcpt", 451, "later")
	if _, err := w.Create(t.Context(), "k2", ask()); connectors.AsError(err).Kind != connectors.Temporary {
		t.Errorf("one for good, one for now: %v", err)
	}
}

// crowd are so many addressees.
func crowd(n int) (all []string, t connectors.Ticket) {
	for i := range n {
		all = append(all, fmt.Sprintf("person%02d@corp.example", i))
	}
	return all, connectors.Ticket{Project: strings.Join(all, ","), Type: "notice", Summary: "Ana asks"}
}

// sent is how many mails went to each, as they were sent.
func (w *world) sent() map[string]int {
	sent := map[string]int{}
	for _, m := range w.server.Mails() {
		sent[m.To]++
	}
	return sent
}

func TestOneAddresseeWhoIsRefusedForNowKeepsNobodyElseWaiting(t *testing.T) {
	t.Parallel()
	for name, code := range map[string]int{"a full mailbox": 452, "greylisted": 450, "the server hangs up": 421} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, signedIn)
			all, ticket := crowd(4)
			w.server.RefuseTo(all[1], code, "later")
			var ref connectors.Ref
			send := func(what string, do func() error) {
				t.Helper()
				for try := range 3 {
					err := do()
					if e := connectors.AsError(err); e == nil || e.Kind != connectors.Temporary || e.Sent != (try == 0 || code == 421 && try == 1) {
						t.Fatalf("%s, try %d: %v", what, try, err)
					}
				}
				w.server.Take(all[1])
				if err := do(); err != nil {
					t.Fatalf("%s, taken at last: %v", what, err)
				}
			}
			send("create", func() (err error) { ref, err = w.Create(t.Context(), "k1", ticket); return err })
			want := map[string]int{all[0]: 1, all[1]: 1, all[2]: 1, all[3]: 1}
			if d := cmp.Diff(want, w.sent()); d != "" {
				t.Errorf("mails (-want +got):\n%s", d)
			}
			w.server.RefuseTo(all[1], code, "later")
			send("comment", func() error {
				return w.Comment(t.Context(), ref, connectors.Note{Key: "n1", Body: "decided", Asked: &ticket})
			})
			for who := range want {
				want[who] = 2
			}
			if d := cmp.Diff(want, w.sent()); d != "" {
				t.Errorf("mails with the comment (-want +got):\n%s", d)
			}
		})
	}
}

// An addressee at whom the server stops talking takes the whole time of a delivery, each time.
func TestFiftyAddresseesAreMailedThoughOneTakesAllTheTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t, signedIn)
	all, ticket := crowd(maxAddressees)
	arrived := w.server.HangAt(all[20])
	for _, want := range []int{20, maxAddressees - 1, maxAddressees - 1} {
		ctx, stop := context.WithCancel(t.Context())
		go func() { <-arrived; stop() }()
		_, err := w.Create(ctx, "k1", ticket)
		if e := connectors.AsError(err); e == nil || e.Kind != connectors.Temporary || len(w.server.Mails()) != want {
			t.Fatalf("%d mails, want %d: %v", len(w.server.Mails()), want, err)
		}
	}
	w.server.Take(all[20])
	if _, err := w.Create(t.Context(), "k1", ticket); err != nil {
		t.Fatal(err)
	}
	for _, who := range all {
		if n := w.sent()[who]; n != 1 {
			t.Errorf("%s was mailed %d times", who, n)
		}
	}
}

// Who was mailed before is not forgotten when the others are refused for good.
func TestRefusalsForGoodFailNothingThatWasTakenForSomebody(t *testing.T) {
	t.Parallel()
	w := newWorld(t, signedIn)
	w.server.RefuseTo(lee, 451, "later")
	if _, err := w.Create(t.Context(), "k1", ask()); connectors.AsError(err).Kind != connectors.Temporary {
		t.Fatal(err)
	}
	w.server.RefuseTo(lee, 550, "no such mailbox")
	w.create()
	w.server.RefuseTo(kim, 451, "later")
	_, first := w.Create(t.Context(), "k2", ask())
	w.server.RefuseTo(kim, 550, "no such mailbox")
	_, err := w.Create(t.Context(), "k2", ask())
	if connectors.AsError(first).Kind != connectors.Temporary || connectors.AsError(err).Kind != connectors.Permanent {
		t.Errorf("nobody was mailed: %v, then %v", first, err)
	}
}

func TestWhatIsRememberedOfMailsIsBounded(t *testing.T) {
	t.Parallel()
	var b begun
	for i := range 3 * maxBegun {
		b.keep(map[string]bool{fmt.Sprint(i): true})
	}
	if len(b.taken) > maxBegun {
		t.Errorf("%d are remembered", len(b.taken))
	}
}
