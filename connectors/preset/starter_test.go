package preset

import (
	"io/fs"
	"path"
	"strings"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	"github.com/drawbridge-itsm/drawbridge/connectors/preset/presetstandin"
	"github.com/drawbridge-itsm/drawbridge/mapping"
	"github.com/drawbridge-itsm/drawbridge/mapping/starter"
)

// For every preset there is a starter rule named like it, and what the rule makes of an event it wants is taken there.
func TestWhatStarterRulesSendIsTaken(t *testing.T) {
	t.Parallel()
	files, err := fs.Sub(starter.Sinks(), "sinks")
	connectortest.Must(t, err)
	for _, name := range presetstandin.Names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text, err := fs.ReadFile(files, name+".yaml")
			connectortest.Must(t, err)
			rule, err := mapping.ParseRule(text)
			connectortest.Must(t, err)
			program, err := mapping.Compile(rule, mapping.Env{})
			connectortest.Must(t, err)
			w := newWorld(t, name, nil)
			matched := 0
			for _, kind := range []string{"access.requested", "access.approved", "access.granted", "audit", "anomaly", "finding.opened", "finding.resolved"} {
				rs := records(1)
				event := rs[0].Event
				event["kind"], event["severity"] = kind, "critical"
				event["data"].(map[string]any)["logpoint_incident"] = "i-7"
				result, err := program.Eval(t.Context(), event)
				connectortest.Must(t, err)
				if !result.Matched {
					continue
				}
				matched++
				if rs[0].Data = result.Draft.Record; result.Draft.At != name {
					t.Errorf("it sends to %s", result.Draft.At)
				}
				mustSend(t, w.sink, rs)
			}
			if matched == 0 || len(w.Records()) != matched || !strings.Contains(w.Requests(), "evt-0001") {
				t.Errorf("%d events wanted, %d records taken", matched, len(w.Records()))
			}
		})
	}
	all, err := fs.Glob(files, "*.yaml")
	connectortest.Must(t, err)
	for _, file := range all {
		if name := strings.TrimSuffix(path.Base(file), ".yaml"); name != "syslog" && Vendors()[name] == nil {
			t.Errorf("%s is named like no preset", file)
		}
	}
}
