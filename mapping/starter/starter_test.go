package starter_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-itsm/drawbridge/mapping"
	"github.com/drawbridge-itsm/drawbridge/mapping/starter"
)

// documents reads every starter document by kind and name.
func documents(t *testing.T) map[mapping.Header][]byte {
	t.Helper()
	out := map[mapping.Header][]byte{}
	for _, files := range []fs.FS{starter.Files(), starter.Tools(), starter.Desks(), starter.Asking(), starter.Sinks()} {
		err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			text, err := fs.ReadFile(files, name)
			if err != nil {
				return err
			}
			split, err := mapping.SplitDocuments(text)
			if err != nil {
				return err
			}
			for _, d := range split {
				h, err := mapping.ReadHeader(d)
				if err != nil {
					return fmt.Errorf("%s: %w", name, err)
				}
				out[h] = d
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// program compiles one starter rule; those for EPM against the data EPM documents.
func program(t *testing.T, name string) *mapping.Program {
	t.Helper()
	docs := documents(t)
	text := func(names string) (out []mapping.Field) {
		for one := range strings.FieldsSeq(names) {
			out = append(out, mapping.Field{Name: one, Type: "text"})
		}
		return out
	}
	env := mapping.Env{Tables: map[string]*mapping.Table{}, Data: map[string][]mapping.Field{
		"access.requested": text("User Hostname ProductName Publisher Sha256Hash CmdArgs FilePathObjectId Reason ComputerGroup"),
		"admin.requested":  append(text("UserName Reason"), mapping.Field{Name: "DurationRequested", Type: "any"}),
	}}
	for h, d := range docs {
		if h.Kind == "Table" {
			table, err := mapping.ParseTable(d)
			if err != nil {
				t.Fatal(err)
			}
			env.Tables[table.Name] = table
		}
	}
	r, err := mapping.ParseRule(docs[mapping.Header{Kind: "Rule", Name: name}])
	if err != nil {
		t.Fatal(err)
	}
	if r.On != "epm" {
		env.Data = nil
	}
	p, err := mapping.Compile(r, env)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestRulesOpenTickets(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, rule  string
		event       map[string]any
		wantSummary string
		wantIn      []string
	}{
		{
			name: "application", rule: "epm-app-requests",
			event: map[string]any{"kind": "access.requested", "reason": "install *driver*", "data": map[string]any{
				"User": `CORP\ana`, "Hostname": "PC-7", "ProductName": "ACME Tool", "Publisher": "ACME Ltd", "ComputerGroup": "Office",
				"FilePathObjectId": `C:\tools\acme.exe`, "CmdArgs": "/S", "Sha256Hash": "ab12",
			}},
			wantSummary: `CORP\ana asks to run ACME Tool`,
			wantIn:      []string{"> install \\*driver\\*", "`C:\\tools\\acme.exe`", "`/S`", "PC-7 (Office)"},
		},
		{
			name: "application of which little is known", rule: "epm-app-requests",
			event:       map[string]any{"kind": "access.requested", "requester": map[string]any{"account": `CORP\ana`}},
			wantSummary: `CORP\ana asks to run an application`,
			wantIn:      []string{"> none", "an unknown publisher"},
		},
		{
			name: "administrator", rule: "epm-admin-requests",
			event: map[string]any{"kind": "admin.requested", "reason": "printer", "data": map[string]any{
				"UserName": `CORP\ana`, "DurationRequested": 7200.0,
			}},
			wantSummary: `CORP\ana asks for administrator rights`,
			wantIn:      []string{"> printer", "as EPM gives it: 7200"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			result, err := program(t, c.rule).Eval(t.Context(), c.event)
			if err != nil {
				t.Fatal(err)
			}
			if !result.Matched || result.Draft == nil {
				t.Fatalf("got %+v, want a draft", result)
			}
			d := result.Draft
			place := mapping.Draft{Kind: d.Kind, At: d.At, Project: d.Project, Type: d.Type, Summary: d.Summary}
			want := mapping.Draft{Kind: "create", At: "jira", Project: "ITSEC", Type: "Access Request", Summary: c.wantSummary}
			if diff := cmp.Diff(want, place); diff != "" {
				t.Errorf("draft (-want +got):\n%s", diff)
			}
			for _, part := range c.wantIn {
				if !strings.Contains(d.Description, part) {
					t.Errorf("description has no %q:\n%s", part, d.Description)
				}
			}
		})
	}
}

func TestRulesForToolsSayWhatIsOwed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, rule string
		event      map[string]any
		wantKind   string
		wantText   string // in the summary, the status or the comment
	}{
		{
			"access of which little is known", "apono-access-requests", map[string]any{"kind": "access.requested"},
			"create", "Somebody asks for access",
		},
		{
			"access", "apono-access-requests",
			map[string]any{"kind": "access.requested", "subject": "Read on orders", "requester": map[string]any{"name": "Ana"}, "data": map[string]any{"access_duration_in_seconds": 3600.0}},
			"create", "Ana asks for Read on orders",
		},
		{"access that is active", "apono-progress", map[string]any{"kind": "access.granted"}, "comment", "it is active now"},
		{"access that is over", "apono-progress", map[string]any{"kind": "access.expired"}, "comment", "has expired"},
		{"an anomaly", "apono-anomalies", map[string]any{"kind": "anomaly", "type": "UnusualHour"}, "comment", "UnusualHour"},
		{"a finding of which little is known", "datatheorem-findings", map[string]any{"kind": "finding.opened"}, "create", "A finding"},
		{"a finding that is mended", "datatheorem-findings-closed", map[string]any{"kind": "finding.resolved"}, "transition", "Done"},
		{"why it is closed", "datatheorem-findings-closed-why", map[string]any{"kind": "finding.dismissed", "reason": "a test machine"}, "comment", "a test machine"},
		{"a service", "datatheorem-services", map[string]any{"kind": "asset.discovered", "data": map[string]any{"name": "shop.example"}}, "create", "shop.example"},
		{
			"a change of a review", "elimity-changes",
			map[string]any{"kind": "change.requested", "type": "rowRemoval", "parent": "elm-1", "subject": "remove Bo", "requester": map[string]any{"name": "max@corp.example"}},
			"create", "max@corp.example asks to remove Bo",
		},
		{"a review", "elimity-changes", map[string]any{"kind": "change.requested", "type": "accessReviewSubmission"}, "", ""},
		{"a review as a whole", "elimity-reviews", map[string]any{"kind": "change.requested", "type": "accessReviewSubmission", "subject": "access review Q1"}, "create", "access review Q1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			result, err := program(t, c.rule).Eval(t.Context(), c.event)
			if err != nil {
				t.Fatal(err)
			}
			if c.wantKind == "" {
				if result.Matched {
					t.Errorf("got %+v, want no match", result)
				}
				return
			}
			if !result.Matched || result.Draft == nil {
				t.Fatalf("got %+v, want a draft", result)
			}
			d := result.Draft
			if text := d.Summary + d.Status + d.Body; d.Kind != c.wantKind || d.At != "jira" || !strings.Contains(text, c.wantText) {
				t.Errorf("got %s at %s: %q, want %s with %q", d.Kind, d.At, text, c.wantKind, c.wantText)
			}
		})
	}
}

