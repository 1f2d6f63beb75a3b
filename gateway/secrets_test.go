package gateway

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestSecretsRotate(t *testing.T) {
	t.Parallel()
	g := newTimed(t, probing("verify: {oauth: {client_id: tool}}"))
	make := func() MadeSecret {
		t.Helper()
		made, err := g.MakeSecret(t.Context(), "probe", "kim", "yearly")
		if err != nil || made.ClientID != "tool" || len(made.Secret) != len("dbs_")+43 || made.Mark == "" {
			t.Fatalf("got %+v, %v", made, err)
		}
		return made
	}
	first := make()
	old := g.token(t, withSecret(first.Secret))
	g.put(time.Second)
	second := make()
	for _, made := range []MadeSecret{first, second} {
		if !g.good(t, g.token(t, withSecret(made.Secret))) {
			t.Errorf("%s is not good", made.Mark)
		}
	}
	if _, err := g.MakeSecret(t.Context(), "probe", "kim", ""); err == nil || !strings.Contains(err.Error(), "two secrets already") {
		t.Errorf("a third: %v", err)
	}
	g.put(time.Minute)
	g.token(t, withSecret(second.Secret))
	list, err := g.Credentials(t.Context(), "probe")
	if err != nil || len(list) != 2 || list[0].Mark != first.Mark || !list[0].LastUsed.Equal(decidedAt.Add(time.Second)) || list[1].Mark != second.Mark || !list[1].LastUsed.Equal(decidedAt.Add(time.Minute)) {
		t.Errorf("the list is %+v, %v", list, err)
	}
	if n, err := g.DropSecret(t.Context(), "probe", first.Mark, false, "kim", "rotated"); err != nil || n != 0 {
		t.Errorf("dropped with %d tokens, %v", n, err)
	}
	if _, err := g.Token(t.Context(), withSecret(first.Secret)); err == nil {
		t.Error("the dropped secret is still good")
	}
	if !g.good(t, old) {
		t.Error("its token is not good any more, though nobody said so")
	}
	if n, err := g.DropSecret(t.Context(), "probe", second.Mark, true, "kim", "leaked"); err != nil || n != 2 {
		t.Errorf("dropped with %d tokens, %v", n, err)
	}
	if _, err := g.DropSecret(t.Context(), "probe", second.Mark, true, "kim", ""); err == nil || !strings.Contains(err.Error(), "made no secret "+second.Mark) {
		t.Errorf("dropped twice: %v", err)
	}
	for _, secret := range []string{first.Secret, second.Secret} {
		if found := g.find(t, secret); found != "" {
			t.Errorf("a secret stands in %s", found)
		}
	}
	entries, err := g.store.Records(t.Context(), "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, e := range entries {
		if e.Kind == "secret.made" || e.Kind == "secret.dropped" {
			kinds = append(kinds, e.Kind)
		}
	}
	if !slices.Equal(kinds, []string{"secret.made", "secret.made", "secret.dropped", "secret.dropped"}) {
		t.Errorf("the record has %v", kinds)
	}
}

// An admin who applies the file again does not undo what was rotated meanwhile; who deletes a connection does.
func TestMadeSecretsOutliveTheirDocument(t *testing.T) {
	t.Parallel()
	doc := probing("verify: {oauth: {client_id: tool}}")
	g := newTimed(t, doc)
	made, err := g.MakeSecret(t.Context(), "probe", "kim", "")
	if err != nil {
		t.Fatal(err)
	}
	g.apply(t, strings.Replace(doc, "inbound:", "tenant: t\ninbound:", 1))
	token := g.token(t, withSecret(made.Secret))
	if _, err := g.DeleteConnection(t.Context(), "probe", Deleting{}, "kim", ""); err != nil {
		t.Fatal(err)
	}
	if _, err := g.Token(t.Context(), withSecret(made.Secret)); err == nil {
		t.Error("a deleted connection gives tokens")
	}
	g.apply(t, doc)
	if _, err := g.Token(t.Context(), withSecret(made.Secret)); err == nil {
		t.Error("a new connection of the same name knows the secret of the old one")
	}
	g.put(tokenSeenFor)
	if g.good(t, token) {
		t.Error("a new connection of the same name takes tokens of the old one")
	}
}

