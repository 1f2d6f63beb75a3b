package jirastandin

import (
	"net/http"
	"slices"
	"strconv"
)

type changeWire struct {
	ID      string           `json:"id"`
	Author  *userWire        `json:"author"`
	Created string           `json:"created"`
	Items   []changeItemWire `json:"items"`
}

type changeItemWire struct {
	Field    string  `json:"field"`
	Kind     string  `json:"fieldtype"`
	FieldID  string  `json:"fieldId,omitempty"` // Cloud only
	From     *string `json:"from"`
	FromText *string `json:"fromString"`
	To       *string `json:"to"`
	ToText   *string `json:"toString"`
}

// changelogWire is the history inside a ticket.
type changelogWire struct {
	StartAt    int          `json:"startAt"`
	MaxResults int          `json:"maxResults"`
	Total      int          `json:"total"`
	Histories  []changeWire `json:"histories"`
}

func (v view) changes(history []*change) []changeWire {
	out := []changeWire{}
	for _, h := range history {
		out = append(out, changeWire{ID: strconv.Itoa(h.id), Author: v.user(h.by), Created: v.stamp(h.at), Items: v.changeItems(h.items)})
	}
	return out
}

func (v view) changeItems(items []changeItem) []changeItemWire {
	out := []changeItemWire{}
	for _, item := range items {
		w := changeItemWire{Field: item.field, Kind: item.kind}
		w.From, w.FromText, w.To, w.ToText = orNull(item.from), orNull(item.fromText), orNull(item.to), orNull(item.toText)
		if !v.s.o.DataCenter {
			w.FieldID = item.fieldID
		}
		out = append(out, w)
	}
	return out
}

func orNull(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// inline is how many entries Cloud shows of a history inside a ticket.
const inline = 100

// changelog is the history inside a ticket: all of it, oldest first, at Data Center; the newest entries, newest first,
// at Cloud.
func (v view) changelog(i *issue) *changelogWire {
	out := &changelogWire{Total: len(i.history)}
	if v.s.o.DataCenter {
		out.MaxResults, out.Histories = len(i.history), v.changes(i.history)
		return out
	}
	shown := v.changes(i.history[max(0, len(i.history)-inline):])
	slices.Reverse(shown)
	out.MaxResults, out.Histories = inline, shown
	return out
}

// listChanges pages through a ticket's history, oldest first.
func (c *call) listChanges() (int, any, error) {
	i, err := c.issue()
	if err != nil {
		return 0, nil, err
	}
	start, err := c.number("startAt", 0, 0)
	if err != nil {
		return 0, nil, err
	}
	size, err := c.number("maxResults", 100, 100)
	if err != nil {
		return 0, nil, err
	}
	address := func(start int) string {
		return c.view.self("issue", i.key, "changelog") + "?maxResults=" + strconv.Itoa(size) + "&startAt=" + strconv.Itoa(start)
	}
	out := struct {
		Self       string       `json:"self"`
		NextPage   string       `json:"nextPage,omitempty"`
		StartAt    int          `json:"startAt"`
		MaxResults int          `json:"maxResults"`
		Total      int          `json:"total"`
		IsLast     bool         `json:"isLast"`
		Values     []changeWire `json:"values"`
	}{Self: address(start), StartAt: start, MaxResults: size, Total: len(i.history), Values: c.view.changes(page(i.history, start, size))}
	out.IsLast = start+size >= len(i.history)
	if !out.IsLast {
		out.NextPage = address(start + size)
	}
	return http.StatusOK, out, nil
}
