package preset

import (
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	"github.com/drawbridge-itsm/drawbridge/connectors/preset/presetstandin"
)

const canary = connectortest.Canary

// world is a connection of one preset before its stand-in.
type world struct {
	*presetstandin.Standin
	sink connectors.Connector
}

// own are settings of a test for one preset, besides those it ships with: credentials that are more than a key, and
// servers that are another one than records go to.
var own = map[string]func(base string) map[string]any{
	"sentinel":       func(base string) map[string]any { return map[string]any{"authority": base} },
	"signed-webhook": func(string) map[string]any { return secretly("secret", whsec()) },
	"sumo-logic": func(string) map[string]any {
		return secretly("url", "https://endpoint1.collection.eu.sumologic.com/receiver/v1/http/"+canary)
	},
	"grafana-incident": func(string) map[string]any {
		return secretly("url", "https://acme.grafana.net/api/plugins/grafana-incident-app/resources/integrations/generic/incoming?token="+canary)
	},
	"grafana-oncall": func(string) map[string]any {
		return secretly("url", "https://oncall-prod.grafana.net/integrations/v1/formatted_webhook/"+canary+"/")
	},
	"slack-webhook": func(string) map[string]any {
		return secretly("url", "https://hooks.slack.com/services/T000/B000/"+canary)
	},
	"teams-workflows": func(string) map[string]any { return secretly("url", logicApp) },
	"logic-app":       func(string) map[string]any { return secretly("url", logicApp) },
	"torq": func(string) map[string]any {
		return secretly("url", "https://hooks.torq.io/v1/webhooks/0123")
	},
}

const logicApp = "https://prod-01.westeurope.logic.azure.com:443/workflows/0123/triggers/manual/paths/invoke?api-version=2016-10-01&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=" + canary

func secretly(name, value string) map[string]any {
	return map[string]any{name: map[string]any{"value": value}}
}

// settings are those of the preset's own test, with canary as every credential, at the server of base.
func settings(t testing.TB, p *Preset, base string) map[string]any {
	t.Helper()
	all := maps.Clone(p.doc.Test.Settings)
	for name := range all {
		if p.params[name].Type == "secret" {
			all[name] = map[string]any{"value": canary}
		}
	}
	all["address"] = base
	if f := own[p.doc.Preset]; f != nil {
		maps.Copy(all, f(base))
	}
	return all
}

func shipped(t testing.TB, name string) *Preset {
	t.Helper()
	all, err := builtin()
	connectortest.Must(t, err)
	if all[name] == nil {
		t.Fatalf("there is no preset %s", name)
	}
	return all[name]
}

// open opens a connection as its document would.
func open(t testing.TB, p *Preset, given map[string]any, change ...func(*connectors.Env)) (connectors.Connector, error) {
	t.Helper()
	text, err := yaml.Marshal(given)
	connectortest.Must(t, err)
	c := New(p)
	if err := yaml.NewDecoder(strings.NewReader(string(text)), yaml.Strict()).Decode(c); err != nil {
		return nil, err
	}
	env := connectortest.Env(t)
	for _, f := range change {
		f(&env)
	}
	return c.Open(env)
}

func newWorld(t testing.TB, name string, more map[string]any) world {
	t.Helper()
	stand := presetstandin.New(name, canary)
	server := httptest.NewServer(stand)
	t.Cleanup(server.Close)
	p := shipped(t, name)
	given := settings(t, p, server.URL)
	maps.Copy(given, more)
	c, err := open(t, p, given)
	connectortest.Must(t, err)
	unpaced(c)
	return world{stand, c}
}

// hostile is what people may write; records and headers must survive it.
const hostile = "it's \"urgent\"\\ \r\nX-Evil: 1 <!channel> & é \u2028 ${params.token}"

// records are n of them, one event each.
func records(n int) []connectors.Record {
	out := make([]connectors.Record, n)
	for i := range out {
		out[i] = connectors.Record{
			EventID: fmt.Sprintf("evt-%04d", i+1), Source: "apono", Group: fmt.Sprintf("req-%d", i+1), At: connectortest.Now,
			Event: map[string]any{
				"kind": "access.requested", "type": "RequestCreated", "request_id": fmt.Sprintf("req-%d", i+1), "time": "2026-03-02T09:30:00Z",
				"requester": map[string]any{"account": "u-1", "name": "Ana Díaz", "mail": "ana@example.com"}, "subject": "access to db-7", "reason": hostile, "severity": "high",
				"data": map[string]any{"access_groups": []any{map[string]any{"access_units": []any{map[string]any{
					"resource": map[string]any{"id": "res-7", "name": "db-7", "type": map[string]any{"name": "postgres"}}, "permission": map[string]any{"name": "admin"},
				}}}}},
			},
		}
	}
	return out
}

