package webhook

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/mapping"
)

// decisionCall tells a decision.
type decisionCall struct {
	*exchange
	words map[connectors.Outcome]string
	ok    []int
	taken *finder // nil: the status says all
}

const takenPath = "decision.taken"

// Decide tells the tool what was decided, by the call of settings.decision.
func (c *decider) Decide(ctx context.Context, d connectors.Decision) error {
	x := c.decision
	call, err := x.prepare(ctx, d)
	if err != nil {
		return err
	}
	answer, err := x.do(ctx, call)
	switch {
	case err == nil:
		return x.judge(context.WithoutCancel(ctx), answer, d)
	case x.held(err):
		return nil
	default:
		return err
	}
}

// held tells whether the tool refused with a status that means it holds the decision. A token server may refuse with
// the same status, and a success that could not be read is none of these.
func (x *decisionCall) held(err error) bool {
	refusal, ok := errors.AsType[*connectors.Answered](err)
	return ok && strings.HasPrefix(refusal.Error(), x.name+": ") && slices.Contains(x.ok, connectors.AsError(err).Status)
}

// prepare renders the call for d, the same for the same decision.
func (x *decisionCall) prepare(ctx context.Context, d connectors.Decision) (connectors.Call, error) {
	switch {
	case d.RequestID == "":
		return connectors.Call{}, connectors.Permanently("%s: it has no request id", x.name)
	case d.Outcome != connectors.Approved && d.Outcome != connectors.Denied:
		return connectors.Call{}, connectors.Permanently("%s: only approved and denied are told", x.name)
	}
	return x.call(ctx, map[string]any{"decision": decisionValue(d, x.words)})
}

// judge tells whether an answer that is a success means that the decision was taken.
func (x *decisionCall) judge(ctx context.Context, answer connectors.Answer, d connectors.Decision) error {
	if err := checkAnswer(x.name, answer); err != nil {
		return err
	}
	doubt := func(format string, args ...any) error {
		return &connectors.Error{Kind: connectors.Permanent, Sent: true, Status: answer.Status, Err: fmt.Errorf(x.name+": "+format, args...)}
	}
	if len(x.ok) > 0 && !slices.Contains(x.ok, answer.Status) {
		return doubt("the status is none of settings.decision.ok")
	}
	if x.taken == nil {
		return nil
	}
	body, _ := parse(answer.Body) // one that is not JSON says nothing
	found, err := x.taken.find(ctx, body, answerValues(answer, body, decisionValue(d, x.words)))
	if err != nil {
		return doubt("%w", err)
	}
	switch found[takenPath] {
	case true:
		return nil
	case false:
		return &connectors.Error{Kind: connectors.Permanent, Status: answer.Status, Err: fmt.Errorf("%s: by its answer the tool did not take the decision", x.name)}
	default:
		return doubt("settings.decision.taken leads to neither true nor false")
	}
}

// longestReason leaves room beside the reason in what one expression may make.
const longestReason = 16 << 10

// decisionValue is a decision as expressions see it. What is not known is nothing, so that ?? can stand in for it.
func decisionValue(d connectors.Decision, words map[connectors.Outcome]string) map[string]any {
	ids := map[string]any{}
	for name, id := range d.IDs {
		ids[name] = orNothing(id)
	}
	v := map[string]any{
		"kind": orNothing(d.Kind), "tenant": orNothing(d.Tenant), "request_id": d.RequestID, "ids": ids,
		"outcome": string(d.Outcome), "word": words[d.Outcome], "once": d.Duration.Once,
		"by":     map[string]any{"account": orNothing(d.By.Account), "name": orNothing(d.By.Name), "mail": orNothing(d.By.Mail)},
		"reason": orNothing(cut(d.Reason, longestReason)),
		"ticket": map[string]any{"id": orNothing(d.Ticket.ID), "key": orNothing(d.Ticket.Key), "url": orNothing(d.Ticket.URL)},
	}
	if !d.At.IsZero() {
		v["at"] = d.At.UTC().Format(time.RFC3339)
	}
	if d.Duration.Length > 0 {
		v["seconds"] = d.Duration.Length.Seconds()
	}
	return v
}

func orNothing(text string) any {
	if text == "" {
		return nil
	}
	return text
}

// cut shortens text to n bytes, between two characters.
func cut(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}

// answerValues are what expressions over an answer see.
func answerValues(a connectors.Answer, body any, decision map[string]any) map[string]any {
	return map[string]any{"decision": decision, "answer": map[string]any{"status": a.Status, "body": body}}
}

// inboundNames are what expressions over an event may name.
func inboundNames(headers []string) mapping.Names {
	known := map[string]mapping.Shape{}
	for _, name := range headers {
		known[strings.ToLower(name)] = mapping.Shape{Type: "text"}
	}
	return mapping.Names{"body": {Type: "any"}, "header": {Fields: known}}
}

// decisionNames are what expressions over a decision may name.
func decisionNames(carried []string) mapping.Names {
	text := mapping.Shape{Type: "text"}
	texts := func(names ...string) mapping.Shape {
		fields := map[string]mapping.Shape{}
		for _, name := range names {
			fields[name] = text
		}
		return mapping.Shape{Fields: fields}
	}
	decision := texts("kind", "tenant", "request_id", "outcome", "word", "at", "reason")
	decision.Fields["ids"] = texts(carried...)
	decision.Fields["by"] = texts("account", "name", "mail")
	decision.Fields["ticket"] = texts("id", "key", "url")
	decision.Fields["once"] = mapping.Shape{Type: "bool"}
	decision.Fields["seconds"] = mapping.Shape{Type: "number"}
	return mapping.Names{"decision": decision}
}

// withAnswer adds the names of what came back.
func withAnswer(names mapping.Names) mapping.Names {
	names = maps.Clone(names)
	names["answer"] = mapping.Shape{Fields: map[string]mapping.Shape{"status": {Type: "number"}, "body": {Type: "any"}}}
	return names
}
