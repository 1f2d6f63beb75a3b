package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
)

type moveCommand struct {
	databaseSettings
	Document string `arg:"" placeholder:"KIND/NAME" help:"Rule/NAME or Policy/NAME, whose published version the open cases shall go on with."`
	Yes      bool   `short:"y" help:"Do not ask."`
	Why      string `help:"Why; kept in the record of each case."`
}

func (c *moveCommand) Run(s *surroundings) error {
	kind, name, ok := strings.Cut(c.Document, "/")
	if !ok {
		return errors.New("name the document as Rule/NAME or Policy/NAME")
	}
	g, closeStore, err := openGateway(s, c.databaseSettings)
	if err != nil {
		return err
	}
	defer closeStore()
	older, err := g.OlderLinks(s.ctx, kind, name)
	if err != nil {
		return err
	}
	if len(older) == 0 {
		_, err := fmt.Fprintln(s.stdout, "No open case goes by an older version.")
		return err
	}
	w := tabwriter.NewWriter(s.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "CASE\tTICKET\tRULE\tPOLICY")
	for _, o := range older {
		fmt.Fprintf(w, "%s\t%s %s\t%s v%d\t%s v%d\n", o.Case, o.Desk, o.Ticket, o.Rule, o.RuleVersion, o.Policy, o.PolicyVersion)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if !c.Yes && !agree(s.stdout, os.Stdin) {
		return errors.New("nothing was moved; --yes moves without asking")
	}
	moved, err := g.MoveOpen(s.ctx, kind, name, author(), c.Why)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.stdout, "Moved %s.\n", count(moved, "ticket"))
	return err
}
