package freshservice

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/freshworks"
)

// Ping makes sure that we are who we should be, and names what is missing: a workspace, a field or a permission.
func (c *connector) Ping(ctx context.Context) error {
	me, _, err := c.agent(ctx, c.conf.Account)
	if err != nil {
		return err
	}
	var faults []string
	if !me.Active {
		faults = append(faults, "the agent "+c.conf.Account+" is not active")
	}
	look := func(words, name, path, wrapper string) error {
		var out any
		err := c.desk.Get(ctx, name, path, wrapper, &out)
		if freshworks.Forbidden(err) {
			faults = append(faults, words)
			return nil
		}
		return err
	}
	try := func(words, method, path string) error {
		ok, err := c.desk.Probe(ctx, "try "+words, method, path)
		if err == nil && !ok {
			faults = append(faults, "the account lacks the permission to "+words)
		}
		return err
	}
	kinds := []struct{ one, path, fields, all string }{{"tickets", "tickets", tickets.Fields, tickets.AllFields}}
	if c.conf.Changes {
		kinds = append(kinds, struct{ one, path, fields, all string }{"changes", "changes", changes.Fields, changes.AllFields})
	}
	for _, k := range kinds {
		for _, more := range c.listings(freshworks.Kind{}) {
			place := ""
			if _, id, ok := strings.Cut(more, "workspace_id="); ok {
				place = " of workspace " + id
			}
			if err := look("the account lacks the permission to view "+k.one+place, "list "+k.one, k.path+"?per_page=1&"+more, k.path); err != nil {
				return err
			}
		}
		if err := look("the account may not read the fields of "+k.one, "read fields", k.fields, k.all); err != nil {
			return err
		}
		for _, one := range []struct{ words, method, path string }{
			{"create " + k.one, http.MethodPost, k.path}, {"edit " + k.one, http.MethodPut, k.path + "/0"}, {"add notes to " + k.one, http.MethodPost, k.path + "/0/notes"},
		} {
			if err := try(one.words, one.method, one.path); err != nil {
				return err
			}
		}
	}
	for _, id := range c.conf.Items {
		if err := look(fmt.Sprintf("there is no catalog item %d, or the account may not see it", id), "read item", fmt.Sprintf("service_catalog/items/%d", id), "service_item"); err != nil {
			return err
		}
	}
	for _, parent := range c.parents() {
		if err := look("the account may not read approvals of "+parent+"s", "list approvals", "approvals?parent="+parent+"&status=requested", "approvals"); err != nil {
			return err
		}
	}
	if fault, err := c.pingChangeKey(ctx); err != nil {
		return err
	} else if fault != "" {
		faults = append(faults, fault)
	}
	if len(faults) > 0 {
		return connectors.Permanently("%s", strings.Join(faults, "; "))
	}
	return nil
}

// parents are the kinds of tickets with approvals.
func (c *connector) parents() []string {
	var out []string
	if len(c.conf.Items) > 0 {
		out = append(out, "ticket")
	}
	if c.conf.Changes {
		out = append(out, "change")
	}
	return out
}

func (c *connector) pingChangeKey(ctx context.Context) (string, error) {
	if !c.conf.Changes {
		return "", nil
	}
	all, err := c.desk.FieldsOf(ctx, changes)
	if freshworks.Forbidden(err) {
		return "", nil // named before
	}
	if err != nil {
		return "", err
	}
	if !slices.ContainsFunc(all, func(f freshworks.Field) bool { return f.Name == c.conf.ChangeKeyField }) {
		return "changes have no custom field " + c.conf.ChangeKeyField, nil
	}
	return "", nil
}
