package zendesk

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Zendesk's own types, as far as they are read.

// looseID takes a number or a text: events write ids as text, everything else as numbers.
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

// systemUser is who Zendesk itself acts as.
const systemUser = "-1"

type user struct {
	ID          looseID `json:"id"`
	Name        string  `json:"name"`
	Mail        string  `json:"email"`
	Role        string  `json:"role"`
	Verified    bool    `json:"verified"`
	Suspended   bool    `json:"suspended"`
	Restriction string  `json:"ticket_restriction"`
}

// person is somebody as others know them. A mail address nobody proved to be theirs is left out.
func (u user) person() connectors.Person {
	p := connectors.Person{Account: string(u.ID), Name: u.Name}
	if u.Verified {
		p.Mail = u.Mail
	}
	return p
}

type named struct {
	ID   looseID `json:"id"`
	Name string  `json:"name"`
}

type customValue struct {
	ID    looseID         `json:"id"`
	Value json.RawMessage `json:"value"`
}

const (
	closed  = "closed"
	deleted = "deleted"
)

type ticket struct {
	ID           looseID       `json:"id"`
	External     string        `json:"external_id"`
	Subject      string        `json:"subject"`
	Description  string        `json:"description"`
	Status       string        `json:"status"`
	CustomStatus looseID       `json:"custom_status_id"`
	Priority     string        `json:"priority"`
	Submitter    looseID       `json:"submitter_id"`
	Tags         []string      `json:"tags"`
	Created      time.Time     `json:"created_at"`
	Updated      time.Time     `json:"updated_at"`
	Generated    int64         `json:"generated_timestamp"` // unix seconds; of the export only
	Custom       []customValue `json:"custom_fields"`

	raw map[string]json.RawMessage
}

func (t *ticket) UnmarshalJSON(text []byte) error {
	type plain ticket
	if err := json.Unmarshal(text, (*plain)(t)); err != nil {
		return err
	}
	return json.Unmarshal(text, &t.raw)
}

func (t ticket) custom(id string) (json.RawMessage, bool) {
	at := slices.IndexFunc(t.Custom, func(v customValue) bool { return string(v.ID) == id })
	if at < 0 {
		return nil, false
	}
	return t.Custom[at].Value, true
}

type via struct {
	Channel looseID `json:"channel"` // a word, or a number
	Source  struct {
		Rel string `json:"rel"`
	} `json:"source"`
}

// audit is everything that one update of a ticket did.
type audit struct {
	ID      looseID   `json:"id"`
	Author  looseID   `json:"author_id"`
	Created time.Time `json:"created_at"`
	Via     *via      `json:"via"`
	Events  []event   `json:"events"`
}

// event is one thing an update did. It has a channel of its own where that differs from the audit's.
type event struct {
	ID          looseID         `json:"id"`
	Type        string          `json:"type"`
	Field       string          `json:"field_name"`
	Value       json.RawMessage `json:"value"`
	Previous    json.RawMessage `json:"previous_value"`
	Via         *via            `json:"via"`
	Author      looseID         `json:"author_id"` // of a comment
	Body        string          `json:"body"`
	Public      bool            `json:"public"`
	Attachments []struct {
		ID   looseID `json:"id"`
		Name string  `json:"file_name"`
		Size int64   `json:"size"`
	} `json:"attachments"`
}

// text is a value as a step has it.
func text(raw json.RawMessage) string {
	var v any
	if len(raw) == 0 || json.Unmarshal(raw, &v) != nil {
		return ""
	}
	return plain(v)
}

func plain(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case []any:
		var out []string
		for _, one := range v {
			out = append(out, plain(one))
		}
		return strings.Join(out, " ")
	default:
		text, _ := json.Marshal(v) // what was read is written again
		return string(text)
	}
}
