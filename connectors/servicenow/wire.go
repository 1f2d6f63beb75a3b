package servicenow

import (
	"bytes"
	"encoding/json"
	"strconv"
	"time"
)

// record is a row of a table. Asked for as the database has them, all values are texts and references sys_ids.
type record map[string]string

// UnmarshalJSON reads values that are no texts, too: references with a link, and what a plug-in may write.
func (r *record) UnmarshalJSON(text []byte) error {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(text, &raw); err != nil {
		return err
	}
	out := make(record, len(raw))
	for name, value := range raw {
		out[name] = plain(value)
	}
	*r = out
	return nil
}

func plain(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	var ref struct{ Value string }
	if json.Unmarshal(raw, &ref) == nil && ref.Value != "" {
		return ref.Value
	}
	if raw = bytes.TrimSpace(raw); string(raw) == "null" {
		return ""
	}
	return string(raw)
}

// Fields every record of a task table has.
const (
	sysID        = "sys_id"
	sysCreatedBy = "sys_created_by"
	sysCreated   = "sys_created_on"
	sysUpdatedBy = "sys_updated_by"
	sysUpdated   = "sys_updated_on"
	sysModCount  = "sys_mod_count"
	number       = "number"
	stateField   = "state"
	priority     = "priority"
	summary      = "short_description"
	description  = "description"
	approval     = "approval"
	keyField     = "correlation_id"
	markField    = "correlation_display"
	workNotes    = "work_notes" // internal
	comments     = "comments"   // seen by the customer
)

// stampForm is how the database writes a time, in UTC.
const stampForm = "2006-01-02 15:04:05"

// at reads a time, zero where there is none.
func (r record) at(field string) time.Time {
	t, err := time.Parse(stampForm, r[field])
	if err != nil {
		return time.Time{}
	}
	return t
}

// count reads a number, -1 where there is none.
func (r record) count(field string) int64 {
	n, err := strconv.ParseInt(r[field], 10, 64)
	if err != nil {
		return -1
	}
	return n
}

// envelope is every answer. A success may carry an error all the same, when the instance gave up in the middle.
type envelope struct {
	Result json.RawMessage `json:"result"`
	Error  *struct {
		Message string `json:"message"`
		Detail  string `json:"detail"`
	} `json:"error"`
	Status string `json:"status"`
}

// words are the instance's own words about an error.
func (e envelope) words() string {
	switch {
	case e.Error == nil:
		return ""
	case e.Error.Detail == "" || e.Error.Detail == e.Error.Message:
		return e.Error.Message
	default:
		return e.Error.Message + ": " + e.Error.Detail
	}
}
