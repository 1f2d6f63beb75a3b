package mapping

import (
	"strings"
	"testing"
	"time"
)

func hoursOf(t *testing.T, text string) *Hours {
	t.Helper()
	return policyOf(t, "hours: "+text).terms[0].Hours
}

func TestHoursAreByTheClockOnTheWall(t *testing.T) {
	t.Parallel()
	const (
		office    = `{ zone: Europe/Brussels, days: [mon, tue, wed, thu, fri], from: "08:00", to: "18:00", closed: ["2026-12-25"] }`
		night     = `{ zone: Europe/Brussels, days: [fri], from: "22:00", to: "06:00", closed: ["2026-12-25"] }`
		early     = `{ zone: Europe/Brussels, from: "02:30", to: "04:00" }`
		overnight = `{ zone: Europe/Brussels, days: [sat], from: "22:00", to: "02:30" }`
		evening   = `{ zone: UTC, from: "18:00" }`
		morning   = `{ zone: America/Los_Angeles, to: "12:00" }`
		allDay    = `{ zone: Pacific/Auckland, days: [mon] }`
		toEnd     = `{ zone: UTC, days: [mon], from: "20:00", to: "24:00" }`
		midnight  = `{ zone: UTC, days: [mon], from: "20:00", to: "00:00" }`
	)
	for _, c := range []struct {
		name, hours, at string
		want            bool
	}{
		{"before they begin", office, "2026-01-05T06:59:59Z", false},
		{"as they begin", office, "2026-01-05T07:00:00Z", true},
		{"to the last second", office, "2026-01-05T16:59:59Z", true},
		{"as they end", office, "2026-01-05T17:00:00Z", false},
		{"at the weekend", office, "2026-01-04T10:00:00Z", false},
		{"in summer", office, "2026-07-06T06:00:00Z", true},
		{"in summer, as they end", office, "2026-07-06T16:00:00Z", false},
		{"in another zone's words", office, "2026-01-05T16:00:00+09:00", true},
		{"on a closed Friday", office, "2026-12-25T10:00:00Z", false},
		{"on the Friday before", office, "2026-12-18T10:00:00Z", true},

		{"a night as it begins", night, "2026-01-09T21:00:00Z", true},
		{"a night before it begins", night, "2026-01-09T20:59:00Z", false},
		{"a night on the day after", night, "2026-01-10T04:59:00Z", true},
		{"a night as it ends", night, "2026-01-10T05:00:00Z", false},
		{"the evening after a night", night, "2026-01-10T21:30:00Z", false},
		{"the morning of the day it begins on", night, "2026-01-09T04:00:00Z", false},
		{"a night that begins on a closed day", night, "2026-12-25T21:30:00Z", false},
		{"the end of a night that began on a closed day", night, "2026-12-26T02:00:00Z", false},

		{"before the hour that is left out", early, "2026-03-29T00:59:00Z", false},
		{"after the hour that is left out", early, "2026-03-29T01:00:00Z", true}, // the clock shows 03:00
		{"past them on that day", early, "2026-03-29T02:00:00Z", false},          // 04:00
		{"the first 02:00", early, "2026-10-25T00:10:00Z", false},
		{"the first 02:30", early, "2026-10-25T00:30:00Z", true},
		{"the second 02:00", early, "2026-10-25T01:10:00Z", false},
		{"the second 02:30", early, "2026-10-25T01:30:00Z", true},
		{"the hour after both", early, "2026-10-25T02:30:00Z", true},
		{"a night into the hour left out", overnight, "2026-03-29T00:59:00Z", true},
		{"a night past the hour left out", overnight, "2026-03-29T01:00:00Z", false},
		{"a night into the first of two hours", overnight, "2026-10-25T00:29:00Z", true},
		{"a night into the second of two hours", overnight, "2026-10-25T01:29:00Z", true},
		{"a night past the second of two hours", overnight, "2026-10-25T01:30:00Z", false},

		{"only from", evening, "2026-01-05T23:59:59Z", true},
		{"before only from", evening, "2026-01-06T00:00:00Z", false},
		{"only to", morning, "2026-01-05T08:00:00Z", true}, // midnight there
		{"after only to", morning, "2026-01-05T20:00:00Z", false},
		{"a whole day as it begins", allDay, "2026-01-04T11:00:00Z", true},
		{"a whole day before it begins", allDay, "2026-01-04T10:59:59Z", false},
		{"a whole day as it ends", allDay, "2026-01-05T11:00:00Z", false},
		{"to the end of the day", toEnd, "2026-01-05T23:59:59Z", true},
		{"past the end of the day", toEnd, "2026-01-06T00:00:00Z", false},
		{"to midnight", midnight, "2026-01-05T23:59:59Z", true},
		{"past midnight", midnight, "2026-01-06T00:00:00Z", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			at, err := time.Parse(time.RFC3339, c.at)
			if err != nil {
				t.Fatal(err)
			}
			h := hoursOf(t, c.hours)
			if got := h.Open(at); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
			byHand := &Hours{Zone: h.Zone, Days: h.Days, From: h.From, To: h.To, Closed: h.Closed}
			if got := byHand.Open(at); got != c.want {
				t.Errorf("made by hand: got %v, want %v", got, c.want)
			}
		})
	}
}

func TestNoHoursAreAlwaysOpen(t *testing.T) {
	t.Parallel()
	var none *Hours
	if !none.Open(time.Time{}) {
		t.Error("got closed")
	}
}

func TestHoursOfNoZoneAreClosed(t *testing.T) {
	t.Parallel()
	for _, zone := range []string{"", "Local", "Europe/Brusels", "../../etc/passwd"} {
		if (&Hours{Zone: zone, To: dayMinutes}).Open(time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)) {
			t.Errorf("%q: got open", zone)
		}
		if _, err := ParsePolicy([]byte("kind: Policy\nname: p\napprovers: { people: [kim] }\nhours: { zone: '" + zone + "' }\n")); err == nil {
			t.Errorf("%q: was read", zone)
		}
	}
}

func TestTimesOfDayAreStrict(t *testing.T) {
	t.Parallel()
	for text, ok := range map[string]bool{
		"00:00": true, "09:05": true, "23:59": true, "24:00": false, "9:05": false, "09:5": false, "09:60": false, "-1:00": false,
		"09:05:00": false, "0905": false, "９:05": false, "+9:05": false, " 09:05 ": true, "09:05pm": false, "540": false,
	} {
		_, err := ParsePolicy([]byte("kind: Policy\nname: p\napprovers: { people: [kim] }\nhours: { zone: UTC, from: '" + text + "' }\n"))
		if (err == nil) != ok || err != nil && !strings.Contains(err.Error(), `like "08:30"`) {
			t.Errorf("%q: got %v", text, err)
		}
	}
}
