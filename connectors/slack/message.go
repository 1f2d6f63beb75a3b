package slack

import (
	"context"
	"regexp"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/markdown"
)

// Limits of a message's parts.
const (
	maxSection   = 3000
	maxFallback  = 3000
	maxHeading   = 300
	maxLabel     = 75
	maxDurations = 5
)

// What a rule's type says of a message.
const (
	typeAsk    = "ask"    // with buttons
	typeNotice = "notice" // without
)

// The names of our parts of a message, told with each click.
const (
	buttonsBlock = "drawbridge"
	reasonBlock  = "drawbridge-reason"
	reasonInput  = "reason"
	approve      = "approve" // with a duration behind a slash where several are offered
	deny         = "deny"
)

type object = map[string]any

// Create posts the request to the channel that project names. Its buttons carry key.
func (c *connector) Create(ctx context.Context, key string, t connectors.Ticket) (connectors.Ref, error) {
	if !channelID.MatchString(t.Project) {
		return connectors.Ref{}, connectors.Permanently("create: project is a channel's id, as in C0EXAMPLE")
	}
	blocks := request(t)
	switch t.Type {
	case typeAsk:
		buttons, err := answers(key, t.Fields)
		if err != nil {
			return connectors.Ref{}, err
		}
		blocks = append(blocks, buttons...)
	case typeNotice:
	default:
		return connectors.Ref{}, connectors.Permanently("create: type is %s or %s", typeAsk, typeNotice)
	}
	return c.post(ctx, "post message", "chat.postMessage", object{
		"channel": t.Project, "text": fallback(t.Summary), "blocks": blocks, "unfurl_links": false, "unfurl_media": false,
	})
}

// request shows what is asked for.
func request(t connectors.Ticket) []object {
	blocks := []object{section("*" + markdown.EscapeMrkdwn(strings.ReplaceAll(markdown.Line(t.Summary, maxHeading), "*", "∗")) + "*")}
	if text := markdown.Parse(t.Description).Mrkdwn(maxSection); strings.TrimSpace(text) != "" {
		blocks = append(blocks, section(text))
	}
	if priority := markdown.Line(t.Priority, maxHeading); priority != "" {
		blocks = append(blocks, context1("Priority: "+markdown.EscapeMrkdwn(priority)))
	}
	return blocks
}

func fallback(text string) string {
	return markdown.EscapeMrkdwn(markdown.Line(text, maxHeading))
}

func section(text string) object { return object{"type": "section", "text": mrkdwn(text)} }

func context1(text string) object {
	return object{"type": "context", "elements": []object{mrkdwn(text)}}
}

// mrkdwn is verbatim: Slack makes neither links nor mentions of what is none.
func mrkdwn(text string) object {
	return object{"type": "mrkdwn", "text": text, "verbatim": true}
}

func plain(text string) object { return object{"type": "plain_text", "text": text} }

// duration is a length as a rule's decision reads it.
var duration = regexp.MustCompile(`^(once|[0-9]{1,6}[smhd]?)$`)

// answers are the buttons, and where a reason can be typed.
func answers(key string, fields map[string]any) ([]object, error) {
	var blocks []object
	for name := range fields {
		if name != "durations" && name != "reason" {
			return nil, connectors.Permanently("create: fields.%s: a message has durations and reason", connectors.Clean(name, 50))
		}
	}
	if label, given := fields["reason"]; given {
		text, _ := label.(string)
		if text = markdown.Line(text, maxLabel); text == "" {
			return nil, connectors.Permanently("create: fields.reason is what stands above the line to type a reason into")
		}
		blocks = append(blocks, object{
			"type": "input", "block_id": reasonBlock, "optional": true, "label": plain(text),
			"element": object{"type": "plain_text_input", "action_id": reasonInput, "max_length": maxFallback},
		})
	}
	lengths, err := durations(fields["durations"])
	if err != nil {
		return nil, err
	}
	var buttons []object
	for _, length := range lengths {
		buttons = append(buttons, button("primary", approve+"/"+length, "Approve: "+length, key))
	}
	if len(buttons) == 0 {
		buttons = append(buttons, button("primary", approve, "Approve", key))
	}
	buttons = append(buttons, button("danger", deny, "Deny", key))
	return append(blocks, object{"type": "actions", "block_id": buttonsBlock, "elements": buttons}), nil
}

func durations(value any) (lengths []string, err error) {
	if value == nil {
		return nil, nil
	}
	list, ok := value.([]any)
	if !ok || len(list) == 0 || len(list) > maxDurations {
		return nil, connectors.Permanently("create: fields.durations is a list of at most %d lengths", maxDurations)
	}
	for _, one := range list {
		text, _ := one.(string)
		if !duration.MatchString(text) {
			return nil, connectors.Permanently("create: fields.durations holds lengths like 1h, 30m and once")
		}
		for _, other := range lengths {
			if other == text {
				return nil, connectors.Permanently("create: fields.durations names a length twice")
			}
		}
		lengths = append(lengths, text)
	}
	return lengths, nil
}

func button(style, id, label, key string) object {
	return object{"type": "button", "style": style, "action_id": id, "text": plain(label), "value": key}
}

// Comment replies in the message's thread. Everybody who sees the message sees it. After a lost answer it may stand there
// twice.
func (c *connector) Comment(ctx context.Context, ref connectors.Ref, n connectors.Note) error {
	channel, ts, err := handle(ref)
	if err != nil {
		return err
	}
	_, err = c.post(ctx, "post reply", "chat.postMessage", object{
		"channel": channel, "thread_ts": ts, "text": markdown.Parse(n.Body).Mrkdwn(maxFallback), "unfurl_links": false, "unfurl_media": false,
	})
	return err
}

// Transition writes the status on the message and takes its buttons off. What was asked for stays where it is known
// still.
func (c *connector) Transition(ctx context.Context, ref connectors.Ref, m connectors.Move) error {
	channel, ts, err := handle(ref)
	if err != nil {
		return err
	}
	status := markdown.Line(m.Status, maxHeading)
	var blocks []object
	text := fallback(status)
	if m.Asked != nil {
		blocks = request(*m.Asked)
		text = fallback(m.Asked.Summary + ": " + status)
	}
	blocks = append(blocks, section("*"+markdown.EscapeMrkdwn(status)+"*"))
	if m.Note != nil {
		blocks = append(blocks, context1(markdown.Parse(m.Note.Body).Mrkdwn(maxSection)))
	}
	_, err = c.post(ctx, "update message", "chat.update", object{"channel": channel, "ts": ts, "text": text, "blocks": blocks})
	return err
}
