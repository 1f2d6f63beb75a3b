package pagerduty

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Fetch reads an incident with its whole log, its notes and its custom fields. An incident that was merged into another is
// not found. They take several calls; an incident whose log does not lead to the status it has is read once more.
func (c *connector) Fetch(ctx context.Context, ref connectors.Ref) (connectors.Snapshot, error) {
	id, err := handle(ref)
	if err != nil {
		return connectors.Snapshot{}, err
	}
	me, err := c.account(ctx)
	if err != nil {
		return connectors.Snapshot{}, connectors.Beside(err)
	}
	var whole evidence
	for range 2 {
		if whole, err = c.evidence(ctx, id); err != nil {
			return connectors.Snapshot{}, err
		}
		if end(whole.log) == whole.incident.Status {
			break
		}
	}
	i := whole.incident
	if i.mergedAway() {
		return connectors.Snapshot{}, connectors.Permanently("read incident: it was merged into another: %w", connectors.ErrNotFound)
	}
	people, err := c.people(ctx, whole)
	if err != nil {
		return connectors.Snapshot{}, connectors.Beside(err)
	}
	who := naming{me: me, people: people, conf: c.conf}
	out := connectors.Snapshot{
		Ref: i.ref(), Status: i.Status, Category: i.Status, Summary: i.Title, Fields: whole.fields(), Created: i.Created.UTC(), Updated: i.Updated.UTC(),
	}
	if i.Priority != nil {
		out.Priority = i.Priority.Name
	}
	first := whole.log[0]
	out.Creator = who.account(first.Agent)
	out.Ours = me.did(first)
	if out.Ours && connectors.KeyFault(i.Key) == nil {
		out.Key = i.Key
	}
	answers, answer, reason := connectors.Words(c.conf.Answers).Steps(whole.said(who))
	out.Fields[connectors.AnswerField], out.Fields[connectors.AnswerReason] = answer, reason
	// Entries bear whole seconds and are in their order, notes are not: an edit of the second of an answer came after it.
	out.History = append(answers, steps(whole.log, who)...)
	slices.SortStableFunc(out.History, func(a, b connectors.Step) int { return a.At.Truncate(time.Second).Compare(b.At.Truncate(time.Second)) })
	return out, nil
}

// evidence is an incident with everything that was done on it.
type evidence struct {
	incident incident
	log      []entry // oldest first; the first one opened the incident
	notes    []note
	values   []fieldValue
}

func (c *connector) evidence(ctx context.Context, id string) (evidence, error) {
	var out evidence
	var err error
	if out.incident, err = c.incident(ctx, id); err != nil {
		return evidence{}, err
	}
	if out.log, err = c.logOf(ctx, id); err != nil {
		return evidence{}, err
	}
	if out.notes, err = c.notes(ctx, id); err != nil {
		return evidence{}, err
	}
	if c.conf.NoCustomFields {
		return out, nil
	}
	var answer struct {
		Fields []fieldValue `json:"custom_fields"`
	}
	if _, err := c.read(ctx, "read custom fields", "incidents/"+id+"/custom_fields/values", &answer); err != nil {
		return evidence{}, connectors.Beside(err)
	}
	if answer.Fields == nil {
		return evidence{}, connectors.Temporarily("read custom fields: the answer is no list")
	}
	out.values = answer.Fields
	return out, nil
}

