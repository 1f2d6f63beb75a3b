package datatheorem

import (
	"path"
	"strings"
	"unicode"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// subject is what an event is about, which says where its id and its status stand.
type subject int

const (
	aboutOther subject = iota
	aboutViolation
	aboutMobileFinding
	aboutNote
)

// classify tells what an event is about and of which kind it is. Types are read from the left: product, two
// underscores, what happened. The product alone says nothing: what users do in the portal is MOBILE_SECURE__USER_... .
//
//	...POLICY_VIOLATION...           finding.opened, .resolved or .dismissed, by its status
//	...FINDING_NOTE...               audit: a note changes no finding
//	...FINDING...                    finding.opened, .resolved or .dismissed, by its status
//	...NETWORK_SERVICE...            asset.discovered
//	MOBILE_PROTECT__..., API_PROTECT__...  anomaly
//	...__USER_...                    audit
func (c *connector) classify(kind string, data map[string]any) (subject, string) {
	about, found := c.recognise(upper(kind), data)
	for _, r := range c.config.Types {
		if ok, _ := path.Match(upper(r.Type), upper(kind)); ok { // the pattern was checked by Open
			return about, r.Kind
		}
	}
	return about, found
}

func (c *connector) recognise(kind string, data map[string]any) (subject, string) {
	has := func(words ...string) bool { return containsAny(kind, words...) }
	switch {
	case has("POLICY_VIOLATION"):
		return aboutViolation, c.violation(kind, data)
	case has("FINDING_NOTE"):
		return aboutNote, connectors.Audit
	case has("FINDING"):
		return aboutMobileFinding, c.mobileFinding(kind, data)
	case has("NETWORK_SERVICE") && !has("DELETED", "REMOVED"):
		return aboutOther, connectors.AssetDiscovered
	case strings.HasPrefix(kind, "MOBILE_PROTECT__"), strings.HasPrefix(kind, "API_PROTECT__"):
		return aboutOther, connectors.Anomaly
	case has("__USER_"):
		return aboutOther, connectors.Audit
	default:
		return aboutOther, unknown
	}
}

// violation tells the state of a policy violation. The status is documented to say it, with one of its values; of
// others it counts that they say won't fix or open, then an exception that was granted, then the event's type. What says
// nothing is open: a violation must not pass for closed by a word nobody knows.
func (c *connector) violation(kind string, data map[string]any) string {
	status := text(data["policy_violation_status"])
	if known, ok := c.statuses[upper(status)]; ok {
		return known
	}
	c.warnOfStatus(kind, status)
	if state, ok := stateOf(status); ok && state != connectors.FindingResolved {
		return state
	}
	if text(data["exception_explanation"]) != "" || text(data["exception_date_created"]) != "" {
		return connectors.FindingDismissed
	}
	return openUnless(stateOf(kind))
}

// mobileFinding tells the state of a mobile finding or finding target by its type's name where that says so, as each of
// the documented triggers is a change of state, and else by its status.
func (c *connector) mobileFinding(kind string, data map[string]any) string {
	if state, ok := stateOf(kind); ok {
		return state
	}
	status := first(data, c.config.Mobile.Status)
	if known, ok := c.statuses[upper(status)]; ok {
		return known
	}
	c.warnOfStatus(kind, status)
	return connectors.FindingOpened
}

func (c *connector) warnOfStatus(kind, status string) {
	if status != "" {
		c.log.Warn("status that is not known; settings.statuses can say what it means", "type", connectors.Clean(kind, 100), "status", connectors.Clean(status, 60))
	}
}

func openUnless(state string, known bool) string {
	if known {
		return state
	}
	return connectors.FindingOpened
}

// stateOf reads a state from the words of a type or status, and tells whether they say one. NOT and UN turn a word
// round, and what was taken back is open again.
func stateOf(name string) (string, bool) {
	plain := strings.NewReplacer("'", "", "’", "").Replace(upper(name))
	apart := func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }
	all := " " + strings.Join(strings.FieldsFunc(plain, apart), " ") + " "
	switch {
	case containsAny(all, " WONT ", " WILL NOT FIX "):
		return connectors.FindingDismissed, true
	case containsAny(all, " NOT ", " UNRESOLVED ", " UNFIXED ", " REOPENED ", " REMOVED ", " REVOKED ", " EXPIRED "):
		return connectors.FindingOpened, true
	case containsAny(all, " RISK ACCEPTED ", " COMPENSATING ", " EXCEPTION "):
		return connectors.FindingDismissed, true
	case containsAny(all, " RESOLVED ", " FIXED "):
		return connectors.FindingResolved, true
	case containsAny(all, " OPEN ", " OPENED ", " CREATED ", " NEW "):
		return connectors.FindingOpened, true
	default:
		return "", false
	}
}

func containsAny(s string, words ...string) bool {
	for _, w := range words {
		if strings.Contains(s, w) {
			return true
		}
	}
	return false
}
