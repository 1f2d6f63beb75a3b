package main

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/desktest"
	"github.com/drawbridge-itsm/drawbridge/connectors/jira/jirastandin"
	"github.com/drawbridge-itsm/drawbridge/connectors/redmine"
	"github.com/drawbridge-itsm/drawbridge/connectors/rt"
	"github.com/drawbridge-itsm/drawbridge/connectors/zendesk/zendeskstandin"
	"github.com/drawbridge-itsm/drawbridge/gateway"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

// TestRulesAreComparedWithWhatTheirDeskAccepts plans the documents of docs/desks, and then with mistakes in the rule.
func TestRulesAreComparedWithWhatTheirDeskAccepts(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	for _, l := range standins(c) {
		c.compared(t, l.desk, l.open(t, ""))
	}
}

// TestRulesAreComparedWithWhatRequestTrackerAccepts does the same with a real one.
func TestRulesAreComparedWithWhatRequestTrackerAccepts(t *testing.T) {
	t.Parallel()
	server := desktest.StartRequestTracker(t, (&rt.Config{}).DeskScript(bridgeExample+"rt"), 1)
	account := server.Account(t)
	start(t, storetest.SQLite).compared(t, "rt", strings.NewReplacer("https://rt.example.com", server.URL, "user: drawbridge", "user: "+account.Login,
		"{env: DRAWBRIDGE_SECRET_RT_TOKEN}", value(account.Token), "{env: DRAWBRIDGE_SECRET_RT_NOTICES}", value(server.Secret),
		"  type: ticket", "  type: ticket\n  fields: { Department: Sales }"))
}

// TestRulesAreComparedWithWhatRedmineAccepts does the same with a real one.
func TestRulesAreComparedWithWhatRedmineAccepts(t *testing.T) {
	t.Parallel()
	server := desktest.StartRedmine(t, (&redmine.Config{}).DeskScript(bridgeExample+"redmine"), 1)
	start(t, storetest.SQLite).compared(t, "redmine", strings.NewReplacer("https://redmine.example.com", server.URL,
		"{env: DRAWBRIDGE_SECRET_REDMINE_KEY}", value(server.Account(t).Token), "{env: DRAWBRIDGE_SECRET_REDMINE_NOTICES}", value(server.Secret)))
}

func (c *check) compared(t *testing.T, desk string, here *strings.Replacer) {
	t.Helper()
	connection, rule := connectionOf(t, desk), ""
	if desk == "jira" {
		_, rule, _ = jiraDocuments(t)
		connection = strings.Replace(connection, "name: jira\n", "name: jira-desk\n", 1)
		rule = strings.Replace(rule, "at: jira\n", "at: jira-desk\n", 1)
	} else {
		rule = documented(t, desk)[1]
	}
	rule = here.Replace(rule)
	mistake := func(name, old, with string, wants ...string) {
		t.Helper()
		text := strings.Replace(rule, old, with, 1)
		edits, err := c.bridge.gateway.Plan(c.ctx, [][]byte{[]byte(here.Replace(connection) + reachLoopback), []byte(text)})
		if len(wants) == 0 {
			if err != nil {
				t.Errorf("%s, %s: %v", desk, name, err)
			}
			for _, e := range edits {
				for _, text := range e.Warnings {
					if !strings.Contains(text, "form asks for") {
						t.Errorf("%s, %s: warning: %s", desk, name, text)
					}
				}
			}
			return
		}
		for _, want := range wants {
			if err == nil || !strings.Contains(err.Error(), want) || strings.Count(err.Error(), "\n") > 0 {
				t.Errorf("%s, %s: %v, want one fault with %q", desk, name, err, want)
			}
		}
	}
	mistake("as documented", "", "")
	if desk != "servicedeskplus" && desk != "opsgenie" { // the one does not tell all its fields, the other takes any
		field := "create.fields.no_such_field"
		if strings.Contains(rule, "  fields: { Department") {
			mistake("a field there is not", "{ Department: Sales", "{ Department: Sales, no_such_field: x", field, "the desk has no field no_such_field; there are ")
		} else if strings.Contains(rule, "  fields:\n") {
			mistake("a field there is not", "  fields:\n", "  fields:\n    no_such_field: x\n", field, "the desk has no field no_such_field; there are ")
		} else if desk != "freshservice" { // whose catalog items have fields of their own
			mistake("a field there is not", "  summary:", "  fields: { no_such_field: x }\n  summary:", field, "the desk has no field no_such_field; there are ")
		}
	}
	if desk != "rt" && desk != "servicenow" && desk != "jira" { // where priorities are free, or not of a rule's
		old, with, known := "  summary:", "  priority: Whatever\n  summary:", "igh"
		if own := regexp.MustCompile(`(?m)^  priority: .*\n`).FindString(rule); own != "" {
			old, with = own, "  priority: Whatever\n"
		}
		if desk == "pagerduty" || desk == "opsgenie" {
			known = "P1"
		}
		mistake("a priority there is not", old, with, "create.priority", `priority does not take "Whatever"; it takes `, known)
	}
	mistake("a status there is not", "settle:\n  approved: { status: ", "settle:\n  approved: { status: Un", "settle.approved.status", `the desk has no status "Un`, "; it has ")
}

