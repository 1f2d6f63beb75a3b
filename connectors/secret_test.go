package connectors_test

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/parser"
)

func TestSecretIsNeverPrinted(t *testing.T) {
	t.Parallel()
	const value = "hunter2-and-more"
	secret := connectors.SecretValue(value)
	shapes := map[string]any{
		"itself":              secret,
		"pointer":             &secret,
		"exported field":      struct{ S connectors.Secret }{secret},
		"unexported field":    struct{ s connectors.Secret }{secret},
		"pointer in a field":  struct{ s *connectors.Secret }{&secret},
		"list":                []connectors.Secret{secret},
		"list in a field":     struct{ s []connectors.Secret }{[]connectors.Secret{secret}},
		"map":                 map[string]connectors.Secret{"k": secret},
		"interface":           struct{ s any }{secret},
		"a connection's auth": connectors.Basic{User: "u", Password: secret},
		"verification":        connectors.Verification{Bearer: &connectors.BearerCheck{Tokens: []connectors.Secret{secret}}},
		"outbound":            connectors.Outbound{Headers: map[string]connectors.Secret{"X": secret}},
	}
	formats := map[string]func(v any) string{
		"slog text": func(v any) string {
			return logged(func(w *bytes.Buffer) slog.Handler { return slog.NewTextHandler(w, nil) }, v)
		},
		"slog JSON": func(v any) string {
			return logged(func(w *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(w, nil) }, v)
		},
		"JSON":  func(v any) string { b, _ := json.Marshal(v); return string(b) },
		"XML":   func(v any) string { b, _ := xml.Marshal(v); return string(b) },
		"YAML":  func(v any) string { b, _ := yaml.Marshal(v); return string(b) },
		"error": func(v any) string { return fmt.Errorf("open: %v", v).Error() },
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%p", "%T"} {
		formats[verb] = func(v any) string { return fmt.Sprintf(verb, v) }
	}
	for shape, v := range shapes {
		for name, format := range formats {
			got := format(v)
			if strings.Contains(got, "hunter2") || strings.Contains(strings.ToLower(got), fmt.Sprintf("%x", "hunter2")) {
				t.Errorf("%s as %s: %s", shape, name, got)
			}
		}
	}
	if got := fmt.Sprintf("%v %s %q", secret, secret, secret); got != "[secret] [secret] [secret]" {
		t.Errorf("got %s", got)
	}
	if got := formats["JSON"](shapes["exported field"]); got != `{"S":"[secret]"}` {
		t.Errorf("got %s", got)
	}
}

func logged(handler func(w *bytes.Buffer) slog.Handler, v any) string {
	var out bytes.Buffer
	slog.New(handler(&out)).Info("opened", "connection", v)
	return out.String()
}

func TestSecretYAMLIsReadBackAsText(t *testing.T) {
	t.Parallel()
	text, err := yaml.Marshal(struct{ S connectors.Secret }{connectors.SecretValue("hunter2")})
	if err != nil {
		t.Fatal(err)
	}
	var back struct{ S string }
	if err := yaml.Unmarshal(text, &back); err != nil || back.S != "[secret]" {
		t.Errorf("got %q from %q, %v", back.S, text, err)
	}
}

func TestSecretEqual(t *testing.T) {
	t.Parallel()
	a, b := connectors.SecretValue("a"), connectors.SecretValue("b")
	if !a.Equal(connectors.SecretValue("a")) || a.Equal(b) || a.Equal(connectors.Secret{}) || !(connectors.Secret{}).Equal(connectors.SecretValue("")) {
		t.Error("secrets are not told apart by what they refer to")
	}
	if a.IsZero() || !(connectors.Secret{}).IsZero() || !connectors.SecretValue("").IsZero() {
		t.Error("a secret that is set is not told from one that is not")
	}
}

// settings is a document with secrets wherever a vendor may want them.
type settings struct {
	Name string                       `yaml:"name"`
	One  connectors.Secret            `yaml:"one"`
	Ptr  *connectors.Secret           `yaml:"ptr"`
	List []connectors.Secret          `yaml:"list"`
	Map  map[string]connectors.Secret `yaml:"map"`
	Deep []struct {
		Key connectors.Secret `yaml:"key"`
		N   int               `yaml:"n"`
	} `yaml:"deep"`
}

func decodeSealing(text string, into any) (string, error) {
	file, err := parser.ParseBytes([]byte(text), parser.ParseComments)
	if err != nil {
		return "", err
	}
	n := 0
	ctx := connectors.WithSealer(context.Background(), func(value string) (string, error) {
		if value == "unsealable" {
			return "", errors.New("no key")
		}
		n++
		return fmt.Sprintf("k1:%d.%d", n, len(value)), nil
	})
	err = yaml.NewDecoder(strings.NewReader(""), yaml.Strict()).DecodeFromNodeContext(ctx, file.Docs[0].Body, into)
	return file.String(), err
}