func TestSecretsAreMadeWhereTheyMakeSense(t *testing.T) {
	t.Parallel()
	g := newTimed(t, epmConnection)
	for name, want := range map[string]string{"nobody": `there is no connection "nobody"`, "epm": "set inbound.verify to oauth: {}"} {
		if _, err := g.MakeSecret(t.Context(), name, "kim", ""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	for _, f := range []func() error{
		func() error { _, err := g.Credentials(t.Context(), "nobody"); return err },
		func() error { _, err := g.RevokeTokens(t.Context(), "nobody", "kim", ""); return err },
		func() error { _, err := g.DropSecret(t.Context(), "nobody", "m", false, "kim", ""); return err },
	} {
		if refusal, ok := errors.AsType[*Refusal](f()); !ok || refusal.Status != 404 {
			t.Errorf("got %v", f())
		}
	}
	g.catalogue().connections["broken"] = &connection{doc: ConnectionDoc{Name: "broken"}, fault: errors.New("its secret cannot be opened")}
	if _, err := g.Credentials(t.Context(), "broken"); err == nil || !strings.Contains(err.Error(), "cannot be used") {
		t.Errorf("a faulty connection: %v", err)
	}
}

// The same typed password is the same document, whatever its salt.
func TestTypedPasswordsAreHashedOnce(t *testing.T) {
	t.Parallel()
	g := newTimed(t, probing(tooling))
	stored, err := g.store.Document(t.Context(), kindConnection, "probe", 0)
	if err != nil || strings.Contains(stored.Text, "typed-") || strings.Count(stored.Text, `argon2id: "$argon2id$v=19$`) != 2 {
		t.Fatalf("stored is %s, %v", stored.Text, err)
	}
	edits, err := g.Plan(t.Context(), texts(probing(tooling)))
	if err != nil || edits[0].Change != "unchanged" {
		t.Errorf("the same document is an %s, %v", edits[0].Change, err)
	}
	edits, err = g.Plan(t.Context(), texts(stored.Text))
	if err != nil || edits[0].Change != "unchanged" {
		t.Errorf("what is stored is an %s, %v", edits[0].Change, err)
	}
	edits, err = g.Plan(t.Context(), texts(probing(strings.Replace(tooling, "typed-passw0rd", "another-passw0rd", 1))))
	if err != nil || edits[0].Change != "update" || strings.Contains(edits[0].After, "passw0rd") {
		t.Errorf("another password is an %s, %v", edits[0].Change, err)
	}
}

func TestDoctorLooksAtTheDoor(t *testing.T) {
	t.Parallel()
	named := func(name, inbound string) string {
		return strings.Replace(probing(inbound), "name: probe", "name: "+name, 1)
	}
	g := newTimed(t, probing("verify: {bearer: {tokens: [{value: s3cret-1}, {value: s3cret-2}]}}"), named("open", "verify: {none: true}\nfrom: [192.0.2.0/24]"),
		named("fresh", "verify: {oauth: {}}"), named("outside", "verify: {issuer: {url: 'http://127.0.0.1:1', audience: a, subject: s}}"))
	g.status(t, call("r-1", here, "Authorization", "Bearer s3cret-2"))
	if err := g.keepDoor(t.Context()); err != nil {
		t.Fatal(err)
	}
	list, err := g.Credentials(t.Context(), "probe")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"probe":   fmt.Sprintf("two of its tokens are good: %s, never used, and %s, last used at 2026-01-05 11:00:00 UTC;", list[0].Mark, list[1].Mark),
		"open":    "it takes requests of anybody (inbound.verify: none), from 192.0.2.0/24",
		"fresh":   "nobody can get a token for it; drawbridge secret make fresh makes a secret",
		"outside": "its tokens cannot be checked: discover issuer:",
	} {
		var r Report
		if err := g.examineDoor(t.Context(), &r, g.catalogue().connections[name], true); err != nil {
			t.Fatal(err)
		}
		if len(r.Findings) != 1 || !strings.Contains(r.Findings[0].Text, want) || strings.Contains(r.Findings[0].Text, "s3cret") {
			t.Errorf("%s: got %+v, want %s", name, r.Findings, want)
		}
		if name == "outside" {
			if err := g.examineDoor(t.Context(), &r, g.catalogue().connections[name], false); err != nil || len(r.Findings) != 1 {
				t.Errorf("an issuer that must not be asked: %+v, %v", r.Findings, err)
			}
		}
	}
	view, err := g.Connection(t.Context(), "probe")
	if err != nil || len(view.Credentials) != 2 || view.Credentials[1].LastUsed.IsZero() {
		t.Errorf("the view is %+v, %v", view, err)
	}
}
