package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-itsm/drawbridge/store"
)

func TestHelp(t *testing.T) {
	t.Parallel()
	p := newProgram(t)
	parser, err := kong.New(&commands{})
	must(t, err)
	whole := p.fine("--help")
	if bare := p.fine(); bare != whole {
		t.Errorf("without arguments it prints\n%s", bare)
	}
	for _, command := range parser.Model.Leaves(true) {
		name := strings.TrimPrefix(command.FullPath(), parser.Model.Name+" ")
		if !strings.Contains(whole, "\n  "+name) || !strings.Contains(whole, firstWords(command.Help)) {
			t.Errorf("the help does not tell of %s", name)
		}
		text := p.fine(append(strings.Fields(name), "--help")...)
		if !strings.HasPrefix(text, "Usage: drawbridge "+name) {
			t.Errorf("the help of %s begins with %q", name, strings.SplitN(text, "\n", 2)[0])
		}
		for _, flag := range command.Flags {
			if !strings.Contains(text, "--"+flag.Name) && !strings.Contains(text, "]"+flag.Name) {
				t.Errorf("the help of %s does not tell of --%s", name, flag.Name)
			}
			for _, env := range flag.Envs {
				if !strings.Contains(text, "$"+env) {
					t.Errorf("the help of %s does not tell of %s", name, env)
				}
			}
			if flag.Help == "" {
				t.Errorf("--%s of %s has no help", flag.Name, name)
			}
		}
		for line := range lines(text) {
			if len(line) > 80 {
				t.Errorf("the help of %s has a line of %d characters: %s", name, len(line), line)
			}
		}
	}
	if got := p.fine("version"); got != "drawbridge dev\n" {
		t.Errorf("version prints %q", got)
	}
	if left, err := os.ReadDir(p.dir); err != nil || len(left) != 0 {
		t.Errorf("asking for help left %v, %v", left, err)
	}
}

func firstWords(text string) string { return strings.Join(strings.Fields(text)[:2], " ") }

func TestMistakes(t *testing.T) {
	t.Parallel()
	p := newProgram(t)
	p.write("bad-key.yaml", "listen: 127.0.0.1:0\ndatabase: postgres://u:topsecret@h/x\nlog_level: debug\n")
	p.write("bad-type.yaml", "listen: 127.0.0.1:0\ntrusted-proxy: {a: b}\n")
	p.write("bad-yaml.yaml", "listen: [a\n")
	p.write("bad-value.yaml", "log-level: loud\n")
	p.write("empty.yaml", "")
	p.write("words.txt", "just words\n")
	p.write("key.txt", "k1 c2hvcnQ=\n")
	tests := []struct{ name, line, want string }{
		{"unknown command", "bogus", "there is no command bogus; see drawbridge --help"},
		{"unknown flag", "serve --bogus", "unknown flag --bogus; see drawbridge serve --help"},
		{"nearly a flag", "apply --fil x", `unknown flag --fil, did you mean "--file"?; see drawbridge apply --help`},
		{"too much", "serve extra", "unexpected argument extra; see drawbridge serve --help"},
		{"too little", "apply", "missing flags: --file=PATH,...; see drawbridge apply --help"},
		{"no path", "check", `expected "<path> ..."; see drawbridge check --help`},
		{"no value", "serve --listen", "--listen: a value is missing; see drawbridge serve --help"},
		{"value out of a list", "serve --log-level loud", `--log-level must be one of "debug","info","warn","error" but got "loud"`},
		{"network", "serve --trusted-proxy nope", "--trusted-proxy"},
		{"no configuration file", "serve --config nope.yaml", "read configuration: open nope.yaml: no such file or directory"},
		{"unknown key", "serve --config bad-key.yaml", `bad-key.yaml: line 3, column 1: unknown field "log_level"`},
		{"wrong type", "serve --config bad-type.yaml", "bad-type.yaml: line 2, column 16: a sequence is expected here, this is a mapping"},
		{"no YAML", "serve --config bad-yaml.yaml", "bad-yaml.yaml: line 1, column 9: sequence end token ']' not found"},
		{"wrong value in the file", "serve --config bad-value.yaml", `--log-level must be one of "debug","info","warn","error" but got "loud"`},
		{"no such engine", "migrate --database mysql://x", "starts with neither sqlite: nor postgres://"},
		{"a server that is not there", "migrate --database postgres://u:topsecret@127.0.0.1:1/x", "connection refused"},
		{"a wrong address", "migrate --database postgres://u:topsecret@127.0.0.1:bad/x", "the postgres:// address is not valid"},
		{"a folder that is not there", "migrate --database sqlite:nope/x.db", "open database: open nope/x.db: no such file or directory"},
		{"a folder for a file", "migrate --database sqlite:.", "open database: open .: is a directory"},
		{"not a database", "migrate --database sqlite:words.txt", "not a database"},
		{"export without a database", "export", "there is no database drawbridge.db; --database names another, drawbridge migrate makes this one"},
		{"replay without a database", "replay", "there is no database drawbridge.db"},
		{"apply without a database", "apply -f empty.yaml", "there is no document in empty.yaml"},
		{"half of TLS", "serve --tls-cert x.pem", "--tls-cert and --tls-key go together"},
		{"a certificate that is not there", "serve --tls-cert x.pem --tls-key x.key --listen 127.0.0.1:0 --database sqlite:tls.db", "read TLS certificate: open x.pem: no such file or directory"},
		{"port", "serve --listen nonsense --database sqlite:port.db", "listen: listen tcp: address nonsense: missing port in address"},
		{"keys that are not there", "serve --key-file nope.key --database sqlite:keys.db", "read key file: open nope.key: no such file or directory"},
		{"keys that are too short", "serve --key-file key.txt --database sqlite:keys.db", "key file key.txt: line 1: the key is not 32 bytes as base64"},
		{"no document", "check empty.yaml", "there is no document in empty.yaml"},
		{"no file", "check nope.yaml", "read file: open nope.yaml: no such file or directory"},
		{"no mapping", "check words.txt", "words.txt: document 1: line 1, column 1: a document is a mapping of keys to values"},
		{"both from standard input", "try --on epm -f - -", "the event and the documents cannot both be standard input"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := p.run(strings.Fields(test.line)...)
			if r.code != 1 || !strings.HasPrefix(r.err, "drawbridge: ") || !strings.Contains(r.err, test.want) {
				t.Errorf("exit %d: %swant %s", r.code, r.err, test.want)
			}
			if r.out != "" {
				t.Errorf("it prints %q beside its error", r.out)
			}
			if strings.Contains(r.err, "topsecret") || strings.Contains(r.err, "goroutine") || strings.Contains(r.err, "Usage:") {
				t.Errorf("the error shows too much: %s", r.err)
			}
		})
	}
}