func TestAFieldThatIsRequiredIsNamed(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	server, here := jiraAt(t, jirastandin.Options{Required: []string{"customfield_10042", "customfield_10070"}})
	connection, rule, _ := jiraDocuments(t)
	plan := func(rule string) ([]gateway.Edit, error) {
		return c.bridge.gateway.Plan(c.ctx, [][]byte{[]byte(here.Replace(connection) + reachLoopback), []byte(rule)})
	}
	_, err := plan(rule)
	for _, want := range []string{"the desk asks for customfield_10042", "the desk asks for customfield_10070", "it takes Low, Medium, High, Critical"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	filled := func(value string) string {
		return strings.Replace(rule, "  summary:", "  fields: { customfield_10042: x, customfield_10070: "+value+" }\n  summary:", 1)
	}
	for value, want := range map[string]string{
		"High": "", `"${event.severity}"`: "", `"${event.severity == 'x' ? 'Lo' : 'Hi'}"`: "",
		"Highest": `create.fields.customfield_10070: line 9, column 54: customfield_10070 does not take "Highest"; it takes Low, Medium, High, Critical`,
	} {
		if _, err := plan(filled(value)); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", value, err, want)
		}
	}
	if _, err := plan(strings.Replace(rule, "type: Access Request", "type: Story", 1)); err == nil || !strings.Contains(err.Error(), "create.project") || !strings.Contains(err.Error(), "it has: Access Request") {
		t.Errorf("a type there is not: %v", err)
	}
	for from, to := range map[string]string{"project: ITSEC": `project: "${event.tenant}"`, "type: Access Request": `type: "${event.kind}"`} {
		edits, err := plan(strings.Replace(rule, from, to, 1))
		if err != nil || len(edits) != 2 || len(edits[1].Warnings) != 1 || !strings.Contains(edits[1].Warnings[0], "its fields could not be compared with what jira accepts") {
			t.Errorf("%s: got %+v, %v, want a warning", to, edits, err)
		}
	}
	// A desk that cannot be asked makes a warning, and so does one that is not to be called.
	paused, err := c.bridge.gateway.Plan(c.ctx, [][]byte{[]byte(here.Replace(connection) + reachLoopback + "state: paused\n"), []byte(rule)})
	if err != nil || len(paused) != 2 || len(paused[1].Warnings) != 1 || !strings.Contains(paused[1].Warnings[0], "it is paused") {
		t.Errorf("got %+v, %v, want a warning", paused, err)
	}
	server.FailNext(100, http.StatusServiceUnavailable, nil)
	edits, err := plan(rule)
	if err != nil || len(edits) != 2 || len(edits[1].Warnings) != 1 || !strings.Contains(edits[1].Warnings[0], "its fields were not checked, since jira cannot be asked") {
		t.Errorf("got %+v, %v, want a warning", edits, err)
	}
}

