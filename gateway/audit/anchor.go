package audit

import (
	"errors"
	"strconv"
	"strings"
)

// Anchor is a place in the record known from outside of the database: a receipt has one, and every run of Verify
// prints one. Its text is N:CHAIN.
type Anchor struct {
	N     int64
	Chain string
}

// ParseAnchor reads N:CHAIN.
func ParseAnchor(text string) (Anchor, error) {
	number, chain, _ := strings.Cut(strings.TrimSpace(text), ":")
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 0 || len(chain) != 64 || strings.Trim(chain, "0123456789abcdef") != "" || strconv.FormatInt(n, 10) != number {
		return Anchor{}, errors.New("a place in the record is a number, a colon and 64 hexadecimal digits")
	}
	return Anchor{n, chain}, nil
}

func (a Anchor) String() string { return strconv.FormatInt(a.N, 10) + ":" + a.Chain }

// MarshalText writes what ParseAnchor reads.
func (a Anchor) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (a *Anchor) UnmarshalText(text []byte) (err error) {
	*a, err = ParseAnchor(string(text))
	return err
}
