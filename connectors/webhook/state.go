package webhook

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// stateCall asks what became of a request.
type stateCall struct {
	*exchange
	finder  *finder
	meaning map[string]connectors.Outcome // by the word in small letters
	told    map[connectors.Outcome]string
	times   timeFormat
}

const (
	outcomePath   = "decision.state.outcome"
	statePathBy   = "decision.state.by"
	statePathTime = "decision.state.at"
)

// State asks the tool what it knows of a request, by the call of settings.decision.state. An answer that cannot be
// understood is an error, never a guess.
func (c *asker) State(ctx context.Context, d connectors.Decision) (connectors.State, error) {
	x := c.state
	if d.RequestID == "" {
		return connectors.State{}, connectors.Permanently("%s: the decision has no request id", x.name)
	}
	decision := decisionValue(d, x.told)
	call, err := x.call(ctx, map[string]any{"decision": decision})
	if err != nil {
		return connectors.State{}, err
	}
	answer, err := x.do(ctx, call)
	if err == nil {
		err = checkAnswer(x.name, answer)
	}
	if err != nil {
		return connectors.State{}, err
	}
	body, err := parse(answer.Body)
	if err != nil {
		err = fmt.Errorf("%s: the answer is not JSON in which every key stands once", x.name)
		return connectors.State{}, &connectors.Error{Kind: connectors.Temporary, Status: answer.Status, Err: err}
	}
	found, err := x.finder.find(ctx, body, answerValues(answer, body, decision))
	if err != nil {
		return connectors.State{}, x.fault(err)
	}
	return x.read(found)
}

func (x *stateCall) read(found values) (connectors.State, error) {
	word, err := found.line(outcomePath, 100)
	outcome, known := x.meaning[strings.ToLower(word)]
	if err != nil || !known {
		return connectors.State{}, x.fault(errors.New("the answer has no known outcome; set settings.decision.state.outcome and words to what the tool answers"))
	}
	s := connectors.State{Outcome: outcome}
	s.By, _ = found.line(statePathBy, 200)
	s.At, _ = found.instant(statePathTime, x.times)
	return s, nil
}
