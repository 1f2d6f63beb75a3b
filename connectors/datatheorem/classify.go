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
//	...__USER_...                    audit, unless of MOBILE_PROTECT or API_PROTECT
//	...POLICY_VIOLATION...           finding.opened, .resolved or .dismissed, by its status
//	...FINDING_NOTE...               audit: a note changes no finding
//	...FINDING...                    finding.opened, .resolved or .dismissed, by its status
//	...NETWORK_SERVICE...            asset.discovered
//	MOBILE_PROTECT__..., API_PROTECT__...  anomaly
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
	protects := strings.HasPrefix(kind, "MOBILE_PROTECT__") || strings.HasPrefix(kind, "API_PROTECT__")
	switch {
	case has("__USER_") && !protects:
		return aboutOther, connectors.Audit
	case has("POLICY_VIOLATION"):
		return aboutViolation, c.violation(kind, data)
	case has("FINDING_NOTE"):
		return aboutNote, connectors.Audit
	case has("FINDING"):
		return aboutMobileFinding, c.mobileFinding(kind, data)
	case has("NETWORK_SERVICE") && !has("DELETED", "REMOVED"):
		return aboutOther, connectors.AssetDiscovered
	case protects:
		return aboutOther, connectors.Anomaly
	default:
		return aboutOther, unknown
	}
}

// violation tells the state of a policy violation. The status is documented to say it, with one of its values. Where it
// says open, or nothing, a type that says won't fix counts, then an exception that was granted, unless the type says that
// the violation opened again, then the event's type where the status says nothing. What says nothing is open: a violation
// must not pass for closed by a word nobody knows.
func (c *connector) violation(kind string, data map[string]any) string {
	state, said := c.stateOfStatus(kind, text(data["policy_violation_status"]))
	if said && state != connectors.FindingOpened {
		return state
	}
	typed, ok := stateOf(kind)
	excepted := text(data["exception_explanation"]) != "" || text(data["exception_date_created"]) != ""
	switch {
	case typed == connectors.FindingDismissed, excepted && !takenBack(spaced(kind)):
		return connectors.FindingDismissed
	case said && (excepted || ok && typed != state):
		c.log.Warn("an open status with a type or an exception that says otherwise, taken for open; settings.types can say what counts", "type", connectors.Clean(kind, 100))
	case !said && ok:
		return typed
	}
	return connectors.FindingOpened
}

// mobileFinding tells the state of a mobile finding or finding target by its type's name where that says so, as each of
// the documented triggers is a change of state, and else by its status.
func (c *connector) mobileFinding(kind string, data map[string]any) string {
	if state, ok := stateOf(kind); ok {
		return state
	}
	if state, ok := c.stateOfStatus(kind, first(data, c.config.Mobile.Status)); ok {
		return state
	}
	return connectors.FindingOpened
}

// stateOfStatus is what a status says. Of one that is not known it counts that its words say won't fix or open, not that
// they say resolved.
func (c *connector) stateOfStatus(kind, status string) (string, bool) {
	if known, ok := c.statuses[upper(status)]; ok {
		return known, true
	}
	if status != "" {
		c.log.Warn("status that is not known; settings.statuses can say what it means", "type", connectors.Clean(kind, 100), "status", connectors.Clean(status, 60))
	}
	state, ok := stateOf(status)
	return state, ok && state != connectors.FindingResolved
}

// stateOf reads a state from the words of a type or status, and tells whether they say one.
func stateOf(name string) (string, bool) {
	all := spaced(name)
	switch {
	case takenBack(all):
		return connectors.FindingOpened, true
	case containsAny(all, "WONT", " WILL NOT FIX ", " RISK ACCEPTED ", " COMPENSATING ", " EXCEPTION "):
		return connectors.FindingDismissed, true
	case containsAny(all, " RESOLVED ", " FIXED "):
		return connectors.FindingResolved, true
	case containsAny(all, " OPEN ", " OPENED ", " CREATED ", " NEW "):
		return connectors.FindingOpened, true
	default:
		return "", false
	}
}

// takenBack tells whether words say that a finding is open again: NOT and UN turn round that it was mended, and an
// exception or a won't fix can end.
func takenBack(all string) bool {
	_, denied, _ := strings.Cut(all, " NOT ")
	return containsAny(" "+denied, " RESOLVED ", " FIXED ") ||
		containsAny(all, " UNRESOLVED ", " UNFIXED ", " REOPENED ", " REMOVED ", " REVOKED ", " EXPIRED ")
}

// spaced are the words of a name in capitals, with a space before and after each.
func spaced(name string) string {
	plain := strings.NewReplacer("'", "", "’", "").Replace(upper(name))
	apart := func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }
	return " " + strings.Join(strings.FieldsFunc(plain, apart), " ") + " "
}

func containsAny(s string, words ...string) bool {
	for _, w := range words {
		if strings.Contains(s, w) {
			return true
		}
	}
	return false
}
