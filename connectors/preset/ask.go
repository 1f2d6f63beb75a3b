package preset

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/mail"
	"slices"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/markdown"
	"github.com/drawbridge-itsm/drawbridge/mapping"
)

// desk puts requests to people, by a preset that says how.
type desk struct{ *sink }

// surely is a desk whose vendor takes a second question with the same key for the first.
type surely struct{ desk }

func (surely) CreatesOnce() {}

var (
	_ connectors.Creator      = desk{}
	_ connectors.Commenter    = desk{}
	_ connectors.Transitioner = desk{}
	_ connectors.Asker        = desk{}
	_ connectors.Idempotent   = surely{}
	_ connectors.Receiver     = ear{}
	_ connectors.Signer       = ear{}
)

// shaped is the connection with what it can do: what it takes answers by is asked for in its settings.
func (s *sink) shaped() connectors.Connector {
	a := s.preset.ask
	switch {
	case a == nil:
		return s
	case s.hears && a.Once:
		return struct {
			surely
			ear
		}{surely{desk{s}}, ear{s}}
	case s.hears:
		return struct {
			desk
			ear
		}{desk{s}, ear{s}}
	case a.Once:
		return surely{desk{s}}
	default:
		return desk{s}
	}
}

// askPlan is a compiled Ask. A part that is not there is nil.
type askPlan struct {
	Ask
	to, question, note, settle *mapping.Setting
}

// askedNames are what the parts of an ask may use besides what a request may.
func askedNames(own, record mapping.Names) mapping.Names {
	text := mapping.Shape{Type: "text"}
	return join(own, mapping.Names{
		"key": text, "at": record["at"],
		"ticket": {Fields: map[string]mapping.Shape{
			"summary": text, "description": text, "markdown": text, "priority": text, "project": text, "type": text, "fields": {Type: "any"},
		}},
	})
}

func (s *source) ask(p *Preset, own, record mapping.Names) {
	a := p.doc.Ask
	if a == nil {
		return
	}
	if p.doc.Body.Framing != "single" {
		s.add("ask", "needs the framing single")
	}
	text, asked := mapping.Shape{Type: "text"}, askedNames(own, record)
	p.ask = &askPlan{
		Ask: *a, to: s.setting("ask.to", a.To, asked),
		question: s.mapping("ask.question", a.Question, join(asked, mapping.Names{"answer_link": text, "answer_links": {Type: "any"}})),
		note:     s.mapping("ask.note", a.Note, join(asked, mapping.Names{"note": text})),
		settle:   s.mapping("ask.settle", a.Settle, join(asked, mapping.Names{"status": text, "note": text})),
	}
}

// mapping compiles what is sent in an ask; nothing gives nil.
func (s *source) mapping(field string, value map[string]any, names mapping.Names) *mapping.Setting {
	if value == nil {
		return nil
	}
	return s.record(field, any(value), names)
}

// longestText bounds what is made of a description; limits of the preset cut it further.
const longestText = 20000

// told are the names of askedNames.
func (s *sink) told(key string, t *connectors.Ticket) map[string]any {
	ticket := map[string]any{}
	in := map[string]any{"params": s.params, "key": key, "ticket": ticket, "at": instants(s.env.Now().UTC())}
	if t == nil {
		return in
	}
	for name, text := range map[string]string{
		"summary": markdown.Line(t.Summary, 500), "description": markdown.Parse(t.Description).Text(longestText), "markdown": t.Description,
		"priority": t.Priority, "project": t.Project, "type": t.Type,
	} {
		if text != "" {
			ticket[name] = text
		}
	}
	if t.Fields != nil {
		ticket["fields"] = t.Fields
	}
	return in
}

// Addressees are the mail addresses the preset finds in the ticket.
func (d desk) Addressees(t connectors.Ticket) []string {
	list, _ := d.addressees(t)
	return list
}

