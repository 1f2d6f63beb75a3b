package gateway

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/gateway/audit"
	"github.com/drawbridge-itsm/drawbridge/store"
)

// CaseList is one page of cases, newest first. Next continues it as the filter's Before; empty at the end.
type CaseList struct {
	Cases []CaseSummary `json:"cases"`
	Next  string        `json:"next,omitempty"`
}

// CaseSummary is one case in a list.
type CaseSummary struct {
	ID         string            `json:"id"`
	Connection string            `json:"connection"`
	Tenant     string            `json:"tenant,omitempty"`
	RequestID  string            `json:"request_id"`
	Kind       string            `json:"kind"`
	State      string            `json:"state"`
	Requester  connectors.Person `json:"requester"`
	Subject    string            `json:"subject"`
	Severity   string            `json:"severity,omitempty"`
	OpenedAt   time.Time         `json:"opened_at"`
	Edited     bool              `json:"edited,omitempty"` // an operator wrote what its approvers read: one person alone cannot approve it
}

// CaseView is everything known about one case. Timeline is its record, oldest first: every step explains itself.
type CaseView struct {
	CaseSummary
	Tickets    []TicketView    `json:"tickets"`
	Answers    []AnswerView    `json:"answers,omitempty"`
	Decision   *DecisionView   `json:"decision,omitempty"`
	Revocation *RevocationView `json:"revocation,omitempty"`
	Expires    *ExpiryView     `json:"expires,omitempty"`
	Timers     []TimerView     `json:"timers,omitempty"`
	Events     []EventView     `json:"events"`
	Deliveries []DeliveryView  `json:"deliveries"`
	Timeline   []EntryView     `json:"timeline"`
}

// TicketView is one link of the case.
type TicketView struct {
	Desk          string `json:"desk"`
	Slot          string `json:"slot,omitempty"`
	Key           string `json:"key"` // our key, as left on the ticket
	State         string `json:"state"`
	ID            string `json:"id,omitempty"`
	Ticket        string `json:"ticket,omitempty"`
	URL           string `json:"url,omitempty"`
	Rule          string `json:"rule"`
	RuleVersion   int64  `json:"rule_version"`
	Policy        string `json:"policy,omitempty"`
	PolicyVersion int64  `json:"policy_version,omitempty"`
}

// AnswerView is what somebody answered where people are asked and no ticket is kept.
type AnswerView struct {
	Desk     string            `json:"desk"`
	Key      string            `json:"key"` // of the ticket it answers
	By       connectors.Person `json:"by"`  // as told with the answer
	Outcome  string            `json:"outcome"`
	Reason   string            `json:"reason,omitempty"`
	Duration string            `json:"duration,omitempty"`
	At       time.Time         `json:"at"`
	Judged   bool              `json:"judged"`
	Refused  string            `json:"refused,omitempty"` // why it does not count
}

// DecisionView is the case's decision.
type DecisionView struct {
	Outcome string    `json:"outcome"`
	By      string    `json:"by,omitempty"`
	ByName  string    `json:"by_name"`
	Origin  string    `json:"origin"`
	At      time.Time `json:"at,omitzero"` // a tool that decided itself may not say when
	State   string    `json:"state"`
	Reason  string    `json:"reason,omitempty"`
	Once    bool      `json:"once,omitempty"`
	Seconds int64     `json:"seconds,omitempty"`
	Receipt string    `json:"receipt,omitempty"` // signed; drawbridge audit verify checks it offline
}

// ExpiryView is when an open case ends without a decision: when its source stops waiting, where that is known, else when
// the policy's time is over.
type ExpiryView struct {
	At time.Time `json:"at"`
	By string    `json:"by"` // source or policy
}

// TimerView is what will happen to the case unless it is decided before.
type TimerView struct {
	Kind string    `json:"kind"`
	Due  time.Time `json:"due"`
}

// RevocationView is that granted access was taken back.
type RevocationView struct {
	By     string    `json:"by"`
	ByName string    `json:"by_name"`
	At     time.Time `json:"at"`
	State  string    `json:"state"`

	Receipt string `json:"receipt,omitempty"` // signed, as a decision's
}

