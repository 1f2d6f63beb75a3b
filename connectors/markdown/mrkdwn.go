package markdown

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// Mrkdwn returns d as Slack's mrkdwn of at most limit runes. What could become a link, a mention or a command in the
// text is escaped. Slack knows no escape for its marks: text that holds an asterisk may be shown bold, and means nothing
// else for it.
func (d Document) Mrkdwn(limit int) string {
	return mrkdwn(fit(d, limit, func(d Document) int { return utf8.RuneCountInString(mrkdwn(d)) }))
}

func mrkdwn(d Document) string { return mrkdwnBlocks(d.blocks) }

func mrkdwnBlocks(blocks []block) string {
	parts := make([]string, 0, len(blocks))
	for _, b := range blocks {
		parts = append(parts, mrkdwnBlock(b))
	}
	return strings.Join(parts, "\n\n")
}

func mrkdwnBlock(b block) string {
	switch b.kind {
	case heading:
		return "*" + strings.ReplaceAll(EscapeMrkdwn(textSpans(b.spans)), "\n", " ") + "*"
	case bullets, numbers:
		return mrkdwnList(b)
	case code:
		return "```\n" + strings.ReplaceAll(EscapeMrkdwn(b.text), "```", "`\u200b`\u200b`") + "\n```"
	case quote:
		return indent(mrkdwnBlocks(b.blocks), ">", ">")
	case rule, table:
		return EscapeMrkdwn(textBlock(b))
	default:
		return mrkdwnSpans(b.spans)
	}
}

func mrkdwnList(b block) string {
	items := make([]string, 0, len(b.blocks))
	for i, it := range b.blocks {
		mark := "• "
		if b.kind == numbers {
			mark = strconv.Itoa(b.level+i) + ". "
		}
		parts := make([]string, 0, len(it.blocks))
		for _, inner := range it.blocks {
			parts = append(parts, mrkdwnBlock(inner))
		}
		items = append(items, indent(strings.Join(parts, "\n"), mark, "    "))
	}
	return strings.Join(items, "\n")
}

func mrkdwnSpans(spans []span) string {
	var b strings.Builder
	for _, s := range spans {
		if s.br {
			b.WriteByte('\n')
			continue
		}
		// Marks must touch the text they mark.
		core := strings.TrimSpace(s.text)
		if core == "" {
			b.WriteString(s.text)
			continue
		}
		lead, trail, _ := strings.Cut(s.text, core)
		text := EscapeMrkdwn(core)
		if s.href != "" {
			text = "<" + mrkdwnAddress.Replace(s.href) + "|" + strings.ReplaceAll(text, "|", "¦") + ">"
		}
		if s.code && s.href == "" {
			text = "`" + strings.ReplaceAll(text, "`", "ˋ") + "`"
		}
		if s.em {
			text = "_" + text + "_"
		}
		if s.strong {
			text = "*" + text + "*"
		}
		b.WriteString(lead + text + trail)
	}
	return b.String()
}

// EscapeMrkdwn writes what Slack gives a meaning to as text: of & < > links and mentions are made.
func EscapeMrkdwn(text string) string { return mrkdwnText.Replace(text) }

var (
	mrkdwnText    = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
	mrkdwnAddress = strings.NewReplacer("&", "&amp;", "<", "%3C", ">", "%3E", "|", "%7C")
)
