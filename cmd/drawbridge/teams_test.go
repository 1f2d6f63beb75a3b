package main

import (
	"fmt"
	"strings"
	"testing"
)

// TestTeamsDecidesByACard has two people follow the one button of a card, of whom one counts.
func TestTeamsDecidesByACard(t *testing.T) {
	t.Parallel()
	channel := &teamsChannel{}
	p := openPostroom(t)
	docs := chat(t, "Teams")
	docs[0] = channel.settings(t).Replace(docs[0]) + "outbound: {allow_hosts: [127.0.0.1]}\ndelivery: {first: 100ms}\n"
	p.apply(t, docs...)
	posted := func(words string) (found string) {
		t.Helper()
		must(t, p.patiently(func() error {
			for _, card := range channel.all() {
				if strings.Contains(card, words) {
					found = card
					return nil
				}
			}
			return fmt.Errorf("no card says %q: %v", words, channel.all())
		}))
		return found
	}
	id := p.epm.RequestApplication(anaAsksForATool)
	link := buttonOf(t, posted("Action.OpenUrl"))
	for _, who := range []string{"max", "ana"} {
		b := p.browser()
		b.signIn(link, who, who+"@corp.example")
		b.answer(link, "approved")
		posted("does not count")
		if b.get(link).form() != "" {
			t.Errorf("%s may answer twice", who)
		}
	}
	p.silent(id)
	kim := p.browser()
	kim.signIn(link, "Kim", kimsMail)
	kim.answer(link, "approved")
	p.told(id, "Approved")
	posted("accepted by epm")
}