func TestRulesReadDecisions(t *testing.T) {
	t.Parallel()
	for _, rule := range []string{"epm-app-requests", "epm-admin-requests", "elimity-changes", "apono-gate-requests"} {
		for status, want := range map[string]mapping.Verdict{
			"Approved": {Approved: true}, "Declined": {Denied: true}, "Open": {},
		} {
			t.Run(rule+" "+status, func(t *testing.T) {
				t.Parallel()
				p := program(t, rule)
				got, err := p.Decide(t.Context(), map[string]any{"status": status})
				if err != nil || got != want {
					t.Errorf("got %+v, %v, want %+v", got, err, want)
				}
				if once, length, err := p.Duration(t.Context(), map[string]any{"status": status}); once || length != 0 || err != nil {
					t.Errorf("duration is %v, %v, %v, want none", once, length, err)
				}
			})
		}
	}
}

func TestPolicyNamesPeopleWhoExist(t *testing.T) {
	t.Parallel()
	docs := documents(t)
	staff, err := mapping.ParsePeople(docs[mapping.Header{Kind: "People", Name: "staff"}])
	if err != nil {
		t.Fatal(err)
	}
	accounts := map[string]string{}
	for _, h := range staff.People {
		accounts[h.Name] = h.Accounts["jira"][0]
	}
	if diff := cmp.Diff(map[string]string{"ana": "acc-ana", "kim": "acc-kim", "lee": "acc-lee", "max": "acc-max"}, accounts); diff != "" {
		t.Errorf("accounts (-want +got):\n%s", diff)
	}
	for name, want := range map[string][]string{"endpoint-approvers": {"kim", "lee"}, "access-approvers": {"kim", "lee"}, "change-approvers": {"kim", "lee"}} {
		policy, err := mapping.ParsePolicy(docs[mapping.Header{Kind: "Policy", Name: name}])
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, policy.Approvers.People); diff != "" {
			t.Errorf("approvers of %s (-want +got):\n%s", name, diff)
		}
		if policy.UnknownRequester != mapping.Refuse {
			t.Errorf("unknown requesters at %s: got %s, want %s", name, policy.UnknownRequester, mapping.Refuse)
		}
	}
}

