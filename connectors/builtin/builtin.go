// Package builtin is the only list of the vendors there are.
package builtin

import (
	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/apono"
	"github.com/drawbridge-itsm/drawbridge/connectors/datatheorem"
	"github.com/drawbridge-itsm/drawbridge/connectors/elimity"
	"github.com/drawbridge-itsm/drawbridge/connectors/epm"
	"github.com/drawbridge-itsm/drawbridge/connectors/jira"
	"github.com/drawbridge-itsm/drawbridge/connectors/redmine"
	"github.com/drawbridge-itsm/drawbridge/connectors/rt"
	"github.com/drawbridge-itsm/drawbridge/connectors/webhook"
)

// Vendors returns a new configuration for each vendor, by the name that Connection documents use.
func Vendors() map[string]func() connectors.Config {
	return map[string]func() connectors.Config{
		"apono":       apono.New,
		"datatheorem": datatheorem.New,
		"elimity":     elimity.New,
		"epm":         epm.New,
		"jira":        jira.New,
		"redmine":     redmine.New,
		"rt":          rt.New,
		"webhook":     webhook.New,
	}
}
