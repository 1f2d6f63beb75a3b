package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

type connectionTest struct {
	databaseSettings
	Name string `arg:"" help:"The connection."`
	Send bool   `help:"Send one record, marked as a test, and show request and answer without credentials. On-call tools alert people."`
}

func (c *connectionTest) Run(s *surroundings) error {
	g, closeStore, err := openGateway(s, c.databaseSettings)
	if err != nil {
		return err
	}
	defer closeStore()
	if !c.Send {
		if err := g.TestConnection(s.ctx, c.Name); err != nil {
			return err
		}
		_, err = fmt.Fprintln(s.stdout, c.Name, "works")
		return err
	}
	t, err := g.TrySink(s.ctx, c.Name, author())
	if err != nil {
		return err
	}
	printTrial(s.stdout, t)
	if !t.Taken {
		return errors.New("the record was not taken")
	}
	return nil
}

func printTrial(w io.Writer, t connectors.Trial) {
	fmt.Fprintln(w, t.Method, t.URL)
	printExchange(w, t.Header, t.Body)
	if t.Answer != nil {
		fmt.Fprintf(w, "\nHTTP %d %s\n", t.Answer.Status, http.StatusText(t.Answer.Status))
		printExchange(w, t.Answer.Header, t.Answer.Body)
		fmt.Fprintln(w)
	}
	for _, one := range t.Tests {
		holds := "no "
		if one.Holds {
			holds = "yes"
		}
		fmt.Fprintln(w, holds, one.Test)
	}
	fmt.Fprintln(w, "=>", t.Meaning)
}

func printExchange(w io.Writer, h http.Header, body string) {
	var names []string
	for name := range h {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		for _, value := range h[name] {
			fmt.Fprintf(w, "%s: %s\n", name, value)
		}
	}
	if body != "" {
		fmt.Fprintf(w, "\n%s\n", body)
	}
}
