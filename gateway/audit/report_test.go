package audit_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/gateway/audit"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

func TestReportSaysWhoApprovedWhatForWhomHowFastUnderWhat(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		w := newWorld(t, engine)
		d := w.decide("R1", `{"account":"CORP\\alice","name":"Alice Adams"}`, "bob", "Bob Brown")
		r, err := audit.MakeReport(t.Context(), w.db.Queries, audit.Range{})
		if err != nil {
			t.Fatal(err)
		}
		want := audit.Report{
			Lines: []audit.Line{{At: d.At, Outcome: "approved", By: "bob", ByName: "Bob Brown", For: connectors.Person{Account: `CORP\alice`, Name: "Alice Adams"},
				What: "7-Zip", Kind: "access.requested", Source: "epm", Request: "R1", OpenedAt: start, Seconds: 90, Rule: "apps@3", Policy: "approvers@2",
				Origin: "desk", Desk: "jira", Ticket: "IT-R1", State: "owed", Case: d.CaseID}},
			Summary: audit.Sum{Outcomes: map[string]int{"approved": 1}, MedianSeconds: 90, P90Seconds: 90},
		}
		if diff := cmp.Diff(want, r); diff != "" {
			t.Errorf("report (-want +got):\n%s", diff)
		}
		none, err := audit.MakeReport(t.Context(), w.db.Queries, audit.Range{Since: d.At.Add(time.Second)})
		if err != nil || len(none.Lines) != 0 {
			t.Errorf("later: %+v, %v", none, err)
		}
	})
}

// evil is a report of decisions whose texts were written by somebody with other plans.
func evil() audit.Report {
	l := audit.Line{At: start.Add(time.Hour), Outcome: "denied", By: "bob", ByName: "=cmd|' /C calc'!A0", For: connectors.Person{Account: "@SUM(1)", Name: "Eve\x1b[2J\nroot"},
		What: `"quoted", and ` + strings.Repeat("long ", 20), Source: "epm", Request: "R-1", OpenedAt: start, Seconds: 3600, Rule: "apps@3", Policy: "approvers@2", Ticket: "IT-1"}
	return audit.Report{Lines: []audit.Line{l}, Summary: audit.Sum{Outcomes: map[string]int{"denied": 1}, MedianSeconds: 3600, P90Seconds: 3600}}
}

func TestReportFormats(t *testing.T) {
	t.Parallel()
	for name, write := range map[string]func(*bytes.Buffer) error{
		"report.txt":  func(b *bytes.Buffer) error { return evil().Text(b) },
		"report.csv":  func(b *bytes.Buffer) error { return evil().CSV(b) },
		"report.json": func(b *bytes.Buffer) error { return evil().JSON(b) },
	} {
		var out bytes.Buffer
		if err := write(&out); err != nil {
			t.Fatal(err)
		}
		golden(t, name, out.String())
		switch name {
		case "report.txt":
			if strings.Contains(out.String(), "\x1b") || strings.Count(out.String(), "\n") != 4 {
				t.Errorf("the terminal is not safe from:\n%q", out.String())
			}
		case "report.json":
			var back audit.Report
			if err := json.Unmarshal(out.Bytes(), &back); err != nil || cmp.Diff(evil(), back) != "" {
				t.Errorf("JSON reads back otherwise: %v", err)
			}
		case "report.csv":
			rows, err := csv.NewReader(&out).ReadAll()
			if err != nil || len(rows) != 2 {
				t.Fatalf("CSV = %q, %v", rows, err)
			}
			for i, cell := range rows[1] {
				if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
					t.Errorf("%s is a formula: %q", rows[0][i], cell)
				}
			}
		}
	}
}

func TestReportWithoutDecisions(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := (audit.Report{}).Text(&out); err != nil || out.String() != "No decisions.\n" {
		t.Errorf("%q, %v", out.String(), err)
	}
}
