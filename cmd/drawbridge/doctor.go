package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/drawbridge-itsm/drawbridge/gateway"
)

type doctorCommand struct {
	databaseSettings
	peopleSettings
	Connection string `arg:"" optional:"" help:"Look at this connection only."`
	Format     string `default:"text" enum:"text,json" help:"text or json."`
}

// Run looks and says what it found. That somebody has to do something is an error, so that a script notices.
func (c *doctorCommand) Run(s *surroundings) error {
	log := slog.New(slog.DiscardHandler) // what is wrong stands in the findings
	db, err := c.open(s.ctx, log)
	if err != nil {
		return err
	}
	defer db.Close()
	vault, err := c.vault()
	if err != nil {
		return err
	}
	vendors, err := c.vendors()
	if err != nil {
		return err
	}
	people, err := c.signIn(db, vault)
	if err != nil {
		return err
	}
	g, err := gateway.New(s.ctx, gateway.Options{Store: db, Vendors: vendors, Vault: vault, Log: log, BaseURL: c.BaseURL, SignIn: people})
	if err != nil {
		return err
	}
	report, err := g.Doctor(s.ctx, c.Connection)
	if err != nil {
		return err
	}
	if c.Format == "json" {
		if err := json.NewEncoder(s.stdout).Encode(report); err != nil {
			return err
		}
	} else {
		printReport(s.stdout, report)
	}
	if !report.Healthy() {
		return errors.New("somebody has to look at this")
	}
	return nil
}

func printReport(w io.Writer, r gateway.Report) {
	mark := map[gateway.Level]string{gateway.Fine: "ok   ", gateway.Note: "note ", gateway.Look: "look ", gateway.Bad: "BAD  "}
	about := ""
	for _, f := range r.Findings {
		if f.About != about {
			about = f.About
			fmt.Fprintln(w, about)
		}
		fmt.Fprintf(w, "  %s%s\n", mark[f.Level], f.Text)
	}
}
