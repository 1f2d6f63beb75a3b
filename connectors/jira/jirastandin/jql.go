package jirastandin

import (
	"net/http"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// query is a search: terms that must all hold, and an order. The stand-in understands AND, the operators = != in
// "not in" < <= > >= and ORDER BY; what it does not understand it refuses, it never guesses.
type query struct {
	terms []term
	order []order
}

type term struct {
	field, op string
	values    []string
}

type order struct {
	field string
	down  bool
}

type token struct {
	text   string
	quoted bool
	symbol bool
	at     int
}

func (t token) is(word string) bool { return !t.quoted && strings.EqualFold(t.text, word) }

func jqlFault(format string, args ...any) error {
	return refuse(http.StatusBadRequest, "Error in the JQL Query: "+format, args...)
}

// scan splits a query into words, quoted strings and symbols.
func scan(text string) ([]token, error) {
	var out []token
	for i := 0; i < len(text); {
		c := text[i]
		switch {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			i++
		case c == '"' || c == '\'':
			word, size, err := scanQuoted(text[i:])
			if err != nil {
				return nil, err
			}
			out = append(out, token{text: word, quoted: true, at: i})
			i += size
		case strings.ContainsRune("=!<>~(),", rune(c)):
			size := 1
			if i+1 < len(text) && text[i+1] == '=' && strings.ContainsRune("!<>", rune(c)) {
				size = 2
			}
			out = append(out, token{text: text[i : i+size], symbol: true, at: i})
			i += size
		default:
			size := strings.IndexFunc(text[i:], func(r rune) bool {
				return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("_-:", r)
			})
			if size < 0 {
				size = len(text) - i
			}
			if size == 0 {
				r, _ := utf8.DecodeRuneInString(text[i:])
				return nil, jqlFault("The character '%c' is a reserved JQL character. You must enclose it in a string or use the escape '\\u%04x' instead. (line 1, character %d)", r, r, i+1)
			}
			out = append(out, token{text: text[i : i+size], at: i})
			i += size
		}
	}
	return out, nil
}

func scanQuoted(text string) (word string, size int, err error) {
	var out strings.Builder
	for i := 1; i < len(text); i++ {
		switch c := text[i]; c {
		case text[0]:
			return out.String(), i + 1, nil
		case '\\':
			i++
			if i == len(text) || !strings.ContainsRune(`\"' `, rune(text[i])) {
				return "", 0, jqlFault("'%s' is an illegal JQL escape sequence.", text[i-1:min(i+1, len(text))])
			}
			out.WriteByte(text[i])
		default:
			out.WriteByte(c)
		}
	}
	return "", 0, jqlFault("The quoted string '%s' has not been completed.", out.String())
}

type parser struct {
	tokens []token
}

func (p *parser) peek() token {
	if len(p.tokens) == 0 {
		return token{at: -1}
	}
	return p.tokens[0]
}

func (p *parser) next() token {
	t := p.peek()
	if len(p.tokens) > 0 {
		p.tokens = p.tokens[1:]
	}
	return t
}

func (p *parser) unexpected(t token, wanted string) error {
	if t.at < 0 {
		return jqlFault("Expecting %s before the end of the query.", wanted)
	}
	return jqlFault("Expecting %s but got '%s'. (line 1, character %d)", wanted, t.text, t.at+1)
}

func parseJQL(text string) (query, error) {
	tokens, err := scan(text)
	if err != nil {
		return query{}, err
	}
	p := &parser{tokens: tokens}
	var q query
	for p.peek().at >= 0 && !p.peek().is("order") {
		if len(q.terms) > 0 && !p.next().is("and") {
			return query{}, jqlFault("The stand-in joins terms by AND only.")
		}
		t, err := p.term()
		if err != nil {
			return query{}, err
		}
		q.terms = append(q.terms, t)
	}
	if p.peek().is("order") {
		q.order, err = p.order()
	}
	return q, err
}

func (p *parser) term() (term, error) {
	name := p.next()
	if name.at < 0 || name.symbol || reserved(name) {
		return term{}, p.unexpected(name, "a field name")
	}
	t := term{field: strings.ToLower(name.text)}
	op := p.next()
	t.op = strings.ToLower(op.text)
	if op.is("not") && p.next().is("in") {
		t.op = "not in"
	}
	switch {
	case t.op == "in" || t.op == "not in":
		return p.members(t)
	case op.symbol && slices.Contains([]string{"=", "!=", "<", "<=", ">", ">="}, t.op):
		value, err := p.operand()
		t.values = []string{value}
		return t, err
	default:
		return term{}, p.unexpected(op, "either '=', '!=', '<', '>', '<=', '>=', 'IN' or 'NOT IN'")
	}
}

func (p *parser) members(t term) (term, error) {
	if open := p.next(); !open.symbol || open.text != "(" {
		return term{}, p.unexpected(open, "'('")
	}
	for {
		value, err := p.operand()
		if err != nil {
			return term{}, err
		}
		t.values = append(t.values, value)
		switch sep := p.next(); {
		case sep.symbol && sep.text == ")":
			return t, nil
		case !sep.symbol || sep.text != ",":
			return term{}, p.unexpected(sep, "',' or ')'")
		}
	}
}

// operand reads a value, or the function currentUser().
func (p *parser) operand() (string, error) {
	v := p.next()
	if v.at < 0 || v.symbol || reserved(v) {
		return "", p.unexpected(v, "either a value, list or function")
	}
	if open := p.peek(); v.quoted || !open.symbol || open.text != "(" {
		return v.text, nil
	}
	p.next()
	if end := p.next(); !v.is("currentUser") || !end.symbol || end.text != ")" {
		return "", jqlFault("The stand-in knows the function currentUser() only.")
	}
	return "currentUser()", nil
}

func (p *parser) order() ([]order, error) {
	p.next()
	if by := p.next(); !by.is("by") {
		return nil, p.unexpected(by, "'BY'")
	}
	var out []order
	for {
		name := p.next()
		if name.at < 0 || name.symbol || reserved(name) {
			return nil, p.unexpected(name, "a field name")
		}
		o := order{field: strings.ToLower(name.text)}
		if p.peek().is("asc") || p.peek().is("desc") {
			o.down = p.next().is("desc")
		}
		if !sortable(o.field) {
			return nil, refuse(http.StatusBadRequest, "Not able to sort using field '%s'.", o.field)
		}
		out = append(out, o)
		switch sep := p.next(); {
		case sep.at < 0 && len(out) > 7:
			return nil, refuse(http.StatusBadRequest, "At most 7 fields can be ordered by.")
		case sep.at < 0:
			return out, nil
		case !sep.symbol || sep.text != ",":
			return nil, p.unexpected(sep, "',' or the end of the query")
		}
	}
}

func sortable(field string) bool {
	return slices.Contains([]string{"created", "updated", "key", "issue", "issuekey", "id"}, field)
}

func reserved(t token) bool {
	words := []string{"and", "or", "not", "in", "is", "was", "changed", "order", "by", "empty", "null", "asc", "desc", "select", "from", "where"}
	return !t.quoted && slices.Contains(words, strings.ToLower(t.text))
}
