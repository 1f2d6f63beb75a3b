package gateway

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/gateway/judge"
	"github.com/drawbridge-itsm/drawbridge/mapping"
)

// Where a desk does not tell who changed a part of a ticket, what stands there may be anybody's doing. No rule may read a
// decision off it, and no policy a right: such documents are not published. Cases that are under one all the same, because it
// is older or the connection was changed since, are judged as if nobody had written what stands there.

// fixed are the parts of a ticket that nobody at a desk writes.
var fixed = []string{"ticket.id", "ticket.key", "ticket.url"}

// untold are those of the readings of which the desk does not tell who wrote what they find.
func (c *connection) untold(readings []mapping.Reading) []mapping.Reading {
	parts, all := connectors.Attributed(c.connector)
	if all {
		return nil
	}
	return slices.DeleteFunc(readings, func(r mapping.Reading) bool {
		return slices.Contains(parts, r.Part) || slices.Contains(fixed, r.Part)
	})
}

// anybodys refuses a rule that decides by what may be anybody's doing, and a policy that lets people decide by it.
func (c *connection) anybodys(r *rule, p policy) (faults []error) {
	for _, one := range c.untold(r.Readings()) {
		parts, _ := connectors.Attributed(c.connector)
		faults = append(faults, fmt.Errorf("%w; leave it out, or read what is told of: %s", c.unsaid(one), strings.Join(parts, ", ")))
	}
	if p.PolicyProgram == nil {
		return faults
	}
	for _, one := range c.untold(p.Readings()) {
		faults = append(faults, fmt.Errorf("decision.policy: %s, %w; let it look at event and actor, or name another policy", p.Policy().Name, c.unsaid(one)))
	}
	return faults
}

func (c *connection) unsaid(one mapping.Reading) error {
	return fmt.Errorf("%s: %s (%s) does not tell who changed %s, so it may be anybody's doing", one.At, c.doc.Name, c.doc.Connector, one.Part)
}

// unreadable is why a rule or policy must not read, in these parts of its document, what it does; nil where it may.
func (c *connection) unreadable(readings []mapping.Reading, at ...string) error {
	for _, one := range c.untold(readings) {
		if len(at) == 0 || slices.Contains(at, one.At) {
			return c.unsaid(one)
		}
	}
	return nil
}

// holds reads off a ticket what it says, by its rule.
func (c *connection) holds(ctx context.Context, r *rule) judge.Condition {
	fault := c.unreadable(r.Readings(), "decision.approved", "decision.denied", "decision.revoked")
	return func(ticket map[string]any) (mapping.Verdict, error) {
		if fault != nil {
			return mapping.Verdict{}, fault
		}
		return r.Decide(ctx, ticket)
	}
}

// duration reads off a ticket for how long access is given, by its rule.
func (c *connection) duration(ctx context.Context, r *rule) judge.Chosen {
	fault := c.unreadable(r.Readings(), "decision.duration")
	return func(ticket map[string]any) (bool, time.Duration, error) {
		if fault != nil {
			return false, 0, fault
		}
		return r.Duration(ctx, ticket)
	}
}

// reason reads off a ticket why, by its rule. What may be anybody's words is no reason.
func (c *connection) reason(ctx context.Context, r *rule) judge.Given {
	fault := c.unreadable(r.Readings(), "decision.reason")
	return func(ticket map[string]any) (string, error) {
		if fault != nil {
			return "", nil
		}
		return r.Reason(ctx, ticket)
	}
}

// blind is why a policy's conditions cannot be asked about a ticket at the desk, nil where they can.
func (c *connection) blind(p *mapping.PolicyProgram) error {
	if p == nil {
		return nil
	}
	return c.unreadable(p.Readings())
}
