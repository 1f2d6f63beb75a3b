// Package freshservicestandin is a stand-in of Freshservice: tickets, service requests, changes and approvals of the
// interface v2, with people who work there.
package freshservicestandin

import "github.com/drawbridge-itsm/drawbridge/connectors/freshworks/freshworksstandin"

// A site and what it is made of.
type (
	Server  = freshworksstandin.Server
	Options = freshworksstandin.Options
	Account = freshworksstandin.Account
	Field   = freshworksstandin.Field
	Ticket  = freshworksstandin.Ticket
	Note    = freshworksstandin.Note
)

// Bridge is the agent Drawbridge works as, and Key that agent's key.
const (
	Bridge = 8
	Key    = "key-of-the-bridge"
)

// Accounts are the agents of the site where options name none.
func Accounts() []Account {
	return []Account{
		{ID: Bridge, Name: "Drawbridge", Mail: "bridge@corp.example", Key: Key},
		{ID: 11, Name: "Kim Okafor", Mail: "kim@corp.example", Groups: []string{"Security"}},
		{ID: 12, Name: "Lee Park", Mail: "lee@corp.example", Groups: []string{"Security", "Network"}},
		{ID: 13, Name: "Max Braun", Mail: "max@corp.example", Groups: []string{"Service Desk"}},
		{ID: 14, Name: "Ana Silva", Mail: "ana@corp.example"},
	}
}

// New opens a site with a few custom fields and the catalog item 12.
func New(o Options) *Server {
	o.Service = true
	if len(o.Accounts) == 0 {
		o.Accounts = Accounts()
	}
	if len(o.Fields) == 0 {
		o.Fields = []Field{
			{Name: "drawbridge_key", Type: "text"}, {Name: "department_name", Type: "text"}, {Name: "details", Type: "paragraph"},
			{Name: "risk_level", Type: "dropdown", Choices: []string{"low", "high"}}, {Name: "closing_reason", Type: "text", Closing: true},
		}
	}
	if len(o.Items) == 0 {
		o.Items = []int64{12}
	}
	return freshworksstandin.New(o)
}
