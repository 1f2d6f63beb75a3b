package gateway

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/gateway/audit"
	"github.com/drawbridge-itsm/drawbridge/mapping"
	"github.com/drawbridge-itsm/drawbridge/store"
)

// planInput is everything a plan depends on. The same input gives the same plan for ever: no clock, no database, no
// calls. What only a desk knows (account ids, transition ids) stays symbolic in the actions.
type planInput struct {
	event    connectors.Event
	value    map[string]any // the event as expressions see it
	eventID  string
	caze     store.Case // zero for an event without a RequestId
	links    []store.Link
	decision *store.Decision
	rules    []*rule          // published rules of the source, by name
	opened   map[string]*rule // rules the links opened with, by link id
	source   string
	received time.Time
	closed   time.Time // when a finding was last said to be closed; only for one that opens in a closed case
}

// plan is what is owed for one event.
type plan struct {
	state      string // planned or unrouted
	caseState  string // "" leaves it
	links      []store.Link
	deliveries []store.Delivery
	decision   *store.Decision
	steps      []step
}

// step is one line of the case's record: what was looked at and what came of it.
type step struct {
	kind    string
	subject string
	content any
}

// rule is a compiled rule with the version it was published as.
type rule struct {
	*mapping.Program
	version       int64
	policyVersion int64
}

// target says where a rule acts and how; all empty for a rule without an action.
func (r *rule) target() (at, slot, kind string) {
	at, slot = r.Rule().Desk()
	return at, slot, r.Rule().Action()
}

// matched is what the record says of one rule and one event.
type matched struct {
	Rule    string         `json:"rule"`
	Version int64          `json:"version"`
	Matched bool           `json:"matched"`
	Terms   []mapping.Term `json:"terms,omitempty"`
	Error   string         `json:"error,omitempty"`
	Note    string         `json:"note,omitempty"`
}

// makePlan works out what is owed for one event.
func makePlan(ctx context.Context, in planInput) plan {
	p := plan{state: eventPlanned}
	if in.event.Decision != nil && in.caze.ID != "" {
		p.told(in)
	}
	routed := in.event.Decision != nil
	if in.event.Kind == connectors.AccessExpired || in.event.Kind == connectors.AccessFailed {
		routed = p.ended(in) || routed
	}
	p.finding(in)
	routed = p.made(in) || routed
	for _, r := range in.rules {
		if p.apply(ctx, in, r) {
			routed = true
		}
	}
	if !routed {
		p.state = eventUnrouted
	}
	return p
}

// apply runs one rule and tells whether it matched, or would have if it had not failed.
func (p *plan) apply(ctx context.Context, in planInput, r *rule) bool {
	result, err := r.Eval(ctx, in.value)
	m := matched{Rule: r.Rule().Name, Version: r.version, Matched: result.Matched, Terms: result.Terms}
	if err != nil {
		m.Error = err.Error()
		p.failed(in, r, err)
	} else if result.Matched && result.Draft != nil {
		m.Note = p.owe(in, r, *result.Draft)
	}
	p.steps = append(p.steps, step{"rule.evaluated", m.Rule, m})
	return result.Matched || err != nil
}

