package gateway

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/store"
)

// written puts a plan in lines that can be read and compared.
func written(t *testing.T, p plan) string {
	t.Helper()
	var b strings.Builder
	line := func(words ...string) { b.WriteString(sentence(words...)) }
	line(p.state, optional("case %s", p.caseState))
	if d := p.decision; d != nil {
		at, length := "", ""
		if !d.At.IsZero() {
			at = "at " + d.At.Format(time.RFC3339)
		}
		if d.Length > 0 {
			length = "for " + d.Length.String()
		}
		line("decision", d.Outcome, "by", quoted(d.ByName), d.State, "by", d.Origin, at, length)
	}
	for _, l := range p.links {
		opens := strings.TrimSpace(l.Project + " " + l.Type)
		if l.Policy != "" {
			opens += fmt.Sprintf(" policy %s v%d", l.Policy, l.PolicyVersion)
		}
		line("link", l.Desk+"/"+l.Slot, l.State, fmt.Sprintf("rule %s v%d opened by %s", l.Rule, l.RuleVersion, l.Opening), opens)
	}
	for _, d := range p.deliveries {
		b.WriteString(writtenDelivery(t, p, d))
	}
	for _, s := range p.steps {
		m, ok := s.content.(matched)
		what := ""
		switch {
		case !ok:
		case m.Error != "":
			what = "failed"
		case m.Note != "":
			what = "matched: " + m.Note
		case m.Matched:
			what = "matched"
		}
		line("step", strings.TrimSpace(s.kind+" "+s.subject), what)
	}
	return b.String()
}

func writtenDelivery(t *testing.T, p plan, d store.Delivery) string {
	t.Helper()
	lane := "lane " + d.Lane
	if d.Lane == d.LinkID {
		lane = "lane of " + d.LinkID
	}
	for _, l := range p.links {
		if d.Lane == l.ID && d.LinkID == l.ID {
			lane = "lane of its link"
		}
	}
	holds, rule := "", ""
	if d.Holds {
		holds = "holds"
	}
	if d.Rule != "" {
		rule = fmt.Sprintf("rule %s v%d", d.Rule, d.RuleVersion)
	}
	text := sentence(d.State, d.Kind, d.Connection, d.Purpose, holds, lane, rule)
	if d.Error != "" {
		text += "  " + d.Error + "\n"
	}
	var a connectors.Action
	if err := json.Unmarshal(d.Action, &a); err != nil {
		t.Fatal(err)
	}
	if string(a.Kind) != d.Kind {
		t.Errorf("a delivery of kind %s carries the action %s", d.Kind, a.Kind)
	}
	switch {
	case a.Ticket != nil:
		key := ""
		for _, l := range append(p.links, linked) {
			if a.Key == l.Key && d.LinkID == l.ID {
				key = "with the link's key"
			}
		}
		text += "  " + sentence(a.Ticket.Project, a.Ticket.Type, quoted(a.Ticket.Summary), a.Ticket.Priority, optional("labels %v", a.Ticket.Labels), fields(a.Ticket.Fields), key)
	case a.Note != nil:
		public, key := "", ""
		if a.Note.Public {
			public = "public"
		}
		if a.Note.Key != "" {
			key = "with a key"
		}
		text += "  " + sentence(quoted(a.Note.Body), public, key)
	case a.Move != nil:
		text += "  " + sentence("to "+a.Move.Status, fields(a.Move.Fields))
	case a.File != nil:
		text += "  " + sentence("file", a.File.Name, quoted(string(a.File.Content)))
	}
	for _, r := range a.Records {
		text += "  " + sentence("record of", r.EventID, "from", r.Source, optional("group %s", r.Group), "event", string(mustJSON(r.Event)), optional("data %s", string(mustJSON(r.Data))))
	}
	return text
}

func sentence(words ...string) string {
	var some []string
	for _, w := range words {
		if w != "" {
			some = append(some, w)
		}
	}
	return strings.Join(some, " ") + "\n"
}

func optional[T any](format string, v T) string {
	if text := fmt.Sprint(v); text == "" || text == "[]" {
		return ""
	}
	return fmt.Sprintf(format, v)
}

func quoted(text string) string { return fmt.Sprintf("%q", text) }

func fields(f map[string]any) string {
	if len(f) == 0 {
		return ""
	}
	return "fields " + string(mustJSON(f))
}
