package gateway

import (
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/mapping"
	"github.com/drawbridge-itsm/drawbridge/store"
)

func TestTimersWhoseTurnHasPassed(t *testing.T) {
	t.Parallel()
	opened := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	d := &mapping.Deadline{After: 4 * time.Hour, Remind: []time.Duration{time.Hour, 2 * time.Hour},
		Deputy: &mapping.Deputy{After: 2 * time.Hour}, Second: &mapping.Second{After: 3 * time.Hour}}
	for name, c := range map[string]struct {
		terms    *mapping.Deadline
		kind     string
		due, now time.Duration
		want     bool
	}{
		"a reminder":                            {d, store.TimerRemind, time.Hour, time.Hour, false},
		"a reminder just before the next":       {d, store.TimerRemind, time.Hour, 2*time.Hour - 1, false},
		"a reminder when the next is due":       {d, store.TimerRemind, time.Hour, 2 * time.Hour, true},
		"the last reminder":                     {d, store.TimerRemind, 2 * time.Hour, 4*time.Hour - 1, false},
		"a reminder at the end":                 {d, store.TimerRemind, 2 * time.Hour, 4 * time.Hour, true},
		"a reminder that is not named":          {d, store.TimerRemind, 150 * time.Minute, 150 * time.Minute, true},
		"deputies":                              {d, store.TimerDeputy, 2 * time.Hour, 2 * time.Hour, false},
		"deputies at another time":              {d, store.TimerDeputy, time.Hour, 2 * time.Hour, true},
		"deputies at the end":                   {d, store.TimerDeputy, 2 * time.Hour, 4 * time.Hour, true},
		"deputies that are not named":           {&mapping.Deadline{After: 4 * time.Hour}, store.TimerDeputy, 2 * time.Hour, 2 * time.Hour, true},
		"a second desk":                         {d, store.TimerSecond, 3 * time.Hour, 3 * time.Hour, false},
		"a second desk at another time":         {d, store.TimerSecond, 2 * time.Hour, 3 * time.Hour, true},
		"a second desk that is not named":       {&mapping.Deadline{After: 4 * time.Hour}, store.TimerSecond, 3 * time.Hour, 3 * time.Hour, true},
		"the deadline":                          {d, store.TimerDeadline, 4 * time.Hour, 4 * time.Hour, false},
		"the deadline again, after it was read": {d, store.TimerDeadline, 4*time.Hour + time.Second, 5 * time.Hour, false},
		"a nearer deadline than the terms'":     {d, store.TimerDeadline, time.Hour, 5 * time.Hour, true},
		"terms without a deadline":              {nil, store.TimerDeadline, 4 * time.Hour, 4 * time.Hour, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := passed(c.terms, opened, store.Timer{Kind: c.kind, Due: opened.Add(c.due)}, opened.Add(c.now)); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}
