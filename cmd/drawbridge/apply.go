package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"strings"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/drawbridge-itsm/drawbridge/gateway"
)

type applyCommand struct {
	databaseSettings
	File []string `short:"f" required:"" placeholder:"PATH" help:"YAML files, or directories of them; - is standard input."`
	Plan bool     `help:"Only show what would change."`
	Yes  bool     `short:"y" help:"Do not ask."`
	Why  string   `help:"Why; kept with the version."`
}

func (c *applyCommand) Run(s *surroundings) error {
	docs, err := readDocuments(c.File, os.Stdin)
	if err != nil {
		return err
	}
	g, closeStore, err := openGateway(s, c.databaseSettings)
	if err != nil {
		return err
	}
	defer closeStore()
	edits, err := g.Plan(s.ctx, docs.texts())
	if err != nil {
		return docs.locate(err)
	}
	changed := printPlan(s.stdout, edits)
	if changed == 0 {
		_, err := fmt.Fprintln(s.stdout, "Nothing to change.")
		return err
	}
	if c.Plan {
		return nil
	}
	if !c.Yes && !agree(s.stdout, os.Stdin) {
		return errors.New("nothing was applied; --yes applies without asking")
	}
	if err := g.Publish(s.ctx, edits, author(), c.Why); err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.stdout, "Applied %d of %s.\n", changed, count(len(edits), "document"))
	return err
}

// openGateway opens the database for a command that works beside a running server or without one.
func openGateway(s *surroundings, d databaseSettings) (*gateway.Gateway, func(), error) {
	log := d.logger(s.stderr)
	db, err := d.open(s.ctx, log)
	if err != nil {
		return nil, nil, err
	}
	vault, err := d.vault()
	if err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	vendors, err := d.vendors()
	if err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	g, err := gateway.New(s.ctx, gateway.Options{Store: db, Vendors: vendors, Vault: vault, Log: log})
	if err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	return g, func() { _ = db.Close() }, nil
}

// printPlan shows what would change and returns how many documents would.
func printPlan(w io.Writer, edits []gateway.Edit) int {
	changed := 0
	for _, e := range edits {
		fmt.Fprintf(w, "%-10s %s/%s\n", e.Change, e.Kind, e.Name)
		for _, text := range e.Warnings {
			fmt.Fprintf(w, "  warning: %s\n", text)
		}
		if e.Change == "unchanged" {
			continue
		}
		changed++
		if e.Change == "update" {
			text := diff.Diff(fmt.Sprintf("version %d", e.Version), []byte(e.Before), "new", []byte(e.After))
			_, text, _ = bytes.Cut(text, []byte("\n")) // a line that names both sides, as the next two do
			fmt.Fprintf(w, "%s", text)
		}
	}
	return changed
}

func agree(w io.Writer, r io.Reader) bool { return confirm(w, r, "Apply this?") }

// confirm asks, and takes anything but y for no.
func confirm(w io.Writer, r io.Reader, question string) bool {
	fmt.Fprint(w, question, " [y/N] ")
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		fmt.Fprintln(w) // nobody pressed return
	}
	return strings.EqualFold(strings.TrimSpace(line), "y")
}

// author is who sits at the command line.
func author() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "command line"
}

type exportCommand struct {
	databaseSettings
}

func (c *exportCommand) Run(s *surroundings) error {
	db, err := c.open(s.ctx, c.logger(s.stderr))
	if err != nil {
		return err
	}
	defer db.Close()
	docs, err := db.Documents(s.ctx)
	if err != nil {
		return err
	}
	for i, d := range docs {
		if i > 0 {
			fmt.Fprintln(s.stdout, "---")
		}
		fmt.Fprintln(s.stdout, strings.TrimRight(d.Text, "\n"))
	}
	return nil
}
