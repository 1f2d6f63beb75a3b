package connectortest

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var rewrite = flag.Bool("update", false, "rewrite golden files")

// Golden compares a text with testdata/golden/NAME.txt, as GoldenText does.
func Golden(t testing.TB, name, got string) {
	t.Helper()
	GoldenText(t, filepath.Join("testdata", "golden", name+".txt"), got)
}

// GoldenText compares a text with a file, which the flag -update rewrites. A text that holds Canary fails and is never
// written.
func GoldenText(t testing.TB, path, got string) {
	t.Helper()
	if strings.Contains(got, Canary) {
		t.Fatalf("what is to stand in %s holds a credential", path)
	}
	if *rewrite {
		Must(t, os.MkdirAll(filepath.Dir(path), 0o750))
		Must(t, os.WriteFile(path, []byte(got), 0o600))
	}
	want, err := os.ReadFile(path)
	Must(t, err)
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s differs (-want +got):\n%s", path, d)
	}
}

// GoldenJSON compares a value with a file as JSON, however that is laid out. The flag -update rewrites the file.
func GoldenJSON(t testing.TB, path string, got any) {
	t.Helper()
	text, err := json.MarshalIndent(got, "", "  ")
	Must(t, err)
	if *rewrite {
		GoldenText(t, path, string(text)+"\n")
		return
	}
	file, err := os.ReadFile(path)
	Must(t, err)
	var a, b any
	Must(t, json.Unmarshal(file, &a))
	Must(t, json.Unmarshal(text, &b))
	if d := cmp.Diff(a, b); d != "" {
		t.Errorf("%s differs (-want +got):\n%s", path, d)
	}
}
