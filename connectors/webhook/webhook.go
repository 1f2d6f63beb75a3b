// Package webhook connects a security tool that has no connector of its own, by configuration alone: where the parts of
// its events are, what its names mean, and how it is told a decision.
//
// Read config.go for the settings. receive.go takes deliveries, body.go reads JSON strictly, cloudevents.go knows
// CloudEvents 1.0; paths.go finds the parts of an event, values.go checks them and event.go puts them together.
// exchange.go renders a call to the tool, decide.go and state.go are the two that matter; check.go finds what is wrong
// with settings. Package webhookstandin is a tool to try all of it against.
package webhook

import (
	"context"
	"slices"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// source only sends events. A connection with settings.decision is a decider, one with settings.decision.state an
// asker besides: what a connection can do is what its type implements.
type source struct {
	config   Config
	format   string
	times    timeFormat
	identity *finder   // of what tells events apart
	content  *finder   // of the rest
	fields   []string  // names of settings.data, sorted
	ping     *exchange // nil: there is nothing to ask
}

type decider struct {
	*source
	decision *decisionCall
}

type asker struct {
	*decider
	state *stateCall
}

var (
	_ connectors.Receiver    = (*source)(nil)
	_ connectors.Emitter     = (*source)(nil)
	_ connectors.Identifier  = (*source)(nil)
	_ connectors.Signer      = (*source)(nil)
	_ connectors.Decider     = (*decider)(nil)
	_ connectors.StateReader = (*asker)(nil)
)

// Ping makes the call of settings.ping. Without one there is nothing that could be asked without acting, and nothing is
// found out.
func (s *source) Ping(ctx context.Context) error {
	if s.ping == nil {
		return nil
	}
	call, err := s.ping.call(ctx, nil)
	if err != nil {
		return err
	}
	answer, err := s.ping.do(ctx, call)
	if err != nil {
		return err
	}
	return checkAnswer(s.ping.name, answer)
}

// Uncalled is so without settings.ping.
func (s *source) Uncalled() string {
	if s.ping == nil {
		return "settings.ping describes no call that changes nothing"
	}
	return ""
}

// Emits lists the kinds of events the settings lead to, with the fields of settings.data.
func (s *source) Emits() []connectors.EventType {
	data := make([]connectors.Field, 0, len(s.fields))
	for _, name := range s.fields {
		f := s.config.Data[name]
		data = append(data, connectors.Field{ID: name, Type: f.Type, Required: f.Required, Doc: f.Doc})
	}
	if len(data) == 0 {
		data = append(data, connectors.Field{ID: wholeBody, Type: "object", Required: true, Doc: "the body as it was sent"})
	}
	var list []connectors.EventType
	for _, kind := range s.config.emitted() {
		list = append(list, connectors.EventType{Kind: kind, Data: slices.Clone(data)})
	}
	return list
}

// Identifiers names the fields of settings.data that a decision carries back.
func (s *source) Identifiers() []string { return s.config.carried() }

// Verification is the scheme a format comes with; other senders have none in common.
func (s *source) Verification() connectors.Verification {
	switch s.format {
	case cloudEvents:
		return connectors.Verification{Bearer: &connectors.BearerCheck{}}
	case standardWebhooks:
		return connectors.Verification{StandardWebhooks: &connectors.StandardWebhooks{}}
	default:
		return connectors.Verification{}
	}
}
