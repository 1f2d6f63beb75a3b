package preset

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/parser"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
)

// engine is a preset that uses what none of the program's own does.
const engine = `preset: engine
version: 1
title: Engine
group: generic
docs: []
confidence: documented
params:
  - {name: key, type: secret, required: true}
  - {name: tenant, type: host}
request:
  url: "https://${params.tenant ?? \"in.example.com\"}/${case}/in?from=${source}"
  headers: {X-Subject: "${event.subject}"}
auth: [{kind: query, param: key, secret: key}]
body:
  framing: single
  item: {text: "${event.reason}", page: {html: "${event.reason}"}}
  event_id_at: [$.event_id]
  escape: {as: html, keys: [html]}
batch: {max_item_bytes: 1200, on_oversize: split, cut_at: $.text}
response:
  success: [{status: [200]}]
  already_done: [{status: [409], json: [{path: "$.codes[0]", in: [7]}]}]
  reauth: [{status: [403], contains: expired}]
  permanent: [{status: [500], not_contains: again}]
  retry_after: [{header: X-Reset, unit: epoch}, {header: X-Date, unit: http_date}, {header: X-Wait, unit: seconds}]
  errors: [$.why]
test:
  settings: {key: {env: DRAWBRIDGE_SECRET_KEY}}
`

func serve(t *testing.T, answer http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	return server.URL
}

func newEngine(t *testing.T, answer http.HandlerFunc) connectors.Connector {
	t.Helper()
	p, err := Parse("engine.yaml", []byte(engine))
	connectortest.Must(t, err)
	c, err := open(t, p, settings(t, p, serve(t, answer)))
	connectortest.Must(t, err)
	return c
}

func TestAnswersThatNoPresetOfOursHas(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		status       int
		header, body string
		want         connectors.Kind
		wait         time.Duration
	}{
		{409, "", `{"codes":[7]}`, connectortest.NoError, 0},
		{409, "", `{"codes":["7"]}`, connectortest.NoError, 0},
		{409, "", `{"codes":[8]}`, connectors.Temporary, 0},
		{403, "", `token expired`, connectors.Unwell, 0},
		{403, "", `no`, connectors.Unwell, 0},
		{400, "", `no`, connectors.Permanent, 0},
		{410, "", `no`, connectors.Unwell, askedAgain},
		{500, "", `never`, connectors.Permanent, 0},
		{500, "", `again`, connectors.Temporary, 0},
		{429, fmt.Sprint("X-Reset: ", connectortest.Now.Add(90*time.Second).Unix()), "", connectors.Throttled, 90 * time.Second},
		{429, "X-Date: " + connectortest.Now.Add(time.Minute).Format(http.TimeFormat), "", connectors.Throttled, time.Minute},
		{503, "X-Wait: 2.5", "again", connectors.Temporary, 2500 * time.Millisecond},
		{429, "X-Wait: soon", "", connectors.Throttled, 0},
	} {
		c := newEngine(t, func(w http.ResponseWriter, _ *http.Request) {
			if name, value, ok := strings.Cut(tt.header, ": "); ok {
				w.Header().Set(name, value)
			}
			w.WriteHeader(tt.status)
			_, _ = io.WriteString(w, tt.body)
		})
		rs := records(1)
		rs[0].Event["subject"], rs[0].Event["reason"] = "x", "y"
		results, err := send(t, c, rs)
		if err == nil {
			err = results[0].Err
		}
		if tt.want == connectortest.NoError {
			connectortest.Must(t, err)
			continue
		}
		if e := connectors.AsError(err); err == nil || e.Kind != tt.want || e.RetryAfter != tt.wait {
			t.Errorf("%d %s: got %v, want %s for %s", tt.status, tt.body, err, tt.want, tt.wait)
		}
	}
}

func TestValuesAreEscapedForTheirPlace(t *testing.T) {
	t.Parallel()
	var got []string
	c := newEngine(t, func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = append(got, r.RequestURI, string(body))
	})
	rs := records(1)
	rs[0].Group, rs[0].Source, rs[0].Event["reason"], rs[0].Event["subject"] = "a/b?c#d", "x&key=y", `<b>"`, "fine"
	mustSend(t, c, rs)
	want := []string{"/a%2Fb%3Fc%23d/in?from=x%26key%3Dy&key=" + canary, `{"event_id":"evt-0001","page":{"html":"&lt;b&gt;&#34;"},"text":"<b>\""}`}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got %q\nwant %q", got, want)
	}
	for name, spoil := range map[string]func(*connectors.Record){
		"a step upwards":     func(r *connectors.Record) { r.Group = ".." },
		"nothing":            func(r *connectors.Record) { r.Group = "" },
		"a line in a header": func(r *connectors.Record) { r.Event["subject"] = "x\r\nX-Evil: 1" },
	} {
		rs := records(1)
		spoil(&rs[0])
		before := len(got)
		results, err := send(t, c, rs)
		connectortest.Must(t, err)
		if e := connectors.AsError(results[0].Err); results[0].Err == nil || e.Kind != connectors.Permanent || e.Sent || len(got) != before {
			t.Errorf("%s: got %v", name, results[0].Err)
		}
	}
}

func TestATextThatIsTooLongIsSplit(t *testing.T) {
	t.Parallel()
	var parts []map[string]any
	c := newEngine(t, func(_ http.ResponseWriter, r *http.Request) {
		var one map[string]any
		body, _ := io.ReadAll(r.Body)
		if len(body) > 1200 || yaml.Unmarshal(body, &one) != nil {
			t.Errorf("%d bytes", len(body))
		}
		parts = append(parts, one)
	})
	rs := records(1)
	long := strings.Repeat("é\"\\", 800)
	rs[0].Data = map[string]any{"text": long}
	rs[0].Event["subject"] = "x"
	mustSend(t, c, rs)
	whole := ""
	for i, one := range parts {
		whole += one["text"].(string)
		if want := fmt.Sprintf("%d/%d", i+1, len(parts)); one["part"] != want || one["event_id"] != "evt-0001" {
			t.Errorf("got %v, want part %s", one, want)
		}
	}
	if whole != long || len(parts) < 4 {
		t.Errorf("%d parts do not make the whole", len(parts))
	}
}

// A secret that is typed into a document is sealed where it stands.
func TestSecretsAreSealed(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseBytes([]byte("region: eu\ntoken: {value: "+canary+"}\n"), 0)
	connectortest.Must(t, err)
	ctx := connectors.WithSealer(context.Background(), func(string) (string, error) { return "k:sealed", nil })
	c := New(shipped(t, "logzio"))
	connectortest.Must(t, yaml.NewDecoder(bytes.NewReader(nil), yaml.Strict()).DecodeFromNodeContext(ctx, file.Docs[0].Body, c))
	if text := file.String(); strings.Contains(text, canary) || !strings.Contains(text, "k:sealed") {
		t.Errorf("got %s", text)
	}
	if text := fmt.Sprintf("%+v", c.secrets); strings.Contains(text, canary) {
		t.Errorf("got %s", text)
	}
}
