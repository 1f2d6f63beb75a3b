package mapping

import (
	"slices"
	"strings"
	"time"
)

// Durations limit for how long access is given.
type Durations struct {
	Allowed []Granted     `json:"allowed,omitempty"` // what may be chosen; none: anything
	Max     time.Duration `json:"max,omitempty"`     // longer is cut to this; 0: no limit
	Default Granted       `json:"default,omitzero"`  // where none is chosen; zero: one must be chosen
}

// Granted is for how long access is given. Neither once nor a length means that nothing is said about it.
type Granted struct {
	Once   bool          `json:"once,omitempty"`
	Length time.Duration `json:"length,omitempty"`
	Cut    bool          `json:"cut,omitempty"` // it was longer than the policy allows
}

// String is the duration in the form that documents use: once, 1h30m, 1d; empty where nothing is said.
func (g Granted) String() string {
	switch {
	case g.Once:
		return "once"
	case g.Length > 0:
		return lengthText(g.Length)
	}
	return ""
}

// Grant turns what an approver chose into what is given. Neither once nor a length means that nothing was chosen. What
// is longer than the maximum is cut to it; what is not among those allowed is an error, and so is choosing nothing
// where there is no default: the source might take it for ever. Without Durations everything is given as chosen.
func (d *Durations) Grant(once bool, length time.Duration) (Granted, error) {
	chosen := Granted{Once: once, Length: length}
	if length < 0 || once && length > 0 {
		return Granted{}, fault("this duration cannot be given")
	}
	if d == nil {
		return chosen, nil
	}
	if chosen == (Granted{}) {
		if chosen = d.Default; chosen == (Granted{}) {
			return Granted{}, fault("no duration was chosen, and the policy has no default")
		}
	}
	if len(d.Allowed) > 0 && !slices.Contains(d.Allowed, chosen) {
		return Granted{}, faultf("%s is not among the durations the policy allows: %s", chosen, d.allowed())
	}
	if d.Max > 0 && chosen.Length > d.Max {
		return Granted{Length: d.Max, Cut: true}, nil
	}
	return chosen, nil
}

func (d *Durations) allowed() string {
	texts := make([]string, len(d.Allowed))
	for i, g := range d.Allowed {
		texts[i] = g.String()
	}
	return strings.Join(texts, ", ")
}

const maxDurations = 50

func (l *layers) durations() *Durations {
	if !l.hasMapping("durations") {
		return nil
	}
	d := &Durations{}
	l.list("durations.allowed", maxDurations, func(text, at string) {
		if g, ok := l.granted(text, at); ok {
			if slices.Contains(d.Allowed, g) {
				l.add(at, "the same duration stands in this list twice")
			}
			d.Allowed = append(d.Allowed, g)
		}
	})
	if l.has("durations.allowed") && len(d.Allowed) == 0 {
		l.add(l.where("durations.allowed"), "a policy allows at least one duration; leave allowed out to allow any")
	}
	d.Max, _ = l.length("durations.max")
	text, at, ok := l.constant("durations.default")
	if !ok {
		return d
	}
	if d.Default, ok = l.granted(text, at); !ok {
		return d
	}
	if len(d.Allowed) > 0 && !slices.Contains(d.Allowed, d.Default) {
		l.add(l.where("durations.default", "durations.allowed"), "the default is not among the durations allowed")
	}
	if d.Max > 0 && d.Default.Length > d.Max {
		l.add(l.where("durations.default", "durations.max"), "the default is longer than the maximum")
	}
	return d
}

func (l *layers) granted(text, at string) (Granted, bool) {
	if isOnce(text) {
		return Granted{Once: true}, true
	}
	length, ok := l.parseLength(text, at)
	return Granted{Length: length}, ok
}
