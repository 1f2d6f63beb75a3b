package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"github.com/drawbridge-itsm/drawbridge/gateway"
)

type secretCommand struct {
	Make   secretMake   `cmd:"" help:"Make a client secret for a connection's sender and print it, once."`
	List   secretList   `cmd:"" help:"List what a connection's sender may prove itself with, and when it last did."`
	Drop   secretDrop   `cmd:"" help:"Remove a client secret that is no longer used."`
	Revoke secretRevoke `cmd:"" help:"End all access tokens of a connection."`
}

type secretMake struct{ named }

func (c *secretMake) Run(s *surroundings) error {
	g, closeStore, err := openGateway(s, c.databaseSettings)
	if err != nil {
		return err
	}
	defer closeStore()
	made, err := g.MakeSecret(s.ctx, c.Name, author(), c.Why)
	if err != nil {
		return err
	}
	list, err := g.Credentials(s.ctx, c.Name)
	if err != nil {
		return err
	}
	fmt.Fprintf(s.stdout, `The client secret %s of %s, shown this once:

    token endpoint  POST /oauth/token
    client id       %s
    client secret   %s

It is good at once.
`, made.Mark, c.Name, made.ClientID, made.Secret)
	for _, old := range list {
		if !old.Made.IsZero() && old.Mark != made.Mark {
			fmt.Fprintf(s.stdout, "So is the one before, until: drawbridge secret drop %s %s\n", c.Name, old.Mark)
		}
	}
	return nil
}

type secretList struct {
	databaseSettings
	Name string `arg:"" help:"The connection."`
}

func (c *secretList) Run(s *surroundings) error {
	g, closeStore, err := openGateway(s, c.databaseSettings)
	if err != nil {
		return err
	}
	defer closeStore()
	list, err := g.Credentials(s.ctx, c.Name)
	if err != nil {
		return err
	}
	return printCredentials(s.stdout, c.Name, list)
}

func printCredentials(w io.Writer, name string, list []gateway.CredentialView) error {
	if len(list) == 0 {
		_, err := fmt.Fprintf(w, "The sender of %s has no secrets of its own.\n", name)
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "MARK\tFOR\tKEPT\tMADE\tFIRST USED\tLAST USED")
	for _, v := range list {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", v.Mark, v.For, v.Where, when(v.Made, "-"), when(v.FirstUsed, "never"), when(v.LastUsed, "never"))
	}
	return t.Flush()
}

func when(t time.Time, otherwise string) string {
	if t.IsZero() {
		return otherwise
	}
	return t.UTC().Format("2006-01-02 15:04:05")
}

type secretDrop struct {
	named
	Mark   string `arg:"" help:"Which of them, as the list has it."`
	Revoke bool   `help:"End the tokens given for it as well, for a secret that others know. Without this they end within ten minutes by themselves, and nobody is refused."`
	Yes    bool   `short:"y" help:"Do not ask."`
}

func (c *secretDrop) Run(s *surroundings) error {
	g, closeStore, err := openGateway(s, c.databaseSettings)
	if err != nil {
		return err
	}
	defer closeStore()
	list, err := g.Credentials(s.ctx, c.Name)
	if err != nil {
		return err
	}
	for _, v := range list {
		if v.Mark == c.Mark && !v.LastUsed.IsZero() {
			fmt.Fprintf(s.stdout, "%s was last used at %s UTC.\n", c.Mark, when(v.LastUsed, ""))
		}
	}
	if !c.Yes && !confirm(s.stdout, os.Stdin, "Drop it?") {
		return errors.New("nothing was dropped; --yes drops without asking")
	}
	revoked, err := g.DropSecret(s.ctx, c.Name, c.Mark, c.Revoke, author(), c.Why)
	if err != nil {
		return err
	}
	fmt.Fprintf(s.stdout, "Dropped %s of %s.\n", c.Mark, c.Name)
	if c.Revoke {
		fmt.Fprintf(s.stdout, "Ended %s.\n", count(revoked, "token"))
	}
	return nil
}

type secretRevoke struct{ named }

func (c *secretRevoke) Run(s *surroundings) error {
	g, closeStore, err := openGateway(s, c.databaseSettings)
	if err != nil {
		return err
	}
	defer closeStore()
	revoked, err := g.RevokeTokens(s.ctx, c.Name, author(), c.Why)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.stdout, "Ended %s of %s. A server takes no notice of a token for five seconds after it last looked.\n", count(revoked, "token"), c.Name)
	return err
}
