package main

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/builtin"
)

type deskScriptCommand struct {
	Connector string `arg:"" help:"The desk."`
	URL       string `default:"https://bridge.example.com" help:"Where the desk reaches the bridge."`
	Name      string `help:"The name of the connection; the connector's name unless given."`
}

func (c *deskScriptCommand) Run(s *surroundings) error {
	base, err := url.Parse(c.URL)
	if err != nil || (base.Scheme != "https" && base.Scheme != "http") || base.Host == "" || base.User != nil || base.RawQuery != "" ||
		strings.ContainsAny(c.URL+c.Name, "'\"`\\$<>\n\r") { // it becomes part of a script
		return fmt.Errorf("--url is an address like https://bridge.example.com, and --name a connection's, not %q %q", c.URL, c.Name)
	}
	scripters := map[string]connectors.Scripter{}
	for name, vendor := range builtin.Vendors() {
		if scripter, ok := vendor().(connectors.Scripter); ok {
			scripters[name] = scripter
		}
	}
	scripter, ok := scripters[c.Connector]
	if !ok {
		var names []string
		for name := range scripters {
			names = append(names, name)
		}
		slices.Sort(names)
		return fmt.Errorf("there is no desk script for %q; there are %s", c.Connector, strings.Join(names, ", "))
	}
	name := c.Name
	if name == "" {
		name = c.Connector
	}
	fmt.Fprint(s.stdout, scripter.DeskScript(base.JoinPath("in", name).String()))
	return nil
}
