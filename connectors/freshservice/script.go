package freshservice

import (
	_ "embed"
	"strings"
)

//go:embed desk.txt
var deskScript string

// DeskScript says what an admin enters in Freshservice so that it tells of changes at once. Without it changes are found
// by watching.
func (c *Config) DeskScript(notices string) string {
	return strings.ReplaceAll(deskScript, "https://bridge.example.com/in/freshservice", notices)
}
