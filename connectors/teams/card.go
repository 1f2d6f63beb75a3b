package teams

import (
	"encoding/json"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/markdown"
)

// Limits of a message and its parts.
const (
	maxMessage = 28_000 // bytes
	maxHeading = 200
	maxText    = 8000
)

type object = map[string]any

// button opens a page.
type button struct {
	link  string // empty: there is none
	shows bool   // nobody can answer there: it shows where else the request stands
}

// request is the card of a request.
func request(t connectors.Ticket, link string) []byte {
	small := ""
	if priority := markdown.Line(t.Priority, maxHeading); priority != "" {
		small = "Priority: " + priority
	}
	return message(markdown.Line(t.Summary, maxHeading), markdown.Parse(t.Description), small, button{link, t.LinksShow})
}

// comment is the card of what is said later.
func comment(n connectors.Note) []byte {
	heading := ""
	if n.Asked != nil {
		heading = "Re: " + markdown.Line(n.Asked.Summary, maxHeading)
	}
	return message(heading, markdown.Parse(n.Body), "", button{})
}

// message is a card in the envelope that workflows take, its text cut so that it is not too large.
func message(heading string, text markdown.Document, small string, b button) []byte {
	for limit := maxText; ; limit /= 2 {
		body, err := json.Marshal(object{"type": "message", "attachments": []object{{
			"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": nil, "content": card(heading, text.Text(limit), small, b),
		}}})
		if err == nil && (len(body) <= maxMessage || limit < 100) { // what is left is always small enough
			return body
		}
	}
}

// card is an Adaptive Card. What people wrote stands in runs of text, in which no Markdown and no mention is read.
func card(heading, text, small string, b button) object {
	body := []object{}
	add := func(text string, run object) {
		if text == "" {
			return
		}
		run["type"], run["text"] = "TextRun", text
		body = append(body, object{"type": "RichTextBlock", "inlines": []object{run}})
	}
	add(heading, object{"size": "Medium", "weight": "Bolder"})
	add(text, object{})
	add(small, object{"isSubtle": true})
	c := object{"$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard", "version": "1.5", "body": body}
	if b.link != "" {
		title, advice := "Answer this request", "Whoever answers signs in. Opening the page decides nothing."
		if b.shows {
			title, advice = "See where this request stands", "Nobody can answer on the page: it shows where else the request stands, to answer there."
		}
		add(advice, object{"isSubtle": true})
		c["body"], c["actions"] = body, []object{{"type": "Action.OpenUrl", "title": title, "url": b.link}}
	}
	return c
}
