package servicedeskplus

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	desk "github.com/drawbridge-itsm/drawbridge/connectors/servicedeskplus/servicedeskplusstandin"
)

// answer is an approval as the tests below tell it.
type answer struct {
	By             string
	Outcome, Final connectors.Outcome
	Timed          bool
}

func told(s connectors.Snapshot) []answer {
	var out []answer
	for _, a := range s.Approvals {
		out = append(out, answer{a.By.Account, a.Outcome, a.Final, !a.At.IsZero()})
	}
	return out
}

func TestApprovals(t *testing.T) {
	t.Parallel()
	const approved, denied, pending = connectors.Approved, connectors.Denied, connectors.Pending
	for _, tt := range []struct {
		name   string
		kind   string
		do     func(d *desk.Server, id string) []error
		change func(*Config)
		want   []answer
	}{
		{"nobody was asked", "Default Request", nil, nil, nil},
		{"nobody was asked, and somebody moves it", "Default Request", func(d *desk.Server, id string) []error {
			return []error{d.Move(id, desk.Kim, "Approved")}
		}, nil, nil},
		{"asked", "Access request", nil, nil, []answer{{desk.Kim, pending, pending, false}}},
		{"approved", "Access request", func(d *desk.Server, id string) []error {
			return []error{d.Answer(id, desk.Kim, desk.Approved)}
		}, nil, []answer{{desk.Kim, approved, approved, true}}},
		{"denied", "Access request", func(d *desk.Server, id string) []error {
			return []error{d.Answer(id, desk.Kim, desk.Denied)}
		}, nil, []answer{{desk.Kim, denied, denied, true}}},
		{"a status move beside it", "Access request", func(d *desk.Server, id string) []error {
			return []error{d.Move(id, desk.Max, "Approved")}
		}, nil, []answer{{desk.Kim, pending, pending, false}}},
		{"the first level", "Two levels", func(d *desk.Server, id string) []error {
			return []error{d.Answer(id, desk.Kim, desk.Approved)}
		}, nil, []answer{{desk.Kim, approved, pending, true}, {desk.Lee, pending, pending, false}, {desk.Max, pending, pending, false}}},
		{"denied at level 2 after level 1", "Two levels", func(d *desk.Server, id string) []error {
			return []error{d.Answer(id, desk.Kim, desk.Approved), d.Answer(id, desk.Max, desk.Denied)}
		}, nil, []answer{{desk.Kim, approved, denied, true}, {desk.Lee, pending, denied, false}, {desk.Max, denied, denied, true}}},
		{"both levels", "Two levels", func(d *desk.Server, id string) []error {
			return []error{d.Answer(id, desk.Kim, desk.Approved), d.Answer(id, desk.Max, desk.Approved), d.Answer(id, desk.Lee, desk.Approved)}
		}, nil, []answer{{desk.Kim, approved, approved, true}, {desk.Lee, approved, approved, true}, {desk.Max, approved, approved, true}}},
		{"a level more", "Access request", func(d *desk.Server, id string) []error {
			return []error{d.Answer(id, desk.Kim, desk.Approved), d.Ask(id, desk.Max, desk.Lee)}
		}, nil, []answer{{desk.Kim, approved, pending, true}, {desk.Lee, pending, pending, false}}},
		{"by a backup, who is nobody", "Access request", func(d *desk.Server, id string) []error {
			return []error{d.AnswerFor(id, desk.Ana, desk.Kim, desk.Approved)}
		}, nil, []answer{{"", approved, approved, true}}},
		{"by a backup, who is the approver", "Access request", func(d *desk.Server, id string) []error {
			return []error{d.AnswerFor(id, desk.Lee, desk.Kim, desk.Approved)}
		}, func(c *Config) { c.BackupAnswers = byApprover }, []answer{{desk.Lee, approved, approved, true}}},
		{"by a backup, who is the original", "Access request", func(d *desk.Server, id string) []error {
			return []error{d.AnswerFor(id, desk.Lee, desk.Kim, desk.Approved)}
		}, func(c *Config) { c.BackupAnswers = byOriginal }, []answer{{desk.Kim, approved, approved, true}}},
		{"in other words", "Access request", func(d *desk.Server, id string) []error {
			return []error{d.Answer(id, desk.Kim, desk.Approved)}
		}, func(c *Config) { c.ApprovalStatuses.Approved = []string{"Genehmigt"} }, []answer{{desk.Kim, pending, pending, true}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var changes []func(*Config)
			if tt.change != nil {
				changes = append(changes, tt.change)
			}
			w := newWorld(t, desk.Options{MaxRows: 1}, changes...)
			x := ticket()
			x.Type = tt.kind
			ref, err := w.Create(t.Context(), "k1", x)
			connectortest.Must(t, err)
			if tt.do != nil {
				for _, err := range tt.do(w.desk, ref.ID) {
					connectortest.Must(t, err)
				}
			}
			s := fetch(t, w.connector, ref)
			if d := cmp.Diff(tt.want, told(s)); d != "" {
				t.Errorf("approvals differ (-want +got):\n%s", d)
			}
			for _, a := range s.Approvals {
				if a.ID != s.Approvals[0].ID || a.ID == "" {
					t.Errorf("approvals have the ids %s and %s, want one", a.ID, s.Approvals[0].ID)
				}
			}
		})
	}
}

