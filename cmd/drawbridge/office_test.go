package main

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors/epm/epmstandin"
	"github.com/drawbridge-itsm/drawbridge/store"
)

// office is a desk at work: the bridge opens tickets there by the documents of docs/desks.
type office struct {
	*check
	t *testing.T
	d desk
}

// openOffice publishes the documents of a desk.
func openOffice(t *testing.T, c *check, d desk) *office {
	t.Helper()
	docs := slices.Clone(d.docs)
	if docs == nil {
		docs = documented(t, d.name)
	}
	every := "watch: {every: 1s}"
	if d.hooked {
		every = "watch: {every: 1h}"
	}
	for i, text := range docs {
		text = d.settings.Replace(text)
		if strings.HasPrefix(text, "kind: Connection") {
			text, _, _ = strings.Cut(text, "watch:")
			text += every + "\ndelivery: {timeout: 20s, first: 200ms}\noutbound: {allow_hosts: [127.0.0.1]}\n"
		}
		docs[i] = text
	}
	people := c.published(t, "People", "staff")
	for _, login := range []string{"kim", "lee", "max"} {
		people = strings.Replace(people, "jira: [acc-"+login+"]", fmt.Sprintf("jira: [acc-%s], %s: [%q]", login, d.name, d.accounts(login)), 1)
	}
	c.apply(t, append(docs, people)...)
	return &office{check: c, t: t, d: d}
}

func (o *office) patiently(f func() error) error {
	return o.check.patiently(func() error {
		if o.d.flush != nil {
			if err := o.d.flush(o.ctx); err != nil {
				return err
			}
		}
		return f()
	})
}

// ask makes a request at EPM and waits for its ticket.
func (o *office) ask(r epmstandin.AppRequest) (id, ticket string) {
	o.t.Helper()
	id = o.epm.RequestApplication(r)
	must(o.t, o.patiently(func() error {
		view, err := o.caseOf(id)
		if err != nil {
			return err
		}
		if len(view.Tickets) != 1 || view.Tickets[0].ID == "" {
			return fmt.Errorf("request %s has tickets %+v", id, view.Tickets)
		}
		ticket = strings.TrimPrefix(view.Tickets[0].Ticket, "#")
		return nil
	}))
	return id, ticket
}

func (o *office) says(ticket, words string) error {
	if !strings.Contains(o.d.comments(o.t, ticket), words) {
		return fmt.Errorf("nothing on ticket %s says %q", ticket, words)
	}
	return nil
}

// told waits until EPM was told a decision, and the ticket that EPM took it.
func (o *office) told(id, ticket, decision string) {
	o.t.Helper()
	must(o.t, o.patiently(func() error {
		told := o.epm.Decisions(id)
		if len(told) != 1 || told[0].Decision != decision {
			return fmt.Errorf("EPM was told %+v, want %s once", told, decision)
		}
		return o.says(ticket, "accepted by epm")
	}))
}

// read has the tickets of a request read again, and more by id, and waits until nothing is left to do.
func (o *office) read(request string, more ...string) {
	o.t.Helper()
	view, err := o.caseOf(request)
	must(o.t, err)
	for _, ticket := range view.Tickets {
		more = append(more, ticket.ID)
	}
	must(o.t, o.store.InTx(o.ctx, func(tx *store.Tx) error {
		for _, id := range more {
			if err := tx.AddChange(o.ctx, store.Change{Connection: o.d.name, RefID: id, RefKey: id, Due: time.Now()}); err != nil {
				return err
			}
		}
		return nil
	}))
	must(o.t, o.patiently(o.quietNow))
}

// quietNow tells whether something is still under way.
func (o *office) quietNow() error {
	var n int
	err := o.store.DB().QueryRowContext(o.ctx, `SELECT (SELECT COUNT(*) FROM deliveries WHERE state IN ('pending', 'running'))
		+ (SELECT COUNT(*) FROM events WHERE state = 'accepted') + (SELECT COUNT(*) FROM changes)`).Scan(&n)
	if err == nil && n > 0 {
		err = fmt.Errorf("%d things are under way", n)
	}
	return err
}

