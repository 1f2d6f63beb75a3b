package connectors

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// Hashed is a credential that others show to us and that we never have to show: of one typed as {value: ...} only a
// slow hash is stored, as {argon2id: ...}. {sha256: ...} is the hash of a long random one, {env: NAME} and {file: NAME}
// are as with any Secret. A Hashed prints as [secret] in every format.
type Hashed struct {
	secret Secret // unless there is a hash
	way    way
	hash   *string // a pointer for the reason a Secret has one
}

const (
	bySHA256   way = "sha256"
	byArgon2id way = "argon2id"
)

// HashedValue returns a credential that is compared as it is, for tests and for what the program itself makes.
func HashedValue(v string) Hashed { return Hashed{secret: SecretValue(v)} }

// HashedSHA256 returns a credential known by the hex digits of its SHA-256.
func HashedSHA256(digits string) Hashed { return Hashed{way: bySHA256, hash: &digits} }

// HashedArgon2id returns a credential known by its Argon2id hash, in the usual text: $argon2id$v=19$...
func HashedArgon2id(text string) Hashed { return Hashed{way: byArgon2id, hash: &text} }

// IsZero tells whether nothing was configured.
func (h Hashed) IsZero() bool { return h.hash == nil && h.secret.IsZero() }

// Equal tells whether both know the same credential in the same way.
func (h Hashed) Equal(other Hashed) bool {
	if h.hash == nil || other.hash == nil {
		return h.hash == other.hash && h.secret.Equal(other.secret)
	}
	return h.way == other.way && *h.hash == *other.hash
}

// SHA256 returns the digits of a credential known by its SHA-256, else nothing.
func (h Hashed) SHA256() string { return h.known(bySHA256) }

// Argon2id returns the hash of a credential known by that, else nothing.
func (h Hashed) Argon2id() string { return h.known(byArgon2id) }

func (h Hashed) known(by way) string {
	if h.hash == nil || h.way != by {
		return ""
	}
	return *h.hash
}

// Secret returns the reference to a credential that is not known by a hash.
func (h Hashed) Secret() Secret { return h.secret }

// Mark is a short name for the credential, the same as long as that is kept the same way. It tells nothing of it.
func (h Hashed) Mark() string {
	if h.hash != nil {
		return mark(string(h.way), *h.hash)
	}
	return h.secret.Mark()
}

// Where says in words where the credential is kept.
func (h Hashed) Where() string {
	if h.hash != nil {
		return "a hash in the document"
	}
	return h.secret.Where()
}

func (h Hashed) String() string               { return redacted }
func (h Hashed) GoString() string             { return redacted }
func (h Hashed) Format(f fmt.State, _ rune)   { _, _ = f.Write([]byte(redacted)) }
func (h Hashed) MarshalText() ([]byte, error) { return []byte(redacted), nil }

type hasherKey struct{}

// WithHasher makes decoding a document hash its typed credentials in place: the node is rewritten to {argon2id: ...},
// so that the text stored and shown never holds the value.
func WithHasher(ctx context.Context, hash func(value string) (string, error)) context.Context {
	return context.WithValue(ctx, hasherKey{}, hash)
}

// UnmarshalYAML accepts exactly one of env, file, value, sha256 and argon2id.
func (h *Hashed) UnmarshalYAML(ctx context.Context, node ast.Node) error {
	m, ok := node.(*ast.MappingNode)
	if !ok || len(m.Values) != 1 {
		return &secretFault{"a credential is written {value: ...}, {env: DRAWBRIDGE_SECRET_NAME} or {file: NAME}", node.GetToken()}
	}
	by := way(m.Values[0].Key.String())
	if by == byEnv || by == byFile {
		*h = Hashed{}
		return h.secret.UnmarshalYAML(ctx, node)
	}
	text, ok := scalarText(m.Values[0].Value)
	if !ok {
		return &secretFault{"a credential's text is not empty, and stands in quotes where it looks like a number", node.GetToken()}
	}
	switch by {
	case bySHA256:
		digits, err := hex.DecodeString(text)
		if err != nil || len(digits) != 32 {
			return &secretFault{"sha256 is 64 hex digits", node.GetToken()}
		}
		*h = HashedSHA256(strings.ToLower(text))
	case byArgon2id:
		*h = HashedArgon2id(text)
	case byValue:
		*h = HashedValue(text)
		hash, ok := ctx.Value(hasherKey{}).(func(string) (string, error))
		if !ok {
			return nil
		}
		hashed, err := hash(text)
		if err != nil {
			return fmt.Errorf("hash credential: %w", err)
		}
		if err := rewrite(m, byArgon2id, hashed); err != nil {
			return fmt.Errorf("write hashed credential: %w", err)
		}
		*h = HashedArgon2id(hashed)
	default:
		return &secretFault{"a credential has value, env, file, sha256 or argon2id", node.GetToken()}
	}
	return nil
}
