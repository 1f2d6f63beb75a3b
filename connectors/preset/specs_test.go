package preset

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi2"
	"github.com/getkin/kin-openapi/openapi2conv"
	"github.com/getkin/kin-openapi/openapi3"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
)

// spec is a vendor's own description of what it takes.
func spec(t *testing.T, name string) string {
	t.Helper()
	dir := os.Getenv("DRAWBRIDGE_SPECS")
	if dir == "" {
		t.Skip("skipped: specs: records are not checked against the vendors' own descriptions (set DRAWBRIDGE_SPECS)")
	}
	return filepath.Join(dir, name)
}

// bodySchema finds the schema of what is posted to a path.
func bodySchema(t *testing.T, doc *openapi3.T, path string) *openapi3.Schema {
	t.Helper()
	for template, item := range doc.Paths.Map() {
		if template == path && item.Post != nil && item.Post.RequestBody != nil {
			if media := item.Post.RequestBody.Value.Content.Get("application/json"); media != nil {
				return media.Schema.Value
			}
		}
	}
	var known []string
	for template := range doc.Paths.Map() {
		known = append(known, template)
	}
	slices.Sort(known)
	t.Fatalf("there is no POST %s among %v", path, known[:min(len(known), 40)])
	return nil
}

// sent are the bodies that a preset sends for two records, as JSON.
func sent(t *testing.T, name string) []any {
	t.Helper()
	w := newWorld(t, name, nil)
	rs := records(2)
	rs[1].Event["kind"], rs[1].Event["url"] = "access.approved", "https://tool.example.com/r/1"
	mustSend(t, w.sink, rs)
	var bodies []any
	for request := range strings.SplitSeq(w.Requests(), "\nPOST ") {
		_, text, _ := strings.Cut(request, "\n\n")
		var body any
		connectortest.Must(t, json.Unmarshal([]byte(text), &body))
		bodies = append(bodies, body)
	}
	return bodies
}

func TestRequestsAreAsTheirVendorsDescribeThem(t *testing.T) {
	t.Parallel()
	for preset, at := range map[string]struct{ file, path string }{
		"pagerduty-events": {"pagerduty-events-v2.openapi.json", "/enqueue"},
		"zenduty":          {"zenduty.openapi.json", "/integration/{account_id}/generic/{integration_key}/"},
		"datadog":          {"datadog-v1-http-log-input.slice.openapi.yaml", "/v1/input"},
		"sentinel":         {"azure-monitor-ingestion-2023-01-01.swagger2.json", "/dataCollectionRules/{ruleId}/streams/{stream}"},
	} {
		t.Run(preset, func(t *testing.T) {
			t.Parallel()
			file := spec(t, at.file)
			var doc *openapi3.T
			var err error
			if strings.Contains(at.file, "swagger2") {
				var old openapi2.T
				connectortest.Must(t, json.Unmarshal(readFile(t, file), &old))
				doc, err = openapi2conv.ToV3(&old)
			} else {
				doc, err = openapi3.NewLoader().LoadFromFile(file)
			}
			connectortest.Must(t, err)
			schema := bodySchema(t, doc, at.path)
			if schema.VisitJSON(map[string]any{"event_action": 7, "message": 7}) == nil {
				t.Fatal("the check lets everything pass")
			}
			for _, body := range sent(t, preset) {
				if err := schema.VisitJSON(body); err != nil {
					t.Errorf("%v", err)
				}
			}
		})
	}
}

func TestCloudEventsAndCardsFollowTheirSchemas(t *testing.T) {
	t.Parallel()
	schema := func(name string) *jsonschema.Schema {
		c := jsonschema.NewCompiler()
		s, err := c.Compile(spec(t, name))
		connectortest.Must(t, err)
		return s
	}
	event := schema("cloudevents-1.0.schema.json")
	for _, body := range append(sent(t, "cloudevents"), sent(t, "cloudevents-batch")[0].([]any)...) {
		if err := event.Validate(body); err != nil {
			t.Errorf("%v", err)
		}
	}
	card := schema("adaptive-card-1.5.schema.json")
	for _, body := range sent(t, "teams-workflows") {
		content, _ := jsonPath{"attachments", 0, "content"}.find(body)
		if err := card.Validate(content); err != nil {
			t.Errorf("%v", err)
		}
	}
}
