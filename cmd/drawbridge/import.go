package main

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/goccy/go-yaml"

	"github.com/drawbridge-itsm/drawbridge/mapping"
)

type importCommand struct {
	People importPeopleCommand `cmd:"" help:"Read people's names across systems from a table, or from a desk's directory."`
}

type importPeopleCommand struct {
	databaseSettings
	File string `arg:"" optional:"" help:"CSV with the columns name, mail, system, account; a line for each account. - is standard input."`
	From string `placeholder:"CONNECTION" help:"Ask this desk's directory instead, and join its accounts to known people by mail address."`
	Name string `default:"imported" help:"The People document that the table becomes."`
	Plan bool   `help:"Only show what would change."`
	Yes  bool   `short:"y" help:"Do not ask."`
	Why  string `help:"Why; kept with the version."`
}

func (c *importPeopleCommand) Run(s *surroundings) error {
	switch {
	case c.From != "" && c.File != "":
		return errors.New("a table or --from, not both")
	case c.From != "":
		return c.fromDirectory(s)
	case c.File == "":
		return errors.New("name a CSV file, or a connection with --from")
	}
	text, err := readFile(c.File, os.Stdin)
	if err != nil {
		return err
	}
	document, err := peopleDocument(c.Name, csv.NewReader(bytes.NewReader(text)))
	if err != nil {
		return fmt.Errorf("%s: %w", c.File, err)
	}
	g, closeStore, err := openGateway(s, c.databaseSettings)
	if err != nil {
		return err
	}
	defer closeStore()
	edits, err := g.Plan(s.ctx, [][]byte{document})
	if err != nil {
		return err
	}
	if printPlan(s.stdout, edits) == 0 || c.Plan {
		return nil
	}
	if !c.Yes && !agree(s.stdout, os.Stdin) {
		return errors.New("nothing was imported; --yes imports without asking")
	}
	return g.Publish(s.ctx, edits, author(), c.Why)
}

func (c *importPeopleCommand) fromDirectory(s *surroundings) error {
	g, closeStore, err := openGateway(s, c.databaseSettings)
	if err != nil {
		return err
	}
	defer closeStore()
	done, err := g.ImportDirectory(s.ctx, c.From, author(), c.Why)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.stdout, "%s has %s; %d joined to known people, %d left out because nobody known has their mail address.\n", c.From, count(done.Seen, "account"), done.Joined, done.Seen-done.Joined)
	return err
}

var peopleColumns = []string{"name", "mail", "system", "account"}

// peopleDocument makes a People document of a table.
func peopleDocument(name string, table *csv.Reader) ([]byte, error) {
	table.FieldsPerRecord = len(peopleColumns)
	head, err := table.Read()
	if err != nil {
		return nil, fmt.Errorf("read the first line: %w", err)
	}
	if !slices.Equal(head, peopleColumns) {
		return nil, fmt.Errorf("the first line must be %v", peopleColumns)
	}
	type human struct {
		Name     string              `yaml:"name"`
		Mail     string              `yaml:"mail,omitempty"`
		Accounts map[string][]string `yaml:"accounts,omitempty"`
	}
	var people []*human
	known := map[string]*human{}
	for {
		row, err := table.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		h := known[row[0]]
		if h == nil {
			h = &human{Name: row[0], Mail: row[1], Accounts: map[string][]string{}}
			known[row[0]] = h
			people = append(people, h)
		}
		if row[1] != "" && h.Mail != row[1] {
			line, _ := table.FieldPos(1)
			return nil, fmt.Errorf("line %d: %s has another mail address above", line, row[0])
		}
		if row[2] != "" && row[3] != "" {
			h.Accounts[row[2]] = append(h.Accounts[row[2]], row[3])
		}
	}
	text, err := yaml.Marshal(yaml.MapSlice{{Key: "kind", Value: "People"}, {Key: "name", Value: name}, {Key: "people", Value: people}})
	if err != nil {
		return nil, fmt.Errorf("write document: %w", err)
	}
	if _, err := mapping.ParsePeople(text); err != nil {
		return nil, err
	}
	return text, nil
}
