package opsgenie

import (
	"regexp"
	"strings"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// alert is an alert, as far as it is read.
type alert struct {
	ID           string            `json:"id"`
	Tiny         string            `json:"tinyId"`
	Alias        string            `json:"alias"`
	Message      string            `json:"message"`
	Description  string            `json:"description"`
	Status       string            `json:"status"`
	Acknowledged bool              `json:"acknowledged"`
	Snoozed      bool              `json:"snoozed"`
	Tags         []string          `json:"tags"`
	Details      map[string]string `json:"details"`
	Entity       string            `json:"entity"`
	Owner        string            `json:"owner"`
	Priority     string            `json:"priority"`
	Created      time.Time         `json:"createdAt"`
	Updated      time.Time         `json:"updatedAt"`
	Integration  struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	} `json:"integration"`
}

func (a alert) ref() connectors.Ref { return ref(a.ID, a.Tiny) }

var tiny = regexp.MustCompile(`^[0-9]{1,19}$`)

func ref(id, number string) connectors.Ref {
	out := connectors.Ref{ID: id}
	if tiny.MatchString(number) {
		out.Key = "#" + number
	}
	return out
}

// What an alert's status comes to.
const (
	open         = "open"
	acknowledged = "acknowledged"
	closed       = "closed"
)

var statuses = []string{open, acknowledged, closed}

// standing is an alert's status in one word.
func (a alert) standing() string {
	switch {
	case a.Status == closed:
		return closed
	case a.Acknowledged:
		return acknowledged
	default:
		return a.Status
	}
}

// ours tells whether the integration in the settings opened an alert.
func (c *connector) ours(a alert) bool {
	i := a.Integration
	return i.ID != "" && i.ID == c.conf.Integration || i.Name != "" && i.Name == c.conf.Integration
}

// line is one entry of an alert's log.
type line struct {
	Text   string    `json:"log"`
	Owner  string    `json:"owner"`
	At     time.Time `json:"createdAt"`
	Offset string    `json:"offset"`
}

func (l line) mark() string { return marked(l.Offset, l.At) }

// note is one note on an alert.
type note struct {
	Text   string    `json:"note"`
	Owner  string    `json:"owner"`
	At     time.Time `json:"createdAt"`
	Offset string    `json:"offset"`
}

func (n note) mark() string { return marked(n.Offset, n.At) }

func marked(offset string, at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return offset
}

// account is whom an owner names: a user, by the address that is the user's name, or an automation.
func (c *connector) account(owner string) connectors.Account {
	name := strings.ToLower(strings.TrimSpace(owner))
	if name == strings.ToLower(c.conf.User) {
		return connectors.Account{Person: connectors.Person{Account: c.conf.User, Name: c.conf.User}, Ours: true}
	}
	if before, after, ok := strings.Cut(name, "@"); !ok || before == "" || after == "" || strings.ContainsAny(name, " \t<>,;") {
		return connectors.Account{Person: connectors.Person{Name: connectors.Clean(owner, 100)}, Automation: true}
	}
	return connectors.Account{Person: connectors.Person{Account: name, Name: name, Mail: name}}
}

// moment reads a time of a webhook: milliseconds in some fields, nanoseconds in others.
func moment(n int64) time.Time {
	switch {
	case n <= 0:
		return time.Time{}
	case n > 1e17:
		return time.Unix(0, n).UTC()
	case n > 1e14:
		return time.UnixMicro(n).UTC()
	case n > 1e11:
		return time.UnixMilli(n).UTC()
	default:
		return time.Unix(n, 0).UTC()
	}
}