// sinkOf is what sends, whatever else the connection can do.
func sinkOf(c connectors.Connector) *sink {
	switch c := c.(type) {
	case desk:
		return c.sink
	case surely:
		return c.sink
	default:
		return c.(*sink)
	}
}

// unpaced lets a connection send as fast as it can: no time passes in these tests.
func unpaced(c connectors.Connector) { sinkOf(c).pace = nil }

func send(t testing.TB, c connectors.Connector, rs []connectors.Record) ([]connectors.Result, error) {
	t.Helper()
	return c.(connectors.Sender).Send(t.Context(), rs)
}

// mustSend wants every record to be taken.
func mustSend(t testing.TB, c connectors.Connector, rs []connectors.Record) []connectors.Result {
	t.Helper()
	results, err := send(t, c, rs)
	connectortest.Must(t, err)
	for i, one := range results {
		if one.Err != nil {
			t.Fatalf("record %d: %v", i, one.Err)
		}
	}
	return results
}

// Every preset sends what its stand-in takes, byte for byte as it is written down in testdata/golden.
func TestPresetsSendWhatTheirVendorsTake(t *testing.T) {
	t.Parallel()
	for _, name := range presetstandin.Names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, name, nil)
			mustSend(t, w.sink, records(2))
			connectortest.Golden(t, name, w.Requests())
			if len(w.Records()) == 0 {
				t.Error("the stand-in took nothing")
			}
		})
	}
}

func TestEveryPresetHasAStandIn(t *testing.T) {
	t.Parallel()
	found, err := filepath.Glob("presets/*.yaml")
	connectortest.Must(t, err)
	for _, file := range found {
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		if !strings.Contains(" "+strings.Join(presetstandin.Names(), " ")+" ", " "+name+" ") {
			t.Errorf("%s has none", name)
		}
		p := shipped(t, name)
		if len(p.doc.Docs) == 0 || p.doc.Confidence != "documented" && len(p.doc.Unverified) == 0 {
			t.Errorf("%s does not say what it rests on", name)
		}
	}
}

// What every connector promises, each preset keeps.
func TestSuite(t *testing.T) {
	t.Parallel()
	for _, name := range presetstandin.Names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := shipped(t, name)
			suite := connectortest.Suite{
				New: func(t *testing.T, base string) connectors.Connector {
					c, err := open(t, p, settings(t, p, base))
					connectortest.Must(t, err)
					unpaced(c)
					return c
				},
				Standin: func(*testing.T) http.Handler { return presetstandin.New(name, canary) },
				Records: records(1), Ticket: question(), Note: connectors.Note{Key: "n-1", Body: "**Refused:** Max may not"}, Move: connectors.Move{Status: "Approved"},
				Ref: connectors.Ref{ID: "k1", Key: "k1"}, TokenPath: tokenPaths[name], Means: means(p),
			}
			connectortest.Run(t, suite)
		})
	}
}

var tokenPaths = map[string]string{"sentinel": "/11111111-2222-3333-4444-555555555555/oauth2/v2.0/token"}

// means says where the vendor's own meaning of a status differs, and what says nothing of whether a server is reached.
func means(p *Preset) map[string]connectors.Kind {
	out := map[string]connectors.Kind{}
	if p.doc.Ping == nil {
		for _, status := range []int{301, 302, 303, 307, 308, 400, 401, 403, 404, 405, 410, 413, 422} {
			out[fmt.Sprint("ping ", status)] = connectortest.NoError
		}
		out["ping a web page"], out["ping 10 MiB"] = connectortest.NoError, connectortest.NoError
	}
	r := p.doc.Response
	unwell := slices.Concat(r.DisableOn, []int{403, 404, 405, 410, 415})
	for _, one := range slices.Concat(r.Success, r.AlreadyDone, r.Retry, r.Permanent) {
		unwell = slices.DeleteFunc(unwell, func(status int) bool { return slices.Contains(one.Status, status) })
	}
	for _, one := range append(r.Pause, r.Reauth...) {
		if len(one.JSON) == 0 && one.Contains == "" {
			unwell = append(unwell, one.Status...)
		}
	}
	for _, status := range unwell {
		for _, kind := range []string{"send", "create", "comment", "transition"} {
			out[fmt.Sprint(kind, " ", status)] = connectors.Unwell
		}
	}
	wants := func(v JSONValue) bool { return len(v.In) > 0 }
	if !slices.ContainsFunc(r.Success, func(a Answer) bool { return slices.ContainsFunc(a.JSON, wants) || a.Equals != nil }) {
		out["create JSON that is cut"] = connectortest.NoError // nothing of it is needed
	}
	return out
}

// whsec is canary as a key of Standard Webhooks.
func whsec() string { return "whsec_" + base64.StdEncoding.EncodeToString([]byte(canary)) }

func readFile(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(name)
	connectortest.Must(t, err)
	return text
}
