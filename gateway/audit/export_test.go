package audit_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-itsm/drawbridge/gateway/audit"
	"github.com/drawbridge-itsm/drawbridge/store"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

// fixed is an entry with nothing drawn at random.
func fixed(n int64, kind, subject string, content any) store.Entry {
	text, _ := json.Marshal(content)
	return store.Entry{ID: fmt.Sprintf("id-%d", n), At: start, CaseID: "case-1", Kind: kind, Subject: subject, Content: json.RawMessage(text),
		Salt: []byte{1, 2}, Digest: []byte{3, 4}, N: n, Chain: "abcd"}
}

func TestExportFormats(t *testing.T) {
	t.Parallel()
	erased := fixed(5, "event.accepted", "", nil)
	erased.Content, erased.Salt = json.RawMessage(nil), nil
	unsealed := fixed(0, "ticket.gone", "jira", nil)
	unsealed.Chain = ""
	published := fixed(4, "document.published", "Rule/apps", map[string]any{"version": 1, "author": "root", "why": "first"})
	published.CaseID = ""
	entries := []store.Entry{
		fixed(1, "delivery.attempted", "jira", map[string]any{"attempt": 1}),
		fixed(2, "decision.recorded", "jira", map[string]any{"by": "bob", "by_name": "Bob <b>", "outcome": "approved"}),
		fixed(3, "claim.refused", "jira", map[string]any{"verdict": map[string]any{"by": "eve", "by_name": "Eve"}}),
		published, erased,
		fixed(6, "delivery.replayed", "jira", map[string]any{"who": "root", "why": "desk was down"}),
		fixed(7, "document.published", "Rule/apps", map[string]any{"version": 2, "author": "root"}),
		unsealed,
	}
	for name, format := range map[string]audit.Format{"export.jsonl": audit.Lines, "export.ocsf.jsonl": audit.OCSF} {
		var out bytes.Buffer
		for _, e := range entries {
			line, err := format(e)
			if err != nil {
				t.Fatal(err)
			}
			if bytes.ContainsRune(line, '\n') || !json.Valid(line) {
				t.Errorf("%s: not one line of JSON: %s", name, line)
			}
			out.Write(append(line, '\n'))
		}
		golden(t, name, out.String())
	}
}

// What the schema requires of every event, and of Entity Management.
func TestOCSFHasWhatTheSchemaRequires(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"event.accepted", "decision.recorded", "record.erased", "document.published", "something.new"} {
		line, err := audit.OCSF(fixed(1, kind, "", nil))
		if err != nil {
			t.Fatal(err)
		}
		var v map[string]any
		if err := json.Unmarshal(line, &v); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"activity_id", "category_uid", "class_uid", "metadata", "severity_id", "time", "type_uid"} {
			if v[name] == nil {
				t.Errorf("%s: %s is missing", kind, name)
			}
		}
		metadata, _ := v["metadata"].(map[string]any)
		product, _ := metadata["product"].(map[string]any)
		if metadata["version"] != "1.3.0" || product["vendor_name"] == nil {
			t.Errorf("%s: metadata = %v", kind, metadata)
		}
		if v["type_uid"] != v["class_uid"].(float64)*100+v["activity_id"].(float64) {
			t.Errorf("%s: type %v of class %v", kind, v["type_uid"], v["class_uid"])
		}
		if v["class_uid"] == 3004.0 && v["entity"] == nil {
			t.Errorf("%s: the entity is missing", kind)
		}
	}
}

func (w *world) export(r audit.Range) []map[string]any {
	w.t.Helper()
	var out bytes.Buffer
	n, err := audit.Export(w.t.Context(), w.db.Queries, &out, r, audit.Lines)
	if err != nil {
		w.t.Fatal(err)
	}
	var lines []map[string]any
	for line := range strings.Lines(out.String()) {
		var v map[string]any
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			w.t.Fatal(err)
		}
		lines = append(lines, v)
	}
	if len(lines) != n {
		w.t.Errorf("%d lines, said to be %d", len(lines), n)
	}
	return lines
}

func TestExportOfARange(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		w := newWorld(t, engine)
		for i := range 5 {
			w.record(store.Entry{At: start.Add(time.Duration(i) * time.Hour), Kind: "step", Content: i})
			if i == 2 {
				w.seal()
			}
		}
		got := []any{}
		for _, line := range w.export(audit.Range{Since: start.Add(time.Hour), Until: start.Add(4 * time.Hour)}) {
			got = append(got, line["content"])
		}
		if diff := cmp.Diff([]any{1.0, 2.0, 3.0}, got); diff != "" {
			t.Errorf("exported (-want +got):\n%s", diff)
		}
		if n := len(w.export(audit.Range{})); n != 5 {
			t.Errorf("exported %d of everything", n)
		}
	})
}

func TestExportMissesNothingThatIsSealedMeanwhile(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t *testing.T, engine string) {
		w := newWorld(t, engine)
		w.steps(300)
		var sealing sync.WaitGroup
		sealing.Go(func() {
			if _, err := w.sealer.Round(t.Context()); err != nil {
				t.Error(err)
			}
		})
		seen := map[any]bool{}
		for _, line := range w.export(audit.Range{}) {
			if seen[line["id"]] {
				t.Errorf("%v twice", line["id"])
			}
			seen[line["id"]] = true
		}
		sealing.Wait()
		if len(seen) != 300 {
			t.Errorf("exported %d entries", len(seen))
		}
	})
}
