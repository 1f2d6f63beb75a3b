package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/gateway/judge"
	"github.com/drawbridge-itsm/drawbridge/mapping"
	"github.com/drawbridge-itsm/drawbridge/store"
)

// evidence gathers what the judgement looks at.
func (g *Gateway) evidence(ctx context.Context, tx *store.Tx, d *dossier, groups groupsOf) (judge.Input, error) {
	in := judge.Input{Opened: d.caze.OpenedAt, Waiting: d.caze.State == caseOpen, Edited: d.caze.EditedBody}
	var err error
	if d.value, err = g.openingEvent(ctx, tx, d); err != nil {
		return in, err
	}
	p, err := g.policyAt(ctx, tx, d.link.Policy, d.link.PolicyVersion)
	if err != nil {
		return in, err
	}
	if p == nil {
		return in, fmt.Errorf("policy %s version %d cannot be read", d.link.Policy, d.link.PolicyVersion)
	}
	d.policy = p
	in.Admit = func(a mapping.Approvers, actor mapping.Actor, ticket map[string]any) (bool, error) {
		return a.Admit(ctx, actor, d.value, ticket)
	}
	if d.terms, err = p.For(ctx, d.value); err != nil {
		// A policy that cannot be worked out for this event lets nobody decide, and the ticket says why.
		fault := err
		d.terms = mapping.Terms{Name: d.link.Policy, AllowUnknownRequester: true}
		in.Admit = func(mapping.Approvers, mapping.Actor, map[string]any) (bool, error) { return false, fault }
	}
	in.Terms = d.terms
	in.Ticket = judge.Evidence{
		Link: d.link.ID, Key: d.link.Key, RefID: d.link.RefID, Baseline: d.link.Baseline, Snapshot: d.ticket, Matters: d.terms.Matters,
		Holds: d.conn.holds(ctx, d.rule), Duration: d.conn.duration(ctx, d.rule), Reason: d.conn.reason(ctx, d.rule), Blind: d.conn.blind(p),
	}
	if in.Ticket.Spoiled, err = spoiled(ctx, tx, d.link); err != nil {
		return in, err
	}
	if in.Ticket.Movers, err = g.movers(ctx, tx, d.conn.doc.Name, d.ticket, groups); err != nil {
		return in, err
	}
	if in.Requester, in.Aliases, err = g.requester(ctx, tx, d.caze); err != nil {
		return in, err
	}
	in.Decided, err = g.decisionOf(ctx, tx, d.caze.ID)
	return in, err
}

// setBaseline notes what a ticket says when it is read for the first time, unless somebody edited it before, or it may
// have changed since it was fetched: an update of our own asks for another first reading.
func (g *Gateway) setBaseline(ctx context.Context, tx *store.Tx, d dossier, c store.Change) error {
	if d.link.Baseline != "" || judge.Edited(d.ticket.History, d.terms.Matters) {
		return nil
	}
	last, err := tx.ChangeOf(ctx, c.Connection, c.RefID)
	if errors.Is(err, store.ErrNotFound) || (err == nil && last.Told != c.Told) {
		return nil
	}
	if err != nil {
		return err
	}
	return tx.SetBaseline(ctx, d.link.ID, judge.Content(d.ticket, d.terms.Matters))
}

