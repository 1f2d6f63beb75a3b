package main

import (
	"strings"
	"testing"
)

func TestDeskScriptTellsTheAddressAndNoSecret(t *testing.T) {
	t.Parallel()
	p := newProgram(t)
	for _, desk := range []string{"rt", "redmine", "freshdesk", "freshservice", "servicedeskplus", "servicenow"} {
		text := p.fine("desk-script", desk, "--url", "https://b.example/x", "--name", "desk2")
		if !strings.Contains(text, "https://b.example/x/in/desk2") || strings.Contains(text, "bridge.example.com") {
			t.Errorf("the script of %s does not call the address:\n%s", desk, text)
		}
	}
	for _, args := range [][]string{{"epm"}, {"redmine", "--url", "ftp://b.example"}, {"redmine", "--url", "https://b.example/'; system('x"}, {"redmine", "--name", "a'b"}} {
		if r := p.run(append([]string{"desk-script"}, args...)...); r.code != 1 || r.out != "" {
			t.Errorf("%q: exit %d, %s%s", args, r.code, r.out, r.err)
		}
	}
}
