package preset

import (
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
)

// The preset of the walk-through sends what the page says, and its fault is told as the page says.
func TestTheDocumentedPresetWorks(t *testing.T) {
	t.Parallel()
	page := string(readFile(t, "../../docs/presets.md"))
	text := documented(t)
	want := regexp.MustCompile("(?s)```json\n(.*?)\n```").FindStringSubmatch(page)[1]
	p, err := Parse("acme-logs.yaml", []byte(text))
	connectortest.Must(t, err)
	var got string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if got = string(body); r.URL.Path != "/v2/intake" || r.Header.Get("X-Acme-Key") != canary {
			w.WriteHeader(http.StatusUnauthorized)
		}
		_, _ = w.Write([]byte(`{"result":"queued"}`))
	}))
	t.Cleanup(server.Close)
	c, err := open(t, p, settings(t, p, server.URL))
	connectortest.Must(t, err)
	mustSend(t, c, records(1))
	if got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	for _, parts := range [][]string{
		{"framing: envelope", "framing: xml"},
		{"event_id_at: [$.event_id]\n", "event_id_at: [$.event_id]\n  wrap: { text: \"${item.what}\" }\n"},
	} {
		_, err = Parse("acme-logs.yaml", []byte(changed(t, text, parts...)))
		if err == nil || !strings.Contains(page, err.Error()) {
			t.Errorf("the page does not show %v", err)
		}
	}
}

// Every preset is listed.
func TestEveryPresetIsDocumented(t *testing.T) {
	t.Parallel()
	page := string(readFile(t, "../../docs/presets.md"))
	for name := range Vendors() {
		if !strings.Contains(page, "`"+name+"`") {
			t.Errorf("%s is not", name)
		}
	}
}