// otherEvidence is another ticket of the case as fetched; ok is false where it is none. What matters on it is said by the
// policy it was opened under, who may decide by the one the case is judged by.
func (g *Gateway) otherEvidence(ctx context.Context, tx *store.Tx, o sheet, judging *mapping.PolicyProgram, event map[string]any) (e judge.Evidence, ok bool, err error) {
	link, err := tx.Link(ctx, o.link.ID)
	if err != nil {
		return e, false, err
	}
	r, err := g.ruleAt(ctx, tx, link.Rule, link.RuleVersion)
	if err != nil || r == nil || link.State != linkLinked {
		return e, false, err
	}
	p, err := g.policyAt(ctx, tx, link.Policy, link.PolicyVersion)
	if err != nil || p == nil {
		return e, false, err
	}
	terms, err := p.For(ctx, event)
	if err != nil {
		return e, false, nil // a policy that cannot be worked out lets nobody decide
	}
	e = judge.Evidence{
		Link: link.ID, Key: link.Key, RefID: link.RefID, Baseline: link.Baseline, Snapshot: o.ticket, Matters: terms.Matters,
		Holds: o.conn.holds(ctx, r), Blind: o.conn.blind(judging),
	}
	if e.Spoiled, err = spoiled(ctx, tx, link); err != nil {
		return e, false, err
	}
	e.Movers, err = g.movers(ctx, tx, link.Desk, o.ticket, o.groups)
	return e, true, err
}

// spoiled are the claims on a ticket that were refused because it did not say what was asked for.
func spoiled(ctx context.Context, tx *store.Tx, link store.Link) (claims []string, err error) {
	refusals, err := tx.RefusalsOfCase(ctx, link.CaseID)
	for _, r := range refusals {
		if r.LinkID == link.ID && r.Code == string(judge.ContentChanged) {
			claims = append(claims, r.Claim)
		}
	}
	return claims, err
}

func (g *Gateway) openingEvent(ctx context.Context, tx *store.Tx, d *dossier) (map[string]any, error) {
	opening, err := tx.Event(ctx, d.link.Opening)
	if err != nil {
		return nil, fmt.Errorf("read opening event: %w", err)
	}
	if err := json.Unmarshal(opening.Normal, &d.event); err != nil {
		return nil, fmt.Errorf("read opening event: %w", err)
	}
	return value(opening)
}

func (g *Gateway) decisionOf(ctx context.Context, tx *store.Tx, caseID string) (*judge.Decided, error) {
	d, err := tx.DecisionOf(ctx, caseID)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	out := &judge.Decided{Outcome: judge.Outcome(d.Outcome), Link: d.LinkID, Claim: d.Claim, ByName: d.ByName, Posted: slices.Contains([]string{decisionPosted, decisionTold, decisionTest, decisionKept}, d.State)}
	_, err = tx.RevocationOf(ctx, caseID)
	out.Revoked = err == nil
	if errors.Is(err, store.ErrNotFound) {
		err = nil
	}
	return out, err
}

// movers resolves everybody in a ticket's history and approvals to a person: by account at this desk, or by the mail
// address the desk shows.
func (g *Gateway) movers(ctx context.Context, tx *store.Tx, desk string, s connectors.Snapshot, groups groupsOf) (map[string]judge.Mover, error) {
	movers := map[string]judge.Mover{}
	for _, by := range actors(s) {
		person, err := g.person(ctx, tx, desk, by.Person)
		if err != nil {
			return nil, err
		}
		movers[by.Account] = judge.Mover{Person: person, Groups: groups[by.Account]}
	}
	return movers, nil
}

// actors lists everybody who did something to a ticket, each once.
func actors(s connectors.Snapshot) []connectors.Account {
	var out []connectors.Account
	seen := map[string]bool{"": true}
	add := func(by connectors.Account) {
		if !seen[by.Account] {
			seen[by.Account] = true
			out = append(out, by)
		}
	}
	for _, step := range s.History {
		add(step.By)
	}
	for _, a := range s.Approvals {
		add(a.By)
	}
	return out
}

// groupsOf are the groups a desk reports, by account.
type groupsOf map[string][]string

