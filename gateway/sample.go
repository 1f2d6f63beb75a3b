package gateway

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/store"
)

// A sample is a source's payload that an admin sends to see what comes of it. It is received, accepted and planned as
// any other, under a request id of its own, so that it never meets a real request; its tickets say that they are a test,
// and a decision on one is recorded and told on the ticket, but not to the tool.

const (
	testLabel  = "test-drawbridge" // drawbridge-… is how desks carry our key
	testPrefix = "[Test] "
)

// SentSample is what became of one sample.
type SentSample struct {
	Sample string   `json:"sample"`
	Kind   string   `json:"kind"`
	Events []string `json:"events"`
	Cases  []string `json:"cases,omitempty"`
}

// Samples are the payloads a connection's vendor offers, only those of a kind or name where pick is not empty.
func (g *Gateway) Samples(name, pick string) ([]connectors.Sample, error) {
	c, err := g.source(name)
	if err != nil {
		return nil, err
	}
	samples := PickSamples(connectors.Samples(c.connector), pick)
	if len(samples) == 0 {
		text := fmt.Sprintf("%s (%s) offers no sample", name, c.doc.Connector)
		if pick != "" {
			text += " of kind or name " + pick
		}
		return nil, &Refusal{Status: http.StatusNotFound, Text: text}
	}
	return samples, nil
}

// PickSamples leaves those of a kind or name, all where that is empty.
func PickSamples(samples []connectors.Sample, pick string) []connectors.Sample {
	return slices.DeleteFunc(slices.Clone(samples), func(s connectors.Sample) bool { return pick != "" && s.Kind != pick && s.Name != pick })
}

// source is a connection that receives events and can be used.
func (g *Gateway) source(name string) (*connection, error) {
	c := g.catalogue().connections[name]
	switch {
	case c == nil:
		return nil, g.noConnection(name)
	case c.fault != nil:
		return nil, &Refusal{Status: http.StatusConflict, Text: fmt.Sprintf("%s cannot be used: %v", name, c.fault)}
	case c.receiver == nil:
		return nil, &Refusal{Status: http.StatusConflict, Text: fmt.Sprintf("%s (%s) receives nothing", name, c.doc.Connector)}
	default:
		return c, nil
	}
}

func (g *Gateway) noConnection(name string) error {
	return &Refusal{Status: http.StatusNotFound, Text: fmt.Sprintf("there is no connection %q%s", name, among(sortedKeys(g.catalogue().connections)))}
}

// SendSamples sends samples through a connection's front door. Those sent together that speak of the same request belong
// to the same case. Nothing is proved about where they come from: the caller has already been let in.
func (g *Gateway) SendSamples(ctx context.Context, name string, samples []connectors.Sample, who string) ([]SentSample, error) {
	c, err := g.source(name)
	if err != nil {
		return nil, err
	}
	if c.doc.State == "disabled" {
		return nil, &Refusal{Status: http.StatusForbidden, Text: "this connection is disabled"}
	}
	run := shortHash(store.NewID())[:8]
	sent := make([]SentSample, 0, len(samples))
	for _, s := range samples {
		one, err := g.sendSample(ctx, c, s, run, who)
		if err != nil {
			return sent, err
		}
		sent = append(sent, one)
	}
	return sent, nil
}

