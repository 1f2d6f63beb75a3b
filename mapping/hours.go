package mapping

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Hours are when decisions count, by the clock on the wall in a zone.
type Hours struct {
	Zone   string         `json:"zone"`
	Days   []time.Weekday `json:"days"`   // Sunday is 0; none: every day
	From   int            `json:"from"`   // minutes since midnight
	To     int            `json:"to"`     // the first minute that is outside; before From: on the day after
	Closed []string       `json:"closed"` // dates like 2026-12-25

	location *time.Location
}

// Open tells whether a moment lies inside the hours. Hours that span midnight belong to the day on which they begin;
// a closed date is closed from midnight to midnight, and so is the night that begins on it. An hour that the clock
// shows twice counts twice, and one it leaves out is not missed: only what the clock shows matters. Nil is always open.
func (h *Hours) Open(at time.Time) bool {
	if h == nil {
		return true
	}
	location := h.location
	if location == nil { // not read from a document
		if location = zone(h.Zone); location == nil {
			return false
		}
	}
	local := at.In(location)
	if h.closed(local) {
		return false
	}
	minute := local.Hour()*60 + local.Minute()
	switch {
	case h.From < h.To:
		return minute >= h.From && minute < h.To && h.works(local.Weekday())
	case minute >= h.From:
		return h.works(local.Weekday())
	case minute < h.To:
		before := time.Date(local.Year(), local.Month(), local.Day()-1, 12, 0, 0, 0, time.UTC)
		return h.works(before.Weekday()) && !h.closed(before)
	}
	return false
}

// zone finds a zone by its name, nil where there is none. The machine's own is none: it differs from machine to machine.
func zone(name string) *time.Location {
	location, err := time.LoadLocation(name)
	if err != nil || name == "" || name == "Local" {
		return nil
	}
	return location
}

func (h *Hours) works(day time.Weekday) bool { return len(h.Days) == 0 || slices.Contains(h.Days, day) }

func (h *Hours) closed(day time.Time) bool {
	return slices.Contains(h.Closed, day.Format(time.DateOnly))
}

var weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

const (
	dayMinutes = 24 * 60
	maxClosed  = 1000
)

func (l *layers) hours() *Hours {
	if !l.hasMapping("hours") {
		return nil
	}
	h := &Hours{Zone: l.needed("hours.zone"), From: 0, To: dayMinutes}
	if h.location = zone(h.Zone); h.location == nil && h.Zone != "" {
		l.add(l.where("hours.zone"), "there is no zone of this name; zones are named like Europe/Brussels or UTC")
	}
	l.list("hours.days", 7, func(text, at string) {
		day := slices.Index(weekdays, text)
		if day < 0 {
			l.add(at, "days are "+strings.Join(weekdays[1:], ", ")+" and "+weekdays[0])
		}
		h.Days = append(h.Days, time.Weekday(day))
	})
	if l.has("hours.days") && l.count("hours.days", 7) == 0 {
		l.add(l.where("hours.days"), "there is no day on which anybody could decide; leave days out for every day")
	}
	h.From = l.minute("hours.from", h.From, dayMinutes-1)
	h.To = l.minute("hours.to", h.To, dayMinutes)
	if h.From == h.To {
		l.add(l.where("hours.from", "hours.to"), "from and to are the same; leave both out for the whole day")
	}
	l.list("hours.closed", maxClosed, func(text, at string) {
		if _, err := time.Parse(time.DateOnly, text); err != nil {
			l.add(at, "a closed day is a date like 2026-12-25")
		}
		h.Closed = append(h.Closed, text)
	})
	return h
}

// minute reads a time of day.
func (l *layers) minute(path string, usual, limit int) int {
	text, at, ok := l.constant(path)
	if !ok {
		return usual
	}
	var hour, minute int
	_, err := fmt.Sscanf(text, "%d:%d", &hour, &minute)
	n := hour*60 + minute
	if err != nil || fmt.Sprintf("%02d:%02d", hour, minute) != text || minute > 59 || n > limit || hour < 0 || minute < 0 {
		l.add(at, `a time of day is like "08:30", from "00:00" to "`+fmt.Sprintf("%02d:%02d", limit/60, limit%60)+`"`)
		return usual
	}
	return n
}