// owe turns a draft into a delivery. The note says why nothing is owed where that is so.
func (p *plan) owe(in planInput, r *rule, d mapping.Draft) string {
	if d.Kind == string(connectors.Send) {
		p.add(in, r, store.Link{}, in.toSink(d.At), record(d, in.recorded()))
		return ""
	}
	if in.caze.ID == "" {
		p.add(in, r, store.Link{}, store.Delivery{Connection: d.At, Lane: in.eventID, State: stateDead,
			Error: "the event carries no request id, so no case and no ticket can belong to it"}, connectors.Action{Kind: connectors.ActionKind(d.Kind)})
		return "the event has no case"
	}
	link, linked := p.find(in, d.At, d.Slot)
	kind := connectors.ActionKind(d.Kind)
	if kind == connectors.Create {
		switch {
		case linked && in.reopened() && r.Rule().Create.Reopen != nil:
			return p.reopen(in, r, link, d)
		case linked:
			return fmt.Sprintf("the case has a ticket at %s already; a rule that should open a second one needs a slot of its own", d.At)
		case in.decision != nil || p.decision != nil:
			return "the request was decided before its ticket could be opened"
		case in.caze.State == caseClosed && !in.reopened():
			return "the request had ended before its ticket could be opened"
		}
		link = newLink(in, r, d)
		p.links = append(p.links, link)
	} else if !linked {
		return fmt.Sprintf("the case has no ticket at %s for this to apply to", d.At)
	}
	a := action(d, link)
	if a.Note != nil {
		a.Note.Key = noteKey(link, in.eventID, r.Rule().Name)
	}
	if kind != connectors.Update || !onlyFile(d) {
		p.add(in, r, link, store.Delivery{Purpose: purposeTicket}, a)
	}
	p.attach(in, r, link, d)
	if kind == connectors.Create && r.Rule().Decision != nil && !in.event.Expires.IsZero() {
		p.add(in, nil, link, store.Delivery{Purpose: purposeClock}, connectors.Action{Kind: connectors.Comment,
			Note: &connectors.Note{Key: shortHash(link.ID, in.eventID, "expires"), Body: escape(expiresText(in.source, in.event))}})
	}
	return ""
}

// noteKey is the key of a rule's comment: a second try after a lost answer finds it by that.
func noteKey(link store.Link, eventID, rule string) string {
	return shortHash(link.ID, eventID, rule)
}

// failed owes a delivery born dead, in the lane its action would have had: a rule that fails is never "no match". A
// rule that only watches owes nothing; its failure is a step of the record.
func (p *plan) failed(in planInput, r *rule, err error) {
	at, slot, kind := r.target()
	if kind == "" {
		return
	}
	link, linked := p.find(in, at, slot)
	switch {
	case kind != string(connectors.Create) || in.caze.ID == "":
	case linked:
		link = store.Link{} // it would have opened nothing, and must not hold up the ticket there is
	default:
		link = newLink(in, r, mapping.Draft{At: at, Slot: slot})
		p.links = append(p.links, link)
	}
	d := store.Delivery{Connection: at, Purpose: purposeTicket}
	if kind == string(connectors.Send) {
		link, d = store.Link{}, in.toSink(at)
	}
	d.State, d.Error = stateDead, err.Error()
	if link.ID == "" && kind != string(connectors.Send) {
		d.Lane = in.eventID
	}
	p.add(in, r, link, d, connectors.Action{Kind: connectors.ActionKind(kind), Key: link.Key})
}

// add completes a delivery and appends it.
func (p *plan) add(in planInput, r *rule, link store.Link, d store.Delivery, a connectors.Action) {
	d.CaseID, d.EventID, d.LinkID = in.caze.ID, in.eventID, link.ID
	if link.ID != "" {
		d.Lane, d.Connection = link.ID, link.Desk
	}
	if r != nil {
		d.Rule, d.RuleVersion = r.Rule().Name, r.version
	}
	if in.event.Test {
		a = marked(a)
	}
	p.deliveries = append(p.deliveries, owed(d, a))
}

// owed fills in what every new delivery has.
func owed(d store.Delivery, a connectors.Action) store.Delivery {
	d.Kind = string(a.Kind)
	d.Holds = holds(a.Kind, d.Purpose)
	d.Mode = modeLive
	if d.State == "" {
		d.State = statePending
	}
	d.Action = mustJSON(a)
	return d
}

