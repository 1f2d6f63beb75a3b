package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

// Applications, by which hostilePolicy chooses.
const (
	aTool          = "Tool"
	forTwo         = "Tool for two"
	forTwoNoes     = "Tool for two noes"
	forGroup       = "Tool for a group"
	beforeLong     = "Tool before long"
	forDeputies    = "Tool for deputies"
	byNight        = "Tool by night"
	forHours       = "Tool for hours"
	underCondition = "Tool under a condition"
)

func hostilePolicy(d desk) string {
	closed := strings.ToLower(time.Now().UTC().AddDate(0, 0, 3).Weekday().String()[:3])
	terms := map[string]string{
		forTwo:      "quorum: 2",
		forTwoNoes:  "quorum: 2, deny: quorum",
		beforeLong:  "deadline: {after: 30m, then: leave}",
		forDeputies: "approvers: {people: [kim]}, deadline: {after: 4h, deputy: {after: 1h, people: [lee]}, then: leave}",
		byNight:     "hours: {zone: UTC, days: [" + closed + "], from: '00:00', to: '00:01'}",
		forHours:    "durations: {max: 8h, default: 1h}",
	}
	if d.group != "" {
		terms[forGroup] = fmt.Sprintf("approvers: {people: [], groups: [%q]}", d.group)
	}
	if d.history && d.group != "" { // a condition may ask for groups
		terms[underCondition] = underField(d)
	}
	var b strings.Builder
	b.WriteString("kind: Policy\nname: endpoint-approvers\napprovers: {people: [kim, lee]}\ncases:\n")
	for _, name := range slices.Sorted(maps.Keys(terms)) {
		fmt.Fprintf(&b, "  - {when: event.data.ProductName == %q, %s}\n", name, terms[name])
	}
	return b.String()
}

func underField(d desk) string {
	return fmt.Sprintf("approvers: {when: 'ticket.fields[%q] == \"2h\"'}", d.field)
}

// readings try to publish what reads something off a field where the desk does not tell who set it, and want that refused.
var readings = map[string]func(t *testing.T, o *office){
	"condition": func(t *testing.T, o *office) {
		o.unpublished(t, "Policy", "endpoint-approvers", "cases:\n", "cases:\n  - {when: event.kind == \"x\", "+underField(o.d)+"}\n")
	},
	"duration": func(t *testing.T, o *office) {
		for _, part := range []string{"duration", "reason"} {
			o.unpublished(t, "Rule", "epm-app-requests", "  policy:", fmt.Sprintf("  %s: ticket.fields[%q]\n  policy:", part, o.d.field))
		}
		o.unpublished(t, "Rule", "epm-app-requests", "  approved: ", fmt.Sprintf("  approved: ticket.fields[%q] == \"2h\" and ", o.d.field))
	},
}

func (o *office) unpublished(t *testing.T, kind, name, old, with string) {
	t.Helper()
	text := strings.Replace(o.published(t, kind, name), old, with, 1)
	_, err := o.bridge.gateway.Apply(o.ctx, [][]byte{[]byte(text)}, "test", "for a test")
	if want := "does not tell who changed ticket.fields." + o.d.field; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("with %q: got %v, want %q", with, err, want)
	}
}
