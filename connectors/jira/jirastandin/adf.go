package jirastandin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// richText is a text as both versions of the interface show it: a document tree and a string.
type richText struct {
	tree json.RawMessage
	text string
}

// maxRichText is Jira's default limit of a description or comment, in characters.
const maxRichText = 32767

// parseRich reads rich text as version writes it: a document in 3, a string in 2.
func parseRich(raw json.RawMessage, version int) (any, string) {
	var out richText
	if version == 3 {
		if raw[0] != '{' {
			return nil, "Operation value must be an Atlassian Document (see the Atlassian Document Format)"
		}
		root, err := parseDocument(raw)
		if err != nil {
			return nil, fmt.Sprintf("INVALID_INPUT: %s", err)
		}
		out = richText{tree: raw, text: root.plain()}
	} else {
		text, problem := parseString(raw)
		if problem != "" {
			return nil, problem
		}
		out = plainText(text)
	}
	if utf8.RuneCountInString(out.text) > maxRichText {
		return nil, "The entered text is too long. It exceeds the allowed limit of 32,767 characters."
	}
	if strings.TrimSpace(out.text) == "" {
		return nil, ""
	}
	return out, ""
}

// plainText makes rich text of a string: a paragraph a line.
func plainText(text string) richText {
	root := node{Type: "doc", Version: 1, Content: []node{}}
	for line := range strings.SplitSeq(text, "\n") {
		p := node{Type: "paragraph", Content: []node{}}
		if line != "" {
			p.Content = append(p.Content, node{Type: "text", Text: line})
		}
		root.Content = append(root.Content, p)
	}
	tree, _ := json.Marshal(root) // a tree of texts always encodes
	return richText{tree: tree, text: text}
}

// node is one node of an Atlassian document.
type node struct {
	Type    string         `json:"type"`
	Version int            `json:"version,omitempty"`
	Attrs   map[string]any `json:"attrs,omitempty"`
	Text    string         `json:"text,omitempty"`
	Marks   []mark         `json:"marks,omitempty"`
	Content []node         `json:"content,omitempty"`
}

type mark struct {
	Type  string         `json:"type"`
	Attrs map[string]any `json:"attrs,omitempty"`
}

var (
	lists   = []string{"bulletList", "orderedList"}
	inlines = []string{"text", "hardBreak", "mention", "emoji", "date", "status", "inlineCard"}
	blocks  = append([]string{"paragraph", "heading", "codeBlock", "blockquote", "rule", "panel", "table", "expand"}, lists...)

	// children are the nodes each node may hold; nodes that are no key here hold none.
	children = map[string][]string{
		"doc":         blocks,
		"paragraph":   inlines,
		"heading":     inlines,
		"codeBlock":   {"text"},
		"blockquote":  append([]string{"paragraph", "codeBlock"}, lists...),
		"panel":       append([]string{"paragraph", "heading", "codeBlock", "rule"}, lists...),
		"expand":      blocks,
		"bulletList":  {"listItem"},
		"orderedList": {"listItem"},
		"listItem":    append([]string{"paragraph", "codeBlock"}, lists...),
		"table":       {"tableRow"},
		"tableRow":    {"tableCell", "tableHeader"},
		"tableCell":   append([]string{"paragraph", "heading", "codeBlock", "blockquote", "rule", "panel"}, lists...),
		"tableHeader": append([]string{"paragraph", "heading", "codeBlock", "blockquote", "rule", "panel"}, lists...),
	}
	// filled nodes need at least one child.
	filled = []string{"blockquote", "panel", "expand", "bulletList", "orderedList", "listItem", "table", "tableCell", "tableHeader"}
	marks  = []string{"strong", "em", "code", "link", "strike", "underline", "subsup", "textColor", "backgroundColor"}
)

// parseDocument reads a document and checks it against the document format. An error names the place.
func parseDocument(raw json.RawMessage) (node, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	var root node
	if err := d.Decode(&root); err != nil {
		return node{}, errors.New("not a tree of nodes")
	}
	if root.Type != "doc" || root.Version != 1 {
		return node{}, errors.New(`the root must be {"type":"doc","version":1}`)
	}
	return root, root.check("doc")
}