// EventView is one event of the case with the bytes that came in.
type EventView struct {
	ID         string          `json:"id"`
	Kind       string          `json:"kind"`
	State      string          `json:"state"`
	ReceivedAt time.Time       `json:"received_at"`
	Test       bool            `json:"test,omitempty"`
	Edited     bool            `json:"edited,omitempty"` // by an operator, in quarantine
	Normal     json.RawMessage `json:"normal"`
	Body       string          `json:"body"` // as received; bytes that are no text are replaced
}

// DeliveryView is one action owed to a vendor.
type DeliveryView struct {
	ID       string          `json:"id"`
	To       string          `json:"to"`
	Action   string          `json:"action"`
	Purpose  string          `json:"purpose"`
	State    string          `json:"state"`
	InDoubt  bool            `json:"in_doubt,omitempty"`
	Attempts int             `json:"attempts"`
	Due      time.Time       `json:"due"`
	Error    string          `json:"error,omitempty"`
	Content  json.RawMessage `json:"content"`
}

// EntryView is one step of the timeline.
type EntryView struct {
	At      time.Time       `json:"at"`
	Kind    string          `json:"kind"`
	Subject string          `json:"subject,omitempty"`
	Content json.RawMessage `json:"content"`
}

const pageOfCases = 50

// Cases lists cases, 50 when the filter has no limit.
func (g *Gateway) Cases(ctx context.Context, f store.CaseFilter) (CaseList, error) {
	limit := cmp.Or(f.Limit, pageOfCases)
	f.Limit = limit + 1 // tells whether there are more
	found, err := g.store.Cases(ctx, f)
	if err != nil {
		return CaseList{}, err
	}
	var next string
	if len(found) > limit {
		found = found[:limit]
		next = found[limit-1].ID
	}
	list := CaseList{Cases: make([]CaseSummary, len(found)), Next: next}
	for i, c := range found {
		list.Cases[i] = summary(c)
	}
	return list, nil
}

func summary(c store.Case) CaseSummary {
	s := CaseSummary{ID: c.ID, Connection: c.Connection, Tenant: c.Tenant, RequestID: c.RequestID, Kind: c.Kind, State: c.State, Subject: c.Subject, Severity: c.Severity, OpenedAt: c.OpenedAt.UTC(), Edited: c.EditedBody}
	_ = json.Unmarshal([]byte(c.Requester), &s.Requester) // what cannot be read is shown as nobody
	return s
}

// Case returns everything known about one case, or store.ErrNotFound.
func (g *Gateway) Case(ctx context.Context, id string) (CaseView, error) {
	var view CaseView
	err := g.store.AtOnce(ctx, func(q store.Queries) error {
		c, err := q.Case(ctx, id)
		if err != nil {
			return err
		}
		view = CaseView{CaseSummary: summary(c), Tickets: []TicketView{}, Events: []EventView{}, Deliveries: []DeliveryView{}, Timeline: []EntryView{}}
		for _, add := range []func(context.Context, store.Queries, string) error{view.addTickets, view.addAnswers, view.addDecision, view.addTimers, view.addEvents, view.addExpiry, view.addDeliveries, view.addTimeline} {
			if err := add(ctx, q, id); err != nil {
				return err
			}
		}
		return nil
	})
	return view, err
}

func (v *CaseView) addTickets(ctx context.Context, q store.Queries, id string) error {
	links, err := q.LinksOfCase(ctx, id)
	for _, l := range links {
		v.Tickets = append(v.Tickets, TicketView{Desk: l.Desk, Slot: l.Slot, Key: l.Key, State: l.State, ID: l.RefID, Ticket: l.RefKey, URL: l.RefURL,
			Rule: l.Rule, RuleVersion: l.RuleVersion, Policy: l.Policy, PolicyVersion: l.PolicyVersion})
	}
	return err
}