func TestRulesThatAskPeopleReadTheirAnswers(t *testing.T) {
	t.Parallel()
	for rule, at := range map[string]string{"epm-asked-in-slack": "slack", "epm-asked-by-mail": "mail", "epm-asked-in-teams": "teams"} {
		p := program(t, rule)
		result, err := p.Eval(t.Context(), map[string]any{"kind": "access.requested", "requester": map[string]any{"account": `CORP\\ana`}, "data": map[string]any{"ProductName": "Tool"}})
		if err != nil || !result.Matched || result.Draft.At != at || result.Draft.Type != "ask" {
			t.Errorf("%s: %+v, %v", rule, result, err)
			continue
		}
		verdict, err := p.Decide(t.Context(), map[string]any{"status": "approved", "fields": map[string]any{"reason": "", "duration": "8h"}})
		if err != nil || !verdict.Approved || verdict.Denied {
			t.Errorf("%s: an approval reads %+v, %v", rule, verdict, err)
		}
	}
}

func TestRulesForDesksOfPeopleOnCallReadTheirAnswers(t *testing.T) {
	t.Parallel()
	for at, field := range map[string]string{"pagerduty": "approval", "opsgenie": "action"} {
		p := program(t, "epm-app-requests-at-"+at)
		result, err := p.Eval(t.Context(), map[string]any{"kind": "access.requested", "requester": map[string]any{"account": `CORP\ana`}, "data": map[string]any{"ProductName": "Tool"}})
		if err != nil || !result.Matched || result.Draft.At != at || result.Draft.Summary != `CORP\ana asks to run Tool` {
			t.Errorf("%s: %+v, %v", at, result, err)
			continue
		}
		for said, want := range map[string]mapping.Verdict{
			"Approve": {Approved: at == "opsgenie"}, "Deny": {Denied: at == "opsgenie"},
			"Approved": {Approved: at == "pagerduty"}, "Declined": {Denied: at == "pagerduty"}, "": {},
		} {
			for _, status := range []string{"triggered", "acknowledged", "resolved", "closed"} {
				got, err := p.Decide(t.Context(), map[string]any{"status": status, "fields": map[string]any{field: said}})
				if err != nil || got != want {
					t.Errorf("%s, %s and %q: %+v, %v", at, status, said, got, err)
				}
			}
		}
	}
}