func TestPrecedenceOfSettings(t *testing.T) {
	t.Parallel()
	p := newProgram(t)
	p.write("settings.yaml", "database: sqlite:of-file.db\nlog-level: warn\ntrusted-proxy: [10.0.0.0/8, 192.0.2.0/24]\n")
	made := func(what string, env []string, args ...string) {
		t.Helper()
		p.env = env
		p.fine(append([]string{"migrate"}, args...)...)
		p.env = nil
		if err := os.Remove(filepath.Join(p.dir, what+".db")); err != nil {
			t.Errorf("%v %v made another database than %s: %v", env, args, what, err)
		}
	}
	made("drawbridge", nil)
	made("of-file", nil, "--config", "settings.yaml")
	made("of-file", []string{"DRAWBRIDGE_CONFIG=settings.yaml"})
	made("of-env", []string{"DRAWBRIDGE_DATABASE=sqlite:of-env.db"}, "--config", "settings.yaml")
	made("of-env", []string{"DRAWBRIDGE_DATABASE=sqlite:of-env.db", "DRAWBRIDGE_CONFIG=settings.yaml"})
	made("of-flag", []string{"DRAWBRIDGE_DATABASE=sqlite:of-env.db"}, "--config", "settings.yaml", "--database", "sqlite:of-flag.db")
	made("of-flag", nil, "--database", "sqlite:of-flag.db", "--config", "settings.yaml")
	s := p.serve("--config", "settings.yaml", "--log-level", "info")
	s.stop()
}

func TestMigrateMakesADatabaseNobodyElseReads(t *testing.T) {
	t.Parallel()
	p := newProgram(t)
	for range 2 {
		if got := p.fine("migrate"); got != "The schema is up to date.\n" {
			t.Errorf("migrate prints %q", got)
		}
	}
	info, err := os.Stat(filepath.Join(p.dir, "drawbridge.db"))
	must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the database may be read by others: %v", info.Mode())
	}
}

