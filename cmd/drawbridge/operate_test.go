package main

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/gateway"
	"github.com/drawbridge-itsm/drawbridge/store"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

// Sent all together, none of a tool's samples keeps another one from opening its ticket.
func TestAllSamplesSentTogetherOpenTheirTickets(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	for connection, kinds := range map[string][]string{
		"epm": {"access.requested", "admin.requested"}, "apono": {"access.requested"},
		"datatheorem": {"finding.opened", "asset.discovered"}, "elimity": {"change.requested"},
	} {
		samples, err := c.bridge.gateway.Samples(connection, "")
		must(t, err)
		sent, err := c.bridge.gateway.SendSamples(c.ctx, connection, samples, "tester")
		must(t, err)
		opened, kindOf := map[string]bool{}, map[string]string{}
		for _, s := range sent {
			if !slices.Contains(kinds, s.Kind) || len(s.Cases) == 0 {
				continue
			}
			must(t, c.until(func() error {
				view, err := c.bridge.gateway.Case(c.ctx, s.Cases[0])
				if err == nil && (len(view.Tickets) == 0 || view.Tickets[0].Ticket == "") {
					err = fmt.Errorf("%s: sample %s has no ticket", connection, s.Sample)
				}
				return err
			}))
			if other, shared := kindOf[s.Cases[0]]; shared && other != s.Kind {
				t.Errorf("%s: sample %s has the ticket of %s", connection, s.Sample, other)
			}
			opened[s.Kind], kindOf[s.Cases[0]] = true, s.Kind
		}
		if len(opened) != len(kinds) {
			t.Errorf("%s: tickets were opened for %v, want one for each of %v", connection, opened, kinds)
		}
	}
}

// A sample becomes a ticket that says what it is; the decision on it is told on the ticket and nowhere else.
func TestADecisionOnASampleIsNotPosted(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		c := start(t, engine)
		samples, err := c.bridge.gateway.Samples("epm", "access.requested")
		must(t, err)
		sent, err := c.bridge.gateway.SendSamples(c.ctx, "epm", samples, "tester")
		must(t, err)
		id := sent[0].Cases[0]
		var view gateway.CaseView
		must(t, c.until(func() error {
			if view, err = c.bridge.gateway.Case(c.ctx, id); err != nil {
				return err
			}
			if len(view.Tickets) != 1 || view.Tickets[0].Ticket == "" {
				return fmt.Errorf("tickets are %+v", view.Tickets)
			}
			return nil
		}))
		key := view.Tickets[0].Ticket
		issue, ok := c.jira.Issue(key)
		if !ok || !strings.HasPrefix(issue.Summary, "[Test] ") || !strings.Contains(fmt.Sprint(issue.Labels), "test-drawbridge") {
			t.Errorf("the ticket is %+v", issue)
		}
		must(t, c.jira.Move(key, "acc-kim", "Approved", nil))
		must(t, c.until(func() error {
			if view, err = c.bridge.gateway.Case(c.ctx, id); err != nil {
				return err
			}
			if view.State != store.CaseClosed || view.Decision == nil || view.Decision.State != store.DecisionTest {
				return fmt.Errorf("the case is %s, its decision %+v", view.State, view.Decision)
			}
			for _, d := range view.Deliveries {
				if d.To == "epm" {
					t.Errorf("%s is owed to EPM", d.Action)
				}
				if d.State != store.Delivered {
					return fmt.Errorf("%s to %s is %s", d.Action, d.To, d.State)
				}
			}
			return nil
		}))
		if last := view.Deliveries[len(view.Deliveries)-1]; !strings.Contains(string(last.Content), "This is a test: the decision is recorded") {
			t.Errorf("the ticket was told %s", last.Content)
		}
	})
}

