package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/drawbridge-itsm/drawbridge/"

// mayImport says which folders a folder may know; the longest matching folder counts. Arrows run down only.
var mayImport = map[string][]string{
	"cmd":                      {"connectors", "gateway", "mapping", "store", "migrations"},
	"gateway":                  {"connectors", "connectors/markdown", "connectors/verify", "gateway/audit", "gateway/judge", "gateway/signin", "mapping", "store"},
	"gateway/api":              {"connectors", "gateway", "gateway/signin", "store"},
	"gateway/audit":            {"connectors", "store"},
	"gateway/console":          {},
	"gateway/judge":            {"connectors", "mapping"},
	"gateway/signin":           {"connectors", "store"},
	"gateway/signin/oidctest":  {},
	"connectors":               {"connectors/jsonscan"},
	"connectors/verify":        {"connectors"},
	"connectors/jsonscan":      {},
	"connectors/markdown":      {},
	"connectors/builtin":       {"connectors"},
	"connectors/connectortest": {"connectors", "connectors/verify"},
	"connectors/desktest":      {"connectors/connectortest"},
	"connectors/freshdesk":     {"connectors", "connectors/markdown", "connectors/freshworks"},
	"connectors/freshservice":  {"connectors", "connectors/markdown", "connectors/freshworks"},
	"connectors/preset":        {"connectors", "connectors/markdown", "mapping"},
	"connectors/webhook":       {"connectors", "connectors/jsonscan", "mapping"},
	"mapping":                  {},
	"mapping/starter":          {},
	"store":                    {"migrations"},
	"store/storetest":          {"store", "migrations"},
	"migrations":               {},

	"connectors/freshdesk/freshdeskstandin":       {"connectors/standin", "connectors/freshworks/freshworksstandin"},
	"connectors/preset/presetstandin":             {"connectors/standin"},
	"connectors/freshservice/freshservicestandin": {"connectors/standin", "connectors/freshworks/freshworksstandin"},
}

// vendorMayImport is for the vendors' folders, which are not listed one by one, standInMayImport for the stand-ins below
// them: they share nothing with what they stand in front of.
var (
	vendorMayImport  = []string{"connectors", "connectors/jsonscan", "connectors/markdown"}
	standInMayImport = []string{"connectors/standin"}
)

// onlyIn names modules that belong to one place.
var onlyIn = map[string][]string{
	"modernc.org/sqlite":              {"store", "migrations"},
	"github.com/jackc/pgx/v5":         {"store", "migrations"},
	"github.com/pressly/goose/v3":     {"migrations"},
	"github.com/expr-lang/expr":       {"mapping"},
	"github.com/labstack/echo/v4":     {"gateway/api"},
	"github.com/andygrunwald/go-jira": {"connectors/jira"},
}

func TestImportsPointDown(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && d.Name() != ".." || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return nil
		}
		rel, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range parsed.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			checkImport(t, filepath.ToSlash(rel), name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func checkImport(t *testing.T, file, name string) {
	t.Helper()
	folder := path.Dir(file)
	for outside, places := range onlyIn {
		if (name == outside || strings.HasPrefix(name, outside+"/")) && !within(folder, places) {
			t.Errorf("%s imports %s, which only %v may", file, name, places)
		}
	}
	inside, ours := strings.CutPrefix(name, module)
	if !ours {
		return
	}
	if inside == folder || (folder == "connectors/builtin" && path.Dir(inside) == "connectors") || strings.HasPrefix(folder, "cmd/") {
		return
	}
	allowed := vendorMayImport
	if strings.HasSuffix(folder, "standin") {
		allowed = standInMayImport
	}
	for known := folder; known != "."; known = path.Dir(known) {
		if places, ok := mayImport[known]; ok && (known != "connectors" || folder == "connectors") {
			allowed = places
			break
		}
	}
	for _, place := range allowed {
		if inside == place {
			return
		}
	}
	t.Errorf("%s imports %s", file, inside)
}

func within(folder string, places []string) bool {
	for _, place := range places {
		if folder == place || strings.HasPrefix(folder, place+"/") {
			return true
		}
	}
	return false
}
