// Package freshdeskstandin is a stand-in of Freshdesk: tickets and notes of the interface v2, with people who work there.
package freshdeskstandin

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

// New opens a site with a few custom fields.
func New(o Options) *Server {
	o.Service = false
	if len(o.Accounts) == 0 {
		o.Accounts = Accounts()
	}
	if len(o.Fields) == 0 {
		o.Fields = []Field{
			{Name: "cf_drawbridge_key", Type: "text"}, {Name: "cf_department", Type: "text"}, {Name: "cf_details", Type: "paragraph"},
			{Name: "cf_risk", Type: "dropdown", Choices: []string{"low", "high"}}, {Name: "cf_closing_reason", Type: "text", Closing: true},
		}
	}
	return freshworksstandin.New(o)
}
