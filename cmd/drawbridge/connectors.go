package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/gateway"
)

type connectorsCommand struct {
	presetSettings
	Connector string `arg:"" optional:"" help:"Show this one whole, with an example of its settings."`
	Format    string `default:"text" enum:"text,json" help:"text or json."`
}

func (c *connectorsCommand) Run(s *surroundings) error {
	known, err := c.offline()
	if err != nil {
		return err
	}
	all, err := known.ListVendors(s.ctx)
	if err != nil {
		return err
	}
	if c.Connector != "" {
		at := slices.IndexFunc(all, func(v gateway.VendorView) bool { return v.Name == c.Connector })
		if at < 0 {
			return noConnector(c.Connector, all)
		}
		all = all[at : at+1]
	}
	if c.Format == "json" {
		return json.NewEncoder(s.stdout).Encode(all)
	}
	for i, v := range all {
		if i > 0 {
			fmt.Fprintln(s.stdout)
		}
		fmt.Fprintln(s.stdout, v.Name)
		fmt.Fprintln(s.stdout, "  can:", strings.Join(v.Can, ", "))
		if len(v.Kinds) > 0 {
			fmt.Fprintln(s.stdout, "  sends:", strings.Join(v.Kinds, ", "))
		}
		for _, text := range v.Notices {
			fmt.Fprintln(s.stdout, "  note:", text)
		}
		if c.Connector == "" {
			if n := len(v.Unverified); n > 0 {
				fmt.Fprintf(s.stdout, "  unverified: %s; drawbridge connectors %s lists them\n", plural(n, "thing rests on no documented fact", "things rest on no documented fact"), v.Name)
			}
			continue
		}
		for _, text := range v.Unverified {
			fmt.Fprintln(s.stdout, "  unverified:", text)
		}
		fmt.Fprintf(s.stdout, "  settings:\n%s", indent(v.Example, "    "))
	}
	return nil
}

func noConnector(name string, all []gateway.VendorView) error {
	var names []string
	for _, v := range all {
		names = append(names, v.Name)
	}
	return fmt.Errorf("there is no connector %q; there are %s", name, strings.Join(names, ", "))
}