func (v *CaseView) addAnswers(ctx context.Context, q store.Queries, id string) error {
	answers, err := q.AnswersOfCase(ctx, id)
	if err != nil || len(answers) == 0 {
		return err
	}
	links, err := q.LinksOfCase(ctx, id)
	if err != nil {
		return err
	}
	refusals, err := q.RefusalsOfCase(ctx, id)
	if err != nil {
		return err
	}
	for _, a := range answers {
		view := viewAnswer(a, refusals)
		for _, l := range links {
			if l.ID == a.LinkID {
				view.Desk, view.Key = l.Desk, l.Key
			}
		}
		v.Answers = append(v.Answers, view)
	}
	return nil
}

// viewAnswer is an answer and what came of it, without where it was given.
func viewAnswer(a store.Answer, refusals []store.Refusal) AnswerView {
	view := AnswerView{By: connectors.Person{Account: a.Account, Name: a.Name, Mail: a.Mail}, Outcome: a.Outcome, Reason: a.Reason, Duration: a.Duration, At: a.At.UTC(), Judged: a.Judged}
	for _, r := range refusals {
		if r.LinkID == a.LinkID && r.Claim == a.ID {
			view.Refused = r.Text
		}
	}
	return view
}

func (v *CaseView) addDecision(ctx context.Context, q store.Queries, id string) error {
	d, err := q.DecisionOf(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	receipt, err := audit.ReceiptOf(ctx, q, id, d.Outcome)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	v.Decision = &DecisionView{Receipt: receipt, Outcome: d.Outcome, By: d.By, ByName: d.ByName, Origin: d.Origin, At: d.At.UTC(), State: d.State, Reason: d.Reason, Once: d.Once, Seconds: int64(d.Length / time.Second)}
	r, err := q.RevocationOf(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	v.Revocation = &RevocationView{By: r.By, ByName: r.ByName, At: r.At.UTC(), State: r.State}
	v.Revocation.Receipt, err = audit.ReceiptOf(ctx, q, id, audit.Revoked)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

func (v *CaseView) addTimers(ctx context.Context, q store.Queries, id string) error {
	timers, err := q.TimersOf(ctx, id)
	for _, t := range timers {
		v.Timers = append(v.Timers, TimerView{Kind: t.Kind, Due: t.Due.UTC()})
	}
	return err
}

func (v *CaseView) addEvents(ctx context.Context, q store.Queries, id string) error {
	events, err := q.EventsOfCase(ctx, id)
	for _, e := range events {
		v.Events = append(v.Events, EventView{ID: e.ID, Kind: e.Kind, State: e.State, ReceivedAt: e.ReceivedAt.UTC(), Test: e.Test, Edited: e.Edited, Normal: e.Normal, Body: strings.ToValidUTF8(string(e.Body), "\uFFFD")})
	}
	return err
}

// addExpiry looks at the events and timers added before.
func (v *CaseView) addExpiry(context.Context, store.Queries, string) error {
	if v.State != caseOpen {
		return nil
	}
	for _, e := range v.Events {
		var said connectors.Event
		if json.Unmarshal(e.Normal, &said) == nil && !said.Expires.IsZero() {
			v.Expires = &ExpiryView{said.Expires.UTC(), "source"}
			return nil
		}
	}
	for _, t := range v.Timers {
		if t.Kind == store.TimerDeadline && (v.Expires == nil || t.Due.Before(v.Expires.At)) {
			v.Expires = &ExpiryView{t.Due, "policy"}
		}
	}
	return nil
}

func (v *CaseView) addDeliveries(ctx context.Context, q store.Queries, id string) error {
	deliveries, err := q.DeliveriesOfCase(ctx, id)
	for _, d := range deliveries {
		v.Deliveries = append(v.Deliveries, DeliveryView{ID: d.ID, To: d.Connection, Action: d.Kind, Purpose: d.Purpose, State: d.State, InDoubt: d.InDoubt,
			Attempts: d.Attempts, Due: d.Due.UTC(), Error: d.Error, Content: d.Action})
	}
	return err
}

func (v *CaseView) addTimeline(ctx context.Context, q store.Queries, id string) error {
	entries, err := q.RecordOfCase(ctx, id)
	for _, e := range entries {
		content, _ := e.Content.(json.RawMessage)
		v.Timeline = append(v.Timeline, EntryView{At: e.At.UTC(), Kind: e.Kind, Subject: e.Subject, Content: content})
	}
	return err
}