// told handles a decision made at the source itself: the echo of our own, or one that came first.
func (p *plan) told(in planInput) {
	said := in.event.Decision
	if in.decision != nil {
		p.compare(in, said)
		return
	}
	p.decision = &store.Decision{
		CaseID: in.caze.ID, Outcome: string(said.Outcome), Origin: originSource, By: "", ByName: displayName(said.By),
		At: said.At, Once: said.Duration.Once, Length: said.Duration.Length, State: decisionTold,
	}
	p.caseState = caseClosed
	p.steps = append(p.steps, step{audit.KindDecided, "", audit.Decided(*p.decision, in.caze)})
	for _, link := range live(in.links) {
		p.settle(in, link, string(said.Outcome), toldText(in, said))
	}
}

// compare meets a decision report with the decision we have.
func (p *plan) compare(in planInput, said *connectors.Told) {
	note := map[string]any{"outcome": said.Outcome, "by": displayName(said.By), "recorded": in.decision.Outcome}
	if string(said.Outcome) == in.decision.Outcome {
		p.steps = append(p.steps, step{"decision.echoed", "", note})
		return
	}
	p.steps = append(p.steps, step{"decision.contradicted", "", note})
	text := fmt.Sprintf("%s reports that %s was decided there by %s, while %s was recorded here first. The first decision stands; check the request in %s.",
		in.source, said.Outcome, displayName(said.By), in.decision.Outcome, in.source)
	for _, link := range live(in.links) {
		p.note(in, link, text)
	}
}

// ended closes a case whose request no longer waits at the source, and tells whether there was one to close.
func (p *plan) ended(in planInput) bool {
	if in.caze.ID == "" || in.decision != nil {
		return false
	}
	if in.caze.State == caseClosed {
		return true // said before: a webhook that comes after we had asked tells nothing new
	}
	p.caseState = caseClosed
	for _, link := range live(in.links) {
		p.settle(in, link, string(connectors.Expired), fmt.Sprintf("%s reports that the request has ended without a decision. A decision made here has no effect any more.", in.source))
	}
	return true
}

// made closes the case of a change that has come to pass, and its tickets with what shows it. It tells whether there was
// one. A change that was made although it was denied is only told: somebody has to look.
func (p *plan) made(in planInput) bool {
	if in.event.Kind != connectors.ChangeMade || in.caze.ID == "" {
		return false
	}
	text := fmt.Sprintf("%s shows that this change was made: %s.", in.source, cmp.Or(in.event.Subject, "its data says so"))
	if in.decision != nil && in.decision.Outcome == string(connectors.Denied) {
		for _, link := range live(in.links) {
			p.note(in, link, text+" It was denied here.")
		}
		return true
	}
	if in.decision == nil {
		p.caseState = caseClosed
	}
	for _, link := range live(in.links) {
		p.settle(in, link, outcomeMade, text)
	}
	return true
}

// live leaves out tickets nobody works with: second ones, which were closed, and those no longer at their desk.
func live(links []store.Link) []store.Link {
	var some []store.Link
	for _, l := range links {
		if l.State != linkTwin && l.State != linkGone {
			some = append(some, l)
		}
	}
	return some
}

// settle owes a ticket the status its rule names for the outcome, and a comment that says why.
func (p *plan) settle(in planInput, link store.Link, outcome, text string) {
	p.move(in, link, outcome)
	p.note(in, link, text)
}

func (p *plan) move(in planInput, link store.Link, outcome string) {
	if r := in.opened[link.ID]; r != nil {
		if status, fields, ok := r.Settle(outcome); ok {
			p.add(in, r, link, store.Delivery{Purpose: purposeSettle}, connectors.Action{Kind: connectors.Transition, Move: &connectors.Move{Status: status, Fields: fields}})
		}
	}
}

func (p *plan) note(in planInput, link store.Link, text string) {
	key := shortHash(link.ID, in.eventID, "note")
	p.add(in, nil, link, store.Delivery{Purpose: purposeSettle}, connectors.Action{Kind: connectors.Comment, Note: &connectors.Note{Key: key, Body: escape(text)}})
}

