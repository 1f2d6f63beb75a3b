package servicedeskplus

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/markdown"
)

// Create opens a request for the support group named by the ticket's project, from the template named by its type, with
// our key. Labels have no counterpart here and are left out. The request is read back: one that lacks our key, or counts
// as created by somebody else, could not be found again, so the create then fails for good and names it.
func (c *connector) Create(ctx context.Context, key string, t connectors.Ticket) (connectors.Ref, error) {
	if err := checkKey(key); err != nil {
		return connectors.Ref{}, connectors.Permanently("create request: %w", err)
	}
	if strings.TrimSpace(markdown.Clean(t.Summary)) == "" {
		return connectors.Ref{}, connectors.Permanently("create request: the summary is empty")
	}
	body, err := c.body(t)
	if err != nil {
		return connectors.Ref{}, fmt.Errorf("create request: %w", err)
	}
	body["subject"] = c.subject(t.Summary, key)
	body["description"] = markdown.Parse(t.Description).HTML(maxText)
	if t.Project != "" {
		body["group"] = map[string]any{"name": markdown.Line(t.Project, maxShort)}
	}
	if t.Type != "" {
		body["template"] = map[string]any{"name": markdown.Line(t.Type, maxShort)}
	}
	if c.conf.KeyField != "" {
		additional, _ := body["udf_fields"].(map[string]any)
		if additional == nil {
			additional = map[string]any{}
		}
		additional[c.conf.KeyField] = key
		body["udf_fields"] = additional
	}
	var answer struct{ Request request }
	if _, err := c.call(ctx, "create request", http.MethodPost, "requests", input{"request": body}, &answer); err != nil {
		return connectors.Ref{}, err
	}
	if !requestID.MatchString(string(answer.Request.ID)) {
		return connectors.Ref{}, connectors.InDoubt("create request: the answer names no request")
	}
	made, err := c.request(ctx, "requests/"+string(answer.Request.ID))
	if err != nil {
		return connectors.Ref{}, connectors.Unconfirmed(err)
	}
	ref := c.ref(string(made.ID), string(made.Display))
	if c.written(made) != key {
		return connectors.Ref{}, keptNot("create request: %s was opened without our key: %s; delete it by hand", ref.Key, c.keyHint())
	}
	if !made.CreatedBy.is(c.conf.Account) {
		return connectors.Ref{}, keptNot("create request: %s counts as created by somebody else than the account in the settings; set account to the technician whose credentials these are, and delete it by hand", ref.Key)
	}
	return ref, nil
}

func (c *connector) keyHint() string {
	if c.conf.KeyField == "" {
		return "the desk changed its subject"
	}
	return "the field " + c.conf.KeyField + " must be in the template and the account must be allowed to set it"
}

// Update changes the fields given; group and template stay. Where the key is in the subject it stays there, too.
func (c *connector) Update(ctx context.Context, ref connectors.Ref, t connectors.Ticket) error {
	at, err := path(ref)
	if err != nil {
		return err
	}
	body, err := c.body(t)
	if err != nil {
		return fmt.Errorf("update request: %w", err)
	}
	if strings.TrimSpace(t.Summary) != "" {
		key := ""
		if c.conf.KeyField == "" {
			before, err := c.request(ctx, at)
			if err != nil {
				return err
			}
			key = c.written(before)
		}
		body["subject"] = c.subject(t.Summary, key)
	}
	if strings.TrimSpace(t.Description) != "" {
		body["description"] = markdown.Parse(t.Description).HTML(maxText)
	}
	if len(body) == 0 {
		return nil
	}
	_, err = c.call(ctx, "update request", http.MethodPut, at, input{"request": body}, nil)
	return err
}