// attacks tries to have a decision posted that nobody with the right made. What a desk cannot do is left out.
func (o *office) attacks() {
	t := o.t
	t.Helper()
	try := func(name string, can bool, attack func(id, ticket string) (alsoRead []string)) {
		t.Helper()
		if !can {
			return
		}
		id, ticket := o.ask(anaAsksForATool)
		o.read(id, attack(id, ticket)...)
		if err := o.silent(id); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, who := range append([]string{"max"}, o.d.others...) {
		try(who+" approves", true, func(id, ticket string) []string {
			o.d.move(t, who, ticket, o.d.approved)
			return nil
		})
	}
	id, ticket := o.ask(epmstandin.AppRequest{User: `CORP\lee`, ProductName: "Tool"})
	o.d.move(t, "lee", ticket, o.d.approved)
	o.read(id)
	if err := o.silent(id); err != nil {
		t.Errorf("lee approves what lee asks for: %v", err)
	}
	try("an approver says so in a comment", o.d.note != nil, func(id, ticket string) []string {
		o.d.note(t, "kim", ticket, "status: "+o.d.approved+". Approved by Kim.")
		return nil
	})
	try("somebody edits the ticket, then an approver who saw the edit approves", o.d.edit != nil, func(id, ticket string) []string {
		o.read(id) // what it says is known by now
		o.d.edit(t, "max", ticket)
		o.d.move(t, "kim", ticket, o.d.approved)
		return nil
	})
	try("an approver approves a clone", o.d.clone != nil, func(id, ticket string) []string {
		clone := o.d.clone(t, "kim", ticket)
		o.d.move(t, "kim", clone, o.d.approved)
		return []string{clone}
	})
	try("the approver is nobody's account any more", true, func(id, ticket string) []string {
		from := fmt.Sprintf("%s: [%q]", o.d.name, o.d.accounts("kim"))
		o.check.edit(t, "People", "staff", from, fmt.Sprintf("%s: [%q]", o.d.name, "was-kim"))
		o.d.move(t, "kim", ticket, o.d.approved)
		o.read(id)
		return nil
	})
	o.check.edit(t, "People", "staff", fmt.Sprintf("%s: [%q]", o.d.name, "was-kim"), fmt.Sprintf("%s: [%q]", o.d.name, o.d.accounts("kim")))
	try("the keys of two tickets are swapped, and one is approved", o.d.swap != nil, func(id, ticket string) []string {
		_, other := o.ask(anaAsksForATool)
		o.d.swap(t, ticket, other)
		o.d.move(t, "kim", ticket, o.d.approved)
		o.d.move(t, "kim", other, o.d.approved)
		return nil
	})
	try("the ticket is deleted", o.d.remove != nil, func(id, ticket string) []string {
		o.d.remove(t, "kim", ticket)
		return nil
	})
	try("a forged notice", o.d.forge != nil, func(id, ticket string) []string {
		body, header := o.d.forge(t, ticket)
		status, _, _ := o.send1(t, "/in/"+o.d.name, body, "application/json", func(r *http.Request) {
			if name, value, ok := strings.Cut(header, ": "); ok {
				r.Header.Set(name, value)
			}
		})
		if status != http.StatusUnauthorized {
			t.Errorf("a forged notice is answered %d", status)
		}
		return nil
	})
	o.check.edit(t, "Policy", "endpoint-approvers", "  people: [kim, lee]\n", "  people: [kim, lee]\nquorum: 2\n")
	try("one of two approves, and is read twice", true, func(id, ticket string) []string {
		o.d.move(t, "kim", ticket, o.d.approved)
		o.read(id)
		return nil
	})
	o.check.edit(t, "Policy", "endpoint-approvers", "quorum: 2\n", "")

	// Who may still can.
	id, ticket = o.ask(anaAsksForATool)
	o.d.move(t, "kim", ticket, o.d.approved)
	o.told(id, ticket, "Approved")
}
