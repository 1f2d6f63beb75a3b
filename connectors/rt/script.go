package rt

import (
	_ "embed"
	"strings"
)

//go:embed desk.pl
var deskScript string

// DeskScript is what an admin runs on the host of Request Tracker: it adds the custom field for our key to the queues
// it is given, and one scrip that tells of changes on tickets that carry a key, signed. It may be run again.
func (c *Config) DeskScript(notices string) string {
	return strings.Replace(deskScript, "https://bridge.example.com/in/rt", notices, 1)
}
