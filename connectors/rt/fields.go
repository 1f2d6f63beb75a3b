package rt

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/markdown"
)

// Limits. The subject's is Request Tracker's own, in bytes: it cuts what is longer without a word. That of texts is
// ours; how much Request Tracker keeps is a setting (MaxAttachmentSize).
const (
	maxSubject = 200
	maxText    = 60000
	maxValue   = 10000
)

// core are the fields of every ticket that a rule may set beside those with a place of their own. All others are
// custom fields, by name.
var core = []string{
	"Owner", "Requestor", "Cc", "AdminCc", "Due", "Starts", "Started", "Told", "TimeEstimated", "TimeLeft", "TimeWorked",
	"InitialPriority", "FinalPriority", "SLA",
}

// body is the fields of a create or an update as Request Tracker takes them, with the custom fields apart.
func (c *connector) body(t connectors.Ticket, known func(name string) bool) (map[string]any, map[string]any, error) {
	out, custom := map[string]any{}, map[string]any{}
	if t.Summary != "" {
		out["Subject"] = subject(t.Summary)
	}
	if t.Priority != "" {
		out["Priority"] = markdown.Line(t.Priority, maxSubject)
	}
	var faults []error
	for _, id := range slices.Sorted(maps.Keys(t.Fields)) {
		text, err := value(t.Fields[id])
		switch {
		case err != nil:
			faults = append(faults, fmt.Errorf("field %s: %w", connectors.Clean(id, 100), err))
		case slices.Contains(core, id):
			out[id] = text
		case strings.EqualFold(id, c.conf.KeyField):
			faults = append(faults, fmt.Errorf("field %s holds our key and is not a rule's to set", c.conf.KeyField))
		case !known(id):
			faults = append(faults, fmt.Errorf("there is no custom field %q there, or the account lacks the right SeeCustomField on it", connectors.Clean(id, 100)))
		default:
			custom[id] = text
		}
	}
	if len(faults) > 0 {
		return nil, nil, errors.Join(faults...)
	}
	return out, custom, nil
}

// subject is text on one line that Request Tracker keeps whole.
func subject(text string) string {
	for limit := maxSubject; ; limit-- {
		if line := markdown.Line(text, limit); len(line) <= maxSubject {
			return line
		}
	}
}

// value is a field's value as text, or as a list of texts.
func value(v any) (any, error) { return markdown.Value(v, maxValue, strconv.FormatBool) }

// html renders a text. Everything is escaped, so that an event's text is shown and not interpreted.
func html(text string) string { return markdown.Parse(text).HTML(maxText) }

var keyForm = regexp.MustCompile(`^[A-Za-z0-9._-]{1,200}$`)

// checkKey refuses a key that would not survive in a search.
func checkKey(key string) error {
	if !keyForm.MatchString(key) {
		return errors.New("the key has other characters than letters, digits, '.', '_' and '-', or is too long")
	}
	return nil
}

// simple is a ticket's fields in the form rules compare with: custom fields by name, a list where there are several
// values.
func simple(t ticket) map[string]any {
	out := map[string]any{"Queue": string(t.Queue.ID)}
	for _, id := range core {
		var who named
		var people []named
		var text string
		raw, ok := t.raw[id]
		switch {
		case !ok:
		case json.Unmarshal(raw, &text) == nil:
			out[id] = text
		case json.Unmarshal(raw, &who) == nil:
			out[id] = string(who.ID)
		case json.Unmarshal(raw, &people) == nil:
			names := make([]any, 0, len(people))
			for _, p := range people {
				names = append(names, string(p.ID))
			}
			out[id] = names
		}
	}
	for _, f := range t.CustomFields {
		switch texts := f.texts(); len(texts) {
		case 0:
		case 1:
			out[f.Name] = texts[0]
		default:
			all := make([]any, 0, len(texts))
			for _, text := range texts {
				all = append(all, text)
			}
			out[f.Name] = all
		}
	}
	return out
}

// same tells whether a field holds what it was set to.
func same(now, asked any) bool {
	return fmt.Sprint(listed(now)) == fmt.Sprint(listed(asked))
}

func listed(v any) []string {
	var out []string
	switch v := v.(type) {
	case nil:
	case []string:
		out = slices.Clone(v)
	case []any:
		for _, one := range v {
			out = append(out, fmt.Sprint(one))
		}
	default:
		if text := fmt.Sprint(v); text != "" {
			out = []string{text}
		}
	}
	slices.Sort(out)
	return out
}
