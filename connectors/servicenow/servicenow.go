// Package servicenow is the desk ServiceNow, through its Table API: any table that extends task.
//
// A ticket of ours carries our key in correlation_id. It counts as ours only where the account we work with created it,
// and it has a key only where the key is still the one it was created with.
//
// ServiceNow ignores the parts of a search it does not understand, so every row is compared with what was asked for. It
// leaves out fields it does not know or that the account may not write, and cuts texts, all without a word; so what comes
// back is compared with what was sent. Who did what is read from sys_audit, what people wrote from sys_journal_field, and
// approvals from sysapproval_approver. Read config.go for the settings, call.go for how a call is made, and then the file
// of the capability you look for.
package servicenow

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
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
		conf: settings, client: env.Client.With(settings.auth()), log: env.Log, now: env.Now,
		choices: map[string]cached[[]choice]{}, columns: map[string]cached[[]column]{},
	}, nil
}

type connector struct {
	conf   Config
	client *connectors.Client
	log    *slog.Logger
	now    func() time.Time

	mu      sync.Mutex
	choices map[string]cached[[]choice] // by table
	columns map[string]cached[[]column]
}

// cached is what was read at the instance, and when.
type cached[T any] struct {
	value T
	read  time.Time
}

// cacheAge is how long what admins configure at the instance is trusted.
const cacheAge = 5 * time.Minute

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
	_ connectors.Signer       = (*connector)(nil)
	_ connectors.Lagger       = (*connector)(nil)
	_ connectors.Marker       = (*connector)(nil)
	_ connectors.Exampler     = (*Config)(nil)
	_ connectors.Scripter     = (*Config)(nil)
)

// IndexLag is how long a create whose answer was lost may still be at work: a search reads the records themselves.
func (c *connector) IndexLag() time.Duration { return c.conf.IndexLag }

// Unverified lists what rests on no documented fact.
func (c *connector) Unverified() []string {
	return []string{
		"nothing here was tried against a real instance",
		"a search by correlation_id reads the database, so a new ticket is found at once",
		"sys_mod_count grows with every change of a record, so it tells changes apart",
		"sys_created_by names the User ID of the account that made a record, and nobody else can set it",
		"sys_audit names people by User ID, and record_checkpoint orders what happened within a second",
		"names of states and priorities stand in sys_choice in English, texts' lengths in sys_dictionary",
		"the files of a record stand in sys_attachment, the groups of a person in sys_user_grmember",
		"accounts with web_service_access_only or internal_integration_user, and the users system and guest, are automations",
		"searches walk from an approval to its ticket, whose table is in sys_class_name, and X-Total-Count or Link tells whether rows follow",
		"times in a search are read in the account's time zone, which is therefore looked at each time and must be GMT",
		"the desk script's signature, made with CertificateEncryption",
	}
}

// needed are the tables the account must be able to read besides those of tickets, and what for.
var needed = []struct{ table, of, purpose string }{ // of: the column that names the ticket's table
	{"sys_audit", "tablename", "the history of tickets"},
	{"sys_journal_field", "name", "comments and work notes"},
	{approvalTable, "", "approvals"},
	{"sys_user", "", "people"},
	{"sys_user_grmember", "", "groups of people"},
	{"sys_user_group", "", "groups"},
	{"sys_choice", "name", "names of states"},
	{"sys_dictionary", "name", "fields and their lengths"},
	{"sys_attachment", "table_name", "files of tickets"},
}

// Ping signs in and names what is missing: a table the account may not read, auditing that is off, a time zone that is
// not GMT. Whether the account may write tickets is seen only when it does.
func (c *connector) Ping(ctx context.Context) error {
	faults, err := c.pingAccount(ctx)
	if err != nil {
		return err
	}
	probe := func(table, of, purpose string) error {
		l := listing{name: "read " + table, table: table, fields: []string{sysID}}
		if of != "" {
			l.where = []condition{in(of, append(slices.Clone(c.conf.Tables), base))}
		}
		rows, _, hidden, err := c.page(ctx, l, 0, 20)
		switch e := connectors.AsError(err); {
		case err == nil && hidden && len(rows) == 0:
			faults = append(faults, fmt.Sprintf("table %s: access rules hide its records from the account, and %s with them", table, purpose))
		case err == nil:
		case e.Status == http.StatusForbidden || e.Status == http.StatusNotFound || e.Status == http.StatusBadRequest:
			faults = append(faults, fmt.Sprintf("table %s: the account may not read it, or there is none; it holds %s", table, purpose))
		default:
			return err
		}
		return nil
	}
	for _, one := range needed {
		if err := probe(one.table, one.of, one.purpose); err != nil {
			return err
		}
	}
	unaudited, err := c.pingAudit(ctx, approvalTable)
	if err != nil {
		return err
	}
	faults = append(faults, unaudited...)
	for _, table := range c.conf.Tables {
		before := len(faults)
		if err := probe(table, "", "tickets"); err != nil {
			return err
		}
		if len(faults) > before {
			continue
		}
		found, err := c.pingTable(ctx, table)
		if err != nil {
			return err
		}
		faults = append(faults, found...)
	}
	if len(faults) > 0 {
		return connectors.Permanently("%s", strings.Join(faults, "; "))
	}
	return nil
}