func (g *Gateway) sendSample(ctx context.Context, c *connection, s connectors.Sample, run, who string) (SentSample, error) {
	r := connectors.Request{
		Method: http.MethodPost, URL: &url.URL{Path: "/in/" + c.doc.Name, RawQuery: s.Query}, Header: s.Header.Clone(), Body: s.Body, Time: g.now(),
	}
	if r.Header == nil {
		r.Header = http.Header{}
	}
	r.Header.Set("Content-Type", cmp.Or(s.ContentType, "application/json"))
	received, err := c.receiver.Receive(ctx, r)
	if err != nil {
		malformed, notUnderstood := errors.AsType[*connectors.Malformed](err)
		wrong, wrongType := errors.AsType[*connectors.WrongType](err)
		switch {
		case notUnderstood:
			return SentSample{}, &Refusal{Status: http.StatusUnprocessableEntity, Text: fmt.Sprintf("sample %s is not understood: %s", s.Name, malformed.Reason)}
		case wrongType:
			return SentSample{}, &Refusal{Status: http.StatusUnsupportedMediaType, Text: wrong.Advice}
		}
		return SentSample{}, fmt.Errorf("decode sample %s: %w", s.Name, err)
	}
	if len(received.Events) == 0 {
		return SentSample{}, &Refusal{Status: http.StatusUnprocessableEntity, Text: fmt.Sprintf("sample %s carries no event", s.Name)}
	}
	arrivals := make([]store.Arrival, len(received.Events))
	for i, e := range received.Events {
		if _, err := json.Marshal(e); err != nil {
			return SentSample{}, &Refusal{Status: http.StatusUnprocessableEntity, Text: "the event cannot be stored: " + err.Error()}
		}
		arrivals[i] = arrival(c, r, asTest(e, c.doc.Tenant, run, s.Name))
	}
	out := SentSample{Sample: s.Name, Kind: received.Events[0].Kind}
	err = g.store.InTx(ctx, func(tx *store.Tx) error {
		if err := g.published(ctx, tx, c.doc.Name); err != nil {
			return err
		}
		receipts, err := tx.Accept(ctx, arrivals)
		if err != nil {
			return err
		}
		out.Events, out.Cases = nil, nil
		for _, receipt := range receipts {
			out.Events = append(out.Events, receipt.EventID)
			if receipt.CaseID != "" && !slices.Contains(out.Cases, receipt.CaseID) {
				out.Cases = append(out.Cases, receipt.CaseID)
			}
		}
		return tx.Record(ctx, store.Entry{At: g.now(), CaseID: receipts[0].CaseID, Kind: "sample.sent", Subject: c.doc.Name, Content: map[string]any{"sample": s.Name, "who": who}})
	})
	if err != nil {
		return SentSample{}, fmt.Errorf("store sample: %w", err)
	}
	return out, nil
}

// asTest marks an event as a test and gives it an identity that no event of the tool has.
func asTest(e connectors.Event, tenant, run, name string) connectors.Event {
	e.Test, e.Tenant = true, tenant
	e.Dedupe = strings.Join([]string{"sample", run, name, e.Dedupe}, "/")
	for _, id := range []*string{&e.RequestID, &e.Parent} {
		if *id != "" {
			*id = "test-" + run + "-" + *id
		}
	}
	return e
}

// marked makes a ticket or a record say that it is a test.
func marked(a connectors.Action) connectors.Action {
	a.Records = slices.Clone(a.Records)
	for i := range a.Records {
		r := &a.Records[i]
		r.Event = testData(r.Event)
		if r.Data != nil {
			r.Data = testData(r.Data)
		}
	}
	if a.Ticket == nil {
		return a
	}
	t := *a.Ticket
	if t.Summary != "" && !strings.HasPrefix(t.Summary, testPrefix) {
		t.Summary = testPrefix + t.Summary
	}
	if (a.Kind == connectors.Create || t.Labels != nil) && !slices.Contains(t.Labels, testLabel) {
		t.Labels = append(slices.Clone(t.Labels), testLabel)
	}
	a.Ticket = &t
	return a
}

// testData is a record's content that says that it is a test, where it does not use the word otherwise.
func testData(data map[string]any) map[string]any {
	out := map[string]any{"test": true}
	maps.Copy(out, data)
	return out
}

// keepTest ends a case that is a test: its decision is kept, the ticket is told, and the source is not.
func (g *Gateway) keepTest(ctx context.Context, tx *store.Tx, d dossier, decision store.Decision) error {
	if err := tx.SetDecisionState(ctx, decision.ID, decisionTest, ""); err != nil {
		return err
	}
	d.caze.State, d.caze.UpdatedAt = caseClosed, decision.RecordedAt
	if err := tx.SaveCase(ctx, d.caze); err != nil {
		return err
	}
	if err := g.note(ctx, tx, d, "decision.kept", map[string]any{"outcome": decision.Outcome}); err != nil {
		return err
	}
	if decision.LinkID == "" {
		return nil // decided by the clock: every ticket was told when that happened
	}
	text := fmt.Sprintf("%s by %s. This is a test: the decision is recorded, and nothing was sent to %s.", capital(decision.Outcome), decision.ByName, d.caze.Connection)
	return g.comment(ctx, tx, d.caze.ID, d.link, purposeOutcome, decision.ID+decisionTest, text)
}
