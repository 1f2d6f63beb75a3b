package mapping

import (
	"strings"
	"testing"
	"time"
)

func TestGrantHoldsToThePolicy(t *testing.T) {
	t.Parallel()
	const example = "{ allowed: [once, 1h, 4h, 1d], max: 8h, default: 1h }"
	for _, c := range []struct {
		name, durations string
		once            bool
		length          time.Duration
		want            Granted
		fault           string
	}{
		{name: "once", durations: example, once: true, want: Granted{Once: true}},
		{name: "allowed", durations: example, length: 4 * time.Hour, want: Granted{Length: 4 * time.Hour}},
		{name: "allowed and longer than the maximum", durations: example, length: 24 * time.Hour, want: Granted{Length: 8 * time.Hour, Cut: true}},
		{name: "not allowed", durations: example, length: 2 * time.Hour, fault: "2h is not among the durations the policy allows: once, 1h, 4h, 1d"},
		{name: "the maximum itself is not allowed by being it", durations: example, length: 8 * time.Hour, fault: "8h is not among"},
		{name: "not allowed and longer than the maximum", durations: example, length: 48 * time.Hour, fault: "2d is not among"},
		{name: "none chosen", durations: example, want: Granted{Length: time.Hour}},
		{name: "none chosen, once by default", durations: "{ default: once }", want: Granted{Once: true}},
		{name: "none chosen, no default", durations: "{ max: 8h }", fault: "no duration was chosen"},
		{name: "once not allowed", durations: "{ allowed: [1h] }", once: true, fault: "once is not among"},
		{name: "once under a maximum", durations: "{ max: 8h }", once: true, want: Granted{Once: true}},
		{name: "anything up to the maximum", durations: "{ max: 8h }", length: 8 * time.Hour, want: Granted{Length: 8 * time.Hour}},
		{name: "cut to the maximum", durations: "{ max: 8h }", length: 8*time.Hour + time.Second, want: Granted{Length: 8 * time.Hour, Cut: true}},
		{name: "the same length in other words", durations: "{ allowed: [60m] }", length: time.Hour, want: Granted{Length: time.Hour}},
		{name: "seconds", durations: "{ allowed: [3600], max: 7200 }", length: time.Hour, want: Granted{Length: time.Hour}},
		{name: "no limits", durations: "{}", length: time.Hour, want: Granted{Length: time.Hour}},
		{name: "once and a length", durations: example, once: true, length: time.Hour, fault: "cannot be given"},
		{name: "below zero", durations: example, length: -time.Hour, fault: "cannot be given"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := policyOf(t, "durations: "+c.durations).terms[0].Durations.Grant(c.once, c.length)
			if got != c.want || (err == nil) != (c.fault == "") || err != nil && !strings.Contains(err.Error(), c.fault) {
				t.Errorf("got %+v, %v, want %+v, %q", got, err, c.want, c.fault)
			}
		})
	}
}

func TestGrantWithoutDurationsPassesOn(t *testing.T) {
	t.Parallel()
	var none *Durations
	for _, want := range []Granted{{}, {Once: true}, {Length: time.Hour}} {
		if got, err := none.Grant(want.Once, want.Length); got != want || err != nil {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	}
	if _, err := none.Grant(false, -1); err == nil {
		t.Error("a length below zero was granted")
	}
}

func TestGrantedIsTextThatRulesRead(t *testing.T) {
	t.Parallel()
	for want, g := range map[string]Granted{
		"": {}, "once": {Once: true}, "1h": {Length: time.Hour, Cut: true}, "1d12h": {Length: 36 * time.Hour}, "1m30s": {Length: 90 * time.Second},
	} {
		if got := g.String(); got != want {
			t.Errorf("%+v: got %q, want %q", g, got, want)
		}
		if g.Length > 0 {
			if back, err := parseLength(g.String()); back != g.Length || err != nil {
				t.Errorf("%q reads as %s, %v", g, back, err)
			}
		}
	}
}
