package pagerduty

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// reference points at something by type and id.
type reference struct {
	ID      string `json:"id"`
	Type    string `json:"type"`
	Summary string `json:"summary"`
}

// isUser tells whether a reference leads to a person's account, and not to a service, an integration or a bot.
func (r *reference) isUser() bool {
	return r != nil && (r.Type == "user_reference" || r.Type == "user") && idForm.MatchString(r.ID)
}

// user is somebody at PagerDuty.
type user struct {
	ID    string      `json:"id"`
	Name  string      `json:"name"`
	Mail  string      `json:"email"`
	Role  string      `json:"role"`
	Teams []reference `json:"teams"`
}

func (u user) person() connectors.Person {
	return connectors.Person{Account: u.ID, Name: u.Name, Mail: u.Mail}
}

// named is a service, a priority or an escalation policy.
type named struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// incident is an incident, as far as it is read.
type incident struct {
	ID        string     `json:"id"`
	Number    int        `json:"incident_number"`
	Title     string     `json:"title"`
	Status    string     `json:"status"`
	Key       string     `json:"incident_key"`
	Urgency   string     `json:"urgency"`
	URL       string     `json:"html_url"`
	Created   time.Time  `json:"created_at"`
	Updated   time.Time  `json:"updated_at"`
	Service   reference  `json:"service"`
	Policy    *reference `json:"escalation_policy"`
	Priority  *named     `json:"priority"`
	Merged    *reference `json:"resolve_reason"`
	Triggered *entry     `json:"first_trigger_log_entry"`
	Kind      *named     `json:"incident_type"`
}

func (i incident) ref() connectors.Ref { return ref(i.ID, i.Number, i.URL) }

// mergedAway tells whether an incident was resolved because it was merged into another.
func (i incident) mergedAway() bool {
	return i.Merged != nil && i.Merged.Type == "merge_resolve_reason"
}

// statuses are those every incident has.
var statuses = []string{triggered, acknowledged, resolved}

const (
	triggered    = "triggered"
	acknowledged = "acknowledged"
	resolved     = "resolved"
)

// entry is one entry of an incident's log.
type entry struct {
	ID       string     `json:"id"`
	Type     string     `json:"type"`
	Created  time.Time  `json:"created_at"`
	Agent    *reference `json:"agent"`
	Note     string     `json:"note"`
	Incident *incident  `json:"incident"`
	Channel  struct {
		Type      string `json:"type"`
		Changeset *struct {
			Custom []fieldChange `json:"customer_fields"`
			Own    []fieldChange `json:"application_fields"`
		} `json:"changeset"`
	} `json:"channel"`
}

// kind is an entry's type without what all types end in.
func (e entry) kind() string { return strings.TrimSuffix(e.Type, "_log_entry") }

// fieldChange is one field an entry changed.
type fieldChange struct {
	Name string          `json:"name"`
	From json.RawMessage `json:"old_value"`
	To   json.RawMessage `json:"value"`
}

// note is one note on an incident.
type note struct {
	ID      string    `json:"id"`
	User    reference `json:"user"`
	Content string    `json:"content"`
	Created time.Time `json:"created_at"`
	Updated time.Time `json:"updated_at"`
}

// editSlack is how far apart the times of a note that nobody edited may be.
const editSlack = 2 * time.Second

func (n note) edited() bool { return n.Updated.Sub(n.Created) > editSlack }

// customField is a custom field of incidents.
type customField struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Display string `json:"display_name"`
	Data    string `json:"data_type"`  // boolean, integer, float, string, datetime, url
	Shape   string `json:"field_type"` // single_value, single_value_fixed, multi_value, multi_value_fixed
	Doc     string `json:"description"`
	Options []struct {
		Data struct {
			Value json.RawMessage `json:"value"`
		} `json:"data"`
	} `json:"field_options"`
}

func (f customField) many() bool  { return strings.HasPrefix(f.Shape, "multi_value") }
func (f customField) fixed() bool { return strings.HasSuffix(f.Shape, "_fixed") }

// allowed are the values a field takes, nil where it takes any.
func (f customField) allowed() []string {
	var out []string
	for _, o := range f.Options {
		out = append(out, text(o.Data.Value))
	}
	return out
}

// fieldValue is the value of a custom field on an incident.
type fieldValue struct {
	Name  string          `json:"name"`
	Value json.RawMessage `json:"value"`
}

// value is a JSON value in a form rules can compare with; nothing is an empty text.
func value(raw json.RawMessage) any {
	var v any
	if json.Unmarshal(raw, &v) != nil || v == nil {
		return ""
	}
	return v
}

// text is a JSON value as a step shows it.
func text(raw json.RawMessage) string {
	switch v := value(raw).(type) {
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case []any:
		var parts []string
		for _, one := range v {
			part, err := json.Marshal(one)
			if err == nil {
				parts = append(parts, text(part))
			}
		}
		slices.Sort(parts)
		return strings.Join(parts, ", ")
	default:
		return strings.TrimSpace(string(raw))
	}
}
