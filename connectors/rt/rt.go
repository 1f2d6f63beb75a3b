// Package rt is the desk Request Tracker, from version 5 on, through its REST 2.0 interface.
//
// A ticket of ours carries our key in a custom field, which an admin adds once (DeskScript does it). A ticket counts
// as ours only where the account we work with created it, which Request Tracker lets nobody change, and it has a key
// only where nobody touched that field since.
//
// Request Tracker answers 200 to changes it refused, with the reason among the messages: whatever is changed is read
// back here. Tickets are changed under If-Match, so that a move never runs over one that a person just made. Read
// config.go for the settings, call.go for how a call is made, and then the file of the capability you look for.
package rt

import (
	"log/slog"
	"strings"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Open checks the settings and builds the connector.
func (c *Config) Open(env connectors.Env) (connectors.Connector, error) {
	settings := c.withDefaults()
	if err := settings.faults(); err != nil {
		return nil, err
	}
	return &connector{conf: settings, client: env.Client.With(settings.auth()), log: env.Log, now: env.Now}, nil
}

type connector struct {
	conf   Config
	client *connectors.Client
	log    *slog.Logger
	now    func() time.Time
}

var (
	_ connectors.Creator      = (*connector)(nil)
	_ connectors.Finder       = (*connector)(nil)
	_ connectors.Updater      = (*connector)(nil)
	_ connectors.Commenter    = (*connector)(nil)
	_ connectors.Transitioner = (*connector)(nil)
	_ connectors.Attacher     = (*connector)(nil)
	_ connectors.Fetcher      = (*connector)(nil)
	_ connectors.Watcher      = (*connector)(nil)
	_ connectors.Describer    = (*connector)(nil)
	_ connectors.Receiver     = (*connector)(nil)
	_ connectors.Directory    = (*connector)(nil)
	_ connectors.Unproven     = (*connector)(nil)
	_ connectors.Signer       = (*connector)(nil)
	_ connectors.Lagger       = (*connector)(nil)
	_ connectors.Exampler     = (*Config)(nil)
	_ connectors.Scripter     = (*Config)(nil)
)

// MailUnproven says that people with the right ModifySelf change their own address, and nobody asks whether it is theirs.
func (*connector) MailUnproven() {}

// IndexLag is how long a create whose answer was lost may still be at work: a search reads the tickets themselves.
func (c *connector) IndexLag() time.Duration { return 5 * time.Second }

// ours tells whether somebody is the account we work with. Request Tracker's logins do not differ by case alone.
func (c *connector) ours(u named) bool {
	return u.ID != "" && strings.EqualFold(string(u.ID), c.conf.User)
}

// account is somebody as a snapshot names them. Request Tracker itself acts under a name of its own.
func (c *connector) account(u named) connectors.Account {
	return connectors.Account{
		Person:     connectors.Person{Account: string(u.ID), Name: u.RealName, Mail: u.Mail},
		Ours:       c.ours(u),
		Automation: string(u.ID) == systemUser,
	}
}

const systemUser = "RT_System"

// ref points at a ticket, with its address for people.
func (c *connector) ref(id string) connectors.Ref {
	return connectors.Ref{ID: id, Key: "#" + id, URL: c.conf.BaseURL + "/Ticket/Display.html?id=" + id}
}
