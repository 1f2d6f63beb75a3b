package audit

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/store"
)

// ErrLocked is what opening the signing key answers when the vault lacks the key it is sealed with. A program in that
// position must not seal: it would replace what is signed by what is not.
var ErrLocked = errors.New("the record's signing key is sealed with a key that is not in the key file")

// ErrExchanged is what opening the signing key answers when it is not the one noted apart from the database: whoever took
// it away would have the record, or another in its place, signed anew.
var ErrExchanged = errors.New("the signing key in this database is not the one noted for it: nothing is signed until that is settled")

// keySetting holds the public key and the sealed seed.
const keySetting = "record_key"

// KeyID names a public key: the first eight bytes of its hash.
func KeyID(public ed25519.PublicKey) string {
	sum := sha256.Sum256(public)
	return hex.EncodeToString(sum[:8])
}

// FormatKey is the text of a public key, to be noted apart from the database.
func FormatKey(public ed25519.PublicKey) string { return base64.StdEncoding.EncodeToString(public) }

// ParseKey reads what FormatKey wrote.
func ParseKey(text string) (ed25519.PublicKey, error) {
	raw, err := base64.StdEncoding.Strict().DecodeString(strings.TrimSpace(text))
	if err != nil || len(raw) != ed25519.PublicKeySize {
		return nil, errors.New("a public key is 32 bytes as base64")
	}
	return raw, nil
}

// OpenKey opens the key that signs checkpoints and receipts. It is made at first use, and whoever comes first decides
// for all replicas. Without a key to seal it with there is none, and the answer is nil: a signature by a key that lies
// open in the database would promise what it cannot keep.
func OpenKey(ctx context.Context, tx *store.Tx, vault *connectors.Vault) (ed25519.PrivateKey, error) {
	stored, err := tx.Setting(ctx, keySetting)
	if errors.Is(err, store.ErrNotFound) {
		if !canSeal(vault) {
			return nil, nil
		}
		if vault.Signer != "" {
			return nil, ErrExchanged
		}
		stored, err = makeKey(ctx, tx, vault)
	}
	if err != nil {
		return nil, err
	}
	key, err := unseal(stored, vault)
	if err == nil && vault.Signer != "" && FormatKey(key.Public().(ed25519.PublicKey)) != vault.Signer {
		return nil, ErrExchanged
	}
	return key, err
}

// PublicKey is the key the record must be signed with: the one noted apart from the database, else the one the database
// says it is, nil when it is not signed. sure tells that nobody can have arranged it who has the database alone: it was
// noted, or the private key was opened with the vault.
func PublicKey(ctx context.Context, q store.Queries, vault *connectors.Vault) (key ed25519.PublicKey, sure bool, err error) {
	if vault != nil && vault.Signer != "" {
		key, err = ParseKey(vault.Signer)
		return key, true, err
	}
	stored, err := q.Setting(ctx, keySetting)
	if errors.Is(err, store.ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	private, err := unseal(stored, vault)
	if err == nil {
		return private.Public().(ed25519.PublicKey), true, nil
	}
	if !errors.Is(err, ErrLocked) {
		return nil, false, err
	}
	text, _, _ := strings.Cut(stored, " ")
	key, err = ParseKey(text)
	return key, false, err
}

func canSeal(vault *connectors.Vault) bool { return vault != nil && len(vault.Keys) > 0 }

func makeKey(ctx context.Context, tx *store.Tx, vault *connectors.Vault) (string, error) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return "", fmt.Errorf("make signing key: %w", err)
	}
	head, err := tx.LockHead(ctx)
	if err != nil {
		return "", err
	}
	sealed, err := vault.Seal(base64.StdEncoding.EncodeToString(private.Seed()))
	if err != nil {
		return "", fmt.Errorf("seal signing key: %w", err)
	}
	fresh := FormatKey(public) + " " + sealed
	stored, err := tx.AddSettingOnce(ctx, keySetting, fresh)
	if err != nil || stored != fresh {
		return stored, err
	}
	// From here on head and checkpoints are signed without exception: one that is not was tampered with.
	if err := tx.SetHead(ctx, sign(private, head)); err != nil {
		return "", err
	}
	checkpoints, err := tx.Checkpoints(ctx)
	if err != nil {
		return "", err
	}
	for _, c := range checkpoints {
		if err := tx.SetCheckpoint(ctx, sign(private, c)); err != nil {
			return "", err
		}
	}
	return stored, vouch(ctx, tx, private)
}

func unseal(stored string, vault *connectors.Vault) (ed25519.PrivateKey, error) {
	public, sealed, _ := strings.Cut(stored, " ")
	id, _, _ := strings.Cut(sealed, ":")
	if vault == nil || vault.Keys[id] == nil {
		return nil, ErrLocked
	}
	text, err := vault.Open(sealed)
	if err != nil {
		return nil, fmt.Errorf("open signing key: %w", err)
	}
	seed, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || len(seed) != ed25519.SeedSize {
		return nil, errors.New("open signing key: it is damaged")
	}
	private := ed25519.NewKeyFromSeed(seed)
	if FormatKey(private.Public().(ed25519.PublicKey)) != public {
		return nil, errors.New("open signing key: the public key beside it is another one's")
	}
	return private, nil
}
