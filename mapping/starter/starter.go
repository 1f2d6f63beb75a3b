// Package starter holds the rules Drawbridge ships: application and administrator requests of BeyondTrust EPM become
// tickets in Jira, and two people decide them. They expect a source connection named epm and a desk connection named
// jira; everything else is meant to be changed.
package starter

import (
	"embed"
	"io/fs"
)

//go:embed *.yaml
var files embed.FS

// Files returns the documents, one YAML file each.
func Files() fs.FS { return files }
