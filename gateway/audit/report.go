package audit

import (
	"cmp"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/store"
)

// Line is one decision of a report: who decided what, for whom, how fast, under which rule and policy.
type Line struct {
	At       time.Time         `json:"at"`
	Outcome  string            `json:"outcome"`
	By       string            `json:"by"` // the name in the People documents
	ByName   string            `json:"by_name"`
	For      connectors.Person `json:"for"`
	What     string            `json:"what"`
	Kind     string            `json:"kind"`
	Source   string            `json:"source"`
	Request  string            `json:"request"`
	OpenedAt time.Time         `json:"opened_at"`
	Seconds  int64             `json:"seconds"` // from the opening of the case to the decision
	Rule     string            `json:"rule"`
	Policy   string            `json:"policy"`
	Origin   string            `json:"origin"` // desk, source or vote
	Desk     string            `json:"desk,omitempty"`
	Ticket   string            `json:"ticket,omitempty"`
	State    string            `json:"state"`
	Case     string            `json:"case"`
}

// Report is the decisions of a stretch of time, in the order they were recorded.
type Report struct {
	Lines   []Line `json:"decisions"`
	Summary Sum    `json:"summary"`
}

// Sum is how many decisions there were, and how long half of them, and nine of ten, took at most.
type Sum struct {
	Outcomes      map[string]int `json:"outcomes"`
	MedianSeconds int64          `json:"median_seconds"`
	P90Seconds    int64          `json:"p90_seconds"`
}

const reportBatch = 500

// MakeReport reads the decisions made in a range.
func MakeReport(ctx context.Context, q store.Queries, r Range) (Report, error) {
	report := Report{Lines: []Line{}, Summary: Sum{Outcomes: map[string]int{}}}
	after := ""
	for {
		found, err := q.Judgements(ctx, r.Since, r.Until, after, reportBatch)
		if err != nil {
			return Report{}, err
		}
		for _, j := range found {
			report.Lines = append(report.Lines, line(j))
			after = j.Decision.ID
		}
		if len(found) < reportBatch {
			report.Summary = sum(report.Lines)
			return report, nil
		}
	}
}

func line(j store.Judged) Line {
	d, c := j.Decision, j.Case
	l := Line{
		At: d.At.UTC(), Outcome: d.Outcome, By: d.By, ByName: d.ByName, What: c.Subject, Kind: c.Kind, Source: c.Connection,
		Request: c.RequestID, OpenedAt: c.OpenedAt.UTC(), Seconds: int64(d.At.Sub(c.OpenedAt) / time.Second),
		Rule: versioned(d.Rule, d.RuleVersion), Policy: versioned(d.Policy, d.PolicyVersion), Origin: d.Origin, Desk: j.Desk,
		Ticket: j.Ticket, State: d.State, Case: c.ID,
	}
	_ = json.Unmarshal([]byte(c.Requester), &l.For) // what cannot be read is shown as nobody
	return l
}

func sum(lines []Line) Sum {
	s := Sum{Outcomes: map[string]int{}}
	seconds := make([]int64, len(lines))
	for i, l := range lines {
		s.Outcomes[l.Outcome]++
		seconds[i] = l.Seconds
	}
	slices.Sort(seconds)
	if n := len(seconds); n > 0 {
		s.MedianSeconds, s.P90Seconds = seconds[(n-1)/2], seconds[(n*9+9)/10-1]
	}
	return s
}

// JSON writes the report as one JSON document.
func (r Report) JSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// CSV writes one row a decision under a row of names. Text that a spreadsheet would take for a formula gets a quote in
// front of it: requests and tickets are written by strangers.
func (r Report) CSV(w io.Writer) error {
	c := csv.NewWriter(w)
	rows := [][]string{{"at", "outcome", "by", "by_name", "for_account", "for_name", "for_mail", "what", "kind", "source",
		"request", "opened_at", "seconds", "rule", "policy", "origin", "desk", "ticket", "state", "case"}}
	for _, l := range r.Lines {
		rows = append(rows, []string{
			l.At.Format(time.RFC3339), cell(l.Outcome), cell(l.By), cell(l.ByName), cell(l.For.Account), cell(l.For.Name),
			cell(l.For.Mail), cell(l.What), cell(l.Kind), cell(l.Source), cell(l.Request), l.OpenedAt.Format(time.RFC3339),
			strconv.FormatInt(l.Seconds, 10), cell(l.Rule), cell(l.Policy), cell(l.Origin), cell(l.Desk), cell(l.Ticket),
			cell(l.State), l.Case,
		})
	}
	return c.WriteAll(rows)
}

func cell(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' {
			return ' '
		}
		return r
	}, text)
	if text != "" && strings.ContainsRune("=+-@\n＝＋－＠", []rune(text)[0]) {
		return "'" + text
	}
	return text
}

// Text writes a table for people, and the summary.
func (r Report) Text(w io.Writer) error {
	if len(r.Lines) == 0 {
		_, err := fmt.Fprintln(w, "No decisions.")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "DECIDED\tOUTCOME\tBY\tFOR\tWHAT\tTOOK\tRULE\tPOLICY\tTICKET\tSOURCE")
	for _, l := range r.Lines {
		fmt.Fprintln(t, strings.Join([]string{
			l.At.Format("2006-01-02 15:04:05"), l.Outcome, shown(cmp.Or(l.ByName, l.By)),
			shown(cmp.Or(l.For.Name, l.For.Account, l.For.Mail, "-")), shown(cmp.Or(l.What, "-")), took(l.Seconds), l.Rule, l.Policy,
			shown(cmp.Or(l.Ticket, "-")), l.Source + " " + shown(l.Request),
		}, "\t"))
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	var counts []string
	for _, outcome := range slices.Sorted(maps.Keys(r.Summary.Outcomes)) {
		counts = append(counts, fmt.Sprintf("%d %s", r.Summary.Outcomes[outcome], outcome))
	}
	_, err := fmt.Fprintf(w, "\nDecisions: %s. Half took %s or less, nine in ten %s or less.\n", strings.Join(counts, ", "),
		took(r.Summary.MedianSeconds), took(r.Summary.P90Seconds))
	return err
}

// shown is text from outside as a terminal may have it: in one line, without control characters, and not too long.
func shown(text string) string {
	clean := strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, text)
	if runes := []rune(clean); len(runes) > 60 {
		return string(runes[:59]) + "…"
	}
	return clean
}

func took(seconds int64) string { return (time.Duration(seconds) * time.Second).String() }
