package preset

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
)

// Records of several groups are sent in the order they have, where a request can have one group only and where it can
// have several.
func TestRecordsKeepTheirOrderWhereGroupsChange(t *testing.T) {
	t.Parallel()
	for name, requests := range map[string]int{"logzio": 3, "grafana-loki": 1} {
		w := newWorld(t, name, nil)
		rs := records(4)
		for i, kind := range []string{"a", "b", "b", "a"} {
			rs[i].Event["kind"] = kind
			rs[i].Data = map[string]any{"type": kind, "message": "m"}
		}
		mustSend(t, w.sink, rs)
		text := fmt.Sprint(w.Records())
		for i, last := 1, -1; i <= 4; i++ {
			at := strings.Index(text, fmt.Sprintf("evt-%04d", i))
			if at < last || at < 0 {
				t.Errorf("%s: record %d overtook another: %s", name, i, text)
			}
			last = at
		}
		if w.Count() != requests {
			t.Errorf("%s: %d requests, want %d", name, w.Count(), requests)
		}
	}
}

func TestARequestHasWhatItsGroupSays(t *testing.T) {
	t.Parallel()
	text := `preset: grouped
version: 1
title: Grouped
group: generic
docs: []
confidence: documented
params: []
request: {url: "https://in.example.com/in"}
auth: [{kind: none}]
body:
  framing: envelope
  event_id_at: [$.event_id]
  group: "${event.kind}"
  envelope: {template: {kind: "${group}", rows: []}, items_at: $.rows}
batch: {max_items: 10}
response:
  success: [{status: [200]}]
test: {settings: {}}
`
	p, err := Parse("grouped.yaml", []byte(text))
	connectortest.Must(t, err)
	var got []string
	c, err := open(t, p, settings(t, p, serve(t, func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = append(got, string(body))
	})))
	connectortest.Must(t, err)
	rs := records(3)
	for i := range rs {
		rs[i].Event["kind"], rs[i].Data = []string{"x", "y", "y"}[i], map[string]any{}
	}
	mustSend(t, c, rs)
	want := []string{`{"kind":"x","rows":[{"event_id":"evt-0001"}]}`, `{"kind":"y","rows":[{"event_id":"evt-0002"},{"event_id":"evt-0003"}]}`}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
