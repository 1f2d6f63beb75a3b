package main

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/drawbridge-itsm/drawbridge/mapping"
)

func readme(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func examples(t *testing.T, language string) []string {
	t.Helper()
	var found []string
	for _, m := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(readme(t), -1) {
		found = append(found, m[1])
	}
	if len(found) == 0 {
		t.Fatalf("the README has no %s example", language)
	}
	return found
}

func TestReadmeExamplesAreValid(t *testing.T) {
	t.Parallel()
	for _, text := range examples(t, "json") {
		if !json.Valid([]byte(text)) {
			t.Errorf("not JSON:\n%s", text)
		}
	}
	for _, text := range examples(t, "yaml") {
		if head, err := mapping.ReadHeader([]byte(text)); err == nil && head.Kind == "Policy" {
			if p, err := mapping.ParsePolicy([]byte(text)); err != nil {
				t.Errorf("policy: %v", err)
			} else if _, err := mapping.CompilePolicy(p, mapping.Env{}); err != nil {
				t.Errorf("policy %s: %v", p.Name, err)
			}
			continue
		}
		rule, err := mapping.ParseRule([]byte(text))
		if err != nil {
			t.Errorf("rule: %v", err)
			continue
		}
		if _, err := mapping.Compile(rule, mapping.Env{}); err != nil {
			t.Errorf("rule %s: %v", rule.Name, err)
		}
	}
}

func TestReadmeListsEveryCommandAndSetting(t *testing.T) {
	t.Parallel()
	parser, err := kong.New(&commands{})
	if err != nil {
		t.Fatal(err)
	}
	text := readme(t)
	settings := map[string]bool{}
	for _, command := range parser.Model.Children {
		if !strings.Contains(text, "\n| `"+command.Name+"` |") {
			t.Errorf("the table of commands lacks %s", command.Name)
		}
		for _, flag := range command.Flags {
			if len(flag.Envs) == 0 {
				continue
			}
			settings[flag.Name] = true
			row := "| `--" + flag.Name + "` | `" + flag.Envs[0] + "` |"
			if !strings.Contains(text, row) {
				t.Errorf("the table of settings lacks %s", row)
			} else if flag.HasDefault && !strings.Contains(text, row+" `"+flag.Default+"` |") {
				t.Errorf("the default of --%s is %s", flag.Name, flag.Default)
			}
		}
	}
	for _, m := range regexp.MustCompile("\n\\| `--([a-z-]+)` \\|").FindAllStringSubmatch(text, -1) {
		if !settings[m[1]] {
			t.Errorf("there is no setting --%s", m[1])
		}
	}
	for _, m := range regexp.MustCompile("drawbridge ([a-z]+) ").FindAllStringSubmatch(strings.Join(examples(t, "sh"), ""), -1) {
		if parser.Model.Children == nil || !strings.Contains(text, "\n| `"+m[1]+"` |") {
			t.Errorf("there is no command %s", m[1])
		}
	}
}