// find returns the case's link to a desk and slot, also one this plan has just made; of several tickets that a finding
// had in it, the latest.
func (p *plan) find(in planInput, desk, slot string) (found store.Link, ok bool) {
	latest := 0
	for _, links := range [][]store.Link{in.links, p.links} {
		for _, l := range links {
			if n := turn(l.Slot, slot); l.Desk == desk && n > latest {
				found, latest = l, n
			}
		}
	}
	return found, latest > 0
}

func newLink(in planInput, r *rule, d mapping.Draft) store.Link {
	link := store.Link{
		ID: "", CaseID: in.caze.ID, Desk: d.At, Slot: d.Slot, Project: d.Project, Type: d.Type,
		Rule: r.Rule().Name, RuleVersion: r.version, Opening: in.eventID, State: linkPlanned,
		Key: shortHash(in.caze.ID, d.At, d.Slot),
	}
	link.ID = "lnk-" + link.Key
	if dec := r.Rule().Decision; dec != nil {
		link.Policy, link.PolicyVersion = dec.Policy, r.policyVersion
	}
	return link
}

// action renders a draft for its desk.
func action(d mapping.Draft, link store.Link) connectors.Action {
	a := connectors.Action{Kind: connectors.ActionKind(d.Kind)}
	switch a.Kind {
	case connectors.Create, connectors.Update:
		a.Key = link.Key
		a.Ticket = &connectors.Ticket{Project: d.Project, Type: d.Type, Summary: d.Summary, Description: d.Description, Priority: d.Priority, Labels: d.Labels, Fields: d.Fields}
	case connectors.Comment:
		a.Note = &connectors.Note{Body: d.Body, Public: d.Public}
	case connectors.Transition:
		a.Move = &connectors.Move{Status: d.Status, Fields: d.Fields}
	}
	return a
}

func toldText(in planInput, said *connectors.Told) string {
	text := fmt.Sprintf("%s by %s in %s itself", capital(string(said.Outcome)), displayName(said.By), in.source)
	if !said.At.IsZero() {
		text += " at " + said.At.UTC().Format(time.RFC3339)
	}
	return text + ". A decision made on this ticket has no effect any more."
}

func displayName(p connectors.Person) string {
	for _, text := range []string{p.Name, p.Mail, p.Account} {
		if text != "" {
			return text
		}
	}
	return "somebody unnamed"
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// shortHash makes a key that is the same whenever its parts are: 16 characters of base32, 80 bits.
func shortHash(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return strings.ToLower(base32.StdEncoding.EncodeToString(sum[:10]))
}

// mustJSON encodes values made of texts, numbers and maps of these; they always encode.
func mustJSON(v any) json.RawMessage {
	text, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("encode %T: %v", v, err))
	}
	return text
}

const (
	eventPlanned  = "planned"
	eventUnrouted = "unrouted"

	caseOpen    = "open"
	caseDecided = "decided"
	caseClosed  = "closed"

	linkPlanned = "planned"
	linkLinked  = "linked"
	linkTwin    = "twin"
	linkGone    = "gone"

	modeLive = "live"

	purposeTicket   = "ticket"   // a rule asked for it
	purposeSettle   = "settle"   // decided elsewhere: bring the ticket in line
	purposeOutcome  = "outcome"  // what became of the post-back
	purposeRefusal  = "refusal"  // why a claim was refused
	purposeDecision = "decision" // the post-back itself
	purposeTwin     = "twin"     // close a second ticket
	purposeClock    = "clock"    // the policy's time has come
	purposeRecord   = "record"   // what a rule tells a sink

	originDesk   = "desk"
	originSource = "source"
	originClock  = "clock"

	outcomeMade = "made" // what a rule's settle calls a change that has come to pass

	decisionOwed    = "owed"
	decisionPosted  = "posted"
	decisionRefused = "refused" // the source did not take it
	decisionTold    = "told"    // the source decided and told us
	decisionTest    = "test"    // made on a test: nobody is told
	decisionKept    = "kept"    // the source has no way to be told: it stands in our record alone
)