// TestWhatChangesATicketIsComparedWhereItIsOpened plans rules that act on the tickets of another.
func TestWhatChangesATicketIsComparedWhereItIsOpened(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	later := "kind: Rule\nname: later\non: epm\nwhen: event.kind == \"access.approved\"\n"
	for _, test := range []struct{ action, fault, warning string }{
		{`transition: { at: jira, status: Nowhere }`, `transition.status: line 5, column 33: the desk has no status "Nowhere"; it has `, ""},
		{`transition: { at: jira, status: Approved, fields: { of_its_screen: x } }`, "", ""},
		{`update: { at: jira, fields: { customfield_10070: Sometimes } }`, "customfield_10070 does not take \"Sometimes\"; it takes Low, ", ""},
		{`update: { at: jira, fields: { no_such_field: x } }`, "", "update.fields.no_such_field: for new tickets the desk has no field no_such_field"},
		{`update: { at: jira, slot: nobody-opens, fields: { no_such_field: x } }`, "", "its fields could not be compared with what jira accepts"},
		{`comment: { at: jira, body: x }`, "", ""},
	} {
		edits, err := c.bridge.gateway.Plan(c.ctx, [][]byte{[]byte(later + test.action + "\n")})
		if (err == nil) != (test.fault == "") || err != nil && !strings.Contains(err.Error(), test.fault) {
			t.Errorf("%s: %v, want %q", test.action, err, test.fault)
		}
		warnings := strings.Join(edits[0].Warnings, "\n")
		if (warnings == "") != (test.warning == "") || !strings.Contains(warnings, test.warning) {
			t.Errorf("%s: warnings %q, want %q", test.action, warnings, test.warning)
		}
	}
}

func TestAFormIsShownWithItsLimits(t *testing.T) {
	t.Parallel()
	p := newProgram(t)
	p.fine("migrate")
	_, zen := zendesk(t, zendeskstandin.Options{RequiredOnSolve: true})
	p.write("docs/desk.yaml", zen.settings.Replace(connectionOf(t, "zendesk"))+reachLoopback)
	p.fine("apply", "-f", "docs", "--yes")
	out := p.fine("connection", "form", "zendesk", "Access", "task")
	for _, want := range []string{"subject", "150 characters", "urgent", "on its form", "Statuses: New, Open, ", "Largest file: 50 MiB\n", "Calls: by the minute"} {
		if !strings.Contains(out, want) {
			t.Errorf("there is no %q in\n%s", want, out)
		}
	}
	var form connectors.Schema
	if err := json.Unmarshal([]byte(p.fine("connection", "form", "zendesk", "--format", "json")), &form); err != nil || len(form.Fields) < 5 || form.File != 50<<20 {
		t.Errorf("as JSON: %+v, %v", form, err)
	}
	for line, want := range map[string]string{
		"connection form nobody": `there is no connection "nobody"`, "connection form zendesk Nowhere": `there is no group "Nowhere"`,
	} {
		if r := p.run(strings.Fields(line)...); r.code != 1 || !strings.Contains(r.err, want) {
			t.Errorf("%s: exit %d, %s%s, want %q", line, r.code, r.out, r.err, want)
		}
	}
}

// TestCheckAndApplySayWhatWasNotCompared has documents of a desk that is not there.
func TestCheckAndApplySayWhatWasNotCompared(t *testing.T) {
	t.Parallel()
	p := newProgram(t)
	p.starterFolder()
	p.fine("migrate")
	const want = "its fields were not checked, since jira cannot be asked"
	if out := p.fine("check", "docs"); !strings.Contains(out, "warning: Rule epm-app-requests: "+want) || !strings.Contains(out, "nothing wrong.") {
		t.Errorf("check prints\n%s", out)
	}
	if out := p.fine("check", "--offline", "docs"); strings.Contains(out, "warning") {
		t.Errorf("check --offline prints\n%s", out)
	}
	if out := p.fine("apply", "-f", "docs", "--yes"); !strings.Contains(out, "create     Rule/epm-app-requests\n  warning: "+want) || strings.Contains(out, "topsecret") {
		t.Errorf("apply prints\n%s", out)
	}
}
