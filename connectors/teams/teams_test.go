package teams

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
)

const link = "https://bridge.example/vote/token"

func ticket() connectors.Ticket {
	return connectors.Ticket{
		Project: "security", Type: "ask", Summary: "Ana asks to run\n<at>everybody</at> [x](https://evil.example)", Description: "**Reason:** <script> & \"quotes\"\n\n- one\n- two",
		Priority: "High", Links: map[string]string{"": link},
	}
}

// channel takes messages as a workflow does and keeps the cards.
type channel struct {
	cards []map[string]any
}

func (c *channel) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var m struct {
		Type        string
		Attachments []struct {
			ContentType string
			Content     map[string]any
		}
	}
	text, _ := io.ReadAll(r.Body)
	if json.Unmarshal(text, &m) != nil || m.Type != "message" || len(m.Attachments) != 1 || m.Attachments[0].ContentType != "application/vnd.microsoft.card.adaptive" || len(text) > 28_000 {
		http.Error(w, "no message", http.StatusBadRequest)
		return
	}
	c.cards = append(c.cards, m.Attachments[0].Content)
	w.WriteHeader(http.StatusAccepted)
}

func open(t testing.TB, baseURL string) *connector {
	t.Helper()
	c, err := (&Config{URL: connectors.SecretValue(baseURL + "/workflows/x/triggers/manual/paths/invoke?sig=" + connectortest.Canary)}).Open(connectortest.Env(t))
	if err != nil {
		t.Fatal(err)
	}
	return c.(*connector)
}

// means says that a ping takes every answer for one: it asks whether the server is there.
var means = map[string]connectors.Kind{
	"ping 301": connectortest.NoError, "ping 302": connectortest.NoError, "ping 307": connectortest.NoError, "ping 400": connectortest.NoError,
	"ping 401": connectortest.NoError, "ping 403": connectortest.NoError, "ping 404": connectortest.NoError, "ping 413": connectortest.NoError,
	"ping 422": connectortest.NoError, "ping a web page": connectortest.NoError, "ping 10 MiB": connectortest.NoError,
}

func TestPromisesOfEveryConnector(t *testing.T) {
	t.Parallel()
	asked := ticket()
	connectortest.Run(t, connectortest.Suite{
		New:     func(t *testing.T, baseURL string) connectors.Connector { return open(t, baseURL) },
		Standin: func(*testing.T) http.Handler { return &channel{} },
		Ticket:  asked, Note: connectors.Note{Key: "n1", Body: "said", Asked: &asked},
		Means: means,
		Move:  connectors.Move{Status: "Approved", Asked: &asked, Note: &connectors.Note{Body: "closed"}},
	})
}

func TestACardIsAsItsSchemaSays(t *testing.T) {
	t.Parallel()
	where := &channel{}
	server := httptest.NewServer(where)
	defer server.Close()
	c, asked := open(t, server.URL), ticket()
	first, err := c.Create(t.Context(), "k1", asked)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := c.Create(t.Context(), "k1", asked); err != nil || again != first || first.ID == "" {
		t.Errorf("the second card is %+v, %v", again, err)
	}
	if err := c.Comment(t.Context(), first, connectors.Note{Body: "**Approved** by Kim", Asked: &asked}); err != nil {
		t.Fatal(err)
	}
	long := asked
	long.Description = strings.Repeat("要求\"", 20_000)
	if _, err := c.Create(t.Context(), "k2", long); err != nil {
		t.Fatal(err)
	}
	shows := asked
	shows.LinksShow = true
	if _, err := c.Create(t.Context(), "k3", shows); err != nil {
		t.Fatal(err)
	}
	if text, _ := json.Marshal(where.cards[4]); !bytes.Contains(text, []byte("Nobody can answer on the page")) || bytes.Contains(text, []byte("signs in")) {
		t.Errorf("a link that only shows the request comes with %s", text)
	}
	if len(where.cards) != 5 {
		t.Fatalf("%d cards", len(where.cards))
	}
	text, _ := json.Marshal(where.cards[0])
	for _, want := range []string{`"url":"` + link + `"`, `"version":"1.5"`, `"type":"Action.OpenUrl"`, `Priority: High`} {
		if !bytes.Contains(text, []byte(want)) {
			t.Errorf("the card lacks %s: %s", want, text)
		}
	}
	if bytes.Contains(text, []byte(`"TextBlock"`)) {
		t.Errorf("the card has text in which Markdown is read: %s", text)
	}
	schema := cardSchema(t)
	for i, card := range where.cards {
		if schema != nil {
			if err := schema.Validate(card); err != nil {
				t.Errorf("card %d: %v", i, err)
			}
		}
	}
}

// cardSchema reads the project's own schema where DRAWBRIDGE_SPECS names its folder.
func cardSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	dir := os.Getenv("DRAWBRIDGE_SPECS")
	if dir == "" {
		t.Log("cards are not checked against the schema of Adaptive Cards (set DRAWBRIDGE_SPECS)")
		return nil
	}
	text, err := os.ReadFile(filepath.Join(dir, "adaptive-card-1.5.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("card.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("card.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func TestWhatAWorkflowAnswers(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		status int
		body   string
		want   connectors.Kind // -1: taken
	}{
		{202, "", -1}, {200, "1", -1},
		{200, "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429 with ContextId x", connectors.Throttled},
		{200, "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 413", connectors.Permanent},
		{204, "", connectors.Temporary}, {429, "", connectors.Throttled}, {401, "", connectors.Unwell}, {502, "", connectors.Temporary}, {413, "", connectors.Permanent},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(test.status)
			_, _ = io.WriteString(w, test.body)
		}))
		_, err := open(t, server.URL).Create(t.Context(), "k1", ticket())
		server.Close()
		if e := connectors.AsError(err); e == nil && test.want != -1 || e != nil && e.Kind != test.want {
			t.Errorf("%d %q: %v", test.status, test.body, err)
		}
		if err != nil && (strings.Contains(err.Error(), connectortest.Canary) || strings.Contains(err.Error(), "vote")) {
			t.Errorf("the error shows too much: %v", err)
		}
	}
}

func TestWhatCannotBePosted(t *testing.T) {
	t.Parallel()
	c := open(t, "http://127.0.0.1:1")
	for _, change := range []func(*connectors.Ticket){
		func(t *connectors.Ticket) { t.Type = "Task" },
		func(t *connectors.Ticket) { t.Links = nil },
		func(t *connectors.Ticket) { t.Fields = map[string]any{"x": 1} },
	} {
		asked := ticket()
		change(&asked)
		if _, err := c.Create(t.Context(), "k1", asked); connectors.AsError(err) == nil || connectors.AsError(err).Kind != connectors.Permanent {
			t.Errorf("%+v: %v", asked, err)
		}
	}
	for _, address := range []string{"http://flow.example/x?sig=secret-in-it", "x", "https://a:b@flow.example/secret-in-it"} {
		c, err := (&Config{URL: connectors.SecretValue(address)}).Open(connectortest.Env(t))
		if err != nil {
			t.Fatal(err)
		}
		var e *connectors.Error
		if err := c.Ping(t.Context()); !errors.As(err, &e) || e.Kind != connectors.Unwell || strings.Contains(err.Error(), "secret-in-it") {
			t.Errorf("%s: %v", address, err)
		}
	}
	if to := c.Addressees(connectors.Ticket{Type: "notice"}); to == nil || len(to) > 0 {
		t.Errorf("a notice has links for %v", to)
	}
}
