package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/drawbridge-itsm/drawbridge/gateway"
)

type tryCommand struct {
	databaseSettings
	On    string   `required:"" placeholder:"SOURCE" help:"The connection the event arrives at."`
	File  []string `short:"f" placeholder:"PATH" help:"Documents to try; the published ones when left out."`
	Type  string   `default:"application/json" help:"Content type of the event."`
	Event string   `arg:"" help:"File with the body the tool would send; - is standard input."`
}

func (c *tryCommand) Run(s *surroundings) error {
	if c.Event == "-" && slices.Contains(c.File, "-") {
		return errors.New("the event and the documents cannot both be standard input")
	}
	body, err := readFile(c.Event, os.Stdin)
	if err != nil {
		return err
	}
	var docs documents
	if len(c.File) > 0 {
		docs, err = readDocuments(c.File, os.Stdin)
	} else {
		docs, err = stored(s, c.databaseSettings)
	}
	if err != nil {
		return err
	}
	known, err := c.offline()
	if err != nil {
		return err
	}
	tried, err := known.Try(s.ctx, docs.texts(), c.On, body, c.Type)
	if err != nil {
		return docs.locate(err)
	}
	return printTried(s.stdout, c.On, tried)
}

func printTried(w io.Writer, source string, tried []gateway.Tried) error {
	if len(tried) == 0 {
		_, err := fmt.Fprintf(w, "No rule is on %s, or the body carries no event.\n", source)
		return err
	}
	event := ""
	for _, t := range tried {
		if id := t.Event.Kind + " " + t.Event.RequestID; id != event {
			event = id
			fmt.Fprintf(w, "event %s\n", event)
		}
		switch {
		case t.Err != nil:
			fmt.Fprintf(w, "  rule %s fails: %v\n", t.Rule, t.Err)
		case t.Result.Matched:
			fmt.Fprintf(w, "  rule %s matches\n", t.Rule)
		default:
			fmt.Fprintf(w, "  rule %s does not match\n", t.Rule)
		}
		for _, term := range t.Result.Terms {
			fmt.Fprintf(w, "    %-5v %s\n", term.True, term.Text)
		}
		if t.Result.Draft == nil {
			continue
		}
		text, err := yaml.MarshalWithOptions(t.Result.Draft, yaml.UseJSONMarshaler(), yaml.UseLiteralStyleIfMultiline(true))
		if err != nil {
			return fmt.Errorf("print draft: %w", err)
		}
		fmt.Fprintf(w, "    ---\n%s", indent(string(text), "    "))
	}
	return nil
}

func indent(text, by string) string {
	out := ""
	for line := range lines(text) {
		out += strings.TrimRight(by+line, " ") + "\n"
	}
	return out
}