func TestSecretIsSealedInPlace(t *testing.T) {
	t.Parallel()
	const text = `# the connection
name: jira # keep
one: {value: hunter2} # rotated in May
ptr:
  value: "hunter2" # quoted
list: [{value: hunter2}, {env: DRAWBRIDGE_SECRET_X}]
map:
  a: {value: 'hunter2'}
  b:
    # why
    value: hunter2
deep:
  - key:
      value: |
        hunter2
        hunter2
    n: 3
  - key: {sealed: "k0:old"}
`
	const want = `# the connection
name: jira # keep
one: {sealed: k1:1.7} # rotated in May
ptr:
  sealed: k1:2.7 # quoted
list: [{sealed: k1:3.7}, {env: DRAWBRIDGE_SECRET_X}]
map:
  a: {sealed: k1:4.7}
  b:
    # why
    sealed: k1:5.7
deep:
  - key:
      sealed: k1:6.16
    n: 3
  - key: {sealed: "k0:old"}
`
	var got settings
	printed, err := decodeSealing(text, &got)
	if err != nil {
		t.Fatal(err)
	}
	if strings.TrimSpace(printed) != strings.TrimSpace(want) {
		t.Errorf("got\n%s\nwant\n%s", printed, want)
	}
	if got.Name != "jira" || got.One.IsZero() || got.Ptr.IsZero() || len(got.List) != 2 || len(got.Map) != 2 || len(got.Deep) != 2 || got.Deep[0].N != 3 {
		t.Errorf("got %+v", got)
	}
	var again settings
	reprinted, err := decodeSealing(printed, &again)
	if err != nil || reprinted != printed {
		t.Errorf("sealing twice changed the document: %v\n%s", err, reprinted)
	}
	if !got.One.Equal(again.One) {
		t.Error("the secret read back is another one")
	}
}

func TestSecretThroughAnAnchorIsSealedOnce(t *testing.T) {
	t.Parallel()
	var got settings
	printed, err := decodeSealing("one: &s {value: hunter2}\nptr: *s\n", &got)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(printed, "hunter2") || !got.One.Equal(*got.Ptr) {
		t.Errorf("got %s", printed)
	}
}

func TestSecretRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, text, want string
	}{
		{"plain text", "one: hunter2\n", "[1:6] a secret is written"},
		{"a number", "one: 42\n", "a secret is written"},
		{"nothing", "one: {}\n", "a secret is written"},
		{"two ways", "one: {value: hunter2, env: DRAWBRIDGE_SECRET_X}\n", "a secret is written"},
		{"an unknown way", "one: {vault: hunter2}\n", "a secret has env, file or value"},
		{"an empty value", `one: {value: ""}` + "\n", "a secret's text is not empty"},
		{"no value", "one: {value: null}\n", "a secret's text is not empty"},
		{"a list", "one: {value: [hunter2]}\n", "a secret's text is not empty"},
		{"a value that reads as a number", "one: {value: 0123}\n", "stands in quotes"},
		{"a value that reads as another number", "one: {value: 1.50}\n", "stands in quotes"},
		{"a value that reads as a switch", "one: {value: true}\n", "stands in quotes"},
		{"somebody else's environment", "one: {env: HOME}\n", "starts with DRAWBRIDGE_SECRET_"},
		{"a file elsewhere", "one: {file: /etc/hunter2}\n", "a name inside the secrets directory"},
		{"a file above", "one: {file: ../hunter2}\n", "a name inside the secrets directory"},
		{"a value that cannot be sealed", "one: {value: unsealable}\n", "seal secret: no key"},
		{"a fault beside a secret", "one: {value: hunter2}\nother: 1\n", `[2:1] unknown field "other"`},
		{"another type beside a secret", "one: {value: hunter2}\ndeep: [{n: x}]\n", "[2:12] cannot unmarshal"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got settings
			_, err := decodeSealing(tt.text, &got)
			if err == nil {
				t.Fatal("got no error")
			}
			err = connectors.WithoutSource(err)
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %q, want it to say %q", err, tt.want)
			}
			if strings.Contains(fmt.Sprintf("%v %+v", err, err), "hunter2") {
				t.Errorf("%q shows the secret", err)
			}
		})
	}
}

func TestSecretFaultsShowNoSource(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"one: hunter2\n", "one: {vault: hunter2}\n", "one: {value: [hunter2]}\n", "one: {value: hunter2, env: x}\n"} {
		var got settings
		err := yaml.Unmarshal([]byte(text), &got)
		if err == nil || strings.Contains(yaml.FormatError(err, false, true)+err.Error(), "hunter2") {
			t.Errorf("%q: got %v", text, err)
		}
	}
	if _, err := decodeSealing("one: {value: hunter2\nname: [", new(settings)); err == nil || strings.Contains(connectors.WithoutSource(err).Error(), "hunter2") {
		t.Errorf("a document that is no YAML: got %v", connectors.WithoutSource(err))
	}
	other := errors.New("other")
	if !errors.Is(connectors.WithoutSource(other), other) {
		t.Error("an error of another kind was changed")
	}
}
