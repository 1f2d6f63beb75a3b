package elimity

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
)

// A request's id is a digest of what says which request it is: who asked for what when, on which connection. Names are
// left out, as they may change between a delivery and its repetition, and the order of lists does not count. 128 bits
// are kept: values are chosen by whoever asks, and two requests must never be made to meet in one case.

// requestID identifies a request by its parts. It is the same for the same content, whatever the order of its members.
func requestID(parts ...any) string {
	sum := sha256.Sum256([]byte(canonical(parts)))
	return "elm-" + hex.EncodeToString(sum[:16])
}

// canonical writes v with the members of objects in order. Everything identified here was read from JSON.
func canonical(v any) string {
	text, _ := json.Marshal(v)
	return string(text)
}

// identity is what tells one change of a review from another.
func (c change) identity() string { return canonical([]string{c.kind, c.effect, c.comment}) }

// identities are those of all changes.
func identities(changes []change) []string {
	list := make([]string, len(changes))
	for i, c := range changes {
		list[i] = c.identity()
	}
	return list
}
