package mapping

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Rule says what to do at a desk or sink when an event of one source meets a condition. Texts may hold ${...} expressions.
type Rule struct {
	Name       string      `yaml:"name"`
	On         string      `yaml:"on"`   // the source connection's name
	When       string      `yaml:"when"` // an expression: true or false
	Create     *Create     `yaml:"create"`
	Update     *Update     `yaml:"update"`
	Comment    *Comment    `yaml:"comment"`
	Transition *Transition `yaml:"transition"`
	Send       *Send       `yaml:"send"`
	Decision   *Decision   `yaml:"decision"`
	Settle     *Settle     `yaml:"settle"`

	source *source
}

// Create opens a ticket. A case has one ticket per desk and slot.
type Create struct {
	At          string         `yaml:"at"` // the desk connection's name
	Slot        string         `yaml:"slot"`
	Project     string         `yaml:"project"`
	Type        string         `yaml:"type"`
	Summary     string         `yaml:"summary"`
	Description string         `yaml:"description"` // Markdown
	Priority    string         `yaml:"priority"`
	Labels      []string       `yaml:"labels"`
	Fields      map[string]any `yaml:"fields"`
	Attach      *Attach        `yaml:"attach"`
	Reopen      *Reopen        `yaml:"reopen"`
}

// Attach puts a file of text on the ticket. Nothing waits for it: the ticket is opened or changed whatever becomes of
// the file.
type Attach struct {
	Name    string `yaml:"name"`
	Content string `yaml:"content"` // as it is, not Markdown; empty for an event: no file
}

// Reopen says what becomes of the ticket of a finding that opens again: within the time it is moved to the status,
// after it the finding gets a new ticket that names the earlier one. Both are constants.
type Reopen struct {
	Status string `yaml:"status"`
	Within string `yaml:"within"` // since the finding was last closed: 30d, 12h; empty: without an end
}

// Update changes the case's ticket; what is left out stays as it is.
type Update struct {
	At          string         `yaml:"at"`
	Slot        string         `yaml:"slot"`
	Summary     string         `yaml:"summary"`
	Description string         `yaml:"description"` // Markdown
	Priority    string         `yaml:"priority"`
	Labels      []string       `yaml:"labels"`
	Fields      map[string]any `yaml:"fields"`
	Attach      *Attach        `yaml:"attach"`
}

// Comment writes on the case's ticket, for the desk's own people unless public.
type Comment struct {
	At     string `yaml:"at"`
	Slot   string `yaml:"slot"`
	Body   string `yaml:"body"` // Markdown
	Public bool   `yaml:"public"`
}

// Transition brings the case's ticket to a status.
type Transition struct {
	At     string         `yaml:"at"`
	Slot   string         `yaml:"slot"`
	Status string         `yaml:"status"`
	Fields map[string]any `yaml:"fields"`
}

// Send hands a record to a sink, which takes records one way. Without a record of the rule's own the sink gives the event
// a form.
type Send struct {
	At     string         `yaml:"at"` // the sink connection's name
	Record map[string]any `yaml:"record"`
}

// Decision reads an answer off the ticket. All but Granted and Policy are expressions over ticket.
type Decision struct {
	Approved string `yaml:"approved"`
	Denied   string `yaml:"denied"`
	Revoked  string `yaml:"revoked"`  // access already granted shall be taken back
	Duration string `yaml:"duration"` // once, 1h, 30m, 1d, a number of seconds, or an expression that gives one of these
	Reason   string `yaml:"reason"`
	Granted  string `yaml:"granted"` // the ticket field that is set to the duration once the source has accepted it
	Policy   string `yaml:"policy"`  // the Policy that says who may decide
}

// Settle says where the ticket is moved once the case was decided elsewhere, ran out, or came to pass.
type Settle struct {
	Approved *Move `yaml:"approved"`
	Denied   *Move `yaml:"denied"`
	Expired  *Move `yaml:"expired"`
	Revoked  *Move `yaml:"revoked"`
	Made     *Move `yaml:"made"` // the source shows that the change that was asked for is made
}

// Move is a status and the fields its screen asks for. Both are constants.
type Move struct {
	Status string         `yaml:"status"`
	Fields map[string]any `yaml:"fields"`
}

// ParseRule reads a Rule document. What the document says is checked by Compile, which finds all its faults at once.
func ParseRule(text []byte) (*Rule, error) {
	var d struct {
		Kind string `yaml:"kind"`
		Rule `yaml:",inline"`
	}
	s, err := decode(text, "Rule", &d)
	if err != nil {
		return nil, err
	}
	d.source = s
	return &d.Rule, nil
}

// Desk returns the connection and slot the rule acts at, empty where it has no action.
func (r *Rule) Desk() (at, slot string) {
	switch {
	case r.Create != nil:
		return r.Create.At, r.Create.Slot
	case r.Update != nil:
		return r.Update.At, r.Update.Slot
	case r.Comment != nil:
		return r.Comment.At, r.Comment.Slot
	case r.Transition != nil:
		return r.Transition.At, r.Transition.Slot
	case r.Send != nil:
		return r.Send.At, ""
	}
	return "", ""
}

// Covers tells whether so long after a finding was closed its ticket is still opened again.
func (r *Reopen) Covers(since time.Duration) bool {
	within, err := r.window()
	return err == nil && (within == 0 || since <= within)
}

