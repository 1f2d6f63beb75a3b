package redmine

import (
	_ "embed"
	"strings"
)

//go:embed desk.rb
var deskScript string

// DeskScript is what an admin may put on the host of Redmine, as config/initializers/drawbridge.rb: it tells of changes
// on tickets that our account opened, signed. Without it changes are found by watching.
func (c *Config) DeskScript(notices string) string {
	return strings.Replace(deskScript, "https://bridge.example.com/in/redmine", notices, 1)
}