func TestDatabaseOfAnotherVersion(t *testing.T) {
	t.Parallel()
	p := newProgram(t)
	p.write("empty.db", "")
	for _, command := range []string{"export", "replay", "serve --no-migrate --listen 127.0.0.1:0"} {
		r := p.run(append(strings.Fields(command), "--database", "sqlite:empty.db")...)
		if r.code != 1 || !strings.Contains(r.err, "run `drawbridge migrate`") {
			t.Errorf("%s on an empty database: exit %d, %s", command, r.code, r.err)
		}
	}
	p.fine("migrate")
	db, err := store.Open(t.Context(), "sqlite:"+filepath.Join(p.dir, "drawbridge.db"), store.Options{})
	must(t, err)
	defer db.Close()
	_, err = db.DB().ExecContext(t.Context(), `DELETE FROM goose_db_version WHERE version_id = (SELECT MAX(version_id) FROM goose_db_version)`)
	must(t, err)
	if r := p.run("export"); r.code != 1 || !strings.Contains(r.err, "drawbridge migrate") {
		t.Errorf("export on an older database: exit %d, %s", r.code, r.err)
	}
}

func TestApplyAndExport(t *testing.T) {
	t.Parallel()
	p := newProgram(t)
	p.starterFolder()
	p.fine("migrate")
	plan := `create     Connection/jira
create     Connection/epm
create     Policy/endpoint-approvers
create     Rule/epm-admin-requests
create     Rule/epm-app-requests
create     Table/priority
create     People/staff
`
	is := func(what, got, want string) {
		t.Helper()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	unasked := regexp.MustCompile(`  warning: its fields were not checked, since jira cannot be asked: .*\n`) // there is no such host
	is("the plan", unasked.ReplaceAllString(p.fine("apply", "-f", "docs", "--plan"), ""), plan)
	if r := p.run("apply", "-f", "docs"); r.code != 1 || r.err != "drawbridge: nothing was applied; --yes applies without asking\n" {
		t.Errorf("without an answer: exit %d, %s", r.code, r.err)
	}
	if r := p.feed("n\n", "apply", "-f", "docs"); r.code != 1 {
		t.Errorf("with no: exit %d", r.code)
	}
	if got := p.fine("export"); got != "" {
		t.Errorf("something was applied:\n%s", got)
	}
	r := p.feed("y\n", "apply", "-f", "docs", "--why", "at first")
	is("with yes", unasked.ReplaceAllString(r.out, ""), plan+"Apply this? [y/N] Applied 7 of 7 documents.\n")

	exported := p.fine("export")
	if strings.Contains(exported, "topsecret") || strings.Count(exported, "{sealed: k1:") != 4 {
		t.Errorf("the export shows a credential or misses one:\n%s", exported)
	}
	if !strings.Contains(exported, "# The security tool.") || !strings.Contains(exported, "# may ask, may not approve") {
		t.Error("the export lost comments")
	}
	p.write("exported.yaml", exported)
	unchanged := regexp.MustCompile(`(?m)^create   `).ReplaceAllString(plan, "unchanged")
	is("the same again", p.fine("apply", "-f", "docs", "--yes"), unchanged+"Nothing to change.\n")
	if got := p.fine("apply", "-f", "exported.yaml"); strings.Count(got, "unchanged") != 7 || !strings.HasSuffix(got, "Nothing to change.\n") {
		t.Errorf("what was exported would change:\n%s", got)
	}
	if r := p.feed(exported, "apply", "-f", "-"); r.code != 0 || strings.Count(r.out, "unchanged") != 7 {
		t.Errorf("what was exported, piped, would change: %s%s", r.out, r.err)
	}

	policy, err := os.ReadFile(filepath.Join(p.dir, "docs", "endpoint-approvers.yaml"))
	must(t, err)
	p.write("policy.yaml", "\n\n"+strings.Replace(string(policy), "[kim, lee]", "[kim]", 1)+"\n\n")
	is("a change", p.fine("apply", "-y", "-f", "policy.yaml"), `update     Policy/endpoint-approvers
--- version 1
+++ new
@@ -2,4 +2,4 @@
 kind: Policy
 name: endpoint-approvers
 approvers:
-  people: [kim, lee]
+  people: [kim]
Applied 1 of 1 document.
`)
}

const badDocuments = `kind: Connection
name: epm
connector: epm
settings:
  base_url: https://epm.example
  client_secret: {value: topsecret}
  bogus: 1
---

# comments count
kind: Rule
name: typo
on: epm
when: event.kindd == "x"
---
kind: Rule
name: nowhere
on: nowhere
when: "true"
--- # on its line
kind: Rule
name: typo
on: epm
when: "true"
`

func TestFaultsOfDocumentsAllAtOnceWithTheirPlaces(t *testing.T) {
	t.Parallel()
	p := newProgram(t)
	p.write("bad/a.yaml", badDocuments)
	p.write("bad/b.yml", "kind: Policy\nname: p\napprovers:\n  people: [ghost]\n")
	p.write("bad/ignored.txt", "kind: Rule\n")
	p.fine("migrate")
	want := `documents at fault
  bad/a.yaml: Connection epm: line 7, column 3: unknown field "bogus"
  bad/a.yaml: Rule typo: when: line 14, column 13: unknown field kindd
  bad/a.yaml: Rule nowhere: on: there is no connection "nowhere"; there are epm
  bad/a.yaml: Rule typo: stands twice
  bad/b.yml: Policy p: approvers.people: ghost stands in no People document
`
	p.write("event.json", "{}")
	for _, line := range []string{"check bad", "apply --plan -f bad", "apply --yes -f bad", "try --on epm -f bad event.json"} {
		r := p.run(strings.Fields(line)...)
		got := strings.Replace(r.err, "drawbridge: 5 ", "", 1)
		got = strings.Replace(got, "stands twice in what is applied", "stands twice", 1)
		if diff := cmp.Diff(want, got); r.code != 1 || diff != "" {
			t.Errorf("%s: exit %d (-want +got):\n%s", line, r.code, diff)
		}
	}
	if got := p.fine("export"); got != "" {
		t.Errorf("something was applied:\n%s", got)
	}
	if r := p.feed("kind: Rule\nname: x\n", "check", "-"); !strings.Contains(r.err, "  standard input: Rule x: on: line 1, column 1: on is missing\n") {
		t.Errorf("from standard input: %s", r.err)
	}
	p.starterFolder()
	if got := p.fine("check", "--offline", "docs"); got != "7 documents, nothing wrong.\n" {
		t.Errorf("good documents: %s", got)
	}
	if got := p.fine("check", "docs/priority.yaml"); got != "1 document, nothing wrong.\n" {
		t.Errorf("one good document: %s", got)
	}
}

func TestTry(t *testing.T) {
	t.Parallel()
	p := newProgram(t)
	p.starterFolder()
	p.write("event.json", examples(t, "json")[0])
	const want = `event access.requested 6f0c1c1e-0d0a-4b58-9c55-2b1f7f7d1a01
  rule epm-admin-requests does not match
    false event.kind == "admin.requested"
  rule epm-app-requests matches
    true  event.kind == "access.requested"
    ---
    kind: create
    at: jira
    project: ITSEC
    type: Access Request
    summary: "CORP\\ana asks to run ACME Tool"
    description: |-
      **CORP\\ana** asks to run **ACME Tool** by ACME Ltd.

      Reason given:

      > install driver

      - Computer: PC-7 (no group)
      - File: ` + "`unknown`" + `
      - Arguments: ` + "`none`" + `
      - SHA-256: ` + "`unknown`" + `

      Move this ticket to **Approved** or **Declined** to decide.
    priority: Medium
    labels:
    - epm
    - epm-application
`
	if diff := cmp.Diff(want, p.fine("try", "--on", "epm", "-f", "docs", "event.json")); diff != "" {
		t.Errorf("try (-want +got):\n%s", diff)
	}
	if left, err := filepath.Glob(filepath.Join(p.dir, "*.db*")); err != nil || len(left) != 0 {
		t.Errorf("trying left %v, %v", left, err)
	}
	p.fine("migrate")
	p.fine("apply", "-y", "-f", "docs")
	if diff := cmp.Diff(want, p.fine("try", "--on", "epm", "event.json")); diff != "" {
		t.Errorf("try with what is published (-want +got):\n%s", diff)
	}
	for name, test := range map[string]struct{ stdin, line, want string }{
		"unknown source": {"{}", "try --on nobody -f docs -", `there is no connection "nobody"; there are epm, jira`},
		"no JSON":        {"{", "try --on epm -f docs -", "the body is no JSON"},
		"no request id":  {"{}", "try --on epm -f docs -", "RequestId is missing"},
		"another type":   {"<a/>", "try --on epm --type text/xml -f docs -", "application/json"},
	} {
		if r := p.feed(test.stdin, strings.Fields(test.line)...); r.code != 1 || !strings.Contains(r.err, test.want) {
			t.Errorf("%s: exit %d, %s", name, r.code, r.err)
		}
	}
}
