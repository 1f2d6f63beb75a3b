package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/drawbridge-itsm/drawbridge/connectors/builtin"
	"github.com/drawbridge-itsm/drawbridge/gateway"
	"github.com/drawbridge-itsm/drawbridge/mapping"
)

type applyCommand struct {
	databaseSettings
	File []string `short:"f" required:"" placeholder:"PATH" help:"YAML files, or directories of them; - is standard input."`
	Plan bool     `help:"Only show what would change."`
	Yes  bool     `short:"y" help:"Do not ask."`
	Why  string   `help:"Why; kept with the version."`
}

func (c *applyCommand) Run(s *surroundings) error {
	texts, err := readDocuments(c.File, os.Stdin)
	if err != nil {
		return err
	}
	g, closeStore, err := openGateway(s, c.databaseSettings)
	if err != nil {
		return err
	}
	defer closeStore()
	edits, err := g.Plan(s.ctx, texts)
	if err != nil {
		return err
	}
	changed := printPlan(s.stdout, edits)
	if changed == 0 || c.Plan {
		return nil
	}
	if !c.Yes && !agree(s.stdout, os.Stdin) {
		return errors.New("nothing was applied")
	}
	if _, err := g.Apply(s.ctx, texts, author(), c.Why); err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.stdout, "Applied %d of %d documents.\n", changed, len(edits))
	return err
}

// openGateway opens the database for a command that works beside a running server or without one.
func openGateway(s *surroundings, d databaseSettings) (*gateway.Gateway, func(), error) {
	log := d.logger(s.stderr)
	vault, err := d.vault()
	if err != nil {
		return nil, nil, err
	}
	db, err := d.open(s.ctx, log)
	if err != nil {
		return nil, nil, err
	}
	if err := db.CheckSchema(s.ctx); err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	g, err := gateway.New(s.ctx, gateway.Options{Store: db, Vendors: builtin.Vendors(), Vault: vault, Log: log})
	if err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	return g, func() { _ = db.Close() }, nil
}

// readDocuments reads files and the *.yaml and *.yml files of directories, in order of name, and splits them into
// documents.
func readDocuments(paths []string, stdin io.Reader) ([][]byte, error) {
	var texts [][]byte
	for _, path := range paths {
		files := []string{path}
		if info, err := os.Stat(path); path != "-" && err == nil && info.IsDir() {
			if files, err = yamlFiles(path); err != nil {
				return nil, err
			}
		}
		for _, file := range files {
			text, err := readFile(file, stdin)
			if err != nil {
				return nil, err
			}
			docs, err := mapping.SplitDocuments(text)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
			texts = append(texts, docs...)
		}
	}
	if len(texts) == 0 {
		return nil, errors.New("there is no document in what was given")
	}
	return texts, nil
}

func yamlFiles(dir string) ([]string, error) {
	var files []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && (strings.HasSuffix(path, ".yaml") || strings.HasSuffix(path, ".yml")) {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read directory: %w", err)
	}
	slices.Sort(files)
	return files, nil
}

func readFile(path string, stdin io.Reader) ([]byte, error) {
	if path == "-" {
		return io.ReadAll(stdin)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read document: %w", err)
	}
	return text, nil
}

// printPlan shows what would change and returns how many documents would.
func printPlan(w io.Writer, edits []gateway.Edit) int {
	changed := 0
	for _, e := range edits {
		fmt.Fprintf(w, "%-10s %s/%s\n", e.Change, e.Kind, e.Name)
		if e.Change == "unchanged" {
			continue
		}
		changed++
		if e.Change == "update" {
			fmt.Fprintf(w, "%s", diff.Diff(fmt.Sprintf("version %d", e.Version), []byte(e.Before), "new", []byte(e.After)))
		}
	}
	return changed
}

func agree(w io.Writer, r io.Reader) bool {
	fmt.Fprint(w, "Apply this? [y/N] ")
	line, _ := bufio.NewReader(r).ReadString('\n')
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
	if err := db.CheckSchema(s.ctx); err != nil {
		return err
	}
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

// stored returns the published documents of a database.
func stored(ctx context.Context, s *surroundings, d databaseSettings) ([][]byte, error) {
	db, err := d.open(ctx, d.logger(s.stderr))
	if err != nil {
		return nil, err
	}
	defer db.Close()
	docs, err := db.Documents(ctx)
	if err != nil {
		return nil, err
	}
	texts := make([][]byte, len(docs))
	for i, doc := range docs {
		texts[i] = []byte(doc.Text)
	}
	return texts, nil
}
