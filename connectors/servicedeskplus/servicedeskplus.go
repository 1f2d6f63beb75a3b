// Package servicedeskplus is the desk ManageEngine ServiceDesk Plus, at the cloud and as an installation of one's own,
// through version 3 of its interface.
//
// A request of ours carries our key in an additional field, where the connection names one, or else at the end of its
// subject, and counts as ours only where the account we work with created it. Decisions are read from the desk's own
// approvals: request, levels and what each approver answered. The interface documents no history of a request, so who
// changed a status cannot be told unless an operator names a call that does; until then a status move decides nothing.
//
// ServiceDesk Plus takes all input as JSON in one form field and says in every answer, beside the HTTP status, how the
// call went; both must be good. What an instance may call differently is a setting, listed by Unverified. Read
// config.go for the settings, call.go for how a call is made, and then the file of the capability you look for.
package servicedeskplus

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
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
	return &connector{conf: settings, client: env.Client.With(settings.Auth.auth()), log: env.Log, now: env.Now}, nil
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
	_ connectors.Reticent     = (*connector)(nil)
	_ connectors.Signer       = (*connector)(nil)
	_ connectors.Lagger       = (*connector)(nil)
	_ connectors.Marker       = (*connector)(nil)
	_ connectors.Exampler     = (*Config)(nil)
	_ connectors.Scripter     = (*Config)(nil)
)

// IndexLag is how long a search may miss a new request: no lag is documented, and none is ruled out.
func (c *connector) IndexLag() time.Duration { return 5 * time.Second }

// Ping signs in and names what is missing: the right to read, create or edit requests, or the field for our key. The
// rights to write are tried with calls that must be refused for another reason, so that nothing is ever made.
func (c *connector) Ping(ctx context.Context) error {
	err := c.pingSearch(ctx)
	if err != nil && !forbidden(err) {
		return err
	}
	var lacking []string
	if err != nil {
		lacking = append(lacking, c.right("READ", "view requests"))
	}
	for _, probe := range []struct {
		name, method, path, right string
	}{
		{"try to create a request", http.MethodPost, "requests", c.right("CREATE", "create requests")},
		{"try to edit a request", http.MethodPut, "requests/0", c.right("UPDATE", "edit requests")},
	} {
		_, err := c.call(ctx, probe.name, probe.method, probe.path, input{"request": map[string]any{"subject": "", "template": map[string]any{"id": "0"}}}, nil)
		switch e := connectors.AsError(err); {
		case err == nil:
			return connectors.Permanently("%s: the desk took a request without a subject; look for one and delete it", probe.name)
		case forbidden(err):
			lacking = append(lacking, probe.right)
		case e.Kind != connectors.Permanent:
			return err
		}
	}
	if len(lacking) > 0 {
		return connectors.Permanently("the account may not do all that is needed; it lacks: %s", strings.Join(lacking, ", "))
	}
	return nil
}

// right names a permission as an admin of the edition knows it.
func (c *connector) right(scope, role string) string {
	if c.conf.Edition == cloud {
		return "scope SDPOnDemand.requests." + scope + " (or the role's right to " + role + ")"
	}
	return "the role's right to " + role
}

// pingSearch makes sure that a search by our key is carried out: the desk may ignore a field it does not know.
func (c *connector) pingSearch(ctx context.Context) error {
	rows, err := c.list(ctx, listing{name: "search requests", fields: rowFields, criteria: c.byKey("none-has-this"), sort: "created_time", rows: 1})
	if err != nil {
		return err
	}
	if len(rows.Requests) > 0 && c.written(rows.Requests[0]) != "none-has-this" {
		return c.ignored()
	}
	return nil
}

// Attributed says that an approval is its approvers', and everything else anybody's while no history tells more.
func (c *connector) Attributed() (parts []string, all bool) {
	return []string{"ticket.fields.approval_status"}, c.conf.History != ""
}

// Unverified lists what rests on no fact documented by the vendor.
func (c *connector) Unverified() []string {
	out := []string{
		"approvals: the names " + strings.Join(c.conf.ApprovalStatuses.Approved, ", ") + " and " + strings.Join(c.conf.ApprovalStatuses.Denied, ", ") +
			" are taken for approved and denied (approval_statuses); any other name means pending",
		"approvals: when somebody answered is read from action_taken_on; without it an answer has no time, and a policy with hours or a deadline refuses it",
		"approvals: whether an answer moves a request's last_updated_time is not documented, so open requests are asked for as well, by a search for their ids",
		"created_by is taken to be the account whose credentials created the request; a create fails where it is not",
		"notes are read by GET to recognise our own; attachments by the names id, name, size, attached_by and attached_on",
		"merged requests: how one that was merged into another is shown; it is followed by its own id, where answers on the other do not count, and is gone once it is in the trash or not found",
		"ping tells a missing right by how calls are refused that cannot succeed",
		"describe asks for statuses and priorities by these names",
		"the search spells comparisons in the " + c.conf.SearchWords + " way (search_words), notes are sent as " + c.conf.NoteWrapper + " (note_wrapper)",
		"request addresses for people look like " + c.conf.TicketURL + " (ticket_url)",
		"the statuses " + strings.Join(c.conf.Closed, ", ") + " are reached by the close call (closed)",
		"inbound: which variables a notice can carry differs by edition; a notice needs the request's long id",
	}
	if c.conf.BackupAnswers == byNobody {
		out = append(out, "approvals: who answered for an approver who was away is not documented clearly; such answers do not decide (backup_answers)")
	} else {
		out = append(out, "approvals: where a backup answered, the "+c.conf.BackupAnswers+" is taken for who did (backup_answers)")
	}
	if c.conf.KeyField != "" {
		out = append(out, "our key is searched for as udf_fields."+c.conf.KeyField+"; ping makes sure that the search is not ignored")
	}
	if c.conf.History == "" {
		out = append(out, "no call for a request's history is documented: status moves decide nothing, and an edit made and taken back between two readings is not seen (history)")
	} else {
		out = append(out, "the history is read from the undocumented call "+c.conf.History+" in a shape that was seen nowhere officially (history)")
	}
	if c.conf.Edition == onprem {
		out = append(out, "files are attached by the call "+c.conf.Uploads+" (uploads) and answers asked for as "+c.conf.Accept+" (accept), which differ by build")
	}
	return out
}

// is tells whether somebody is the account that the settings name by mail address or id.
func (u *user) is(account string) bool {
	if u == nil {
		return false
	}
	if digitsOnly.MatchString(account) {
		return string(u.ID) == account
	}
	return u.Mail != "" && strings.EqualFold(u.Mail, account)
}

// account is somebody as a snapshot names them: by id, and by mail address where there is none.
func (c *connector) account(u *user) connectors.Account {
	if u == nil {
		return connectors.Account{}
	}
	out := connectors.Account{
		Person: connectors.Person{Account: cmp.Or(string(u.ID), u.Mail), Name: u.Name, Mail: u.Mail}, Ours: u.is(c.conf.Account),
	}
	for _, one := range c.conf.Automations {
		out.Automation = out.Automation || u.is(one)
	}
	return out
}

// ref points at a request. People know it by its display id, which installations of one's own may leave out.
func (c *connector) ref(id, display string) connectors.Ref {
	return connectors.Ref{ID: id, Key: "#" + cmp.Or(display, id), URL: strings.ReplaceAll(c.conf.TicketURL, "{id}", id)}
}