// groups asks the desks for the groups of everybody a judgement may have to admit, where the policy speaks of groups.
func (g *Gateway) groups(ctx context.Context, conn *connection, link store.Link, s connectors.Snapshot) (groupsOf, error) {
	p, err := g.policyAt(ctx, g.store, link.Policy, link.PolicyVersion)
	if err != nil || p == nil || !p.UsesGroups() {
		return nil, err
	}
	callCtx, cancel := context.WithTimeout(ctx, conn.doc.Delivery.Timeout)
	defer cancel()
	groups := groupsOf{}
	if directory, ok := connectors.AsDirectory(conn.connector); ok {
		for _, by := range actors(s) {
			if by.Ours || by.Automation {
				continue
			}
			if groups[by.Account], err = directory.Groups(callCtx, by.Account); err != nil {
				return nil, fmt.Errorf("read groups of a mover: %w", err)
			}
		}
	}
	return groups, nil
}

// others reads the other tickets of the case on which somebody answered: what was said there may have been taken back
// since, or the ticket edited. Where noes add up, all of them are read: a no that was not heard yet takes back a yes.
func (g *Gateway) others(ctx context.Context, link store.Link) (o others, err error) {
	votes, err := g.store.VotesOfCase(ctx, link.CaseID)
	if err != nil {
		return o, err
	}
	o.votes = len(votes)
	p, err := g.policyAt(ctx, g.store, link.Policy, link.PolicyVersion)
	if err != nil {
		return o, err
	}
	o.all = p != nil && slices.ContainsFunc(p.Policy().Terms(), func(t mapping.Terms) bool { return t.DenyByQuorum })
	links, err := g.store.LinksOfCase(ctx, link.CaseID)
	if err != nil {
		return o, err
	}
	for _, l := range links {
		if l.ID == link.ID || !o.all && !slices.ContainsFunc(votes, func(v store.Vote) bool { return v.LinkID == l.ID }) {
			continue
		}
		s, ok, err := g.other(ctx, l.ID)
		if err != nil {
			o.missing = elsewhere{fmt.Errorf("read another ticket of the case: %w", err)}
		} else if ok {
			o.sheets = append(o.sheets, s)
		}
	}
	return o, nil
}

// elsewhere is a fault of another desk than the one whose ticket is judged.
type elsewhere struct{ error }

// other reads one of them; ok is false where nothing that was said there can be looked at any more.
func (g *Gateway) other(ctx context.Context, linkID string) (s sheet, ok bool, err error) {
	if s.link, err = g.store.Link(ctx, linkID); err != nil {
		return s, false, err
	}
	s.conn = g.catalogue().connections[s.link.Desk]
	if s.link.State != linkLinked || s.conn == nil || s.conn.connector == nil {
		return s, false, nil
	}
	callCtx, cancel := context.WithTimeout(ctx, s.conn.doc.Delivery.Timeout)
	defer cancel()
	s.ticket, err = g.read(callCtx, s.conn, s.link)
	if errors.Is(err, connectors.ErrNotFound) {
		return s, false, nil
	}
	if err == nil {
		s.groups, err = g.groups(ctx, s.conn, s.link, s.ticket)
	}
	return s, true, err
}

// person finds who bears an account of a system or, where that proves anything there, a mail address. Two different answers
// are none.
func (g *Gateway) person(ctx context.Context, tx *store.Tx, system string, p connectors.Person) (string, error) {
	var found string
	if c := g.catalogue().connections[system]; c != nil && c.noMail {
		p.Mail = ""
	}
	for _, id := range [][2]string{{system, p.Account}, {systemMail, p.Mail}} {
		if id[1] == "" {
			continue
		}
		name, err := tx.PersonOf(ctx, id[0], id[1])
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return "", err
		}
		if found != "" && name != found {
			return "", nil
		}
		found = name
	}
	return found, nil
}

func (g *Gateway) requester(ctx context.Context, tx *store.Tx, caze store.Case) (person string, aliases []string, err error) {
	var p connectors.Person
	if err := json.Unmarshal([]byte(caze.Requester), &p); err != nil {
		return "", nil, fmt.Errorf("read requester of case %s: %w", caze.ID, err)
	}
	person, err = g.person(ctx, tx, caze.Connection, p)
	return person, []string{p.Account, p.Mail}, err
}
