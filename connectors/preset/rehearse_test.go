package preset

import (
	"fmt"
	"maps"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
)

// documented is the preset that the documentation walks through.
func documented(t *testing.T) string {
	t.Helper()
	return regexp.MustCompile("(?s)```yaml\n(preset: .*?)```").FindStringSubmatch(string(readFile(t, "../../docs/presets.md")))[1]
}

// changed is a preset with parts of it replaced, old after new.
func changed(t *testing.T, text string, parts ...string) string {
	t.Helper()
	for i := 0; i < len(parts); i += 2 {
		if !strings.Contains(text, parts[i]) {
			t.Fatalf("%q is not there", parts[i])
		}
		text = strings.Replace(text, parts[i], parts[i+1], 1)
	}
	return text
}

// alone makes the documented preset send one record a request.
var alone = []string{
	"framing: envelope", "framing: single", "  envelope: { template: { stream: access, rows: [] }, items_at: $.rows }\n", "",
	"batch: { max_items: 200, max_bytes: 1000000, linger: 1s }\n", "",
}

// What could only lose records, or never send one, is refused when the preset is read.
func TestAPresetThatCannotWorkIsRefused(t *testing.T) {
	t.Parallel()
	const (
		header = "{ X-Acme-Source: \"drawbridge\" }"
		url    = `"https://${params.region}/v2/intake"`
		key    = "{ kind: header, header: X-Acme-Key, secret: key }"
		signed = "{ kind: standard_webhooks, secret: key }"
		ids    = "event_id_at: [$.event_id]\n"
		test   = "\ntest:\n"
	)
	confirm := "  id: $.id\nconfirm: { path: /ack, until: \"${response.status == 200}\", every: 1s, for: 3s }"
	for name, tt := range map[string]struct {
		parts []string
		want  string
	}{
		"a method without a body":        {[]string{"request:\n", "request:\n  method: GET\n"}, "request.method: value must be one of"},
		"a wrap without the id":          {[]string{ids, ids + "  wrap: { what: \"${item.what}\" }\n"}, "body.wrap: the id of an event is not in its request"},
		"no place in the envelope":       {[]string{"items_at: $.rows", "items_at: $.rows.x"}, "body.envelope.items_at: the envelope has no place"},
		"a limit nothing keeps to":       {[]string{"max_bytes: 1000000", "max_bytes: 10"}, "batch.max_bytes: the record makes a request of"},
		"a record nothing keeps to":      {[]string{"max_bytes: 1000000", "max_item_bytes: 10"}, "batch.max_item_bytes: the record has"},
		"a header with a space":          {[]string{header, `{ "X Acme": "drawbridge" }`}, "request.headers.X Acme: is no name of a header"},
		"a header of two lines":          {[]string{header, `{ X-Acme: "a\nb" }`}, "request.headers.X-Acme: header X-Acme is not a text on one line"},
		"a header twice":                 {[]string{header, `{ X-Acme: "a", x-acme: "b" }`}, "request.headers.x-acme: is there twice"},
		"a credential's header":          {[]string{"header: X-Acme-Key", `header: "X-Acme-Key:"`}, "auth[0].header: is no name of a header"},
		"a scheme of two lines":          {[]string{"header: X-Acme-Key", `header: X-Acme-Key, scheme: "Token\r\n"`}, "auth[0].scheme: is a text on one line"},
		"the host":                       {[]string{header, "{ Host: other.example }"}, "request.headers.Host: the header Host is not set here"},
		"the length":                     {[]string{header, `{ content-length: "3" }`}, "request.headers.content-length: the header"},
		"the type in a header":           {[]string{header, "{ Content-Type: text/plain }"}, "request.headers.Content-Type: the header Content-Type is not set here: body.content_type"},
		"a type of two lines":            {[]string{"framing: envelope", "framing: envelope\n  content_type: \"a\\r\\nb\""}, "body.content_type: is no media type"},
		"a secret as text":               {[]string{header, `{ X-Acme: "Token ${params.key}" }`}, "request.headers.X-Acme: ${params.key} tells whether the secret is set"},
		"a secret as text in a record":   {[]string{"when: \"${at.rfc3339}\"", "key: [\"${ params.key ?? 1 }\"]"}, "body.item.key[0]: ${params.key} tells"},
		"a secret in the host":           {[]string{url, `"https://${secret.key}.acme.example/v2"`, "  allow_hosts: [\"in.*.acme.example\"]\n", ""}, "request.url: settings: a secret stands in the host"},
		"a secret as user":               {[]string{url, `"https://u:${secret.key}@in.eu.acme.example/v2"`}, "request.url: settings: "},
		"a secret after the host":        {[]string{url, `"https://in.eu.acme.example${secret.key}"`, "  allow_hosts: [\"in.*.acme.example\"]\n", ""}, "request.url: settings: a secret stands in the host"},
		"asking on at a secret URL":      {[]string{url, `"${secret.key}"`, key, "{ kind: path, secret: key }", "  errors: [$.why]", confirm}, "confirm: cannot be called where request.url is a secret"},
		"a ping at a secret URL":         {[]string{url, `"${secret.key}"`, key, "{ kind: path, secret: key }", test, "\nping: { path: /health, success: [{ status: [200] }] }" + test}, "ping: cannot be called where request.url is a secret"},
		"a path that is none":            {[]string{test, "\nping: { path: health, success: [{ status: [200] }] }" + test}, "ping.path: "},
		"another server":                 {[]string{"in.*.acme.example", "out.*.acme.example"}, "request.url: settings: the host is none of this vendor's"},
		"a test without a secret":        {[]string{"settings: { region: eu, key: { env: DRAWBRIDGE_SECRET_ACME_KEY } }", "settings: { region: eu }"}, "test.settings.key: is missing"},
		"a test of another region":       {[]string{"settings: { region: eu", "settings: { region: mars"}, "test.settings.region: is one of eu, us"},
		"a secret that is no reference":  {[]string{"key: { env: DRAWBRIDGE_SECRET_ACME_KEY }", "key: acme"}, "test.settings: a secret is written"},
		"signed in batches":              {[]string{key, signed, header, `{ webhook-id: "one" }`}, "auth[0]: standard_webhooks needs the framing single"},
		"signed without an id":           {append([]string{key, signed}, alone...), "auth[0]: standard_webhooks signs the id of a message"},
		"signed with one id for all":     {append([]string{key, signed, header, `{ webhook-id: "one" }`}, alone...), "request.headers: webhook-id is not another one for each event"},
		"signed in parts of one id":      {append([]string{key, signed, header, `{ webhook-id: "${event_id}" }`, test, "\nbatch: { max_item_bytes: 2000, on_oversize: split, cut_at: $.what }" + test}, alone...), "batch.on_oversize: split makes several messages"},
		"a condition that is a text":     {[]string{key, "{ when: \"${params.region}${params.key}\", kind: header, header: X-Acme-Key, secret: key }"}, "auth[0].when: is never true"},
		"a condition on a text":          {[]string{"- { name: region", "- { name: org, type: string, required_when: \"${params.zone}\" }\n  - { name: zone, type: string }\n  - { name: region"}, "params[0].required_when: is never true"},
		"a condition nothing depends on": {[]string{"{ name: key, type: secret, required: true", "{ name: key, type: secret, required: true, required_when: \"${params.region}\""}, "params[1].required_when: belongs to"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Parse("acme-logs.yaml", []byte(changed(t, documented(t), tt.parts...)))
			if err == nil || !regexp.MustCompile(`^acme-logs\.yaml:\d+: `).MatchString(err.Error()) || !strings.Contains(err.Error(), ": "+tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

// What the events of a source have, and most do not, the author says.
func TestAPresetIsTriedWithTheEventOfItsAuthor(t *testing.T) {
	t.Parallel()
	text := changed(t, documented(t), append(alone, "/v2/intake", "/${event.data.team}/intake", "what: \"", "n: \"${event.data.n + 1}\"\n    what: \"")...)
	_, err := Parse("acme-logs.yaml", []byte(text))
	if err == nil || !strings.Contains(err.Error(), "body.item.n: ") || !strings.Contains(err.Error(), "test.event adds") {
		t.Errorf("got %v", err)
	}
	_, err = Parse("acme-logs.yaml", []byte(text+"  event: { data: { n: 1 } }\n"))
	if err == nil || !strings.Contains(err.Error(), "request.url: a value in the path of the URL is empty; it was tried") {
		t.Errorf("got %v", err)
	}
	_, err = Parse("acme-logs.yaml", []byte(text+"  event: { data: { n: 1, team: blue } }\n"))
	connectortest.Must(t, err)
}

func TestSettingsThatOthersCallForAreMissed(t *testing.T) {
	t.Parallel()
	for name, more := range map[string]map[string]any{
		"splunk-hec: settings.channel: is missing; it is required when settings.ack: a GUID": {"ack": true},
		"grafana-loki: settings.user: is missing; it is required when settings.token":        {"user": nil},
		"okta-workflows: settings.client_id: is missing; it is required when settings.security == \"oauth\"": {
			"security": "oauth", "org": "https://acme.okta.com", "key_id": "k", "private_key": map[string]any{"value": canary},
		},
		"okta-workflows: settings.key_id: is missing": {"security": "oauth", "org": "https://acme.okta.com", "client_id": "c", "private_key": map[string]any{"value": canary}},
		"okta-workflows: settings.org: is missing":    {"security": "oauth", "client_id": "c", "key_id": "k", "private_key": map[string]any{"value": canary}},
	} {
		preset, want, _ := strings.Cut(name, ": ")
		p := shipped(t, preset)
		given := settings(t, p, "")
		delete(given, "address")
		maps.Copy(given, more)
		maps.DeleteFunc(given, func(_ string, v any) bool { return v == nil })
		if _, err := open(t, p, given); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", preset, err, want)
		}
	}
}

func TestFilesThatAreNearlyPresetsAreRefused(t *testing.T) {
	t.Parallel()
	good := &fstest.MapFile{Data: []byte(documented(t))}
	all, err := Read(fstest.MapFS{"acme-logs.yaml": good, "README.md": good, "acme-logs.yaml.orig": good})
	connectortest.Must(t, err)
	if len(all) != 1 {
		t.Errorf("%d presets were read", len(all))
	}
	for _, name := range []string{"acme-logs.yml", "acme-logs.YAML"} {
		_, err := Read(fstest.MapFS{name: good})
		if want := fmt.Sprintf("%s: is not read: the files of presets end in .yaml", name); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
