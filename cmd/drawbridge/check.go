package main

import (
	"fmt"
	"os"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/gateway"
)

type checkCommand struct {
	presetSettings
	Offline bool     `help:"Call nobody. Otherwise desks are asked what they accept, so that rules can be compared with it."`
	Path    []string `arg:"" help:"YAML files, or directories of them; together they must be complete. - is standard input."`
}

func (c *checkCommand) Run(s *surroundings) error {
	docs, err := readDocuments(c.Path, os.Stdin)
	if err != nil {
		return err
	}
	known, err := c.offline()
	if err != nil {
		return err
	}
	look := known.CheckForms
	if c.Offline {
		look = known.Check
	}
	warnings, err := look(s.ctx, docs.texts())
	for _, text := range warnings {
		if _, err := fmt.Fprintf(s.stdout, "warning: %s\n", text); err != nil {
			return err
		}
	}
	if err != nil {
		return docs.locate(err)
	}
	_, err = fmt.Fprintf(s.stdout, "%s, nothing wrong.\n", count(len(docs), "document"))
	return err
}

// offline checks without a database. Values given as secrets are sealed with a key nobody keeps.
func (p presetSettings) offline() (gateway.Offline, error) {
	vendors, err := p.vendors()
	return gateway.Offline{
		Vendors: vendors, Now: time.Now,
		Vault: &connectors.Vault{Keys: map[string][]byte{"none": make([]byte, 32)}, Current: "none", Getenv: os.Getenv},
	}, err
}