// spoken is a desk that answers fixed texts, by method and the end of the path.
func spoken(t *testing.T, answers map[string]string, change ...func(*Config)) *connector {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for end, text := range answers {
			if method, end, _ := strings.Cut(end, " "); method == r.Method && strings.HasSuffix(r.URL.Path, end) {
				_, _ = w.Write([]byte(text))
				return
			}
		}
		w.WriteHeader(http.StatusNotFound)
	}))
	t.Cleanup(server.Close)
	return open(t, server.URL, desk.Options{Edition: desk.OnPrem}, change...)
}

const good = `"response_status":{"status_code":2000,"status":"success"}`

func TestContradictionsArePending(t *testing.T) {
	t.Parallel()
	const levels = `{"approval_levels":[{"id":"7","level":"1","status":{"name":"%s"}}],"list_info":{"has_more_rows":false},` + good + `}`
	const asked = `{"approvals":[{"id":"8","approver":{"id":"1","name":"Kim"},"status":"Approved"}],` + good + `}`
	for _, tt := range []struct {
		name, request, levels, approvals string
		want                             []answer
	}{
		{"approved, with a level denied", `"approval_status":{"name":"APPROVED"}`, strings.Replace(levels, "%s", "Rejected", 1), asked, []answer{{"1", connectors.Approved, connectors.Pending, false}}},
		{"approved, and completed by denial", `"approval_status":{"name":"approved"},"completed_by_denial":true`, strings.Replace(levels, "%s", "Approved", 1), asked, []answer{{"1", connectors.Approved, connectors.Pending, false}}},
		{"approved, and nobody is seen", `"approval_status":"Approved"`, `{"approval_levels":[],` + good + `}`, "", []answer{{"", connectors.Pending, connectors.Approved, false}}},
		{"levels of which nothing is seen", `"approval_status":null`, strings.Replace(levels, "%s", "Open", 1), `{"approvals":[],` + good + `}`, []answer{{"", connectors.Pending, connectors.Pending, false}}},
	} {
		c := spoken(t, map[string]string{
			"GET /requests/5":        `{"request":{"id":5,"display_id":"5",` + tt.request + `},` + good + `}`,
			"GET /5/approval_levels": tt.levels, "GET /7/approvals": tt.approvals,
		})
		s, err := c.Fetch(t.Context(), connectors.Ref{ID: "5"})
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if d := cmp.Diff(tt.want, told(s)); d != "" {
			t.Errorf("%s: approvals differ (-want +got):\n%s", tt.name, d)
		}
	}
}

func TestHistoryTellsWhoDidIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, desk.Options{History: "history", MaxRows: 2}, withHistory, func(c *Config) { c.Automations = []string{desk.Robot} })
	x := ticket()
	x.Type = "Default Request"
	ref, err := w.Create(t.Context(), "k1", x)
	connectortest.Must(t, err)
	connectortest.Must(t, w.desk.Edit(ref.ID, desk.Max, "subject", "other"))
	connectortest.Must(t, w.desk.Move(ref.ID, desk.Kim, "On Hold"))
	connectortest.Must(t, w.desk.Move(ref.ID, desk.Robot, "Approved"))
	connectortest.Must(t, w.Transition(t.Context(), ref, connectors.Move{Status: "Open"}))
	s := fetch(t, w.connector, ref)
	var got []string
	for _, step := range s.History {
		who := step.By.Account
		if step.By.Ours {
			who = "us"
		}
		if step.By.Automation {
			who = "a machine"
		}
		got = append(got, strings.Join([]string{who, step.Field, step.From, step.To}, "|"))
		if step.ID == "" || !step.At.Equal(connectortest.Now) {
			t.Errorf("step %+v", step)
		}
	}
	want := []string{
		desk.Max + "|summary|Ana asks to run Setup Tool|other", desk.Kim + "|status|Open|On Hold", "a machine|status|On Hold|Approved", "us|status|Approved|Open",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("history differs (-want +got):\n%s", d)
	}
	if s.Key != "k1" || s.Summary != "other" || len(s.Approvals) > 0 {
		t.Errorf("snapshot %+v", s)
	}
	connectortest.Must(t, w.desk.Edit(ref.ID, desk.Max, "udf_char1", "k2"))
	connectortest.Must(t, w.desk.Edit(ref.ID, desk.Max, "udf_char1", "k1"))
	if s := fetch(t, w.connector, ref); s.Key != "" {
		t.Errorf("a key that was changed and put back is still %q", s.Key)
	}
	if s := fetch(t, w.again(t), ref); s.History != nil {
		t.Errorf("without the setting there is a history: %+v", s.History)
	}
}

func TestAHistoryThatIsNotWholeIsNoEvidence(t *testing.T) {
	t.Parallel()
	entry := func(text string) string { return `{"history":[` + text + `],` + good + `}` }
	for name, history := range map[string]string{
		"no list":                 `{"entries":[],` + good + `}`,
		"no id":                   entry(`{"time":{"value":"1793000000000"},"diff":[]}`),
		"no time":                 entry(`{"id":"1","diff":[]}`),
		"no field":                entry(`{"id":"1","time":{"value":"1793000000000"},"diff":[{"name":"status"}]}`),
		"leads to another status": entry(`{"id":"1","time":{"value":"1793000000000"},"diff":[{"field":"status","current_value":{"name":"Approved"}}]}`),
		"does not end":            `{"history":[],"list_info":{"has_more_rows":true},` + good + `}`,
	} {
		c := spoken(t, map[string]string{
			"GET /requests/5": `{"request":{"id":"5","status":{"name":"Open"}},` + good + `}`, "GET /5/history": history,
			"GET /5/approval_levels": `{"approval_levels":[],` + good + `}`,
		}, withHistory)
		if _, err := c.Fetch(t.Context(), connectors.Ref{ID: "5"}); err == nil || connectors.AsError(err).Kind != connectors.Temporary {
			t.Errorf("%s: %v, want a temporary error", name, err)
		}
	}
}

func TestFieldsOfASnapshot(t *testing.T) {
	t.Parallel()
	c := spoken(t, map[string]string{
		"GET /requests/100000000000123456": `{"request":{"id":100000000000123456,"display_id":812,"subject":"s","status":{"id":100000000000006657,"name":"Open"},` +
			`"requester":{"id":"1","name":"Ana","email_id":"ana@corp.example"},"category":{"name":"Security"},"due_by_time":{"value":"1793000000000"},"linked":[{"id":100000000000123457}],` +
			`"created_time":{"value":1793000000000,"display_value":"x"},"cost":1.5,"udf_fields":{"udf_sline_301":"k1","udf_char2":"Sales","udf_long":9007199254740993,"udf_none":null}},"response_status":[{"status_code":"2000"}]}`,
		"GET /approval_levels": `{"approval_levels":[],` + good + `}`,
	})
	s := fetch(t, c, connectors.Ref{ID: "100000000000123456"})
	want := map[string]any{
		"id": "100000000000123456", "display_id": 812.0, "status": "Open", "requester": "ana@corp.example", "category": "Security", "due_by_time": "1793000000000",
		"created_time": 1793000000000.0, "cost": 1.5, "udf_char2": "Sales", "udf_long": "9007199254740993", "linked": []any{"100000000000123457"},
	}
	if d := cmp.Diff(want, s.Fields); d != "" {
		t.Errorf("fields differ (-want +got):\n%s", d)
	}
	if s.Ref.ID != "100000000000123456" || s.Ref.Key != "#812" || !s.Created.Equal(time.UnixMilli(1793000000000)) {
		t.Errorf("snapshot %+v", s)
	}
}
