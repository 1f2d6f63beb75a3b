package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors/apono/aponostandin"
	"github.com/drawbridge-itsm/drawbridge/connectors/datatheorem/datatheoremstandin"
	"github.com/drawbridge-itsm/drawbridge/connectors/elimity/elimitystandin"
	"github.com/drawbridge-itsm/drawbridge/connectors/epm/epmstandin"
	"github.com/drawbridge-itsm/drawbridge/connectors/webhook/webhookstandin"
)

type demoCommand struct {
	Check   bool `help:"Run the whole loop unattended, print a transcript and fail when a step is wrong."`
	Port    int  `default:"8480" help:"First of seven ports on 127.0.0.1; 0 takes free ones."`
	Verbose bool `short:"v" help:"Print the bridge's log."`
}

func (c *demoCommand) Run(s *surroundings) error {
	log := slog.New(slog.DiscardHandler)
	if c.Verbose {
		log = slog.New(slog.NewTextHandler(s.stderr, nil))
	}
	dir, err := os.MkdirTemp("", "drawbridge-demo-")
	if err != nil {
		return fmt.Errorf("make a directory for the demo's database: %w", err)
	}
	defer os.RemoveAll(dir)
	port := c.Port
	if c.Check {
		port = 0
	}
	w, err := newWorld(s.ctx, worldOptions{Database: "sqlite:" + filepath.Join(dir, "demo.db"), Port: port, Log: log})
	if err != nil {
		return err
	}
	defer w.close()
	if c.Check {
		return checkDemo(s.ctx, w, s.stdout)
	}
	return c.show(s, w)
}

// show runs the world until it is interrupted, with a first event of every tool in it.
func (c *demoCommand) show(s *surroundings, w *world) error {
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	done := w.start(ctx)
	var senders sync.WaitGroup
	for _, run := range []func(context.Context) error{w.jira.Run, w.epm.Run, w.apono.Run, w.gate.Run, w.datatheorem.Run, w.elimity.Run} {
		senders.Go(func() { _ = run(ctx) })
	}
	w.epm.RequestApplication(anaAsksForATool)
	w.epm.RequestAdmin(maxAsksForRights)
	w.apono.Request(anaAsksForADatabase)
	w.gate.Request(maxAsksAtTheGate)
	w.datatheorem.OpenViolation(datatheoremstandin.Violation{})
	w.elimity.RemoveEntity("max@corp.example", "left the company", elimitystandin.Bo)
	asked := w.tool.Ask(maxAsksForABackup)
	senders.Go(func() {
		_ = eventually(ctx, func() error {
			_, err := w.tool.Send(ctx, webhookstandin.Plain, webhookstandin.Created, asked)
			return err
		})
	})
	fmt.Fprintf(s.stdout, `Drawbridge is running, with stand-ins for five security tools and Jira on this machine.

  The bridge                %[1]s/#token=%[2]s
  Jira (stand-in)           %[3]s/
  EPM (stand-in)            %[4]s/
  Apono (stand-in)          %[5]s/
  Apono, asking (stand-in)  %[5]s/gate/
  Data Theorem (stand-in)   %[6]s/
  Elimity (stand-in)        %[7]s/
  Any other tool (stand-in) %[8]s/

A ticket of every tool waits in Jira already. Open one there, act as Kim or Lee, and approve or decline it:
the decision reaches the tool, and the ticket gets a comment that says so. Then try it as Max, who may not
decide, or as Ana, who asked. New requests, findings and changes are raised on the tools' pages. Where to look:

  EPM           a request's row shows what it was told
  Apono         the request's state; behind a manual webhook it asks every few seconds, and the ticket answers
  Data Theorem  resolve a violation and its ticket is done; open it again and so does the ticket
  Elimity       the log of its journal source; it has no call that takes a decision
  Any other     the request's state; nothing but the settings of its connection knows this tool

Everything that happened to a request is on the bridge's page.

Nothing is kept: Ctrl-C ends it all.
`, w.urls.bridge, w.token, w.urls.jira, w.urls.epm, w.urls.apono, w.urls.datatheorem, w.urls.elimity, w.urls.tool)
	err := <-done
	cancel()
	senders.Wait()
	return err
}

var (
	anaAsksForATool = epmstandin.AppRequest{
		User: `CORP\ana`, Hostname: "PC-7", ComputerGroup: "Finance", Reason: "I need it to install the new scanner's driver",
		ProductName: "ACME Scanner Setup", Publisher: "ACME Ltd", FilePath: `C:\Users\ana\Downloads\setup.exe`,
		CmdArgs: `setup.exe /lang "en"`, Sha256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
	}
	maxAsksForRights = epmstandin.AdminRequest{
		UserName: `CORP\max`, UserID: "S-1-5-21-7", ComputerID: "PC-9", Reason: "Changing the network card's settings", Duration: time.Hour,
	}
	anaAsksForADatabase = aponostandin.AccessRequest{
		Requester: aponoAna, Justification: "Mend the orders of last night's run, it's urgent", Integration: "Production", Type: "Postgresql",
		Resources: []aponostandin.Resource{{Name: "orders", Type: "Database", Permission: "Read & write"}}, Duration: time.Hour,
	}
	maxAsksAtTheGate = aponostandin.AccessRequest{
		Requester: aponostandin.Person{ID: "user-max", Name: "Max Lindqvist", Email: "max@corp.example"}, Justification: "Look at a failed build",
		Flow: "Build machines", Integration: "Build", Type: "SSH", Resources: []aponostandin.Resource{{Name: "build-3", Type: "Server", Permission: "Login"}}, BehindWebhook: true,
	}

	maxAsksForABackup = webhookstandin.Request{Login: "max", Name: "Max Lindqvist", Resource: "last night's backup", Reason: "Compare two tables"}

	aponoAna = aponostandin.Person{ID: "user-ana", Name: "Ana Moreau", Email: "ana@corp.example"}
	// dana is an approver whom only Apono knows.
	dana = aponostandin.Person{ID: "user-dana", Name: "Dana Cruz", Email: "dana@corp.example"}
	// aponoBridge is the user whose token the bridge has at Apono.
	aponoBridge = aponostandin.Person{ID: "user-bridge", Name: "Drawbridge", Email: "drawbridge@corp.example"}
)