func TestRulesForSinksSendRecords(t *testing.T) {
	t.Parallel()
	event := func(kind string) map[string]any {
		return map[string]any{
			"kind": kind, "type": "RequestCreated", "request_id": "r-1", "reason": `say "please"`, "subject": "db-7", "severity": "critical",
			"requester": map[string]any{"name": "Ana", "mail": "ana@example.com"},
			"data":      map[string]any{"access_groups": []any{map[string]any{"integration": map[string]any{"name": "AWS"}}}},
		}
	}
	data := event("")["data"].(map[string]any)
	data["logpoint_incident"] = "i-7"
	tests := []struct{ rule, kind, at, wantIn string }{
		{"apono-to-logzio", "access.denied", "logzio", `\"justification\":\"say \\\"please\\\"\"`},
		{"apono-to-logzio", "access.requested", "logzio", `"type":"Apono"`},
		{"apono-to-sentinel", "access.requested", "sentinel", "null"},
		{"apono-to-splunk", "audit", "splunk-hec", "null"},
		{"apono-to-coralogix", "audit", "coralogix", "null"},
		{"apono-to-cortex-xsiam", "audit", "cortex-xsiam", "null"},
		{"apono-to-datadog", "audit", "datadog", "null"},
		{"apono-to-loki", "audit", "grafana-loki", "null"},
		{"apono-to-new-relic", "audit", "new-relic", "null"},
		{"apono-to-solarwinds", "audit", "solarwinds", "null"},
		{"apono-to-sumo-logic", "audit", "sumo-logic", "null"},
		{"apono-audit-to-syslog", "audit", "syslog", "null"},
		{"apono-to-cortex-io", "access.granted", "cortex-io", `"title":"access.granted: db-7"`},
		{"apono-to-pagerduty", "access.granted", "pagerduty-events", "null"},
		{"apono-to-grafana-oncall", "access.requested", "grafana-oncall", "null"},
		{"datatheorem-to-splunk-on-call", "finding.opened", "splunk-on-call", "null"},
		{"datatheorem-to-zenduty", "finding.resolved", "zenduty", "null"},
		{"datatheorem-to-grafana-incident", "finding.opened", "grafana-incident", "null"},
		{"apono-to-slack", "access.requested", "slack-webhook", "Ana asks for db-7: say"},
		{"apono-to-teams", "access.requested", "teams-workflows", "null"},
		{"apono-to-logic-app", "access.denied", "logic-app", `"subject":"Your request for db-7 was denied"`},
		{"apono-to-okta-workflows", "access.requested", "okta-workflows", `"why":"say \"please\""`},
		{"apono-anomalies-to-torq", "anomaly", "torq", "null"},
		{"apono-decisions-to-webhook", "access.denied", "signed-webhook", "null"},
		{"apono-to-cloudevents", "access.expired", "cloudevents", "null"},
		{"apono-to-cloudevents-batch", "audit", "cloudevents-batch", "null"},
		{"apono-to-cloudevents-binary", "access.requested", "cloudevents-binary", `"request_id":"r-1"`},
		{"tool-to-logpoint", "finding.opened", "logpoint", `{"incident_ids":["i-7"]}`},
	}
	tested := map[string]bool{}
	for _, c := range tests {
		tested[c.rule] = true
		one := event(c.kind)
		one["data"] = data
		result, err := program(t, c.rule).Eval(t.Context(), one)
		if err != nil || !result.Matched {
			t.Errorf("%s: %+v, %v", c.rule, result, err)
			continue
		}
		record, err := json.Marshal(result.Draft.Record)
		if err != nil {
			t.Fatal(err)
		}
		if result.Draft.Kind != "send" || result.Draft.At != c.at || !strings.Contains(string(record), c.wantIn) {
			t.Errorf("%s: %s at %s, %s", c.rule, result.Draft.Kind, result.Draft.At, record)
		}
	}
	err := fs.WalkDir(starter.Sinks(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(starter.Sinks(), name)
		if err != nil {
			return err
		}
		if h, err := mapping.ReadHeader(text); err != nil || !tested[h.Name] {
			t.Errorf("%s is not tested: %v", name, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
