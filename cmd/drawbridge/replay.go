package main

import (
	"errors"
	"fmt"
	"iter"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/drawbridge-itsm/drawbridge/gateway"
	"github.com/drawbridge-itsm/drawbridge/store"
)

type replayCommand struct {
	databaseSettings
	ID     []string `arg:"" optional:"" help:"Ids of dead deliveries or quarantined bodies; none lists them."`
	Show   bool     `help:"Only print the content, to start an edit from."`
	Edit   string   `placeholder:"FILE" help:"Replay with this content instead; never for a decision. A body keeps its RequestId, and its case takes a second person."`
	Replan bool     `help:"Render deliveries anew with the rule as it is published now."`
	Cancel bool     `help:"Give deliveries up instead; what waits behind them goes on."`
	Why    string   `help:"Why; kept in the record."`
}

func (c *replayCommand) Run(s *surroundings) error {
	g, closeStore, err := openGateway(s, c.databaseSettings)
	if err != nil {
		return err
	}
	defer closeStore()
	if len(c.ID) == 0 {
		return c.list(s, g)
	}
	var faults []error
	for _, id := range c.ID {
		if err := c.one(s, g, id); err != nil {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

func (c *replayCommand) one(s *surroundings, g *gateway.Gateway, id string) error {
	if c.Show {
		text, err := g.Show(s.ctx, id)
		if err == nil {
			_, err = s.stdout.Write(text)
		}
		return err
	}
	if c.Replan {
		if err := g.Replan(s.ctx, id, author(), c.Why); err != nil {
			return err
		}
		fmt.Fprintln(s.stdout, id, "is pending again, rendered anew")
		return nil
	}
	if c.Cancel {
		if err := g.Cancel(s.ctx, id, author(), c.Why); err != nil {
			return err
		}
		fmt.Fprintln(s.stdout, id, "is given up")
		return nil
	}
	done, err := c.replay(s, g, id)
	switch {
	case errors.Is(err, store.ErrConflict):
		return fmt.Errorf("%s is not waiting to be replayed", id)
	case err != nil:
		return err
	case done.Again != "":
		return fmt.Errorf("%s stays in quarantine: %s", id, done.Again)
	case done.Event != "":
		fmt.Fprintln(s.stdout, id, "is now event", done.Event)
	default:
		fmt.Fprintln(s.stdout, id, "is pending again")
	}
	return nil
}

func (c *replayCommand) replay(s *surroundings, g *gateway.Gateway, id string) (gateway.Replayed, error) {
	if c.Edit == "" {
		return g.Replay(s.ctx, id, author(), c.Why)
	}
	content, err := readFile(c.Edit, os.Stdin)
	if err != nil {
		return gateway.Replayed{}, err
	}
	return g.ReplayEdited(s.ctx, id, content, author(), c.Why)
}

const listLimit = 200

func (c *replayCommand) list(s *surroundings, g *gateway.Gateway) error {
	waiting, err := g.Waiting(s.ctx, listLimit)
	if err != nil {
		return err
	}
	if len(waiting) == 0 {
		_, err := fmt.Fprintln(s.stdout, "Nothing is dead and nothing is in quarantine.")
		return err
	}
	w := tabwriter.NewWriter(s.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tWHAT\tCONNECTION\tWHY")
	for _, l := range waiting {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", l.ID, l.What, l.Connection, l.Why)
	}
	return w.Flush()
}

func lines(text string) iter.Seq[string] {
	return strings.SplitSeq(strings.TrimRight(text, "\n"), "\n")
}
