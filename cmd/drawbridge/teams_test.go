package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// TestTeamsDecidesByACard has two people follow the one button of a card, of whom one counts.
func TestTeamsDecidesByACard(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var cards []string
	channel := served(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		cards = append(cards, string(text))
		w.WriteHeader(http.StatusAccepted)
	}))
	p := openPostroom(t)
	docs := chat(t, "Teams")
	docs[0] = strings.Replace(docs[0], "{env: DRAWBRIDGE_SECRET_TEAMS_URL}", value(channel+"/invoke?sig=secret"), 1) + "outbound: {allow_hosts: [127.0.0.1]}\ndelivery: {first: 100ms}\n"
	p.apply(t, docs...)
	posted := func(words string) (found string) {
		t.Helper()
		must(t, p.patiently(func() error {
			mu.Lock()
			defer mu.Unlock()
			for _, card := range cards {
				if strings.Contains(card, words) {
					found = card
					return nil
				}
			}
			return fmt.Errorf("no card says %q: %v", words, cards)
		}))
		return found
	}
	id := p.epm.RequestApplication(anaAsksForATool)
	var message struct {
		Attachments []struct {
			Content struct{ Actions []struct{ URL string } }
		}
	}
	must(t, json.Unmarshal([]byte(posted("Action.OpenUrl")), &message))
	link := message.Attachments[0].Content.Actions[0].URL
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
