package gateway

import (
	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/mapping"
	"github.com/drawbridge-itsm/drawbridge/store"
)

// attach owes a ticket the draft's file. It is a delivery of its own, which nothing waits for: one that could not be made
// is born dead.
func (p *plan) attach(in planInput, r *rule, link store.Link, d mapping.Draft) {
	if d.Attach == nil {
		return
	}
	owed := store.Delivery{Purpose: purposeTicket}
	if d.Attach.Fault != "" {
		owed.State, owed.Error = stateDead, d.Attach.Fault
	}
	p.add(in, r, link, owed, attachment(d))
}

// attachment renders a draft's file.
func attachment(d mapping.Draft) connectors.Action {
	a := connectors.Action{Kind: connectors.Attach}
	if d.Attach.Fault == "" {
		a.File = &connectors.File{Name: d.Attach.Name, Type: "text/plain; charset=utf-8", Content: []byte(d.Attach.Content)}
	}
	return a
}

// onlyFile tells whether a draft changes nothing of the ticket itself.
func onlyFile(d mapping.Draft) bool {
	return d.Attach != nil && d.Summary == "" && d.Description == "" && d.Priority == "" && len(d.Labels)+len(d.Fields) == 0
}