// window is 0 where there is no end.
func (r *Reopen) window() (time.Duration, error) {
	if strings.TrimSpace(r.Within) == "" {
		return 0, nil
	}
	within, err := parseLength(r.Within)
	if err == nil && within <= 0 {
		err = errLength
	}
	return within, err
}

// File returns what the rule attaches to the ticket, nil for nothing.
func (r *Rule) File() *Attach {
	switch {
	case r.Create != nil:
		return r.Create.Attach
	case r.Update != nil:
		return r.Update.Attach
	}
	return nil
}

// Action returns the action's key in the document, empty where there is none.
func (r *Rule) Action() string {
	switch {
	case r.Create != nil:
		return "create"
	case r.Update != nil:
		return "update"
	case r.Comment != nil:
		return "comment"
	case r.Transition != nil:
		return "transition"
	case r.Send != nil:
		return "send"
	}
	return ""
}

// At is a fault found at path by whoever knows what the rule is about.
func (r *Rule) At(path, message string) *Error { return r.fault(path, 0, message) }

// fault is one fault of the rule, offset runes into the value at path.
func (r *Rule) fault(path string, offset int, message string) *Error {
	if r.source == nil {
		return &Error{Document: r.Name, Field: path, Message: message}
	}
	return r.source.at(path, offset, message)
}

// check finds what is missing or contradicts itself, without looking into expressions.
func (r *Rule) check() Errors {
	var faults Errors
	add := func(path, format string, args ...any) {
		faults = append(faults, r.fault(path, 0, fmt.Sprintf(format, args...)))
	}
	need := func(path, value string) {
		if strings.TrimSpace(value) == "" {
			add(path, "%s is missing", path)
		}
	}
	constant := func(path, value string) {
		if hasExpression(value) {
			add(path, "%s is a constant and takes no ${...}", path)
		}
	}
	need("on", r.On)
	constant("on", r.On)
	need("when", r.When)
	action := r.Action()
	if n := r.actions(); n > 1 {
		add(action, "a rule has one action, this one has %d of create, update, comment, transition and send", n)
	}
	if action != "" {
		at, slot := r.Desk()
		need(action+".at", at)
		constant(action+".at", at)
		constant(action+".slot", slot)
	}
	if c := r.Create; c != nil {
		need("create.project", c.Project)
		need("create.type", c.Type)
		need("create.summary", c.Summary)
		if c.Reopen != nil {
			need("create.reopen.status", c.Reopen.Status)
			constant("create.reopen.status", c.Reopen.Status)
			if _, err := c.Reopen.window(); err != nil {
				add("create.reopen.within", "%v", err)
			}
		}
	}
	if f := r.File(); f != nil {
		need(action+".attach.name", f.Name)
		need(action+".attach.content", f.Content)
	}
	if c := r.Comment; c != nil {
		need("comment.body", c.Body)
	}
	if t := r.Transition; t != nil {
		need("transition.status", t.Status)
	}
	if s := r.Send; s != nil && s.Record != nil && len(s.Record) == 0 {
		add("send.record", "send.record is empty; leave it out for the sink's own form")
	}
	if d := r.Decision; d != nil {
		if r.Create == nil {
			add("decision", "decision is only for rules that create a ticket")
		}
		need("decision.approved", d.Approved)
		need("decision.denied", d.Denied)
		need("decision.policy", d.Policy)
		constant("decision.policy", d.Policy)
		constant("decision.granted", d.Granted)
		if granted := strings.TrimSpace(d.Granted); slices.Contains(ticketTexts, granted) {
			add("decision.granted", "granted names a field of its own, and %s holds something else", granted)
		}
	}
	if r.Settle != nil {
		if r.Create == nil {
			add("settle", "settle is only for rules that create a ticket")
		}
		for outcome, move := range r.Settle.Moves() {
			if move == nil {
				continue
			}
			need("settle."+outcome+".status", move.Status)
			constant("settle."+outcome+".status", move.Status)
			r.checkConstants("settle."+outcome+".fields", move.Fields, &faults)
		}
	}
	return faults
}

func (r *Rule) actions() int {
	n := 0
	for _, present := range []bool{r.Create != nil, r.Update != nil, r.Comment != nil, r.Transition != nil, r.Send != nil} {
		if present {
			n++
		}
	}
	return n
}

func hasExpression(text string) bool {
	return strings.Contains(strings.ReplaceAll(text, "$${", ""), "${")
}

// checkConstants finds expressions where none are evaluated.
func (r *Rule) checkConstants(path string, v any, faults *Errors) {
	switch v := v.(type) {
	case string:
		if hasExpression(v) {
			*faults = append(*faults, r.fault(path, 0, path+" is a constant and takes no ${...}"))
		}
	case []any:
		for i, item := range v {
			r.checkConstants(fmt.Sprintf("%s[%d]", path, i), item, faults)
		}
	case map[string]any:
		for _, key := range sortedKeys(v) {
			r.checkConstants(join(path, key), v[key], faults)
		}
	}
}

// Moves yields the outcomes in a fixed order.
func (s *Settle) Moves() func(yield func(string, *Move) bool) {
	return func(yield func(string, *Move) bool) {
		_ = yield("approved", s.Approved) && yield("denied", s.Denied) && yield("expired", s.Expired) && yield("revoked", s.Revoked) && yield("made", s.Made)
	}
}