// A template that lost a variable is noticed while events still come in.
func TestATemplateThatLostAVariableRaisesANotice(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	body := func(i int, product string) string {
		return fmt.Sprintf(`{"EventType":"URM_Native_Ticket_Created","RequestId":"shape-%d","TenantId":%q,"User":"CORP\\ana","Reason":"x"%s}`, i, demoTenant, product)
	}
	send := func(i int, product string) {
		t.Helper()
		if status, err := c.epm.Send(c.ctx, []byte(body(i, product))); err != nil || status != 200 {
			t.Fatalf("answered %d, %v", status, err)
		}
	}
	for i := range 25 {
		send(i, `,"ProductName":"Tool"`)
	}
	must(t, c.until(func() error {
		shape, err := c.store.Shape(c.ctx, "epm", "access.requested")
		if err == nil && !strings.Contains(string(shape.Fields), `"raw.ProductName":{"type":"text","seen":20}`) {
			err = fmt.Errorf("learned %s", shape.Fields)
		}
		return err
	}))
	send(100, "")
	must(t, c.until(func() error {
		list, err := c.bridge.gateway.Notices(c.ctx, false)
		if err != nil {
			return err
		}
		// Of what the tool sends, and of what it is understood as.
		var subjects []string
		for _, n := range list.Notices {
			subjects = append(subjects, n.Subject)
		}
		slices.Sort(subjects)
		if !slices.Equal(subjects, []string{"epm/access.requested/raw.ProductName", "epm/access.requested/subject"}) {
			return fmt.Errorf("notices are about %v", subjects)
		}
		return nil
	}))
	report, err := c.bridge.gateway.Doctor(c.ctx, "")
	must(t, err)
	said := false
	for _, f := range report.Findings {
		said = said || strings.Contains(f.Text, "event.raw.ProductName")
		if f.Level == gateway.Bad {
			t.Errorf("bad: %+v", f)
		}
	}
	if !said || report.Healthy() {
		t.Errorf("the report is %+v", report)
	}
}

