package freshworks

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Ticket is a ticket, a service request or a change as the desks tell it, as far as it is read.
type Ticket struct {
	ID           int64           `json:"id"`
	Subject      string          `json:"subject"`
	Description  string          `json:"description"`
	Status       int             `json:"status"`
	Priority     int             `json:"priority"`
	Type         string          `json:"type"`
	Tags         []string        `json:"tags"`
	RequesterID  int64           `json:"requester_id"`
	Deleted      bool            `json:"deleted"`
	Spam         bool            `json:"spam"`
	Approval     json.RawMessage `json:"approval_status"`
	CustomFields map[string]any  `json:"custom_fields"`
	Attachments  []Attachment    `json:"attachments"`
	Created      time.Time       `json:"created_at"`
	Updated      time.Time       `json:"updated_at"`

	raw map[string]json.RawMessage
}

func (t *Ticket) UnmarshalJSON(text []byte) error {
	type plain Ticket
	if err := json.Unmarshal(text, (*plain)(t)); err != nil {
		return err
	}
	return json.Unmarshal(text, &t.raw)
}

func (t Ticket) whole(name string) error {
	if t.ID <= 0 {
		return connectors.Temporarily("%s: a hit has no id", name)
	}
	return nil
}

// Code reads a number that some answers wrap in an object; ok is false where there is none.
func Code(raw json.RawMessage) (code int, ok bool) {
	var wrapped struct{ ID *int }
	if json.Unmarshal(raw, &code) == nil && string(raw) != "null" {
		return code, len(raw) > 0
	}
	if json.Unmarshal(raw, &wrapped) == nil && wrapped.ID != nil {
		return *wrapped.ID, true
	}
	return 0, false
}

// Note is one entry of a conversation.
type Note struct {
	ID          int64        `json:"id"`
	Body        string       `json:"body"`
	UserID      int64        `json:"user_id"`
	Private     bool         `json:"private"`
	Incoming    bool         `json:"incoming"`
	Source      *int         `json:"source"`
	Created     time.Time    `json:"created_at"`
	Updated     time.Time    `json:"updated_at"`
	Edited      *time.Time   `json:"last_edited_at"`
	Attachments []Attachment `json:"attachments"`
}

// Attachment is a file on a ticket or a note.
type Attachment struct {
	ID       int64     `json:"id"`
	Name     string    `json:"name"`
	Size     int64     `json:"size"`
	FileSize int64     `json:"file_size"` // the same in some answers
	Created  time.Time `json:"created_at"`
}

func (a Attachment) bytes() int64 { return max(a.Size, a.FileSize) }

// Field is one field of a form.
type Field struct {
	ID       int64           `json:"id"`
	Name     string          `json:"name"`
	Label    string          `json:"label"`
	Type     string          `json:"type"`
	Kind     string          `json:"field_type"` // the same at Freshservice
	Standard bool            `json:"default_field"`
	Default  bool            `json:"default"` // the same at Freshdesk
	Required bool            `json:"required_for_agents"`
	Values   json.RawMessage `json:"choices"`
}

func (f Field) kind() string { return strings.TrimPrefix(f.Kind+f.Type, "custom_") }

func (f Field) custom() bool { return !f.Standard && !f.Default }

// Choice is one value a field takes, with its number where it has one.
type Choice struct {
	Number int
	Name   string
}

// Choices reads the values of a field, in each of the forms the desks give them: a list of texts, a list of objects with
// id and value, an object of names by number, and one of numbers by name.
func (f Field) Choices() []Choice {
	var texts []string
	if json.Unmarshal(f.Values, &texts) == nil {
		var out []Choice
		for _, text := range texts {
			out = append(out, Choice{Name: text})
		}
		return out
	}
	var objects []struct {
		ID    int
		Value string
	}
	if json.Unmarshal(f.Values, &objects) == nil {
		var out []Choice
		for _, o := range objects {
			out = append(out, Choice{Number: o.ID, Name: o.Value})
		}
		return out
	}
	var named map[string]json.RawMessage
	if json.Unmarshal(f.Values, &named) != nil {
		return nil
	}
	var out []Choice
	for name, raw := range named {
		var names []string
		var n int
		switch {
		case json.Unmarshal(raw, &names) == nil && len(names) > 0:
			if n, err := strconv.Atoi(name); err == nil {
				out = append(out, Choice{Number: n, Name: names[0]})
			}
		case json.Unmarshal(raw, &n) == nil:
			out = append(out, Choice{Number: n, Name: name})
		}
	}
	slices.SortFunc(out, func(a, b Choice) int { return a.Number - b.Number })
	return out
}

// plain reads a value that rules can compare with: texts, numbers, truth values and lists of them.
func plain(raw json.RawMessage) (any, bool) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	var v any
	if decoder.Decode(&v) != nil || v == nil {
		return nil, false
	}
	return v, true
}
