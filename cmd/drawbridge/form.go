package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

type connectionForm struct {
	databaseSettings
	Name    string `arg:"" help:"The connection."`
	Project string `arg:"" optional:"" help:"As a rule's create.project."`
	Type    string `arg:"" optional:"" help:"As a rule's create.type."`
	Format  string `default:"text" enum:"text,json" help:"text or json."`
}

// Run asks a desk what it accepts at one place.
func (c *connectionForm) Run(s *surroundings) error {
	g, closeStore, err := openGateway(s, c.databaseSettings)
	if err != nil {
		return err
	}
	defer closeStore()
	form, err := g.Form(s.ctx, c.Name, connectors.Place{Project: c.Project, Type: c.Type})
	if err != nil {
		return err
	}
	if c.Format == "json" {
		return json.NewEncoder(s.stdout).Encode(form)
	}
	return printForm(s.stdout, form)
}

func printForm(w io.Writer, form connectors.Schema) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "FIELD\tNAME\tTYPE\tREQUIRED\tKEEPS\tTAKES")
	for _, f := range form.Fields {
		required, keeps := "", ""
		switch {
		case f.FormOnly:
			required = "on its form"
		case f.Required:
			required = "yes"
		}
		if f.Max > 0 {
			keeps = count(f.Max, "character")
		}
		takes := strings.Join(f.Allowed, ", ")
		if takes == "" {
			takes = f.Doc
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", f.ID, f.Name, f.Type, required, keeps, takes)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if form.Open {
		fmt.Fprintln(w, "There may be fields besides, which the desk does not tell of.")
	}
	fmt.Fprintf(w, "Statuses: %s\n", strings.Join(form.Statuses, ", "))
	if form.File > 0 {
		fmt.Fprintf(w, "Largest file: %d MiB\n", form.File>>20)
	}
	if form.Rate != "" {
		fmt.Fprintf(w, "Calls: %s\n", form.Rate)
	}
	return nil
}
