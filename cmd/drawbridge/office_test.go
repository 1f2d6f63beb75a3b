package main

import (
	"fmt"
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
	t     *testing.T
	d     desk
	clock *virtual // the bridge's, where a test sets it
}

// openOffice publishes the documents of a desk.
func openOffice(t *testing.T, c *check, d desk) *office {
	t.Helper()
	docs := d.documents
	if docs == nil {
		docs = documented(t, d.name)
	}
	watch := "watch: {every: 1s}"
	switch {
	case d.quiet:
		watch = "watch: {every: -1s}"
	case d.hooked:
		watch = "watch: {every: 1h}"
	}
	docs = slices.Clone(docs)
	for i, text := range docs {
		text = d.settings.Replace(text)
		if strings.HasPrefix(text, "kind: Connection") {
			text, _, _ = strings.Cut(text, "watch:")
			text += watch + "\ndelivery: {timeout: 20s, first: 200ms}\noutbound: {allow_hosts: [127.0.0.1]}\n"
		}
		docs[i] = text
	}
	people := c.published(t, "People", "staff")
	for _, login := range []string{"ana", "kim", "lee", "max"} {
		if listed := d.listed(login); listed != "" {
			people = strings.Replace(people, "jira: [acc-"+login+"]", "jira: [acc-"+login+"], "+listed, 1)
		}
	}
	c.apply(t, append(docs, people)...)
	return &office{check: c, t: t, d: d}
}

// listed are the accounts of a person at the desk as People documents have them, and those of others besides.
func (d desk) listed(login string, besides ...string) string {
	var accounts []string
	for _, who := range append(map[string][]string{"ana": {"ana", "alias"}, "kim": {"kim", "second"}, "lee": {"lee"}, "max": {"max", "shared"}}[login], besides...) {
		if d.can(who) == "" {
			accounts = append(accounts, fmt.Sprintf("%q", d.accounts(who)))
		}
	}
	if len(accounts) == 0 {
		return ""
	}
	return fmt.Sprintf("%s: [%s]", d.name, strings.Join(accounts, ", "))
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
