// Package builtin is the only list of the vendors there are.
package builtin

import (
	"maps"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/apono"
	"github.com/drawbridge-itsm/drawbridge/connectors/datatheorem"
	"github.com/drawbridge-itsm/drawbridge/connectors/elimity"
	"github.com/drawbridge-itsm/drawbridge/connectors/epm"
	"github.com/drawbridge-itsm/drawbridge/connectors/freshdesk"
	"github.com/drawbridge-itsm/drawbridge/connectors/freshservice"
	"github.com/drawbridge-itsm/drawbridge/connectors/jira"
	"github.com/drawbridge-itsm/drawbridge/connectors/mail"
	"github.com/drawbridge-itsm/drawbridge/connectors/opsgenie"
	"github.com/drawbridge-itsm/drawbridge/connectors/pagerduty"
	"github.com/drawbridge-itsm/drawbridge/connectors/preset"
	"github.com/drawbridge-itsm/drawbridge/connectors/redmine"
	"github.com/drawbridge-itsm/drawbridge/connectors/rt"
	"github.com/drawbridge-itsm/drawbridge/connectors/servicedeskplus"
	"github.com/drawbridge-itsm/drawbridge/connectors/servicenow"
	"github.com/drawbridge-itsm/drawbridge/connectors/slack"
	"github.com/drawbridge-itsm/drawbridge/connectors/syslog"
	"github.com/drawbridge-itsm/drawbridge/connectors/teams"
	"github.com/drawbridge-itsm/drawbridge/connectors/webhook"
	"github.com/drawbridge-itsm/drawbridge/connectors/zendesk"
)

// Vendors returns a new configuration for each vendor, by the name that Connection documents use.
func Vendors() map[string]func() connectors.Config {
	vendors := map[string]func() connectors.Config{
		"apono":           apono.New,
		"datatheorem":     datatheorem.New,
		"elimity":         elimity.New,
		"epm":             epm.New,
		"freshdesk":       freshdesk.New,
		"freshservice":    freshservice.New,
		"jira":            jira.New,
		"mail":            mail.New,
		"opsgenie":        opsgenie.New,
		"pagerduty":       pagerduty.New,
		"redmine":         redmine.New,
		"rt":              rt.New,
		"servicedeskplus": servicedeskplus.New,
		"servicenow":      servicenow.New,
		"slack":           slack.New,
		"syslog":          syslog.New,
		"teams":           teams.New,
		"webhook":         webhook.New,
		"zendesk":         zendesk.New,
	}
	maps.Copy(vendors, preset.Vendors()) // one for each preset
	return vendors
}
