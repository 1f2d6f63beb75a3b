package mapping

import (
	"context"
	"strconv"
	"strings"
	"time"
)

// Verdict is what a rule reads off a ticket. At most one holds; none means that the ticket says nothing yet.
type Verdict struct {
	Approved bool `json:"approved"`
	Denied   bool `json:"denied"`
	Revoked  bool `json:"revoked"` // access already granted shall be taken back
}

type decisionPlan struct {
	approved, denied, revoked *expression // revoked may be nil
	duration, reason          *expression // nil where the rule has none
}

func (s *scope) decision(d *Decision) *decisionPlan {
	compile := func(name, text string, condition bool) *expression {
		if strings.TrimSpace(text) == "" {
			return nil // where it is required, it was found missing before
		}
		return s.compile(text, "decision."+name, 0, condition)
	}
	duration := d.Duration
	if _, err := parseLength(duration); err == nil || isOnce(duration) {
		duration = strconv.Quote(duration) // YAML took the quotes of a constant
	}
	return &decisionPlan{
		approved: compile("approved", d.Approved, true),
		denied:   compile("denied", d.Denied, true),
		revoked:  compile("revoked", d.Revoked, true),
		duration: compile("duration", duration, false),
		reason:   compile("reason", d.Reason, false),
	}
}

func isOnce(text string) bool { return strings.EqualFold(strings.TrimSpace(text), "once") }

// Decide reads the verdict off a ticket. A ticket of which two hold at once is an error, as is a rule without a
// decision.
func (p *Program) Decide(ctx context.Context, ticket map[string]any) (Verdict, error) {
	if p.decision == nil {
		return Verdict{}, p.rule.fault("decision", 0, "the rule has no decision")
	}
	r := p.runners.take(ctx, "ticket", withoutCategory(ticket))
	defer p.runners.give(r, "ticket")
	var v Verdict
	var holding []string
	for _, one := range []struct {
		says  string
		when  *expression
		holds *bool
	}{{"approved", p.decision.approved, &v.Approved}, {"denied", p.decision.denied, &v.Denied}, {"revoked", p.decision.revoked, &v.Revoked}} {
		if one.when == nil {
			continue
		}
		var err error
		if *one.holds, err = one.when.condition(r); err != nil {
			return Verdict{}, err
		}
		if *one.holds {
			holding = append(holding, one.says)
		}
	}
	if len(holding) > 1 {
		return Verdict{}, p.rule.fault("decision", 0, "the ticket is "+strings.Join(holding, " and ")+" at once")
	}
	return v, nil
}

// Granted returns the ticket field that is set to the granted duration, as Granted.String has it, once the source has
// accepted the decision. Empty means none.
func (p *Program) Granted() string {
	if p.decision == nil {
		return ""
	}
	return strings.TrimSpace(p.rule.Decision.Granted)
}

// Duration reads for how long access is given. Zero and not once means that the rule or the ticket says nothing.
func (p *Program) Duration(ctx context.Context, ticket map[string]any) (once bool, length time.Duration, err error) {
	if p.decision == nil || p.decision.duration == nil {
		return false, 0, nil
	}
	r := p.runners.take(ctx, "ticket", withoutCategory(ticket))
	defer p.runners.give(r, "ticket")
	e := p.decision.duration
	v, err := e.run(r)
	if err != nil {
		return false, 0, err
	}
	if text, ok := v.(string); ok {
		v = strings.TrimSpace(text)
		if isOnce(text) {
			return true, 0, nil
		}
	}
	if v == nil || v == "" {
		return false, 0, nil
	}
	if length, err = parseLength(v); err != nil {
		return false, 0, e.fault(err)
	}
	if length < time.Second {
		return false, 0, e.fault(fault("access is given for less than a second"))
	}
	return false, length, nil
}

// Reason reads the approver's words, empty where the rule or the ticket says nothing.
func (p *Program) Reason(ctx context.Context, ticket map[string]any) (string, error) {
	if p.decision == nil || p.decision.reason == nil {
		return "", nil
	}
	r := p.runners.take(ctx, "ticket", withoutCategory(ticket))
	defer p.runners.give(r, "ticket")
	e := p.decision.reason
	v, err := e.run(r)
	if err != nil {
		return "", err
	}
	text, err := textOf(&r.meter, v)
	if err != nil {
		return "", e.fault(err)
	}
	return strings.TrimSpace(clean(text)), nil
}

// Settle tells where the ticket is moved when the case came to outcome (approved, denied, expired, revoked, made) elsewhere; ok is
// false where the rule leaves it alone. The fields are the caller's own.
func (p *Program) Settle(outcome string) (status string, fields map[string]any, ok bool) {
	move, ok := p.settle[outcome]
	if !ok {
		return "", nil, false
	}
	fields, _ = copied(move.Fields).(map[string]any)
	return move.Status, fields, true
}

func settleMoves(s *Settle) map[string]Move {
	out := map[string]Move{}
	for outcome, move := range s.Moves() {
		if move != nil {
			fields, _ := copied(move.Fields).(map[string]any)
			out[outcome] = Move{Status: strings.TrimSpace(move.Status), Fields: fields}
		}
	}
	return out
}

// copied returns a copy of a constant that shares nothing with it.
func copied(v any) any {
	switch v := v.(type) {
	case map[string]any:
		if v == nil {
			return nil
		}
		out := make(map[string]any, len(v))
		for key, one := range v {
			out[key] = copied(one)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, one := range v {
			out[i] = copied(one)
		}
		return out
	case string:
		return strings.ReplaceAll(v, "$${", "${")
	}
	if n, ok := number(v); ok {
		return n
	}
	return v
}
