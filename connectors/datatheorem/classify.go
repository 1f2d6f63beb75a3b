package datatheorem

import (
	"path"
	"strings"

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
//	...__USER_...                    audit
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
	switch {
	case has("POLICY_VIOLATION"):
		return aboutViolation, c.violation(kind, data)
	case has("FINDING_NOTE"):
		return aboutNote, connectors.Audit
	case has("FINDING"):
		return aboutMobileFinding, c.mobileFinding(kind, data)
	case has("NETWORK_SERVICE") && !has("DELETED", "REMOVED"):
		return aboutOther, connectors.AssetDiscovered
	case has("__USER_"):
		return aboutOther, connectors.Audit
	case strings.HasPrefix(kind, "MOBILE_PROTECT__"), strings.HasPrefix(kind, "API_PROTECT__"):
		return aboutOther, connectors.Anomaly
	default:
		return aboutOther, unknown
	}
}

// violation tells the state of a policy violation. The status is documented to say it, with one of its values; the
// others are recognised by what they contain, by an exception that was granted, and last by the event's type. What says
// nothing is open: a violation must not pass for closed by a word nobody knows.
func (c *connector) violation(kind string, data map[string]any) string {
	status := upper(text(data["policy_violation_status"]))
	if known, ok := c.statuses[status]; ok {
		return known
	}
	switch {
	case containsAny(status, "WONT", "WON'T", "WON’T"):
		return connectors.FindingDismissed
	case text(data["exception_explanation"]) != "" || text(data["exception_date_created"]) != "":
		return connectors.FindingDismissed
	case status != "":
		return connectors.FindingOpened
	default:
		return stateByName(kind)
	}
}

// mobileFinding tells the state of a mobile finding or finding target by its type's name where that says so, as each of
// the documented triggers is a change of state, and else by its status.
func (c *connector) mobileFinding(kind string, data map[string]any) string {
	if state := stateByName(kind); state != connectors.FindingOpened || containsAny(kind, "CREATED", "OPENED") {
		return state
	}
	if known, ok := c.statuses[upper(first(data, c.config.Mobile.Status))]; ok {
		return known
	}
	return connectors.FindingOpened
}

func stateByName(kind string) string {
	switch {
	case containsAny(kind, "WONT", "RISK_ACCEPTED", "COMPENSATING", "EXCEPTION"):
		return connectors.FindingDismissed
	case containsAny(kind, "RESOLVED", "FIXED"):
		return connectors.FindingResolved
	default:
		return connectors.FindingOpened
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
