package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/gateway"
	"github.com/drawbridge-itsm/drawbridge/mapping"
)

// documents are texts with where they come from.
type documents []struct {
	file string // for people to read
	text []byte // with a blank line for each line before it, so that faults name the file's lines
}

func (d documents) texts() [][]byte {
	texts := make([][]byte, len(d))
	for i := range d {
		texts[i] = d[i].text
	}
	return texts
}

// locate puts the file in front of each fault of a document.
func (d documents) locate(err error) error {
	faults, ok := errors.AsType[gateway.Faults](err)
	if !ok {
		return err
	}
	text := count(len(faults), "document") + " at fault"
	for _, f := range faults {
		from := "published: "
		if f.Given > 0 {
			from = d[f.Given-1].file + ": "
		}
		for line := range lines(f.Error()) {
			text += "\n  " + from + line
		}
	}
	return errors.New(text)
}

// readDocuments reads files and the *.yaml and *.yml files of directories, in order of name, and splits them into
// documents.
func readDocuments(paths []string, stdin io.Reader) (documents, error) {
	var docs documents
	for _, path := range paths {
		files := []string{path}
		if info, err := os.Stat(path); path != "-" && err == nil && info.IsDir() {
			if files, err = yamlFiles(path); err != nil {
				return nil, err
			}
		}
		for _, file := range files {
			some, err := readDocumentsOf(file, stdin)
			if err != nil {
				return nil, err
			}
			docs = append(docs, some...)
		}
	}
	if len(docs) == 0 {
		return nil, fmt.Errorf("there is no document in %s", strings.Join(paths, ", "))
	}
	return docs, nil
}

func readDocumentsOf(file string, stdin io.Reader) (documents, error) {
	whole, err := readFile(file, stdin)
	if err != nil {
		return nil, err
	}
	if file == "-" {
		file = "standard input"
	}
	texts, err := mapping.SplitDocuments(whole)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	docs := make(documents, len(texts))
	from := 0
	for i, text := range texts {
		from += max(0, bytes.Index(whole[from:], text))
		before := bytes.Repeat([]byte("\n"), bytes.Count(whole[:from], []byte("\n")))
		docs[i].file, docs[i].text = file, append(before, text...)
		from += len(text)
	}
	return docs, nil
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
		return nil, fmt.Errorf("read file: %w", err)
	}
	return text, nil
}

// stored returns the published documents of a database.
func stored(s *surroundings, d databaseSettings) (documents, error) {
	db, err := d.open(s.ctx, d.logger(s.stderr))
	if err != nil {
		return nil, err
	}
	defer db.Close()
	published, err := db.Documents(s.ctx)
	if err != nil {
		return nil, err
	}
	docs := make(documents, len(published))
	for i, doc := range published {
		docs[i].file, docs[i].text = "published", []byte(doc.Text)
	}
	return docs, nil
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
