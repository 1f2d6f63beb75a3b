// Package jsonscan steps over JSON in one pass, so that each connector can make of a body what it needs: keys that stand
// twice kept or refused, numbers as they were written, texts decoded and raw.
package jsonscan

import (
	"encoding/json"
	"strings"
)

// Scanner stands before a value, or before a member or the end of an object or a list. What it steps over has to be
// valid JSON in UTF-8, which json.Valid and utf8.Valid tell: it does not look for mistakes.
type Scanner struct {
	text string
	pos  int
}

// New returns a Scanner that stands before the value text consists of.
func New(text string) Scanner { return Scanner{text: text} }

// Kind tells what value comes next: { [ " for an object, a list and a text, t f n for true, false and null, 0 for a
// number.
func (s *Scanner) Kind() byte {
	s.space()
	switch b := s.text[s.pos]; b {
	case '{', '[', '"', 't', 'f', 'n':
		return b
	default:
		return 0
	}
}

// Open steps into the object or list that comes next.
func (s *Scanner) Open() { s.pos++ }

// More tells whether another member of the object or list comes next, and steps out of it if not.
func (s *Scanner) More() bool {
	s.space()
	switch s.text[s.pos] {
	case '}', ']':
		s.pos++
		return false
	case ',':
		s.pos++
		s.space()
	}
	return true
}

// Key steps over the key of the member that comes next.
func (s *Scanner) Key() string {
	key, _ := s.Text()
	s.space()
	s.pos++ // the colon
	return key
}

// Text steps over the text that comes next: decoded, and as it stands between its quotes.
func (s *Scanner) Text() (decoded, raw string) {
	start, escaped := s.pos, false
	for s.pos++; s.text[s.pos] != '"'; s.pos++ {
		if s.text[s.pos] == '\\' {
			escaped = true
			s.pos++
		}
	}
	s.pos++
	raw = s.text[start+1 : s.pos-1]
	if !escaped {
		return raw, raw
	}
	if strings.Contains(raw, `\u`) {
		_ = json.Unmarshal([]byte(s.text[start:s.pos]), &decoded) // part of valid JSON
		return decoded, raw
	}
	return unescape(raw), raw
}

// unescape decodes a text whose escapes are of one letter each. Large ones are of this kind: JSON inside a text.
func unescape(raw string) string {
	var b strings.Builder
	b.Grow(len(raw))
	for {
		before, after, escaped := strings.Cut(raw, `\`)
		b.WriteString(before)
		if !escaped {
			return b.String()
		}
		b.WriteByte(meant[strings.IndexByte(letters, after[0])])
		raw = after[1:]
	}
}

// The letters of escapes, and what they mean.
const (
	letters = `"\/bfnrt`
	meant   = "\"\\/\b\f\n\r\t"
)

// Word steps over the number, true, false or null that comes next, as it was written.
func (s *Scanner) Word() string {
	start := s.pos
	for s.pos < len(s.text) && s.text[s.pos] > ' ' && strings.IndexByte(",]}", s.text[s.pos]) < 0 {
		s.pos++
	}
	return s.text[start:s.pos]
}

// space steps over white space: nothing else that low stands between the values of valid JSON.
func (s *Scanner) space() {
	for s.text[s.pos] <= ' ' {
		s.pos++
	}
}
