package mapping

import (
	"strconv"
	"strings"
	"time"
)

func seconds(_ *meter, args []any) (any, error) {
	d, err := parseLength(args[0])
	if err != nil {
		return nil, err
	}
	return int(d / time.Second), nil
}

func duration(_ *meter, args []any) (any, error) {
	n, ok := number(args[0])
	if !ok || n < 0 || n > maxLength.Seconds() {
		return nil, fault("duration needs a number of seconds")
	}
	return lengthText(time.Duration(n) * time.Second), nil
}

// lengthText writes a length of time in the form parseLength reads.
func lengthText(d time.Duration) string {
	left := int64(d / time.Second)
	if left == 0 {
		return "0s"
	}
	var b strings.Builder
	for _, unit := range []struct {
		name    string
		seconds int64
	}{{"d", 86400}, {"h", 3600}, {"m", 60}, {"s", 1}} {
		if count := left / unit.seconds; count > 0 {
			b.WriteString(strconv.FormatInt(count, 10) + unit.name)
			left %= unit.seconds
		}
	}
	return b.String()
}

// moment reads a time in RFC 3339. It is brought to UTC, so that the zone of this machine plays no part.
func moment(args []any, i int) (time.Time, error) {
	s, err := text(args, i)
	if err != nil {
		return time.Time{}, err
	}
	t, err := time.ParseInLocation(time.RFC3339, s, time.UTC)
	if err != nil {
		return time.Time{}, fault("a time is not in the form 2006-01-02T15:04:05Z")
	}
	return t.UTC(), nil
}

func timestamp(_ *meter, args []any) (any, error) {
	t, err := moment(args, 0)
	if err != nil {
		return nil, err
	}
	return int(t.Unix()), nil
}

func day(_ *meter, args []any) (any, error) {
	t, err := moment(args, 0)
	if err != nil {
		return nil, err
	}
	return t.Format(time.DateOnly), nil
}

func later(_ *meter, args []any) (any, error) {
	t, err := moment(args, 0)
	if err != nil {
		return nil, err
	}
	d, err := parseLength(args[1])
	if err != nil {
		return nil, err
	}
	return t.Add(d).Format(time.RFC3339), nil
}

// maxLength is longer than any access is given for.
const maxLength = 5 * 366 * 24 * time.Hour

const errLength = fault(`a length of time is not in the form "1h", "30m", "1d" or a number of seconds`)

// parseLength reads a length of time: a number of seconds, or numbers with the units w, d, h, m and s.
func parseLength(v any) (time.Duration, error) {
	if n, ok := number(v); ok {
		return limitLength(n)
	}
	s, ok := v.(string)
	s = strings.ToLower(strings.TrimSpace(s))
	if !ok || s == "" || len(s) > 40 {
		return 0, errLength
	}
	if n, err := strconv.ParseUint(s, 10, 63); err == nil {
		return limitLength(float64(n))
	}
	total := 0.0
	for s != "" {
		digits := len(s) - len(strings.TrimLeft(s, "0123456789"))
		n, err := strconv.ParseUint(s[:digits], 10, 63)
		if err != nil || digits == len(s) {
			return 0, errLength
		}
		unit, ok := map[byte]float64{'w': 7 * 86400, 'd': 86400, 'h': 3600, 'm': 60, 's': 1}[s[digits]]
		if !ok {
			return 0, errLength
		}
		total += float64(n) * unit
		s = strings.TrimLeft(s[digits+1:], " ")
	}
	return limitLength(total)
}

func limitLength(seconds float64) (time.Duration, error) {
	if !(seconds >= 0 && seconds <= maxLength.Seconds()) {
		return 0, fault("a length of time is below zero or longer than five years")
	}
	return time.Duration(seconds) * time.Second, nil
}
