// Package redmine is the desk Redmine, from version 5 on, through its REST interface.
//
// A ticket of ours carries our key in a custom field, where the connection names one, or else in the last line of its
// description. A ticket counts as ours only where the account we work with opened it, and it has a key only where the
// key is still the one it was opened with.
//
// Redmine answers 204 to changes that its workflow or a missing permission kept from happening, and makes a private
// note a public one where the account may not write private ones; so whatever is changed is read back here, and
// permissions are looked up before a note is written. It answers keys it does not know as it answers the public; so
// who we are is asked before anything that is read counts. Read config.go for the settings, call.go for how a call is
// made, and then the file of the capability you look for.
package redmine

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Open checks the settings and builds the connector.
func (c *Config) Open(env connectors.Env) (connectors.Connector, error) {
	settings := c.withDefaults()
	if err := settings.faults(); err != nil {
		return nil, err
	}
	return &connector{
		conf: settings, client: env.Client.With(settings.Auth.auth()), log: env.Log, now: env.Now, allowed: map[int64]permissions{},
	}, nil
}

type connector struct {
	conf   Config
	client *connectors.Client
	log    *slog.Logger
	now    func() time.Time

	mu      sync.Mutex
	allowed map[int64]permissions // by project
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

// MailUnproven says that people change their address on their own account page, and nobody asks whether it is theirs.
func (*connector) MailUnproven() {}

// IndexLag is how long a create whose answer was lost may still be at work: a search reads the tickets themselves.
func (c *connector) IndexLag() time.Duration { return 5 * time.Second }

// needed are the permissions without which the loop does not close, by Redmine's names.
var needed = []string{"view_issues", "add_issues", "edit_issues", "add_issue_notes", "set_notes_private", "view_private_notes"}

// Ping signs in and names what is missing in the configured projects: the project, a permission, or the custom field
// for our key.
func (c *connector) Ping(ctx context.Context) error {
	me, _, err := c.signIn(ctx)
	if err != nil {
		return err
	}
	var faults []string
	for _, name := range c.conf.Projects {
		p, err := c.project(ctx, name)
		if e := connectors.AsError(err); err != nil && (e.Status == http.StatusNotFound || e.Status == http.StatusForbidden) {
			faults = append(faults, "project "+name+": there is none, or the account may not see it")
			continue
		} else if err != nil {
			return err
		}
		if !slices.ContainsFunc(p.Modules, func(m named) bool { return m.Name == "issue_tracking" }) {
			faults = append(faults, "project "+name+": the module issue tracking is off")
		}
		if _, ok := p.field(c.conf.KeyField); c.conf.KeyField != "" && !ok {
			faults = append(faults, "project "+name+": "+c.missingKeyField())
		}
		may, err := c.permissions(ctx, me, p.ID)
		if err != nil {
			return err
		}
		if lacking := may.lacking(needed...); len(lacking) > 0 {
			faults = append(faults, "project "+name+": the account lacks the permissions "+strings.Join(lacking, ", "))
		}
	}
	if len(faults) > 0 {
		return connectors.Permanently("%s", strings.Join(faults, "; "))
	}
	return c.pingFilter(ctx)
}

// pingFilter makes sure that the custom field for our key can be searched by. Redmine leaves out of a search what it
// cannot search by.
func (c *connector) pingFilter(ctx context.Context) error {
	if c.conf.KeyField == "" {
		return nil
	}
	query, err := c.keyQuery(ctx, "none-has-this")
	if err != nil {
		return err
	}
	query.Set("limit", "1")
	list, err := c.issues(ctx, "find issues", query)
	if err == nil && list.Total > 0 {
		err = connectors.Permanently("custom field %q is not set to be used as a filter", c.conf.KeyField)
	}
	return err
}

func (c *connector) missingKeyField() string {
	return "it has no custom field " + strconv.Quote(c.conf.KeyField) + ", or the account may not see it"
}

// signIn asks who we are, and what time it is at Redmine. Redmine itself does not tell the time, the web server before
// it does.
func (c *connector) signIn(ctx context.Context) (user, time.Time, error) {
	var answer struct{ User user }
	header, err := c.call(ctx, connectors.Call{Name: "read own account", Method: http.MethodGet, URL: "users/current.json?include=memberships"}, &answer)
	if err != nil {
		return user{}, time.Time{}, connectors.Unsent(err)
	}
	if answer.User.ID == 0 {
		return user{}, time.Time{}, &connectors.Error{Kind: connectors.Unwell, Err: fmt.Errorf("read own account: Redmine does not say who we are")}
	}
	at, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		at = c.now()
	}
	return answer.User, at.UTC(), nil
}

// permissions are what the account may do in one project.
type permissions struct {
	all   bool
	names []string
	read  time.Time
}

func (p permissions) lacking(names ...string) []string {
	if p.all {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return slices.Contains(p.names, name) })
}

// permissionsAge is how long permissions are trusted.
const permissionsAge = 5 * time.Minute

// permissions reads what the roles of the account in a project allow.
func (c *connector) permissions(ctx context.Context, me user, project int64) (permissions, error) {
	if me.Admin {
		return permissions{all: true}, nil
	}
	c.mu.Lock()
	known, ok := c.allowed[project]
	c.mu.Unlock()
	if ok && c.now().Sub(known.read) < permissionsAge {
		return known, nil
	}
	may := permissions{read: c.now()}
	for _, m := range me.Memberships {
		if m.Project.ID != project {
			continue
		}
		for _, role := range m.Roles {
			var answer struct {
				Role struct{ Permissions []string }
			}
			if err := c.get(ctx, "read role", fmt.Sprintf("roles/%d.json", role.ID), &answer); err != nil {
				return permissions{}, connectors.Unsent(err)
			}
			may.names = append(may.names, answer.Role.Permissions...)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.allowed[project] = may
	return may, nil
}

// account is somebody as a snapshot names them: by number, which is what a ticket's history has of them.
func (u named) account(me user) connectors.Account {
	if u.ID == 0 {
		return connectors.Account{}
	}
	return connectors.Account{Person: connectors.Person{Account: strconv.FormatInt(u.ID, 10), Name: u.Name}, Ours: u.ID == me.ID}
}

// ref points at a ticket, with its address for people.
func (c *connector) ref(id int64) connectors.Ref {
	text := strconv.FormatInt(id, 10)
	return connectors.Ref{ID: text, Key: "#" + text, URL: c.conf.BaseURL + "/issues/" + text}
}
