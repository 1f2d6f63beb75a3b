package redmine

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"

	"github.com/drawbridge-itsm/drawbridge/connectors/markdown"
)

// Limits: the subject's is Redmine's own; that of texts is what a column holds in the narrowest database Redmine runs on.
const (
	maxSubject = 255
	maxText    = 60000 // bytes
	maxValue   = 10000
)

// rendered is a text as plain text that Redmine shows as it is, in whatever way it is set to read texts, Textile or
// Markdown: the interface does not tell which. Nothing an event holds becomes markup, a macro, a mention or a link to
// another ticket. tail, where set, is a last line that must stay.
func rendered(source, tail string) string {
	shown := fit(markdown.Parse(source), maxText-len(tail)-2)
	switch {
	case tail == "":
		return shown
	case shown == "":
		return tail
	default:
		return shown + "\n\n" + tail
	}
}

// fit escapes as much of a text as a limit in bytes allows.
func fit(d markdown.Document, limit int) string {
	best := escape(d.Text(0))
	if len(best) <= limit {
		return best
	}
	best = ""
	for low, high := 1, limit; low <= high; {
		middle := (low + high) / 2
		if shown := escape(d.Text(middle)); len(shown) <= limit {
			best, low = shown, middle+1
		} else {
			high = middle - 1
		}
	}
	return best
}

// lead finds what has a meaning at the start of a line only: Textile's blocks.
var lead = regexp.MustCompile(`(?m)^(\s*(?:h[1-6]|p|bq|bc|pre|fn[0-9]+|table|notextile))\.`)

// reference finds what would be read as a character already.
var reference = regexp.MustCompile(`^&#?[0-9A-Za-z]+;`)

// escape writes what may have a meaning as a numeric reference, which Textile and Markdown both show as the character.
// Marks inside a word have no meaning and are left alone, so that dates and file names stay readable for those who edit
// the text.
func escape(source string) string {
	runes := []rune(source)
	at := func(i int) rune {
		if i < 0 || i >= len(runes) {
			return 0
		}
		return runes[i]
	}
	var b strings.Builder
	for i, r := range runes {
		switch {
		case strings.ContainsRune("<>{}[]|\\`\"~^", r), strings.ContainsRune("*_-+@#=%'(", r) && !(word(at(i-1)) && word(at(i+1))),
			r == '!' && !word(at(i-1)), r == '&' && reference.MatchString(string(runes[i:min(i+40, len(runes))])):
			fmt.Fprintf(&b, "&#%d;", r)
		default:
			b.WriteRune(r)
		}
	}
	return lead.ReplaceAllString(b.String(), "$1&#46;")
}

func word(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }
