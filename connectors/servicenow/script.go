package servicenow

import (
	_ "embed"
	"strings"
)

//go:embed desk.js
var deskScript string

// DeskScript is what an admin puts into two business rules: it tells of changes on tickets that our account opened,
// signed. Without it changes are found by watching.
func (c *Config) DeskScript(notices string) string {
	return strings.Replace(deskScript, "https://bridge.example.com/in/servicenow", notices, 1)
}
