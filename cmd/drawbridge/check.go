package main

import (
	"fmt"
	"os"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/builtin"
	"github.com/drawbridge-itsm/drawbridge/gateway"
)

type checkCommand struct {
	Offline bool     `help:"Call nobody. Otherwise desks are asked what they accept, so that rules can be compared with it."`
	Path    []string `arg:"" help:"YAML files, or directories of them; together they must be complete. - is standard input."`
}

func (c *checkCommand) Run(s *surroundings) error {
	docs, err := readDocuments(c.Path, os.Stdin)
	if err != nil {
		return err
	}
	if c.Offline {
		err = offline().Check(s.ctx, docs.texts())
	} else {
		err = checkForms(s, docs)
	}
	if err != nil {
		return docs.locate(err)
	}
	_, err = fmt.Fprintf(s.stdout, "%s, nothing wrong.\n", count(len(docs), "document"))
	return err
}

func checkForms(s *surroundings, docs documents) error {
	warnings, err := offline().CheckForms(s.ctx, docs.texts())
	for _, text := range warnings {
		if _, err := fmt.Fprintf(s.stdout, "warning: %s\n", text); err != nil {
			return err
		}
	}
	return err
}

// offline checks without a database. Values given as secrets are sealed with a key nobody keeps.
func offline() gateway.Offline {
	return gateway.Offline{
		Vendors: builtin.Vendors(), Now: time.Now,
		Vault: &connectors.Vault{Keys: map[string][]byte{"none": make([]byte, 32)}, Current: "none", Getenv: os.Getenv},
	}
}