// logOf reads an incident's whole log, oldest first.
func (c *connector) logOf(ctx context.Context, id string) ([]entry, error) {
	var out []entry
	seen := map[string]bool{}
	err := list(ctx, c, "read log", "incidents/"+id+"/log_entries?include[]=channels", "log_entries", func(e entry) error {
		if e.ID == "" || e.Created.IsZero() {
			return connectors.Temporarily("read log: an entry has no id or time")
		}
		if !seen[e.ID] { // pages may shift while they are read
			out = append(out, e)
		}
		seen[e.ID] = true
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.Reverse(out) // PagerDuty tells the latest first, and times count in seconds
	slices.SortStableFunc(out, func(a, b entry) int { return a.Created.Compare(b.Created) })
	if at := slices.IndexFunc(out, func(e entry) bool { return e.kind() == "trigger" }); at >= 0 {
		return out[at:], nil
	}
	return nil, connectors.Temporarily("read log: it does not say who opened the incident")
}

// fields are an incident's fields in the form rules compare with: custom ones by name.
func (e evidence) fields() map[string]any {
	out := map[string]any{"urgency": e.incident.Urgency, "service": e.incident.Service.ID, "resolution": resolution(e.log)}
	if e.incident.Policy != nil {
		out["escalation_policy"] = e.incident.Policy.ID
	}
	if e.incident.Kind != nil {
		out["incident_type"] = e.incident.Kind.Name
	}
	for _, v := range e.values {
		if word.MatchString(v.Name) && !slices.Contains(ownFields, v.Name) {
			out[v.Name] = value(v.Value)
		}
	}
	return out
}

// said is everything that may answer: notes that nobody edited, and what people resolved with.
func (e evidence) said(who naming) []connectors.Said {
	var out []connectors.Said
	for _, n := range e.notes {
		if !n.edited() {
			out = append(out, connectors.Said{ID: n.ID, At: n.Created.UTC(), By: who.account(&n.User), Lines: connectors.Lines(n.Content)})
		}
	}
	for _, one := range e.log {
		if one.kind() == "resolve" && one.Note != "" {
			out = append(out, connectors.Said{ID: one.ID, At: one.Created.UTC(), By: who.by(one), Lines: connectors.Lines(one.Note)})
		}
	}
	slices.SortStableFunc(out, func(a, b connectors.Said) int { return a.At.Compare(b.At) })
	return out
}

// people reads everybody whom an incident's log and notes name. Those that PagerDuty no longer shows are left out.
func (c *connector) people(ctx context.Context, e evidence) (map[string]user, error) {
	out := map[string]user{}
	add := func(r *reference) error {
		if !r.isUser() {
			return nil
		}
		if _, known := out[r.ID]; known {
			return nil
		}
		u, err := c.user(ctx, r.ID)
		if errors.Is(err, connectors.ErrNotFound) {
			u, err = user{ID: r.ID, Name: r.Summary}, nil
		}
		out[r.ID] = u
		return err
	}
	for _, one := range e.log {
		if changes[one.kind()] {
			if err := add(one.Agent); err != nil {
				return nil, err
			}
		}
	}
	for _, n := range e.notes {
		if err := add(&n.User); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// user reads somebody by id.
func (c *connector) user(ctx context.Context, id string) (user, error) {
	var answer struct{ User user }
	if _, err := c.read(ctx, "read user", "users/"+id+"?include[]=teams", &answer); err != nil {
		return user{}, err
	}
	if answer.User.ID != id {
		return user{}, connectors.Temporarily("read user: the answer is not the user")
	}
	return answer.User, nil
}

// naming tells who somebody is.
type naming struct {
	me     user
	people map[string]user
	conf   Config
}

// account is whom a reference names: a person, or an automation where it leads to none.
func (n naming) account(r *reference) connectors.Account {
	if !r.isUser() {
		out := connectors.Account{Automation: true}
		if r != nil {
			out.Person = connectors.Person{Account: r.ID, Name: r.Summary}
		}
		return out
	}
	u, ok := n.people[r.ID]
	if !ok {
		u = user{ID: r.ID, Name: r.Summary}
	}
	return connectors.Account{Person: u.person(), Ours: r.ID == n.me.ID, Automation: slices.Contains(n.conf.Automation, r.ID)}
}

// by is who did what an entry says. Only what came through a channel that people use themselves is their own doing.
func (n naming) by(e entry) connectors.Account {
	out := n.account(e.Agent)
	out.Automation = out.Automation || !slices.ContainsFunc(n.conf.PeopleVia, func(via string) bool { return strings.EqualFold(via, e.Channel.Type) })
	return out
}
