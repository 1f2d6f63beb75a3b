// Command drawbridge is a two-way bridge between security tools and service desks.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	_ "time/tzdata" // business hours must not depend on what the machine has installed

	"github.com/alecthomas/kong"
)

// version is set by the linker for releases.
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "drawbridge:", err)
		stop()
		os.Exit(1)
	}
}

// commands are what the program can do; one file each.
type commands struct {
	Demo    demoCommand    `cmd:"" help:"Start everything in one process with stand-ins for the tools and desks, to look at and click."`
	Serve   serveCommand   `cmd:"" help:"Run the bridge."`
	Migrate migrateCommand `cmd:"" help:"Bring the database's schema up to date."`
	Apply   applyCommand   `cmd:"" help:"Publish documents: connections, rules, policies, tables, people."`
	Export  exportCommand  `cmd:"" help:"Print the published documents; secrets stay sealed."`
	Check   checkCommand   `cmd:"" help:"Check documents without a database."`
	Try     tryCommand     `cmd:"" help:"Show what rules would do with an event."`
	Import  importCommand  `cmd:"" help:"Import people's names across systems."`
	Move    moveCommand    `cmd:"" help:"Let open cases go on with the published version of a rule or policy."`
	Replay  replayCommand  `cmd:"" help:"List dead deliveries and quarantined bodies, or put them back to work."`
	Sample  sampleCommand  `cmd:"" help:"Show or send a tool's documented events, to see what comes of them."`
	Audit   auditCommand   `cmd:"" help:"Verify, report, export and erase what is recorded."`

	Doctor     doctorCommand     `cmd:"" help:"Look at everything and say in plain words what does not work."`
	Connectors connectorsCommand `cmd:"" help:"List the connectors, what each can do and what rests on no documented fact."`
	DeskScript deskScriptCommand `cmd:"" help:"Print what an admin puts at a desk so that it tells of changes."`
	Connection connectionCommand `cmd:"" help:"List, pause, disable, clear and delete connections."`
	Secret     secretCommand     `cmd:"" help:"Make and rotate client secrets, end access tokens, see what was last used."`

	Version versionCommand `cmd:"" help:"Print the version."`
}

// surroundings are what commands may use beside their flags.
type surroundings struct {
	ctx            context.Context
	stdout, stderr io.Writer
}

// run carries out one command line. It returns when the command is done or ctx ends.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var c commands
	exited := -1
	parser, err := kong.New(&c,
		kong.Name("drawbridge"),
		kong.Description("A two-way bridge between security tools and service desks."),
		kong.Writers(stdout, stderr),
		kong.Exit(func(code int) { exited = code }),
	)
	if err != nil {
		return err
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	parsed, err := parser.Parse(args)
	if exited >= 0 {
		return nil // help was printed
	}
	if err != nil {
		return misused(err)
	}
	return parsed.Run(&surroundings{ctx, stdout, stderr})
}

// misused adds to a fault of the command line where its right form stands.
func misused(err error) error {
	parse, ok := errors.AsType[*kong.ParseError](err)
	if !ok {
		return err
	}
	name := "drawbridge"
	if command := parse.Context.Selected(); command != nil {
		name = command.FullPath()
	} else if strings.HasPrefix(err.Error(), "unexpected argument") {
		return fmt.Errorf("there is no command %s; see drawbridge --help", strings.TrimPrefix(err.Error(), "unexpected argument "))
	}
	text := strings.Replace(err.Error(), `expected string value but got "EOL" (<EOL>)`, "a value is missing", 1)
	return fmt.Errorf("%s; see %s --help", text, name)
}

type versionCommand struct{}

func (versionCommand) Run(s *surroundings) error {
	_, err := fmt.Fprintln(s.stdout, "drawbridge", version)
	return err
}