func (n node) check(at string) error {
	allowed, holds := children[n.Type]
	if !holds && len(n.Content) > 0 {
		return fmt.Errorf("%s: a %s has no content", at, n.Type)
	}
	if len(n.Content) == 0 && slices.Contains(filled, n.Type) {
		return fmt.Errorf("%s: a %s must not be empty", at, n.Type)
	}
	if err := n.checkSelf(at); err != nil {
		return err
	}
	for i, child := range n.Content {
		place := fmt.Sprintf("%s.content[%d]", at, i)
		if !slices.Contains(allowed, child.Type) {
			return fmt.Errorf("%s: a %s does not belong into a %s", place, child.Type, n.Type)
		}
		if n.Type == "codeBlock" && len(child.Marks) > 0 {
			return fmt.Errorf("%s: text in a codeBlock has no marks", place)
		}
		if n.Type == "listItem" && i == 0 && slices.Contains(lists, child.Type) {
			return fmt.Errorf("%s: a listItem does not start with a list", place)
		}
		if err := child.check(place); err != nil {
			return err
		}
	}
	return nil
}

func (n node) checkSelf(at string) error {
	switch n.Type {
	case "text":
		if n.Text == "" {
			return fmt.Errorf("%s: a text must not be empty", at)
		}
	case "heading":
		if level, ok := n.Attrs["level"].(float64); !ok || level < 1 || level > 6 || level != float64(int(level)) {
			return fmt.Errorf("%s: a heading needs a level from 1 to 6", at)
		}
	case "panel":
		if _, ok := n.Attrs["panelType"].(string); !ok {
			return fmt.Errorf("%s: a panel needs a panelType", at)
		}
	case "mention":
		if _, ok := n.Attrs["id"].(string); !ok {
			return fmt.Errorf("%s: a mention needs an id", at)
		}
	}
	if n.Type != "text" && n.Text != "" {
		return fmt.Errorf("%s: a %s has no text", at, n.Type)
	}
	if n.Type != "doc" && n.Version != 0 {
		return fmt.Errorf("%s: a %s has no version", at, n.Type)
	}
	return n.checkMarks(at)
}

func (n node) checkMarks(at string) error {
	if n.Type != "text" && len(n.Marks) > 0 {
		return fmt.Errorf("%s: a %s has no marks", at, n.Type)
	}
	isCode := slices.ContainsFunc(n.Marks, func(m mark) bool { return m.Type == "code" })
	for i, m := range n.Marks {
		if !slices.Contains(marks, m.Type) {
			return fmt.Errorf("%s: unknown mark %s", at, m.Type)
		}
		if slices.ContainsFunc(n.Marks[:i], func(other mark) bool { return other.Type == m.Type }) {
			return fmt.Errorf("%s: the mark %s is there twice", at, m.Type)
		}
		if isCode && m.Type != "code" && m.Type != "link" {
			return fmt.Errorf("%s: code does not combine with %s", at, m.Type)
		}
		if href, _ := m.Attrs["href"].(string); m.Type == "link" && href == "" {
			return fmt.Errorf("%s: a link needs a href", at)
		}
	}
	return nil
}

// plain is the text of a node, a line a block.
func (n node) plain() string {
	switch n.Type {
	case "text":
		return n.Text
	case "hardBreak":
		return "\n"
	case "mention", "emoji", "status":
		text, _ := n.Attrs["text"].(string)
		return text
	case "inlineCard":
		url, _ := n.Attrs["url"].(string)
		return url
	}
	var out strings.Builder
	for i, child := range n.Content {
		if i > 0 && !slices.Contains(inlines, child.Type) {
			out.WriteString("\n")
		}
		if n.Type == "bulletList" || n.Type == "orderedList" {
			out.WriteString("* ")
		}
		out.WriteString(child.plain())
	}
	return out.String()
}
