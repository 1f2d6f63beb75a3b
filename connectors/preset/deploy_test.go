package preset

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
)

type column struct{ Name, Type string }

// The table and the stream that are deployed hold what the preset sends, no more and no less.
func TestSentinelsTableHoldsWhatIsSent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "sentinel", nil)
	mustSend(t, w.sink, records(1))
	sent := sortedKeys(w.Records()[0].(map[string]any))
	var table struct {
		Properties struct{ Schema struct{ Columns []column } }
	}
	var rule struct {
		Properties struct {
			StreamDeclarations map[string]struct{ Columns []column }
		}
	}
	const folder = "../../deploy/sentinel/"
	connectortest.Must(t, json.Unmarshal(readFile(t, folder+"table.json"), &table))
	connectortest.Must(t, json.Unmarshal(readFile(t, folder+"dcr.json"), &rule))
	for where, columns := range map[string][]column{
		"table": table.Properties.Schema.Columns, "stream": rule.Properties.StreamDeclarations["Custom-Drawbridge_CL"].Columns,
	} {
		named := map[string]string{}
		for _, c := range columns {
			named[c.Name] = c.Type
		}
		if d := cmp.Diff(sent, sortedKeys(named)); d != "" {
			t.Errorf("%s (-sent +deployed):\n%s", where, d)
		}
	}
}

func TestSentinelsRuleIsTheOneDocumented(t *testing.T) {
	t.Parallel()
	var rule struct {
		Severity   string   `yaml:"severity"`
		Techniques []string `yaml:"relevantTechniques"`
		Query      string   `yaml:"query"`
	}
	connectortest.Must(t, yaml.Unmarshal(readFile(t, "../../deploy/sentinel/analytics-rule.yaml"), &rule))
	if rule.Severity != "Informational" || len(rule.Techniques) != 1 || rule.Techniques[0] != "T1650" || strings.TrimSpace(rule.Query) != "Drawbridge_CL" {
		t.Errorf("got %+v", rule)
	}
}
