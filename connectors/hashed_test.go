package connectors_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/parser"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

const someDigits = "5e884898da28047151d0e56f8dc6292773603d0d6aabbd62a11ef721d1542d8f"

// hashing decodes text with a hasher and returns the document as it would be stored.
func hashing(t *testing.T, text string, hash func(string) (string, error)) (connectors.Hashed, string, error) {
	t.Helper()
	file, err := parser.ParseBytes([]byte(text), parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	var doc struct{ One connectors.Hashed }
	err = yaml.NewDecoder(strings.NewReader(""), yaml.Strict()).
		DecodeFromNodeContext(connectors.WithHasher(context.Background(), hash), file.Docs[0].Body, &doc)
	return doc.One, file.String(), err
}

func TestHashedIsRead(t *testing.T) {
	t.Parallel()
	hash := func(value string) (string, error) {
		if value == "of-the-usual-form" {
			return "$argon2id$m=1,t=2,p=3", nil
		}
		return "$argon2id$of-" + fmt.Sprint(len(value)), nil
	}
	tests := []struct {
		name, text, stored string
		want               connectors.Hashed
	}{
		{"a value", "one: {value: hunter2} # typed\n", "one: {argon2id: $argon2id$of-7} # typed\n", connectors.HashedArgon2id("$argon2id$of-7")},
		{"a value in lines", "one:\n  value: hunter2\n", "one:\n  argon2id: $argon2id$of-7\n", connectors.HashedArgon2id("$argon2id$of-7")},
		{"a value whose hash has commas", "one: {value: of-the-usual-form}\n", "one: {argon2id: \"$argon2id$m=1,t=2,p=3\"}\n", connectors.HashedArgon2id("$argon2id$m=1,t=2,p=3")},
		{"a hash", "one: {argon2id: $argon2id$x}\n", "", connectors.HashedArgon2id("$argon2id$x")},
		{"digits", "one: {sha256: " + strings.ToUpper(someDigits) + "}\n", "", connectors.HashedSHA256(someDigits)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, stored, err := hashing(t, tt.text, hash)
			if err != nil || !got.Equal(tt.want) {
				t.Fatalf("got %v with mark %s, %v", got.Equal(tt.want), got.Mark(), err)
			}
			if want := cmpOr(tt.stored, tt.text); stored != want {
				t.Errorf("stored is %q, want %q", stored, want)
			}
			if again, _, err := hashing(t, stored, hash); err != nil || !again.Equal(got) {
				t.Errorf("what was stored reads as another credential, %v", err)
			}
		})
	}
	for _, text := range []string{"one: {env: DRAWBRIDGE_SECRET_X}\n", "one: {file: epm/password}\n"} {
		got, stored, err := hashing(t, text, hash)
		if err != nil || got.Secret().IsZero() || got.SHA256()+got.Argon2id() != "" || stored != text {
			t.Errorf("%s: got %+v, stored %q, %v", text, got, stored, err)
		}
	}
}

func cmpOr(a, b string) string {
	if a == "" {
		return b
	}
	return a
}

func TestHashedRefuses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"one: hunter2\n":                        "a credential is written {value: ...}",
		"one: {}\n":                             "a credential is written {value: ...}",
		"one: {value: hunter2, file: x}\n":      "a credential is written {value: ...}",
		"one: {value: 0123}\n":                  "stands in quotes",
		"one: {value: \"\"}\n":                  "a credential's text is not empty",
		"one: {sealed: hunter2}\n":              "a credential has value, env, file, sha256 or argon2id",
		"one: {sha256: hunter2}\n":              "sha256 is 64 hex digits",
		"one: {sha256: abcd}\n":                 "sha256 is 64 hex digits",
		"one: {env: HOME}\n":                    "starts with DRAWBRIDGE_SECRET_",
		"one: {file: ../hunter2}\n":             "a name inside the secrets directory",
		"one: {value: unhashable-hunter2}\n":    "hash credential: no memory",
		"one: {argon2id: [hunter2, hunter2]}\n": "a credential's text is not empty",
	} {
		_, _, err := hashing(t, text, func(string) (string, error) { return "", errors.New("no memory") })
		if err == nil || !strings.Contains(connectors.WithoutSource(err).Error(), want) {
			t.Errorf("%s: got %v, want it to say %q", text, err, want)
		} else if strings.Contains(connectors.WithoutSource(err).Error(), "hunter2") {
			t.Errorf("%s: the fault shows it: %v", text, connectors.WithoutSource(err))
		}
	}
}

func TestHashedIsNeverPrinted(t *testing.T) {
	t.Parallel()
	for _, h := range []connectors.Hashed{connectors.HashedValue("hunter2"), connectors.HashedArgon2id("hunter2"), connectors.HashedSHA256("hunter2")} {
		for _, v := range []any{h, &h, struct{ H connectors.Hashed }{h}, struct{ h connectors.Hashed }{h}, []connectors.Hashed{h}, map[string]connectors.Hashed{"k": h}} {
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
				if got := fmt.Sprintf(verb, v); strings.Contains(got, "hunter2") || strings.Contains(got, "68756e74") {
					t.Errorf("%s of %T: %s", verb, v, got)
				}
			}
		}
		if text, err := yaml.Marshal(h); err != nil || strings.Contains(string(text), "hunter2") {
			t.Errorf("as YAML: %s, %v", text, err)
		}
	}
}

func TestMarksTellCredentialsApartAndNothingOfThem(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, text := range []string{"{env: DRAWBRIDGE_SECRET_A}", "{env: DRAWBRIDGE_SECRET_B}", "{file: a}", "{file: b}", "{sealed: 'k:AAAA'}"} {
		s := secretFrom(t, text)
		if other, taken := seen[s.Mark()]; taken || len(s.Mark()) != 8 || s.Mark() != secretFrom(t, text).Mark() {
			t.Errorf("%s has the mark %q; %s has it too", text, s.Mark(), other)
		}
		seen[s.Mark()] = text
	}
	if got := connectors.SecretValue("hunter2").Mark() + connectors.HashedValue("hunter2").Mark() + (connectors.Secret{}).Mark(); got != "" {
		t.Errorf("a mark is made of a value: %s", got)
	}
	for text, want := range map[string]string{"{env: DRAWBRIDGE_SECRET_A}": "environment variable DRAWBRIDGE_SECRET_A", "{file: a}": "file a", "{sealed: 'k:AAAA'}": "in the document"} {
		if got := secretFrom(t, text).Where(); got != want {
			t.Errorf("%s is kept %q, want %q", text, got, want)
		}
	}
	if got := (connectors.Secret{}).Where(); got != "nowhere" {
		t.Errorf("no secret is kept %q", got)
	}
}