func (d desk) addressees(t connectors.Ticket) (list []string, err error) {
	if d.preset.ask.to == nil {
		return nil, nil
	}
	v, err := d.preset.ask.to.Eval(context.Background(), d.told("", &t))
	if err != nil {
		return nil, err
	}
	for _, text := range texted(v) {
		for one := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ',' || r == ';' || r == ' ' }) {
			address, err := mail.ParseAddress(one)
			if err != nil || address.Address != one {
				return nil, errors.New("who is asked is named by mail addresses, and one of them is none")
			}
			if !slices.Contains(list, one) {
				list = append(list, one)
			}
		}
	}
	return list, nil
}

// texted reads a text, or a list of them.
func texted(v any) []string {
	list, several := v.([]any)
	if !several {
		list = []any{v}
	}
	var out []string
	for _, one := range list {
		if text, ok := one.(string); ok {
			out = append(out, text)
		}
	}
	return out
}

// Create sends the question. What was sent is known by our key.
func (d desk) Create(ctx context.Context, key string, t connectors.Ticket) (connectors.Ref, error) {
	to, err := d.addressees(t)
	if err != nil {
		return connectors.Ref{}, connectors.Permanently("ask: %w", err)
	}
	in, links := d.told(key, &t), []any{}
	if link := t.Links[""]; link != "" {
		in["answer_link"] = link
	}
	for _, one := range to {
		entry := map[string]any{"to": one}
		if link := t.Links[one]; link != "" {
			entry["link"] = link
		}
		links = append(links, entry)
	}
	in["answer_links"] = links
	id, err := d.say(ctx, d.preset.ask.question, key, key, in, t.Links)
	if err != nil {
		return connectors.Ref{}, err
	}
	if id == "" {
		id = key
	}
	return connectors.Ref{ID: key, Key: id}, nil
}

// Comment sends what is noted, where the preset has a form for it.
func (d desk) Comment(ctx context.Context, ref connectors.Ref, n connectors.Note) error {
	if d.preset.ask.note == nil {
		return nil
	}
	in := d.told(ref.ID, n.Asked)
	in["note"] = markdown.Parse(n.Body).Text(longestText)
	id := n.Key
	if id == "" {
		id = ref.ID + "-note"
	}
	_, err := d.say(ctx, d.preset.ask.note, id, ref.ID, in, nil)
	return err
}

// Transition sends what became of the request, where the preset has a form for it, else as a note.
func (d desk) Transition(ctx context.Context, ref connectors.Ref, m connectors.Move) error {
	in := d.told(ref.ID, m.Asked)
	in["status"] = m.Status
	if m.Note != nil {
		in["note"] = markdown.Parse(m.Note.Body).Text(longestText)
	}
	form := d.preset.ask.settle
	if form == nil {
		form = d.preset.ask.note
		in["note"] = strings.TrimSpace(fmt.Sprint(m.Status, "\n\n", orNothing(in["note"])))
	}
	if form == nil {
		return nil
	}
	_, err := d.say(ctx, form, ref.ID+"-settled", ref.ID, in, nil)
	return err
}

func orNothing(v any) string { text, _ := v.(string); return text }

// say sends one message about the request with this key, as a record of its own is sent. id is the same whenever it is
// sent again. The links are hidden from what the vendor says.
func (s *sink) say(ctx context.Context, form *mapping.Setting, id, key string, in map[string]any, links map[string]string) (theirs string, err error) {
	s.announce()
	data, err := form.Eval(ctx, in)
	if err != nil {
		return "", connectors.Permanently("ask: %w", err)
	}
	r := connectors.Record{EventID: id, Source: s.env.Name, Group: key, At: s.env.Now(), Event: map[string]any{}}
	r.Data, _ = data.(map[string]any)
	list, err := s.pieces(ctx, 0, &r, s.names(&r))
	if err != nil {
		return "", connectors.Permanently("ask: %w", err)
	}
	b := &batch{sink: s, results: make([]connectors.Result, 1), links: slices.Collect(maps.Values(links))}
	b.post(ctx, list)
	return b.results[0].ID, b.results[0].Err
}
