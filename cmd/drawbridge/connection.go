package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/drawbridge-itsm/drawbridge/gateway"
)

type connectionCommand struct {
	List       connectionList    `cmd:"" help:"List the connections with their state, health and what waits."`
	Enable     connectionEnable  `cmd:"" help:"Take events and work again."`
	Disable    connectionDisable `cmd:"" help:"Refuse events and do no work."`
	Pause      connectionPause   `cmd:"" help:"Accept events and let them wait."`
	Resume     connectionEnable  `cmd:"" help:"Go on after a pause; the same as enable."`
	ClearQueue connectionClear   `cmd:"" help:"Give up everything that is pending or dead at a connection, after counting it."`
	Test       connectionTest    `cmd:"" help:"Ask the vendor whether a connection works, or send it a record and show the exchange."`
	Form       connectionForm    `cmd:"" help:"Show what a desk accepts where tickets are opened: fields, values, statuses and limits."`
	Delete     connectionDelete  `cmd:"" help:"Delete a connection; its history stays."`
}

// named is a connection given on the command line, and why something is done to it.
type named struct {
	databaseSettings
	Name string `arg:"" help:"The connection."`
	Why  string `help:"Why; kept in the record."`
}

type connectionList struct {
	databaseSettings
}

func (c *connectionList) Run(s *surroundings) error {
	g, closeStore, err := openGateway(s, c.databaseSettings)
	if err != nil {
		return err
	}
	defer closeStore()
	list, err := g.Connections(s.ctx)
	if err != nil {
		return err
	}
	return printConnections(s.stdout, list.Connections)
}

func printConnections(w io.Writer, list []gateway.ConnectionView) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(w, "No connection is published.")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "NAME\tCONNECTOR\tSTATE\tHEALTH\tPENDING\tDEAD\tQUARANTINE\tUNROUTED")
	for _, v := range list {
		state, health, connector := v.State, v.Health, v.Connector
		if v.Fault != "" {
			state, health, connector = "at fault", "-", "-"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d\t%d\t%d\t%d\n", v.Name, connector, state, health, v.Pending+v.Running, v.Dead, v.Quarantine, v.Unrouted)
	}
	return t.Flush()
}

type (
	connectionEnable  struct{ named }
	connectionDisable struct{ named }
	connectionPause   struct{ named }
)

func (c *connectionEnable) Run(s *surroundings) error  { return c.set(s, "active") }
func (c *connectionDisable) Run(s *surroundings) error { return c.set(s, "disabled") }
func (c *connectionPause) Run(s *surroundings) error   { return c.set(s, "paused") }

func (n *named) set(s *surroundings, state string) error {
	g, closeStore, err := openGateway(s, n.databaseSettings)
	if err != nil {
		return err
	}
	defer closeStore()
	changed, err := g.SetConnectionState(s.ctx, n.Name, state, author(), n.Why)
	if err != nil {
		return err
	}
	words := "is " + state
	if !changed {
		words += " already"
	}
	_, err = fmt.Fprintln(s.stdout, n.Name, words)
	return err
}

type connectionClear struct {
	named
	Yes bool `short:"y" help:"Do not ask."`
}

func (c *connectionClear) Run(s *surroundings) error {
	g, closeStore, err := openGateway(s, c.databaseSettings)
	if err != nil {
		return err
	}
	defer closeStore()
	pending, dead, err := g.QueueOf(s.ctx, c.Name)
	if err != nil {
		return err
	}
	if pending+dead == 0 {
		_, err := fmt.Fprintf(s.stdout, "Nothing is pending or dead at %s.\n", c.Name)
		return err
	}
	fmt.Fprintf(s.stdout, "%d pending and %d dead deliveries at %s would be given up.\n", pending, dead, c.Name)
	if !c.Yes && !confirm(s.stdout, os.Stdin, "Give them up?") {
		return errors.New("nothing was given up; --yes does it without asking")
	}
	cleared, err := g.ClearQueue(s.ctx, c.Name, pending+dead, author(), c.Why)
	if err != nil {
		return err
	}
	text := "Gave up " + plural(cleared.Canceled, "delivery", "deliveries")
	if cleared.Running > 0 {
		text += fmt.Sprintf("; %d under way are left to end", cleared.Running)
	}
	_, err = fmt.Fprintln(s.stdout, text+".")
	return err
}

type connectionDelete struct {
	named
	Cancel bool `help:"End the cases that are not closed, without a decision."`
	Rules  bool `help:"Delete the rules that use it as well."`
	Yes    bool `short:"y" help:"Do not ask."`
}

func (c *connectionDelete) Run(s *surroundings) error {
	g, closeStore, err := openGateway(s, c.databaseSettings)
	if err != nil {
		return err
	}
	defer closeStore()
	d, err := g.DeletionOf(s.ctx, c.Name)
	if err != nil {
		return err
	}
	if c.Cancel && d.Cases > 0 {
		fmt.Fprintf(s.stdout, "%s would end without a decision.\n", count(d.Cases, "case"))
	}
	if c.Rules && len(d.Rules) > 0 {
		fmt.Fprintf(s.stdout, "Rules would be deleted: %s.\n", strings.Join(d.Rules, ", "))
	}
	if !c.Yes && !confirm(s.stdout, os.Stdin, "Delete "+c.Name+"?") {
		return errors.New("nothing was deleted; --yes deletes without asking")
	}
	if _, err := g.DeleteConnection(s.ctx, c.Name, gateway.Deleting{Cancel: c.Cancel, Rules: c.Rules}, author(), c.Why); err != nil {
		return err
	}
	_, err = fmt.Fprintln(s.stdout, c.Name, "is deleted; its history stays")
	return err
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
