package jira

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/markdown"
)

// Limits of Jira. Those of summary and texts are what Jira's own error texts say; a Data Center may set its own.
const (
	maxSummary  = 254
	maxText     = 32767
	maxLabel    = 255
	maxTextLine = 255
)

// ticketFields is a ticket as the fields of a create or an update. Zero fields are left out. Labels are not in it.
func (c *connector) ticketFields(t connectors.Ticket, meta map[string]fieldMeta) map[string]any {
	out := map[string]any{}
	if t.Summary != "" {
		out["summary"] = line(t.Summary, maxSummary)
	}
	if strings.TrimSpace(t.Description) != "" {
		out["description"] = c.rich(markdown.Parse(t.Description))
	}
	if t.Priority != "" {
		out["priority"] = named(t.Priority)
	}
	for id, value := range t.Fields {
		out[id] = c.value(meta[id].Schema, value)
	}
	return out
}

// checkFields refuses fields that a ticket has a place of its own for: set as fields they would take our labels away.
func checkFields(fields map[string]any) error {
	for _, id := range []string{"project", "issuetype", "labels"} {
		if _, ok := fields[id]; ok {
			return connectors.Permanently("%s is not set among the fields but beside them", id)
		}
	}
	return nil
}

// rich renders a text the way the version in use takes it.
func (c *connector) rich(d markdown.Document) any {
	if c.conf.Deployment == dataCenter {
		return d.Wiki(textLimit(d))
	}
	return d.ADF(textLimit(d))
}

// textLimit is how many characters of a text Jira is given. Those beyond the first 65536 count twice, as in Java: how Jira
// counts is not documented, and a text cut too short is better than a ticket refused.
func textLimit(d markdown.Document) int {
	twice := 0
	for _, r := range d.Text(0) {
		if r > 0xffff {
			twice++
		}
	}
	return max(maxText-twice, maxText/2)
}

// line is text on one line, within a limit that is counted as in textLimit.
func line(text string, most int) string {
	for n := most; ; {
		cut := markdown.Line(text, n)
		over := len(utf16.Encode([]rune(cut))) - most
		if over <= 0 {
			return cut
		}
		n -= max(1, over/2)
	}
}

// called points at a project or type by that name, or by id where the text is one.
func called(by, text string) map[string]string {
	if issueID.MatchString(text) {
		by = "id"
	}
	return map[string]string{by: text}
}

// named points at one of Jira's things by name.
func named(text string) map[string]string { return map[string]string{"name": text} }

// value shapes a text, or a list of texts, as a field of that schema takes it, so that rules need not know Jira's
// shapes. Every other value goes out as it is.
func (c *connector) value(s fieldSchema, value any) any {
	switch v := value.(type) {
	case string:
		return c.textValue(s, v)
	case []string:
		out := make([]any, 0, len(v))
		for _, one := range v {
			out = append(out, c.value(fieldSchema{Type: s.Items}, one))
		}
		return out
	case []any:
		out := make([]any, 0, len(v))
		for _, one := range v {
			out = append(out, c.value(fieldSchema{Type: s.Items}, one))
		}
		return out
	default:
		return value
	}
}

func (c *connector) textValue(s fieldSchema, text string) any {
	if s.rich() {
		return c.rich(markdown.Plain(text))
	}
	switch s.Type {
	case "option":
		return map[string]any{"value": text}
	case "user":
		if c.conf.Deployment == dataCenter {
			return map[string]any{"name": text}
		}
		return map[string]any{"accountId": text}
	case "group", "priority", "resolution", "version", "component", "securitylevel":
		return named(text)
	case "array":
		return []any{c.value(fieldSchema{Type: s.Items}, text)}
	case "number":
		if n, err := strconv.ParseFloat(text, 64); err == nil {
			return n
		}
		return text
	case "string":
		return line(text, maxTextLine)
	default:
		return text
	}
}

