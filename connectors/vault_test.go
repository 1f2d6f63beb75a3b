package connectors_test

import (
	"bytes"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/goccy/go-yaml"
)

// secretFrom reads a secret as a document holds it.
func secretFrom(t testing.TB, text string) connectors.Secret {
	t.Helper()
	var doc struct{ S connectors.Secret }
	if err := yaml.Unmarshal([]byte("s: "+text), &doc); err != nil {
		t.Fatalf("read secret %s: %v", text, err)
	}
	return doc.S
}

func testKey(b byte) []byte { return bytes.Repeat([]byte{b}, 32) }

func TestVaultReveals(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("plain", "s3cret\r\n")
	write("sub/spaces", " s3cret ")
	write("empty", "\n")
	write("large", strings.Repeat("x", 65<<10))
	outside := filepath.Join(t.TempDir(), "outside")
	if err := os.WriteFile(outside, []byte("s3cret"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(dir, "leads-out")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("plain", filepath.Join(dir, "linked")); err != nil {
		t.Fatal(err)
	}
	vault := &connectors.Vault{Dir: dir, Getenv: func(name string) string {
		return map[string]string{"DRAWBRIDGE_SECRET_A": "s3cret"}[name]
	}}
	tests := []struct {
		name, text, want, wantErr string
	}{
		{"environment", "{env: DRAWBRIDGE_SECRET_A}", "s3cret", ""},
		{"environment, not set", "{env: DRAWBRIDGE_SECRET_B}", "", "environment variable DRAWBRIDGE_SECRET_B is not set"},
		{"file", "{file: plain}", "s3cret", ""},
		{"file below, spaces kept", "{file: sub/spaces}", " s3cret ", ""},
		{"file through a link", "{file: linked}", "s3cret", ""},
		{"file that is missing", "{file: missing}", "", "open secret file"},
		{"file that is empty", "{file: empty}", "", `secret file "empty" is empty`},
		{"file that is large", "{file: large}", "", `secret file "large" is larger than`},
		{"link out of the directory", "{file: leads-out}", "", "open secret file"},
		{"value", "{value: s3cret}", "s3cret", ""},
		{"sealed, no key", `{sealed: "k9:AAAA"}`, "", `no key "k9"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := vault.Reveal(secretFrom(t, tt.text))
			if got != tt.want || (err == nil) != (tt.wantErr == "") {
				t.Fatalf("got %q and %v, want %q", got, err, tt.want)
			}
			if err != nil && (!strings.Contains(err.Error(), tt.wantErr) || strings.Contains(err.Error(), "s3cret")) {
				t.Errorf("got %q, want it to say %q", err, tt.wantErr)
			}
		})
	}
}

func TestVaultRevealsNothingWithoutSurroundings(t *testing.T) {
	t.Parallel()
	vault := &connectors.Vault{}
	for _, secret := range []connectors.Secret{
		{}, secretFrom(t, "{env: DRAWBRIDGE_SECRET_A}"), secretFrom(t, "{file: a}"), secretFrom(t, `{sealed: "k:AAAA"}`),
	} {
		if text, err := vault.Reveal(secret); err == nil || text != "" {
			t.Errorf("got %q and %v", text, err)
		}
	}
}

func TestVaultSeals(t *testing.T) {
	t.Parallel()
	old := &connectors.Vault{Keys: map[string][]byte{"k1": testKey(1)}, Current: "k1"}
	both := &connectors.Vault{Keys: map[string][]byte{"k1": testKey(1), "k2": testKey(2)}, Current: "k2"}
	sealed, err := old.Seal("s3cret")
	if err != nil {
		t.Fatal(err)
	}
	again, _ := old.Seal("s3cret")
	if sealed == again || strings.Contains(sealed, "s3cret") || !strings.HasPrefix(sealed, "k1:") {
		t.Errorf("got %s and %s", sealed, again)
	}
	for name, vault := range map[string]*connectors.Vault{"the same vault": old, "a vault with a newer key": both} {
		if got, err := vault.Reveal(secretFrom(t, "{sealed: '"+sealed+"'}")); err != nil || got != "s3cret" {
			t.Errorf("%s: got %q and %v", name, got, err)
		}
	}
	fresh, err := both.Seal("s3cret")
	if err != nil || !strings.HasPrefix(fresh, "k2:") {
		t.Errorf("got %s and %v, want it sealed with the current key", fresh, err)
	}
	if _, err := old.Reveal(secretFrom(t, "{sealed: '"+fresh+"'}")); err == nil || !strings.Contains(err.Error(), `no key "k2"`) {
		t.Errorf("got %v", err)
	}
}

func TestVaultOpensNothingThatWasChanged(t *testing.T) {
	t.Parallel()
	vault := &connectors.Vault{Keys: map[string][]byte{"k1": testKey(1), "k2": testKey(1)}, Current: "k1"}
	sealed, err := vault.Seal("s3cret")
	if err != nil {
		t.Fatal(err)
	}
	box, err := base64.RawStdEncoding.DecodeString(strings.TrimPrefix(sealed, "k1:"))
	if err != nil {
		t.Fatal(err)
	}
	refused := func(what, text string) {
		t.Helper()
		got, err := vault.Reveal(secretFrom(t, "{sealed: '"+text+"'}"))
		if err == nil || got != "" || !strings.Contains(err.Error(), "damaged") {
			t.Errorf("%s: got %q and %v", what, got, err)
		}
	}
	for i := range box {
		changed := bytes.Clone(box)
		changed[i] ^= 1
		refused("a byte changed", "k1:"+base64.RawStdEncoding.EncodeToString(changed))
	}
	refused("moved to another key id", strings.Replace(sealed, "k1:", "k2:", 1))
	refused("cut", sealed[:len(sealed)-4])
	refused("not base64", "k1:%%%")
	refused("empty", "k1:")
}

func TestVaultRefusesAKeyThatIsNoneOfItsKind(t *testing.T) {
	t.Parallel()
	for name, vault := range map[string]*connectors.Vault{
		"short":    {Keys: map[string][]byte{"k": make([]byte, 16)}, Current: "k"},
		"missing":  {Current: "k"},
		"id taken": {Keys: map[string][]byte{"a:b": testKey(1)}, Current: "a:b"},
	} {
		if sealed, err := vault.Seal("s3cret"); err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: got %q and %v", name, sealed, err)
		}
	}
}

func TestMarksAreForOnePurposeAndOutliveARotation(t *testing.T) {
	t.Parallel()
	old := &connectors.Vault{Keys: map[string][]byte{"a": bytes.Repeat([]byte{1}, 32)}, Current: "a"}
	mark, err := old.Sign("links", "text")
	if err != nil {
		t.Fatal(err)
	}
	both := &connectors.Vault{Keys: map[string][]byte{"a": bytes.Repeat([]byte{1}, 32), "b": bytes.Repeat([]byte{2}, 32)}, Current: "b"}
	other := &connectors.Vault{Keys: map[string][]byte{"b": bytes.Repeat([]byte{2}, 32)}, Current: "b"}
	for _, test := range []struct {
		name, purpose, text string
		vault               *connectors.Vault
		mark                []byte
		want                bool
	}{
		{"the same key", "links", "text", old, mark, true},
		{"a key that only opens", "links", "text", both, mark, true},
		{"another key", "links", "text", other, mark, false},
		{"another purpose", "forms", "text", old, mark, false},
		{"another text", "links", "texts", old, mark, false},
		{"a part of the mark", "links", "text", old, mark[:16], false},
		{"no mark", "links", "text", old, nil, false},
		{"no key", "links", "text", &connectors.Vault{}, mark, false},
	} {
		if got := test.vault.Signed(test.purpose, test.text, test.mark); got != test.want {
			t.Errorf("%s: got %t", test.name, got)
		}
	}
	if _, err := (&connectors.Vault{}).Sign("links", "text"); err == nil {
		t.Error("a vault without a key signs")
	}
}
