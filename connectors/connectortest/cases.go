package connectortest

import (
	"os"
	"path/filepath"
	"testing"
)

// Cases returns the folders testdata/KIND/*, each of which holds one case. There is one at least.
func Cases(t testing.TB, kind string) []string {
	t.Helper()
	dirs, err := filepath.Glob(filepath.Join("testdata", kind, "*"))
	if err != nil || len(dirs) == 0 {
		t.Fatalf("no cases of %s: %v", kind, err)
	}
	return dirs
}

// Body reads the body of one case: body.json where it is JSON, body.txt where it is not.
func Body(t testing.TB, dir string) []byte {
	t.Helper()
	for _, name := range []string{"body.json", "body.txt"} {
		if body, err := os.ReadFile(filepath.Join(dir, name)); err == nil {
			return body
		}
	}
	t.Fatalf("%s has no body", dir)
	return nil
}
