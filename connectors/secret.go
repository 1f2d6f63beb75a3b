package connectors

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// Secret is a reference to a credential. Documents write it as {env: NAME}, {file: NAME} or {value: ...}; a value is
// sealed when the document is saved and stored as {sealed: ...}. A Secret prints as [secret] in every format; only a
// Vault reveals it.
type Secret struct {
	way way
	// A pointer to a string because fmt prints the unexported fields of a struct around a Secret without asking its
	// methods: it then finds an address. A pointer to a struct it would follow for some verbs.
	text *string
}

// way is how a Secret refers to its credential.
type way string

const (
	byEnv    way = "env"
	byFile   way = "file"
	bySealed way = "sealed"
	byValue  way = "value"
)

// SecretValue returns a secret that holds its value in memory, for tests and for what the program itself makes.
func SecretValue(v string) Secret {
	if v == "" {
		return Secret{}
	}
	return Secret{byValue, &v}
}

// SecretFile returns a secret that is read from a file of the secrets directory.
func SecretFile(name string) Secret { return Secret{byFile, &name} }

// IsZero tells whether nothing was configured.
func (s Secret) IsZero() bool { return s.text == nil }

// Equal tells whether both refer to the same credential in the same way.
func (s Secret) Equal(other Secret) bool {
	if s.text == nil || other.text == nil {
		return s.text == other.text
	}
	return s.way == other.way && *s.text == *other.text
}

// Mark is a short name for the reference, the same as long as that is the same. It tells nothing of the credential.
func (s Secret) Mark() string {
	if s.text == nil || s.way == byValue {
		return ""
	}
	return mark(string(s.way), *s.text)
}

// Where says in words where the credential is kept.
func (s Secret) Where() string {
	switch {
	case s.text == nil:
		return "nowhere"
	case s.way == byEnv:
		return "environment variable " + *s.text
	case s.way == byFile:
		return "file " + *s.text
	default:
		return "in the document"
	}
}

func mark(way, text string) string {
	sum := sha256.Sum256([]byte(way + " " + text))
	return hex.EncodeToString(sum[:4])
}

const redacted = "[secret]"

func (s Secret) String() string               { return redacted }
func (s Secret) GoString() string             { return redacted }
func (s Secret) Format(f fmt.State, _ rune)   { _, _ = f.Write([]byte(redacted)) }
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

type sealerKey struct{}

// WithSealer makes decoding a document seal its {value: ...} secrets in place: the node is rewritten to
// {sealed: ...}, so that the text stored and shown never holds the value.
func WithSealer(ctx context.Context, seal func(value string) (string, error)) context.Context {
	return context.WithValue(ctx, sealerKey{}, seal)
}

// UnmarshalYAML accepts exactly one of env, file, value and sealed. A plain text is refused: it would end up in
// exports and version history.
func (s *Secret) UnmarshalYAML(ctx context.Context, node ast.Node) error {
	m, ok := node.(*ast.MappingNode)
	if !ok || len(m.Values) != 1 {
		return &secretFault{"a secret is written {env: DRAWBRIDGE_SECRET_NAME}, {file: NAME} or {value: ...}", node.GetToken()}
	}
	text, ok := scalarText(m.Values[0].Value)
	if !ok {
		return &secretFault{"a secret's text is not empty, and stands in quotes where it looks like a number", node.GetToken()}
	}
	found := Secret{way(m.Values[0].Key.String()), &text}
	switch found.way {
	case byEnv:
		if !strings.HasPrefix(text, "DRAWBRIDGE_SECRET_") {
			return &secretFault{"a secret's environment variable starts with DRAWBRIDGE_SECRET_", node.GetToken()}
		}
	case byFile:
		if !filepath.IsLocal(text) {
			return &secretFault{"a secret's file is a name inside the secrets directory", node.GetToken()}
		}
	case bySealed:
	case byValue:
		if seal, ok := ctx.Value(sealerKey{}).(func(string) (string, error)); ok {
			sealed, err := seal(text)
			if err != nil {
				return fmt.Errorf("seal secret: %w", err)
			}
			found = Secret{bySealed, &sealed}
			if err := rewrite(m, bySealed, sealed); err != nil {
				return fmt.Errorf("write sealed secret: %w", err)
			}
		}
	default:
		return &secretFault{"a secret has env, file or value", node.GetToken()}
	}
	*s = found
	return nil
}

// scalarText returns the text of a node that is a text as written. Numbers and the like are left out: 0123 and 1.50
// would come back as other texts than were written.
func scalarText(node ast.Node) (string, bool) {
	switch n := node.(type) {
	case *ast.StringNode:
		return n.Value, n.Value != ""
	case *ast.LiteralNode:
		return n.Value.Value, n.Value.Value != ""
	default:
		return "", false
	}
}

// rewrite replaces {value: x} by {sealed: y}, or another way, in the syntax tree the document is printed from.
func rewrite(m *ast.MappingNode, to way, text string) error {
	fresh, err := yaml.ValueToNode(yaml.MapSlice{{Key: string(to), Value: text}})
	if err != nil {
		return err
	}
	f, ok := fresh.(*ast.MappingNode)
	if !ok || len(f.Values) != 1 {
		return errors.New("unexpected syntax tree")
	}
	// The library quotes what needs it by itself, but not inside of brackets.
	if strings.ContainsAny(text, ",[]{}") {
		quoted := strconv.Quote(text)
		f.Values[0].Value = ast.String(token.New(quoted, quoted, f.Values[0].Value.GetToken().Position))
	}
	old := m.Values[0]
	f.Values[0].Key.GetToken().Position = old.Key.GetToken().Position
	// A comment after the value hangs on the node that goes.
	if comment := old.Value.GetComment(); comment != nil {
		if err := f.Values[0].Value.SetComment(comment); err != nil {
			return err
		}
	}
	old.Key, old.Value = f.Values[0].Key, f.Values[0].Value
	return nil
}

// secretFault is a yaml.Error that never shows the lines around it: they may hold the credential.
type secretFault struct {
	text  string
	token *token.Token
}

func (f *secretFault) Error() string          { return f.FormatError(false, false) }
func (f *secretFault) GetMessage() string     { return f.text }
func (f *secretFault) GetToken() *token.Token { return f.token }

func (f *secretFault) FormatError(_, _ bool) string {
	return fmt.Sprintf("[%d:%d] %s", f.token.Position.Line, f.token.Position.Column, f.text)
}

// WithoutSource returns a fault of reading YAML with its position and message only. The text of a yaml.Error shows
// the lines around the fault, and a document holds credentials until it is sealed.
func WithoutSource(err error) error {
	fault, ok := errors.AsType[yaml.Error](err)
	if !ok {
		return err
	}
	return errors.New(yaml.FormatError(fault, false, false))
}
