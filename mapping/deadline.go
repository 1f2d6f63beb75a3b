package mapping

import (
	"fmt"
	"slices"
	"time"
)

// Deadline says until when a decision may be made, counted from when the case opened, and who is told or asked before.
type Deadline struct {
	After  time.Duration   `json:"after"`
	Remind []time.Duration `json:"remind,omitempty"` // in order, all before After
	Deputy *Deputy         `json:"deputy,omitempty"` // who may decide besides, from a time on
	Second *Second         `json:"second,omitempty"` // another desk that is asked besides, from a time on
	Deny   bool            `json:"deny"`             // deny at the end; else leave the case undecided
}

// Deputy names those who may decide besides the approvers once After has passed.
type Deputy struct {
	After     time.Duration `json:"after"`
	Approvers Approvers     `json:"approvers"`
}

// Second names the rule that opens a ticket at another desk once After has passed.
type Second struct {
	After time.Duration `json:"after"`
	Rule  string        `json:"rule"`
}

const maxReminders = 20

func (l *layers) deadline() *Deadline {
	if !l.hasMapping("deadline") {
		return nil
	}
	d := &Deadline{After: l.neededLength("deadline.after"), Deny: l.word("deadline.then", "leave", "deny")}
	before := func(path string, length time.Duration) {
		if length > 0 && d.After > 0 && length >= d.After {
			l.add(l.where(path, "deadline.after"), fmt.Sprintf("%s is %s and must come before deadline.after, which is %s", path, lengthText(length), lengthText(d.After)))
		}
	}
	l.list("deadline.remind", maxReminders, func(text, at string) {
		if length, ok := l.parseLength(text, at); ok {
			if slices.Contains(d.Remind, length) {
				l.add(at, "another reminder is due at the same time")
			}
			d.Remind = append(d.Remind, length)
		}
	})
	slices.Sort(d.Remind)
	for _, length := range d.Remind {
		before("deadline.remind", length)
	}
	if l.hasMapping("deadline.deputy") {
		d.Deputy = &Deputy{After: l.neededLength("deadline.deputy.after"), Approvers: l.approvers("deadline.deputy")}
		if d.Deputy.Approvers.empty() {
			l.add(l.home("deadline.deputy.people"), "a deputy names at least one person or group, or a condition that tells who may approve")
		}
		before("deadline.deputy.after", d.Deputy.After)
	}
	if l.hasMapping("deadline.second") {
		d.Second = &Second{After: l.neededLength("deadline.second.after"), Rule: l.needed("deadline.second.rule")}
		before("deadline.second.after", d.Second.After)
	}
	return d
}

func (l *layers) neededLength(path string) time.Duration {
	if !l.has(path) {
		l.add(l.home(path), path+" is missing")
		return 0
	}
	length, _ := l.length(path)
	return length
}
