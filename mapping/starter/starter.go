// Package starter holds the rules Drawbridge ships: requests of BeyondTrust EPM and of Apono, findings of Data Theorem
// and change requests of Elimity become tickets in Jira, and two people decide them. They expect a desk connection
// named jira and source connections named after their tools; everything else is meant to be changed.
package starter

import (
	"embed"
	"io/fs"
)

//go:embed *.yaml
var files embed.FS

//go:embed apono datatheorem elimity
var tools embed.FS

//go:embed sinks/*.yaml
var sinks embed.FS

//go:embed asking/*.yaml
var asking embed.FS

//go:embed desks/*.yaml
var desks embed.FS

// Desks returns a rule for each desk of people on call, one YAML file each, in place of that of Files. They expect connections
// named pagerduty and opsgenie, and the people of Files.
func Desks() fs.FS { return desks }

// Asking returns a rule for each way to ask people where there is no desk, one YAML file each, in place of that of Files.
// They expect connections named slack, mail, teams, on-call, logic-app and workflow, and the people of Files.
func Asking() fs.FS { return asking }

// Sinks returns a rule for each connector that takes records, in a file named like it, as the connection it expects is. The
// sources are named apono, datatheorem and tool, which is one of your own.
func Sinks() fs.FS { return sinks }

// Files returns the documents for EPM with the people and the table, one YAML file each.
func Files() fs.FS { return files }

// Tools returns a folder for each of the other tools, with one YAML file a document. They need the people of Files.
func Tools() fs.FS { return tools }
