package opsgenie

import (
	"context"
	"errors"
	"net/http"
	"regexp"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Describe tells what every alert has. Any further field of a rule becomes a detail; which teams there are is told to other
// keys only.
func (c *connector) Describe(context.Context, connectors.Place) (connectors.Schema, error) {
	return connectors.Schema{Statuses: statuses, Open: true, Fields: []connectors.Field{
		{ID: "message", Type: "text", Required: true, Part: "summary", Max: maxMessage},
		{ID: "priority", Type: "text", Part: "priority", Allowed: priorities},
		{ID: "entity", Type: "text", Max: maxEntity, Doc: "set when an alert is opened"},
		{ID: actionField, Type: "text", Allowed: c.conf.Actions, Doc: "the last custom action; not to be set"},
	}}, nil
}

// nothing is an alert there is none of: what is asked of it is taken and comes to nothing.
const nothing = "00000000-0000-4000-8000-000000000000"

var uuid = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// Ping reads a page of alerts and asks for a note on an alert there is none of: who may not is told so at once, and what
// becomes of the request names the integration.
func (c *connector) Ping(ctx context.Context) error {
	var faults []error
	page := []alert{}
	_, _, err := c.read(ctx, "try to read alerts", "alerts?limit=1", &page)
	switch {
	case isForbidden(err):
		faults = append(faults, errors.New("the key may not read alerts: turn on read access of the integration"))
	case err != nil:
		return err
	}
	var taken struct {
		RequestID string `json:"requestId"`
	}
	call := connectors.Call{Name: "try to write", Method: http.MethodPost, URL: "alerts/" + nothing + "/notes?identifierType=id", JSON: map[string]any{"note": "ping", "user": c.conf.User}}
	_, err = c.call(ctx, call, &taken)
	switch {
	case isForbidden(err):
		faults = append(faults, errors.New("the key may not change alerts: turn on create and update access of the integration"))
	case err != nil && !errors.Is(err, connectors.ErrNotFound):
		return connectors.Unsent(err)
	case err == nil && idForm.MatchString(taken.RequestID):
		var who struct {
			Integration string `json:"integrationId"`
		}
		_, _, err := c.read(ctx, "ask for the integration", "alerts/requests/"+taken.RequestID, &who)
		if err == nil && uuid.MatchString(c.conf.Integration) && who.Integration != "" && who.Integration != c.conf.Integration {
			faults = append(faults, errors.New("the key belongs to another integration than the one in the settings"))
		}
	}
	if err := errors.Join(faults...); err != nil {
		return connectors.Permanently("%w", err)
	}
	return nil
}

func isForbidden(err error) bool {
	return err != nil && connectors.AsError(err).Status == http.StatusForbidden
}
