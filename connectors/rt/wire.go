package rt

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// Request Tracker's own types, as far as they are read.

// looseID takes a number or a text: Request Tracker writes ids either way.
type looseID string

func (t *looseID) UnmarshalJSON(text []byte) error {
	if len(text) > 0 && text[0] == '"' {
		return json.Unmarshal(text, (*string)(t))
	}
	if string(text) != "null" {
		*t = looseID(text)
	}
	return nil
}

// named is somebody, a queue or a ticket as others refer to it.
type named struct {
	ID       looseID `json:"id"`
	RealName string  `json:"RealName"`
	Mail     string  `json:"EmailAddress"`
}

type link struct {
	Ref string `json:"ref"`
	To  string `json:"to"`
}

type links []link

// has tells whether the account may do what is linked.
func (l links) has(ref string) bool {
	return slices.ContainsFunc(l, func(one link) bool { return one.Ref == ref })
}

type customField struct {
	ID     looseID           `json:"id"`
	Name   string            `json:"name"`
	Values []json.RawMessage `json:"values"`
}

// texts are the field's values; a file is its name.
func (f customField) texts() []string {
	var out []string
	for _, raw := range f.Values {
		var text string
		if json.Unmarshal(raw, &text) == nil {
			out = append(out, text)
			continue
		}
		var file struct {
			Name string `json:"filename"`
		}
		if json.Unmarshal(raw, &file) == nil && file.Name != "" {
			out = append(out, file.Name)
		}
	}
	return out
}

type ticket struct {
	ID           looseID       `json:"id"`
	Subject      string        `json:"Subject"`
	Status       string        `json:"Status"`
	Priority     looseID       `json:"Priority"`
	Queue        named         `json:"Queue"`
	Creator      named         `json:"Creator"`
	Created      stamp         `json:"Created"`
	LastUpdated  stamp         `json:"LastUpdated"`
	UpdatedBy    named         `json:"LastUpdatedBy"`
	Resolved     stamp         `json:"Resolved"`
	CustomFields []customField `json:"CustomFields"`
	Links        links         `json:"_hyperlinks"`

	raw map[string]json.RawMessage
}

// closed tells whether the ticket's status is an inactive one, from which there may be no way on.
func (t ticket) closed() bool { return !t.Resolved.IsZero() }

// custom returns a custom field by name.
func (t ticket) custom(name string) (customField, bool) {
	for _, f := range t.CustomFields {
		if strings.EqualFold(f.Name, name) {
			return f, true
		}
	}
	return customField{}, false
}

type queue struct {
	ID           looseID       `json:"id"`
	Name         string        `json:"Name"`
	CustomFields []customField `json:"TicketCustomFields"`
	Links        links         `json:"_hyperlinks"`
}

func (q queue) has(name string) bool {
	return slices.ContainsFunc(q.CustomFields, func(f customField) bool { return strings.EqualFold(f.Name, name) })
}

type user struct {
	ID       looseID `json:"id"`
	Name     string  `json:"Name"`
	RealName string  `json:"RealName"`
	Mail     string  `json:"EmailAddress"`
}

// transaction is one entry of a ticket's history.
type transaction struct {
	ID      looseID `json:"id"`
	Type    string  `json:"Type"`
	Field   looseID `json:"Field"`
	Old     looseID `json:"OldValue"`
	New     looseID `json:"NewValue"`
	Data    looseID `json:"Data"`
	Object  looseID `json:"ObjectId"`
	Creator named   `json:"Creator"`
	Created stamp   `json:"Created"`

	// Kind takes "type" away from Type: without a field of its own it would count as that, in another case.
	Kind string `json:"type"`
}

type attachment struct {
	ID       looseID     `json:"id"`
	Filename string      `json:"Filename"`
	Length   json.Number `json:"ContentLength"`
	Creator  named       `json:"Creator"`
	Created  stamp       `json:"Created"`
}

// page is one page of a list.
type page[T any] struct {
	Items []T     `json:"items"`
	Pages float64 `json:"pages"` // 0 where the account does not see everything
}

// stamp is a time; the first second of 1970 stands for none.
type stamp struct{ time.Time }

func (s *stamp) UnmarshalJSON(text []byte) error {
	var value string
	if err := json.Unmarshal(text, &value); err != nil || value == "" {
		return err
	}
	at, err := time.Parse(time.RFC3339, value)
	if err != nil {
		return err
	}
	if at.Unix() != 0 {
		s.Time = at.UTC()
	}
	return nil
}
