package elimity

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	"github.com/drawbridge-itsm/drawbridge/mapping"
)

// TestRulesCanTellReviewsAndTheirChangesApart runs the conditions that the package's documentation shows.
func TestRulesCanTellReviewsAndTheirChangesApart(t *testing.T) {
	t.Parallel()
	k := mustOpen(t, "")
	env := mapping.Env{Data: map[string][]mapping.Field{}}
	for _, kind := range connectors.Emits(k) {
		for _, f := range kind.Data {
			env.Data[kind.Kind] = append(env.Data[kind.Kind], mapping.Field{Name: f.ID, Type: f.Type, Doc: f.Doc, Allowed: f.Allowed})
		}
	}
	events := slices.Concat(
		mustReceive(t, k, connectortest.Body(t, "testdata/receive/entity_removal")), mustReceive(t, k, connectortest.Body(t, "testdata/receive/review_submission")),
	)
	for when, want := range map[string][]bool{ // a removal, a review, its removed and its added relationship, its removed row
		`event.parent == nil`:                                              {true, true, false, false, false},
		`event.type != "accessReviewSubmission"`:                           {true, false, true, true, true},
		`event.data.operation == "add"`:                                    {false, false, false, true, false},
		`any(event.data.relationshipChanges ?? [], .operation == "add")`:   {false, true, false, false, false},
		`event.data.entity.sourceName == "Active Directory"`:               {true, false, false, false, true},
		`event.kind == "change.requested" and event.requester.name != nil`: {true, true, true, true, true},
	} {
		rule, err := mapping.ParseRule([]byte("kind: Rule\nname: r\non: elimity\nwhen: '" + when + "'\ncreate: {at: jira, project: P, type: Task, summary: \"${event.subject}\"}\n"))
		if err != nil {
			t.Fatal(err)
		}
		program, err := mapping.Compile(rule, env)
		if err != nil {
			t.Errorf("%s: %v", when, err)
			continue
		}
		var got []bool
		for _, e := range events {
			text, err := json.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			var value map[string]any
			if err := json.Unmarshal(text, &value); err != nil {
				t.Fatal(err)
			}
			result, err := program.Eval(t.Context(), value)
			if err != nil {
				t.Errorf("%s: %v", when, err)
			}
			got = append(got, result.Matched)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: matched %v, want %v", when, got, want)
		}
	}
}
