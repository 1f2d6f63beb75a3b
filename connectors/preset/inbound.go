package preset

import (
	"context"
	"encoding/json"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/mapping"
)

// ear takes answers that a vendor, or a flow there, sends back. Only what is signed is an answer.
type ear struct{ of *sink }

// inboundPlan is a compiled Inbound.
type inboundPlan struct {
	Inbound
	vote *mapping.Setting
}

// ownVote is the form of answers that are written for us, by a flow for instance.
var ownVote = Vote{
	ID: "${id ?? body.id}", Key: "${body.key}", Outcome: `${body.outcome in ["approved", "denied"] ? body.outcome : nil}`, By: "${body.by}",
	Reason: "${body.reason}", Duration: "${body.duration}", At: "${body.at}",
}

func (s *source) inbound(p *Preset, own mapping.Names) {
	in := p.doc.Inbound
	if in == nil {
		return
	}
	if p.doc.Ask == nil {
		s.add("inbound", "belongs to a preset that asks: ask is missing")
	}
	if v := in.Verify; (v.HMAC == nil) == (v.StandardWebhooks == nil) || v.None || v.Basic != nil || v.Bearer != nil || v.Header != nil ||
		v.Token != nil || v.JWT != nil || v.OAuth != nil || v.Certificate != nil || v.Issuer != nil {
		s.add("inbound.verify", "is one of hmac and standard_webhooks: what is not signed is never an answer")
	}
	vote := ownVote
	if in.Vote != nil {
		vote = *in.Vote
	}
	names := join(own, mapping.Names{"body": {Type: "any"}, "id": {Type: "text"}})
	form := map[string]any{"id": vote.ID, "key": vote.Key, "outcome": vote.Outcome, "by": vote.By}
	for name, text := range map[string]string{"reason": vote.Reason, "duration": vote.Duration, "at": vote.At} {
		if text != "" {
			form[name] = text
		}
	}
	p.inbound = &inboundPlan{Inbound: *in, vote: s.setting("inbound.vote", form, names)}
}

// Verification is how the vendor signs.
func (e ear) Verification() connectors.Verification { return e.of.preset.inbound.Verify }

const maxAnswer = 1 << 20

// Receive reads an answer. A request that is none, or not about anything of ours, is taken and passed over. Only what is
// signed tells answers apart: the body, and the id of a message where the scheme signs it.
func (e ear) Receive(ctx context.Context, r connectors.Request) (connectors.Received, error) {
	if len(r.Body) > maxAnswer {
		return connectors.Received{}, &connectors.Malformed{Reason: "the body is larger than an answer can be"}
	}
	var body map[string]any
	if err := json.Unmarshal(r.Body, &body); err != nil || body == nil {
		return connectors.Received{}, &connectors.Malformed{Reason: "the body is no JSON object"}
	}
	in := map[string]any{"params": e.of.params, "body": body}
	if e.of.preset.inbound.Verify.StandardWebhooks != nil {
		in["id"] = r.Header.Get("Webhook-Id")
	}
	v, err := e.of.preset.inbound.vote.Eval(ctx, in)
	if err != nil {
		return connectors.Received{}, &connectors.Malformed{Reason: "the body is none the preset can read"}
	}
	said, _ := v.(map[string]any)
	text := func(name string, most int) string { return line(said[name], most) }
	vote := connectors.Vote{
		ID: text("id", 500), Key: text("key", 200), Outcome: connectors.Outcome(text("outcome", 20)), By: account(said["by"]),
		Reason: text("reason", 2000), Duration: text("duration", 50),
	}
	if vote.Outcome == "" || vote.Key == "" {
		return connectors.Received{}, nil
	}
	if vote.ID == "" {
		return connectors.Received{}, &connectors.Malformed{Reason: "the answer has no id of its own"}
	}
	vote.Ref = connectors.Ref{ID: vote.Key, Key: vote.Key}
	if at, err := time.Parse(time.RFC3339, text("at", 50)); err == nil {
		vote.At = at
	}
	return connectors.Received{Votes: []connectors.Vote{vote}}, nil
}

// line is a value as text.
func line(v any, most int) string {
	text, _ := connectors.ScalarText(v)
	return connectors.Clean(text, most)
}

// account reads who answered: an account's id, or a mapping of account, name and mail.
func account(v any) connectors.Account {
	m, ok := v.(map[string]any)
	if !ok {
		m = map[string]any{"account": v}
	}
	return connectors.Account{Person: connectors.Person{Account: line(m["account"], 300), Name: line(m["name"], 200), Mail: line(m["mail"], 300)}}
}