func TestOperatingFromTheCommandLine(t *testing.T) {
	t.Parallel()
	p := newProgram(t)
	p.starterFolder()
	p.fine("migrate")
	if r := p.run("doctor"); r.code != 1 || !strings.Contains(r.out, "look none is published") {
		t.Errorf("doctor on an empty database: exit %d\n%s%s", r.code, r.out, r.err)
	}
	p.fine("apply", "-f", "docs", "--yes")
	list := p.fine("connection", "list")
	wantList := "NAME  CONNECTOR  STATE   HEALTH  PENDING  DEAD  QUARANTINE  UNROUTED\nepm   epm        active  well    0        0     0           0\njira  jira       active  well    0        0     0           0\n"
	if list != wantList {
		t.Errorf("listed\n%s", list)
	}
	for _, step := range []struct{ line, want string }{
		{"connection pause epm --why maintenance", "epm is paused\n"},
		{"connection pause epm", "epm is paused already\n"},
		{"connection resume epm", "epm is active\n"},
		{"connection disable epm", "epm is disabled\n"},
		{"connection enable epm", "epm is active\n"},
		{"connection clear-queue jira", "Nothing is pending or dead at jira.\n"},
	} {
		if got := p.fine(strings.Fields(step.line)...); got != step.want {
			t.Errorf("%s prints %q", step.line, got)
		}
	}
	sent := p.fine("sample", "epm", "--send", "--kind", "access.requested")
	if !regexp.MustCompile(`^sent access\.requested \(access\.requested\): case [0-9a-f-]{36}\n$`).MatchString(sent) {
		t.Errorf("sending prints %q", sent)
	}
	p.write("own.json", `{"EventType":"URM_Native_Ticket_Created","RequestId":"own-1","TenantId":"elsewhere","User":"ana"}`)
	if got := p.fine("sample", "epm", "--send", "--file", "own.json"); !strings.HasPrefix(got, "sent own.json (access.requested): case ") {
		t.Errorf("sending an own body prints %q", got)
	}
	for line, want := range map[string]string{
		"connection delete epm --yes":      "epm is not deleted: cases that are not closed have to do with it (2)",
		"connection delete epm":            "nothing was deleted; --yes deletes without asking",
		"connection pause nobody":          `there is no connection "nobody"`,
		"connection clear-queue nobody":    `there is no connection "nobody"`,
		"sample nobody":                    `there is no connection "nobody"`,
		"sample jira":                      "jira offers no sample",
		"sample epm --kind nothing":        "epm offers no sample of kind or name nothing",
		"sample epm --send --kind nothing": "epm (epm) offers no sample of kind or name nothing",
		"sample epm --send --template":     "exclude each other",
		"sample epm --file own.json":       "--file goes with --send",
		"sample datatheorem --template":    "datatheorem sends bodies of its own; nothing is entered there",
		"connectors nobody":                `there is no connector "nobody"; there are `,
		"doctor nobody":                    `there is no connection "nobody"`,
	} {
		if r := p.run(strings.Fields(line)...); r.code != 1 || !strings.Contains(r.err, want) {
			t.Errorf("%s: exit %d, %s%s, want %q", line, r.code, r.out, r.err, want)
		}
	}
	var report gateway.Report
	r := p.run("doctor", "epm", "--format", "json")
	if err := json.Unmarshal([]byte(r.out), &report); err != nil || r.code != 1 || report.Healthy() {
		t.Errorf("doctor: exit %d, %v\n%s", r.code, err, r.out)
	}
	deleted := p.fine("connection", "delete", "epm", "--cancel", "--rules", "--yes", "--why", "replaced")
	if !strings.HasSuffix(deleted, "epm is deleted; its history stays\n") || !strings.Contains(deleted, "2 cases would end without a decision.") {
		t.Errorf("deleting prints\n%s", deleted)
	}
	for _, command := range []string{"doctor", "export"} {
		if r := p.run(command); strings.Contains(r.out+r.err, "topsecret") {
			t.Errorf("%s gives a secret away", command)
		}
	}
}

func TestSamplesAndConnectorsNeedNoDatabase(t *testing.T) {
	t.Parallel()
	p := newProgram(t)
	template := p.fine("sample", "epm", "--kind", "access.requested", "--template")
	if !json.Valid([]byte(template)) || !strings.Contains(template, `"TicketNumber": "%%TicketNumber%%"`) {
		t.Errorf("the template is\n%s", template)
	}
	if all := p.fine("sample", "epm", "--template"); strings.Count(all, "%%TicketNumber%%") != 4 || !strings.Contains(all, "For access.approved, access.denied:\n") {
		t.Errorf("all templates are\n%s", all)
	}
	if body := p.fine("sample", "datatheorem", "--kind", "connectivity_check"); body != "{\"event\": \"Hello, world!\"}\n" {
		t.Errorf("the check is %q", body)
	}
	if list := p.fine("sample", "elimity"); !strings.HasPrefix(list, "NAME ") || strings.Count(list, "change.requested") != 4 {
		t.Errorf("listed\n%s", list)
	}
	whole := p.fine("connectors")
	for _, want := range []string{"epm\n  can: receive, decide, revoke, state, sample\n", "jira\n  can: receive, create, find,", "drawbridge connectors apono lists them"} {
		if !strings.Contains(whole, want) {
			t.Errorf("the connectors lack %q:\n%s", want, whole)
		}
	}
	if one := p.fine("connectors", "epm"); !strings.Contains(one, "  unverified: settings.application.path") || !strings.Contains(one, "  settings:\n    base_url: ") {
		t.Errorf("one connector is\n%s", one)
	}
	var views []gateway.VendorView
	if err := json.Unmarshal([]byte(p.fine("connectors", "--format", "json")), &views); err != nil || len(views) < 6 {
		t.Errorf("as JSON: %d, %v", len(views), err)
	}
}
