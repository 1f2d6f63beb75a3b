package servicedeskplus

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ServiceDesk Plus' own types, as far as they are read.

// looseText takes a text or a number, whose digits it keeps: ids are longer than a float64 is exact.
type looseText string

func (t *looseText) UnmarshalJSON(text []byte) error {
	if len(text) > 0 && text[0] == '"' {
		return json.Unmarshal(text, (*string)(t))
	}
	if string(text) != "null" {
		*t = looseText(text)
	}
	return nil
}

// texts takes a text or a list of texts.
type texts []string

func (t *texts) UnmarshalJSON(text []byte) error {
	if len(text) > 0 && text[0] == '[' {
		return json.Unmarshal(text, (*[]string)(t))
	}
	var one string
	if json.Unmarshal(text, &one) == nil && one != "" {
		*t = texts{one}
	}
	return nil
}

// named is anything referred to by id and name, or by its name alone.
type named struct {
	ID   looseText `json:"id"`
	Name string    `json:"name"`
}

func (n *named) UnmarshalJSON(text []byte) error {
	if len(text) > 0 && text[0] == '"' {
		return json.Unmarshal(text, &n.Name)
	}
	type plain named
	return json.Unmarshal(text, (*plain)(n))
}

func (n *named) name() string {
	if n == nil {
		return ""
	}
	return n.Name
}

type user struct {
	ID   looseText `json:"id"`
	Name string    `json:"name"`
	Mail string    `json:"email_id"`
}

// stamp is a time: an object with the milliseconds as text.
type stamp struct{ time.Time }

// maxMillis is the end of the year 9999: what lies behind cannot be written as JSON.
const maxMillis = 253402300800000

func (s *stamp) UnmarshalJSON(text []byte) error {
	var value struct {
		Value looseText `json:"value"`
	}
	if err := json.Unmarshal(text, &value); err != nil {
		return err
	}
	if n, err := strconv.ParseInt(string(value.Value), 10, 64); err == nil && n > 0 && n < maxMillis {
		s.Time = time.UnixMilli(n).UTC()
	}
	return nil
}

type request struct {
	ID          looseText       `json:"id"`
	Display     looseText       `json:"display_id"`
	Subject     string          `json:"subject"`
	Description string          `json:"description"`
	Status      *named          `json:"status"`
	Priority    *named          `json:"priority"`
	Approval    *named          `json:"approval_status"`
	Denied      bool            `json:"completed_by_denial"`
	Trashed     bool            `json:"is_trashed"`
	CreatedBy   *user           `json:"created_by"`
	Created     stamp           `json:"created_time"`
	Updated     stamp           `json:"last_updated_time"`
	UDF         json.RawMessage `json:"udf_fields"`
	Attachments []attachment    `json:"attachments"`

	raw map[string]json.RawMessage
}

func (r *request) UnmarshalJSON(text []byte) error {
	type plain request
	if err := json.Unmarshal(text, (*plain)(r)); err != nil {
		return err
	}
	return json.Unmarshal(text, &r.raw)
}

// additional are the additional fields, nil where they were not sent.
func (r request) additional() map[string]json.RawMessage {
	var out map[string]json.RawMessage
	_ = json.Unmarshal(r.UDF, &out) // what is no object has no fields
	return out
}

type attachment struct {
	ID   looseText `json:"id"`
	Name string    `json:"name"`
	Size fileSize  `json:"size"`
	By   *user     `json:"attached_by"`
	At   stamp     `json:"attached_on"`
}

// fileSize takes a number, a text, or an object with either as value.
type fileSize int64

func (s *fileSize) UnmarshalJSON(text []byte) error {
	var plain looseText
	if strings.HasPrefix(string(text), "{") {
		var object struct {
			Value looseText `json:"value"`
		}
		if err := json.Unmarshal(text, &object); err != nil {
			return err
		}
		plain = object.Value
	} else if err := json.Unmarshal(text, &plain); err != nil {
		return err
	}
	if n, err := strconv.ParseInt(string(plain), 10, 64); err == nil && n >= 0 {
		*s = fileSize(n)
	}
	return nil
}

// level is one step of a request's approval.
type level struct {
	ID     looseText   `json:"id"`
	Level  json.Number `json:"level"`
	Status *named      `json:"status"`
}

// approval is what one person was asked.
type approval struct {
	ID       looseText `json:"id"`
	Approver *user     `json:"approver"`
	Original *user     `json:"original_approver"`
	Status   *named    `json:"status"`
	At       stamp     `json:"action_taken_on"`
}

type note struct {
	ID          looseText `json:"id"`
	Description string    `json:"description"`
	Shown       *bool     `json:"show_to_requester"`
	CreatedBy   *user     `json:"created_by"`
}

// change is one entry of a history, in the shape the setting history asks for.
type change struct {
	ID   looseText `json:"id"`
	By   *user     `json:"by"`
	Time stamp     `json:"time"`
	Diff []struct {
		Field string          `json:"field"`
		Old   json.RawMessage `json:"previous_value"`
		New   json.RawMessage `json:"current_value"`
	} `json:"diff"`
}

// listInfo is how a list ends.
type listInfo struct {
	More bool `json:"has_more_rows"`
}

// byNumber orders ids, which are numbers of any length.
func byNumber(a, b string) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}

func sortedIDs(ids []string) []string {
	slices.SortFunc(ids, byNumber)
	return slices.Compact(ids)
}