// shaped tells whether fields hold anything the create screen must be known for.
func shaped(fields map[string]any) bool {
	for _, value := range fields {
		switch value.(type) {
		case string, []string, []any:
			return true
		}
	}
	return false
}

// screenFields returns the create screen where fields need it. A screen Jira refuses to show is no reason to stop:
// the call that follows says better what is wrong.
func (c *connector) screenFields(ctx context.Context, at connectors.Place, fields map[string]any) (map[string]fieldMeta, error) {
	if !shaped(fields) {
		return nil, nil
	}
	s, err := c.screen(ctx, at)
	if err != nil {
		if connectors.AsError(err).Kind == connectors.Permanent {
			return nil, nil
		}
		return nil, connectors.Unsent(err)
	}
	return s.fields, nil
}

// place is where an existing ticket is kept.
func (c *connector) place(ctx context.Context, ref connectors.Ref) (connectors.Place, error) {
	path, err := c.issue(ref, "?fields=project,issuetype")
	if err != nil {
		return connectors.Place{}, err
	}
	var i issue
	if err := c.get(ctx, "read issue", path, &i); err != nil {
		return connectors.Place{}, connectors.Unsent(err)
	}
	var p project
	var t struct{ ID string }
	i.field("project", &p)
	i.field("issuetype", &t)
	return connectors.Place{Project: p.Key, Type: t.ID}, nil
}

var keyForm = regexp.MustCompile(`^[A-Za-z0-9._-]{1,200}$`)

// checkKey refuses a key that would not survive as a label.
func checkKey(key string) error {
	if !keyForm.MatchString(key) {
		return errors.New("the key has other characters than letters, digits, '.', '_' and '-', or is too long")
	}
	return nil
}

// labels returns the labels a rule asks for, as Jira takes them. Those that look like our own are left out: they are
// how tickets are found.
func labels(asked []string) []string {
	var out []string
	for _, label := range asked {
		label = strings.ReplaceAll(line(label, maxLabel), " ", "_")
		if label == "" || label == mark || strings.HasPrefix(label, mark+"-") || slices.Contains(out, label) {
			continue
		}
		out = append(out, label)
	}
	return out
}

// simple turns a field's value into what rules compare with: the text of an option, the name of a person, the text of
// a document, lists of these. Values it does not know stay as they are.
func simple(raw json.RawMessage) any {
	var value any
	if json.Unmarshal(raw, &value) != nil {
		return nil
	}
	return simpler(value)
}

func simpler(value any) any {
	switch v := value.(type) {
	case []any:
		out := make([]any, 0, len(v))
		for _, one := range v {
			out = append(out, simpler(one))
		}
		return out
	case map[string]any:
		if v["type"] == "doc" {
			return strings.TrimSpace(documentText(v))
		}
		if text, ok := v["value"].(string); ok {
			if child, ok := v["child"].(map[string]any); ok {
				if inner, ok := child["value"].(string); ok {
					return text + " - " + inner
				}
			}
			return text
		}
		for _, name := range []string{"displayName", "name"} {
			if text, ok := v[name].(string); ok {
				return text
			}
		}
		return v
	default:
		return value
	}
}

// documentText is the text of an Atlassian document, a line for each block.
func documentText(node map[string]any) string {
	if node["type"] == "hardBreak" {
		return "\n"
	}
	text, _ := node["text"].(string)
	attrs, _ := node["attrs"].(map[string]any)
	shown, _ := attrs["text"].(string) // mentions, emoji, statuses
	var b strings.Builder
	b.WriteString(cmp.Or(text, shown))
	children, _ := node["content"].([]any)
	for _, child := range children {
		if inner, ok := child.(map[string]any); ok {
			b.WriteString(documentText(inner))
		}
	}
	switch node["type"] {
	case "paragraph", "heading", "codeBlock", "rule":
		b.WriteByte('\n')
	}
	return b.String()
}