// pingAccount looks at our own account and whose the credentials are.
func (c *connector) pingAccount(ctx context.Context) (faults []string, err error) {
	if _, err := c.clock(ctx); err != nil {
		if zone, ok := errors.AsType[*wrongZone](err); ok {
			faults = append(faults, zone.Error())
		} else {
			return nil, err
		}
	}
	// The one search whose value is a script: it is ours, and the only way to be told who we are.
	values := asked(sysID, "user_name")
	values.Set("sysparm_query", "sys_id=javascript:gs.getUserID()")
	values.Set("sysparm_limit", "2")
	var rows []record
	call := connectors.Call{Name: "read own account (table sys_user)", Method: http.MethodGet, URL: tableAPI + "sys_user?" + values.Encode()}
	if _, err := c.call(ctx, call, &rows); err != nil {
		return nil, err
	}
	// Where scripts are not run the search finds nobody, or everybody.
	if len(rows) == 1 && !strings.EqualFold(rows[0]["user_name"], c.conf.User) {
		faults = append(faults, fmt.Sprintf("the credentials are those of %q and not of user %q", connectors.Clean(rows[0]["user_name"], 100), c.conf.User))
	}
	return faults, nil
}

// pingAudit makes sure that changes of a table are recorded.
func (c *connector) pingAudit(ctx context.Context, table string) ([]string, error) {
	columns, err := c.columnsOf(ctx, table)
	if refusedRead(err) {
		return nil, nil // told already
	}
	for _, one := range columns {
		if one.name == "" && one.table == table && one.audit == "false" {
			return []string{"table " + table + ": auditing is off in its dictionary record, so nobody is told who did what"}, nil
		}
	}
	return nil, err
}

// pingTable looks at how one table is set up.
func (c *connector) pingTable(ctx context.Context, table string) (faults []string, err error) {
	if faults, err = c.pingAudit(ctx, table); err != nil {
		return nil, err
	}
	states, err := c.choicesOf(ctx, table, stateField)
	if refusedRead(err) {
		return faults, nil
	}
	if err == nil && len(states) == 0 {
		faults = append(faults, "table "+table+": its field state has no choices the account can see; write them under states")
	}
	return faults, err
}

// refusedRead tells whether the account may not read something.
func refusedRead(err error) bool {
	return err != nil && connectors.AsError(err).Status == http.StatusForbidden
}

// wrongZone is what makes times in a search be read wrongly.
type wrongZone struct{ user string }

func (w *wrongZone) Error() string {
	return fmt.Sprintf("user %s must have the time zone GMT and the date format yyyy-MM-dd HH:mm:ss, or searches by time go wrong", w.user)
}

// clock is the time at the instance, ours where it does not tell. It reads our own account both ways: where a time is
// shown otherwise than it is kept, times in a search would be read otherwise, too.
func (c *connector) clock(ctx context.Context) (time.Time, error) {
	text, err := query([]condition{is("user_name", c.conf.User)})
	if err != nil {
		return time.Time{}, err
	}
	values := asked("user_name", sysCreated)
	values.Set("sysparm_display_value", "all")
	values.Set("sysparm_query", text)
	values.Set("sysparm_limit", "2")
	var rows []map[string]struct {
		Value string `json:"value"`
		Shown string `json:"display_value"`
	}
	call := connectors.Call{Name: "read own account (table sys_user)", Method: http.MethodGet, URL: tableAPI + "sys_user?" + values.Encode()}
	header, err := c.call(ctx, call, &rows)
	if err != nil {
		return time.Time{}, err
	}
	if len(rows) != 1 || !strings.EqualFold(rows[0]["user_name"].Value, c.conf.User) {
		return time.Time{}, connectors.Permanently("read own account: there is no user %q, or the account may not read the table sys_user", c.conf.User)
	}
	if made := rows[0][sysCreated]; made.Value == "" || made.Value != made.Shown {
		return time.Time{}, &connectors.Error{Kind: connectors.Unwell, Err: &wrongZone{c.conf.User}}
	}
	if at, err := http.ParseTime(header.Get("Date")); err == nil {
		return at.UTC(), nil
	}
	return c.now().UTC(), nil
}
