package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/store"
)

// names are what one person is called: the name in the People documents, accounts, addresses, and the full names that
// desks and sources showed. All are in lower case.
type names []string

// shortest is how long a name must be to be looked for inside of a text; a shorter one only counts as a whole value.
const shortest = 3

// namesOf finds what a person is called. The person may be given by name, account or address; somebody whom no
// document knows has the one name given.
func namesOf(ctx context.Context, q store.Queries, person string) (names, error) {
	person = strings.TrimSpace(person)
	ids, err := q.IdentitiesOf(ctx, person)
	if err != nil {
		return nil, err
	}
	if len(ids) == 0 {
		bearers, err := q.PersonsWith(ctx, person)
		if err != nil {
			return nil, err
		}
		if len(bearers) > 1 {
			return nil, fmt.Errorf("the account is borne by %s: say which of them is meant", strings.Join(bearers, " and "))
		}
		if len(bearers) == 1 {
			if ids, err = q.IdentitiesOf(ctx, bearers[0]); err != nil {
				return nil, err
			}
		}
	}
	found := names{}.with(person)
	for _, id := range ids {
		found = found.with(id.Person).with(id.Account)
	}
	return found, nil
}

func (n names) with(name string) names {
	name = strings.ToLower(strings.TrimSpace(name))
	if name == "" || slices.Contains(n, name) {
		return n
	}
	return append(n, name)
}

// withFull adds a name as people read it, where it has two words at least: one alone may be many people's.
func (n names) withFull(name string) names {
	if len(strings.Fields(name)) < 2 {
		return n
	}
	return n.with(name)
}

// in tells whether a value speaks of the person: JSON, a form or plain text, with or without the backslashes of
// Markdown. Names of JSON members do not count, and neither do numbers.
func (n names) in(value []byte) bool {
	if trimmed := bytes.TrimSpace(value); len(trimmed) > 0 && (trimmed[0] == '{' || trimmed[0] == '[' || trimmed[0] == '"') {
		var parsed any
		if json.Unmarshal(trimmed, &parsed) == nil {
			return n.within(parsed)
		}
	}
	return n.inText(string(value))
}

func (n names) within(v any) bool {
	switch v := v.(type) {
	case string:
		return n.inText(v)
	case []any:
		return slices.ContainsFunc(v, n.within)
	case map[string]any:
		for _, member := range v {
			if n.within(member) {
				return true
			}
		}
	}
	return false
}

func (n names) inText(text string) bool {
	texts := []string{strings.ToLower(text)}
	if strings.Contains(text, `\`) {
		texts = append(texts, unescape(texts[0]))
	}
	if strings.Contains(text, "%") {
		if plain, err := url.QueryUnescape(text); err == nil {
			texts = append(texts, strings.ToLower(plain))
		}
	}
	for _, name := range n {
		for _, t := range texts {
			if strings.TrimSpace(t) == name || len(name) >= shortest && mentions(t, name) {
				return true
			}
		}
	}
	return strings.Contains(text, "receipt") && n.inReceipt(text)
}

// inReceipt looks into a receipt, whose text hides what it says.
func (n names) inReceipt(text string) bool {
	r, err := ParseReceipt(text)
	return err == nil && slices.Contains(n, strings.ToLower(r.By))
}

// inRequester tells whether a case was opened for the person.
func (n names) inRequester(requester []byte) (fullName string, yes bool) {
	var p connectors.Person
	if !n.in(requester) {
		return "", false
	}
	_ = json.Unmarshal(requester, &p) // what is not a person has no full name
	return p.Name, true
}

// unescape takes away the backslashes that Markdown puts before punctuation.
func unescape(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' && i+1 < len(text) && text[i+1] < utf8.RuneSelf && unicode.In(rune(text[i+1]), unicode.Punct, unicode.Symbol) {
			i++
		}
		b.WriteByte(text[i])
	}
	return b.String()
}

// mentions tells whether a name stands in a text as a word of its own. alice is in CORP\alice and "Ask Alice.", but not
// in malice, alice.adams or alice@example.com, who may be other people.
func mentions(text, name string) bool {
	for at := 0; ; {
		i := strings.Index(text[at:], name)
		if i < 0 {
			return false
		}
		start, end := at+i, at+i+len(name)
		before, width := utf8.DecodeLastRuneInString(text[:start])
		further, _ := utf8.DecodeLastRuneInString(text[:start-width])
		after, width := utf8.DecodeRuneInString(text[end:])
		beyond, _ := utf8.DecodeRuneInString(text[end+width:])
		if !joins(before, further) && !joins(after, beyond) {
			return true
		}
		_, width = utf8.DecodeRuneInString(text[start:])
		at = start + width
	}
}

// joins tells whether a word goes on: with a letter or digit, or with one behind a sign that addresses and accounts
// have.
func joins(next, second rune) bool {
	word := func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }
	return word(next) || strings.ContainsRune("._-+@", next) && word(second)
}
