package connectors

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// Vault reveals secrets and seals values. Keys are 32 bytes, by id; Current seals, the others only open, so that a
// key can be rotated. A Vault must not be changed once it is in use; it may then be used by many at once.
type Vault struct {
	Dir     string            // where {file: NAME} is looked up; empty: none
	Keys    map[string][]byte // AES-256 keys by id
	Current string            // the id new values are sealed with
	Getenv  func(string) string

	// Signer is the public key that must have signed the record, as noted apart from the database; empty: it is taken
	// from there.
	Signer string
}

// maxSecretFile is more than any key or token has.
const maxSecretFile = 64 << 10

// Reveal returns the secret's text, never an empty one. Files are read on every call, so a changed file counts at
// once. Errors name the reference, never the value.
func (v *Vault) Reveal(s Secret) (string, error) {
	if s.IsZero() {
		return "", errors.New("no secret is set")
	}
	switch s.way {
	case byEnv:
		if v.Getenv != nil {
			if text := v.Getenv(*s.text); text != "" {
				return text, nil
			}
		}
		return "", fmt.Errorf("environment variable %s is not set", *s.text)
	case byFile:
		return v.read(*s.text)
	case bySealed:
		return v.Open(*s.text)
	default:
		return *s.text, nil
	}
}

// read reads a file of the secrets directory. A link that leads out of the directory is not followed.
func (v *Vault) read(name string) (string, error) {
	if v.Dir == "" {
		return "", fmt.Errorf("secret file %q: no secrets directory is set", name)
	}
	root, err := os.OpenRoot(v.Dir)
	if err != nil {
		return "", fmt.Errorf("open secrets directory: %w", err)
	}
	defer root.Close()
	file, err := root.Open(name)
	if err != nil {
		return "", fmt.Errorf("open secret file: %w", err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxSecretFile+1))
	if err != nil {
		return "", fmt.Errorf("read secret file: %w", err)
	}
	if len(text) > maxSecretFile {
		return "", fmt.Errorf("secret file %q is larger than %d bytes", name, maxSecretFile)
	}
	secret := strings.TrimRight(string(text), "\r\n")
	if secret == "" {
		return "", fmt.Errorf("secret file %q is empty", name)
	}
	return secret, nil
}

// Seal encrypts value under the current key. The text names the key.
func (v *Vault) Seal(value string) (string, error) {
	if strings.Contains(v.Current, ":") {
		return "", fmt.Errorf("key id %q holds a colon", v.Current)
	}
	aead, err := v.aead(v.Current)
	if err != nil {
		return "", err
	}
	nonce := make([]byte, aead.NonceSize())
	_, _ = rand.Read(nonce) // never fails since Go 1.24
	box := aead.Seal(nonce, nonce, []byte(value), []byte(v.Current))
	return v.Current + ":" + base64.RawStdEncoding.EncodeToString(box), nil
}

// Open decrypts what Seal made, under whichever of the keys it names.
func (v *Vault) Open(sealed string) (string, error) {
	id, text, _ := strings.Cut(sealed, ":")
	aead, err := v.aead(id)
	if err != nil {
		return "", err
	}
	box, err := base64.RawStdEncoding.Strict().DecodeString(text)
	if err != nil || len(box) < aead.NonceSize() {
		return "", errors.New("open sealed secret: the text is damaged")
	}
	n := aead.NonceSize()
	plain, err := aead.Open(nil, box[:n], box[n:], []byte(id))
	if err != nil {
		return "", errors.New("open sealed secret: the text is damaged or was sealed with another key")
	}
	if len(plain) == 0 {
		return "", errors.New("open sealed secret: the secret is empty")
	}
	return string(plain), nil
}

func (v *Vault) aead(id string) (cipher.AEAD, error) {
	key, ok := v.Keys[id]
	if !ok {
		return nil, fmt.Errorf("no key %q to seal and open secrets with", id)
	}
	if len(key) != 32 {
		return nil, fmt.Errorf("key %q is not 32 bytes long", id)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("key %q: %w", id, err)
	}
	return cipher.NewGCM(block)
}

// Sign marks a text for one purpose under a key derived from the current one. The mark for one purpose is none for
// another.
func (v *Vault) Sign(purpose, text string) ([]byte, error) {
	key, ok := v.Keys[v.Current]
	if !ok {
		return nil, fmt.Errorf("no key %q to sign with", v.Current)
	}
	return markOf(key, purpose, text)
}

// Signed tells whether a mark was made by Sign, under whichever of the keys.
func (v *Vault) Signed(purpose, text string, given []byte) bool {
	same := false
	for _, key := range v.Keys {
		if made, err := markOf(key, purpose, text); err == nil && hmac.Equal(made, given) {
			same = true
		}
	}
	return same
}

func markOf(key []byte, purpose, text string) ([]byte, error) {
	derived, err := hkdf.Key(sha256.New, key, nil, "drawbridge "+purpose, sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("derive key: %w", err)
	}
	m := hmac.New(sha256.New, derived)
	m.Write([]byte(text))
	return m.Sum(nil), nil
}
