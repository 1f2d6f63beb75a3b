package freshworks

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Common are the settings both desks have.
type Common struct {
	// Answers are the words that, alone in the first line of a person's note, are told as the field answer; default: none,
	// no note answers. Whoever has any agent's API key can write a note in another agent's name, so only list words where
	// every agent with a key is trusted to decide.
	Answers []string `yaml:"answers,omitempty"`
	// Automation are the numbers of accounts that apps and rules work with.
	Automation []string `yaml:"automation,omitempty"`
	// IndexLag is how long the search may miss a new ticket; default 2m.
	IndexLag time.Duration `yaml:"index_lag,omitempty"`
	// Recent is how far back the list of tickets, which does not lag, is read besides the search; default 1h, at least
	// IndexLag.
	Recent time.Duration `yaml:"recent,omitempty"`
	// Overlap is how far back watching looks each time behind where it was; default 1m, at least 5s.
	Overlap time.Duration `yaml:"overlap,omitempty"`
	// Batch is how many open tickets are read one by one each time tickets are watched; default 10.
	Batch int `yaml:"batch,omitempty"`
}

// WithDefaults fills what was left out.
func (c Common) WithDefaults() Common {
	for _, one := range []struct {
		set      *time.Duration
		fallback time.Duration
	}{{&c.IndexLag, 2 * time.Minute}, {&c.Recent, time.Hour}, {&c.Overlap, time.Minute}} {
		if *one.set == 0 {
			*one.set = one.fallback
		}
	}
	if c.Batch == 0 {
		c.Batch = 10
	}
	return c
}

// Faults tells what is wrong with c.
func (c Common) Faults() []error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	faults = append(faults, connectors.Words(c.Answers).Faults()...)
	for _, id := range c.Automation {
		if _, ok := number(id); !ok {
			fault("automation: %q is no account's number", id)
		}
	}
	if c.IndexLag < 0 || c.IndexLag > 24*time.Hour {
		fault("index_lag lies between 0 and 24h")
	}
	if c.Recent < c.IndexLag || c.Recent > 7*24*time.Hour {
		fault("recent lies between index_lag and 168h")
	}
	if c.Overlap < settle || c.Overlap > 48*time.Hour {
		fault("overlap lies between %s and 48h", settle)
	}
	if c.Batch < 1 || c.Batch > 100 {
		fault("batch lies between 1 and 100")
	}
	return faults
}

// Unverified lists what rests on no documented fact at both desks.
func (c Common) Unverified() []string {
	out := []string{
		"lengths: subject 255 characters, a tag 32, a line of text 255; the vendor publishes none",
		"merged tickets: how one that was merged into another is shown; it is followed by its own number, where answers on the other do not count, and is gone once it is deleted; whether notes that come along from another keep their authors",
		"doctor: that permissions are looked at before a faulty request is, by which missing ones are named",
		"whose a ticket is: the interface lets an agent with a key write a note in another's name, so a seal keeps clones apart, not agents who forge one with their key",
	}
	if len(c.Answers) > 0 {
		out = append(out, "answers: a note's author is no proof: the interface lets an agent with a key write a note in another's name, and how an answer sent by mail is told apart from a note is not documented")
	}
	return out
}

// Numbered reads an account's number.
func Numbered(text string) (int64, bool) { return number(text) }

// AddressFault tells what is wrong with a desk's address; domain is what the vendor's addresses end in. The interface
// answers under the vendor's own addresses only.
func AddressFault(text, domain string) string {
	if fault := connectors.SiteFault(text); fault != "" {
		return fault
	}
	u, err := url.Parse(text)
	if err != nil || !connectors.Loopback(u.Hostname()) && !strings.HasSuffix(u.Hostname(), "."+domain) {
		return "must be https://NAME." + domain + ": the interface does not answer under other names"
	}
	return ""
}

// Place reads a number that stands for a place, 0 where there is none.
func Place(text string) (int64, bool) {
	if text == "" {
		return 0, true
	}
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil && n > 0
}
