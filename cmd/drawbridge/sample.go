package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/gateway"
)

type sampleCommand struct {
	databaseSettings
	Of       string `arg:"" name:"source" help:"A connection, or a connector: epm."`
	Kind     string `placeholder:"KIND" help:"Only samples of this kind or name; their bodies are printed."`
	Template bool   `help:"Print what is entered at the tool so that it sends such bodies."`
	Send     bool   `help:"Send the samples through the connection's front door, marked as a test."`
	File     string `placeholder:"FILE" help:"With --send: send this body instead; - is standard input."`
	Type     string `default:"application/json" help:"Content type of that body."`
}

func (c *sampleCommand) Run(s *surroundings) error {
	switch {
	case c.Send && c.Template:
		return errors.New("--send and --template exclude each other")
	case c.Send:
		return c.send(s)
	case c.File != "":
		return errors.New("--file goes with --send")
	}
	samples, err := c.samples(s)
	if err != nil {
		return err
	}
	switch {
	case c.Template:
		return c.templates(s, samples)
	case c.Kind != "":
		for _, one := range samples {
			if _, err := fmt.Fprintln(s.stdout, strings.TrimRight(string(one.Body), "\n")); err != nil {
				return err
			}
		}
		return nil
	default:
		w := tabwriter.NewWriter(s.stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "NAME\tKIND\tBYTES")
		for _, one := range samples {
			fmt.Fprintf(w, "%s\t%s\t%d\n", one.Name, one.Kind, len(one.Body))
		}
		return w.Flush()
	}
}

// samples are a connector's, which needs no database, or else a connection's.
func (c *sampleCommand) samples(s *surroundings) ([]connectors.Sample, error) {
	known, err := c.offline()
	if err != nil {
		return nil, err
	}
	all, err := known.ListVendors(s.ctx)
	if err != nil {
		return nil, err
	}
	if at := slices.IndexFunc(all, func(v gateway.VendorView) bool { return v.Name == c.Of }); at >= 0 {
		samples := gateway.PickSamples(all[at].Samples, c.Kind)
		if len(samples) == 0 {
			if c.Kind != "" {
				return nil, fmt.Errorf("%s offers no sample of kind or name %s", c.Of, c.Kind)
			}
			return nil, fmt.Errorf("%s offers no sample", c.Of)
		}
		return samples, nil
	}
	g, closeStore, err := openGateway(s, c.databaseSettings)
	if err != nil {
		return nil, fmt.Errorf("%w; a connector's samples need none: %w", err, noConnector(c.Of, all))
	}
	defer closeStore()
	return g.Samples(c.Of, c.Kind)
}

// templates prints what is entered at the tool, each text once: with --kind, or where there is one, nothing besides.
func (c *sampleCommand) templates(s *surroundings, samples []connectors.Sample) error {
	var texts, names []string
	for _, one := range samples {
		at := slices.Index(texts, one.Template)
		switch {
		case one.Template == "":
		case at >= 0:
			names[at] += ", " + one.Name
		default:
			texts, names = append(texts, one.Template), append(names, one.Name)
		}
	}
	if len(texts) == 0 {
		return fmt.Errorf("%s sends bodies of its own; nothing is entered there", c.Of)
	}
	for i, text := range texts {
		if len(texts) > 1 {
			fmt.Fprintf(s.stdout, "For %s:\n\n", names[i])
		}
		fmt.Fprint(s.stdout, text)
		if i < len(texts)-1 {
			fmt.Fprintln(s.stdout)
		}
	}
	return nil
}

func (c *sampleCommand) send(s *surroundings) error {
	g, closeStore, err := openGateway(s, c.databaseSettings)
	if err != nil {
		return err
	}
	defer closeStore()
	var samples []connectors.Sample
	if c.File != "" {
		body, err := readFile(c.File, os.Stdin)
		if err != nil {
			return err
		}
		samples = []connectors.Sample{{Name: c.File, ContentType: c.Type, Body: body}}
	} else if samples, err = g.Samples(c.Of, c.Kind); err != nil {
		return err
	}
	sent, err := g.SendSamples(s.ctx, c.Of, samples, author())
	for _, one := range sent {
		text := "sent " + one.Sample + " (" + one.Kind + ")"
		if len(one.Cases) > 0 {
			text += ": case " + strings.Join(one.Cases, ", ")
		}
		fmt.Fprintln(s.stdout, text)
	}
	return err
}
