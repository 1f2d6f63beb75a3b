package connectors

import (
	"fmt"
	"strings"
	"time"
)

// AnswerField is the field that an answer people give in words is told as, and AnswerReason what they wrote below it.
const (
	AnswerField  = "answer"
	AnswerReason = "answer_reason"
)

// Words are the words that, alone in the first line of what a person writes, are an answer. None: nothing is.
type Words []string

// AnswerParts are the parts of a ticket that Steps tells the author of.
func AnswerParts() []string {
	return []string{"ticket.fields." + AnswerField, "ticket.fields." + AnswerReason}
}

// Faults tells which words could never stand alone in a line.
func (w Words) Faults() []error {
	var faults []error
	for _, word := range w {
		if word == "" || strings.TrimRight(strings.Join(strings.Fields(word), " "), ".!") != word {
			faults = append(faults, fmt.Errorf("answers: %q is not a word or a few, without a full stop", word))
		}
	}
	return faults
}

// Said is what one account wrote at a desk.
type Said struct {
	ID    string
	At    time.Time
	By    Account
	Lines []string // those that are not empty, with single spaces
}

// Lines are the lines of a plain text as Said wants them.
func Lines(text string) []string {
	var out []string
	for line := range strings.SplitSeq(text, "\n") {
		if line = strings.Join(strings.Fields(line), " "); line != "" {
			out = append(out, line)
		}
	}
	return out
}

// Steps are what of all that was said, oldest first, answers. Each answer first takes back the one before it, so that
// whoever answers stands for their own answer only.
func (w Words) Steps(all []Said) (steps []Step, answer, reason string) {
	for _, one := range all {
		said := w.answer(one)
		if said == "" {
			continue
		}
		if answer != "" {
			steps = append(steps, Step{ID: one.ID + "/0", At: one.At, By: one.By, Field: AnswerField, From: answer})
		}
		steps = append(steps, Step{ID: one.ID + "/1", At: one.At, By: one.By, Field: AnswerField, To: said})
		answer, reason = said, strings.Join(one.Lines[1:], "\n")
	}
	return steps, answer, reason
}

func (w Words) answer(s Said) string {
	if len(s.Lines) == 0 {
		return ""
	}
	first := strings.TrimRight(s.Lines[0], ".!")
	for _, word := range w {
		if strings.EqualFold(word, first) {
			return word
		}
	}
	return ""
}

// LastLine is what follows mark in the last line of a text, empty where that line has no mark.
func LastLine(text, mark string) string {
	lines := Lines(text)
	if len(lines) == 0 {
		return ""
	}
	key, ok := strings.CutPrefix(lines[len(lines)-1], mark)
	if !ok {
		return ""
	}
	return key
}
