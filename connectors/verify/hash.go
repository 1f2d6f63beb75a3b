package verify

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/argon2"
)

// The cost of a new hash, as OWASP's cheat sheet on password storage recommends.
const (
	hashMemory  = 19 << 10 // KiB
	hashTime    = 2
	hashThreads = 1
	hashSalt    = 16
	hashLength  = 32
)

// What a hash from elsewhere may cost: whoever asks for a token makes us pay it.
const (
	mostMemory  = 64 << 10
	mostTime    = 10
	mostThreads = 4
)

// Hash returns the Argon2id hash of a typed credential, in the usual text with salt and cost.
func Hash(text string) string {
	salt := make([]byte, hashSalt)
	_, _ = rand.Read(salt) // never fails since Go 1.24
	sum := argon2.IDKey([]byte(text), salt, hashTime, hashMemory, hashThreads, hashLength)
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, hashMemory, hashTime, hashThreads,
		base64.RawStdEncoding.EncodeToString(salt), base64.RawStdEncoding.EncodeToString(sum))
}

// argon is a hash taken apart.
type argon struct {
	memory, time uint32
	threads      uint8
	salt, sum    []byte
}

var errHash = errors.New("argon2id is a hash as in $argon2id$v=19$m=19456,t=2,p=1$SALT$HASH")

func parseHash(text string) (argon, error) {
	parts := strings.Split(text, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return argon{}, errHash
	}
	var a argon
	if n, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &a.memory, &a.time, &a.threads); n != 3 || err != nil ||
		parts[3] != fmt.Sprintf("m=%d,t=%d,p=%d", a.memory, a.time, a.threads) {
		return argon{}, errHash
	}
	if a.memory < 8 || a.memory > mostMemory || a.time < 1 || a.time > mostTime || a.threads < 1 || a.threads > mostThreads {
		return argon{}, fmt.Errorf("argon2id costs at most m=%d,t=%d,p=%d", mostMemory, mostTime, mostThreads)
	}
	var err error
	if a.salt, err = base64.RawStdEncoding.Strict().DecodeString(parts[4]); err != nil || len(a.salt) < 8 || len(a.salt) > 64 {
		return argon{}, errHash
	}
	if a.sum, err = base64.RawStdEncoding.Strict().DecodeString(parts[5]); err != nil || len(a.sum) < 16 || len(a.sum) > 64 {
		return argon{}, errHash
	}
	return a, nil
}

// Hashes compares credentials with slow hashes. What was good stays so for a few seconds without being computed again;
// two are computed at a time, whoever asks: the cost is memory as much as time. It may be used by many at once.
type Hashes struct {
	now   func() time.Time
	key   [32]byte // keys what is remembered, so that it is of no use elsewhere
	slots chan struct{}

	mu   sync.Mutex
	good map[[32]byte]time.Time // until when
}

const (
	goodFor  = 5 * time.Second
	mostGood = 1024
)

// NewHashes returns a comparer with nothing to remember.
func NewHashes(now func() time.Time) *Hashes {
	h := &Hashes{now: now, slots: make(chan struct{}, 2), good: map[[32]byte]time.Time{}}
	_, _ = rand.Read(h.key[:]) // never fails since Go 1.24
	return h
}

// Match tells whether text is what was hashed. The error is that of ctx, or of a hash that is none.
func (h *Hashes) Match(ctx context.Context, text, hash string) (bool, error) {
	mac := hmac.New(sha256.New, h.key[:])
	fmt.Fprintf(mac, "%d:%s%s", len(hash), hash, text)
	id := [32]byte(mac.Sum(nil))
	if h.remembers(id) {
		return true, nil
	}
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
	case <-ctx.Done():
	}
	if ctx.Err() != nil { // a slot may have been free all the same
		return false, ctx.Err()
	}
	if h.remembers(id) { // somebody else asked the same while we waited
		return true, nil
	}
	a, err := parseHash(hash)
	if err != nil {
		return false, err
	}
	sum := argon2.IDKey([]byte(text), a.salt, a.time, a.memory, a.threads, uint32(len(a.sum)))
	if subtle.ConstantTimeCompare(sum, a.sum) != 1 {
		return false, nil
	}
	h.remember(id)
	return true, nil
}

func (h *Hashes) remembers(id [32]byte) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	until, ok := h.good[id]
	return ok && h.now().Before(until)
}

func (h *Hashes) remember(id [32]byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.now()
	for old, until := range h.good {
		if !now.Before(until) || len(h.good) >= mostGood {
			delete(h.good, old)
		}
	}
	h.good[id] = now.Add(goodFor)
}
