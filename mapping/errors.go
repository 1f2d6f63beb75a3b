package mapping

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Error is one fault of a document. It names the place and shows the line of the document; it never shows anything of
// an event or a ticket, so it may be logged and shown to anybody who may read the document.
type Error struct {
	Document string `json:"document"`          // the document's name
	Field    string `json:"field,omitempty"`   // where in the document: create.summary
	Line     int    `json:"line,omitempty"`    // in the document's text, from 1; 0 when it has no text
	Column   int    `json:"column,omitempty"`  // in runes, from 1
	Snippet  string `json:"snippet,omitempty"` // the line, and a mark under the column
	Message  string `json:"message"`

	cause error
}

func (e *Error) Error() string {
	var b strings.Builder
	for _, part := range []string{e.Document, e.Field} {
		if part != "" {
			b.WriteString(part + ": ")
		}
	}
	if e.Line > 0 {
		fmt.Fprintf(&b, "line %d, column %d: ", e.Line, e.Column)
	}
	b.WriteString(e.Message)
	return b.String()
}

// Unwrap returns the context's error where the caller's context ended the evaluation, else nil.
func (e *Error) Unwrap() error { return e.cause }

// Errors is every fault of a document, in the order of its fields. It is never empty when returned as an error.
type Errors []*Error

func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, one := range e {
		lines[i] = one.Error()
	}
	return strings.Join(lines, "\n")
}

// inOrder sorts faults by where they stand in the text.
func (e Errors) inOrder() Errors {
	slices.SortStableFunc(e, func(a, b *Error) int { return cmp.Or(a.Line-b.Line, a.Column-b.Column) })
	return e
}

// Unwrap lets errors.As find the single faults.
func (e Errors) Unwrap() []error {
	out := make([]error, len(e))
	for i, one := range e {
		out[i] = one
	}
	return out
}

// fault is what is wrong, in words that hold nothing of an event or a ticket.
type fault string

func (f fault) Error() string { return string(f) }

func faultf(format string, args ...any) error { return fault(fmt.Sprintf(format, args...)) }
