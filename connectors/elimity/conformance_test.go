package elimity

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	"github.com/drawbridge-itsm/drawbridge/connectors/elimity/elimitystandin"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	canary := connectors.SecretValue(connectortest.Canary)
	inbound := func(dir string) connectors.Request {
		return connectors.Request{
			Method: http.MethodPost, URL: &url.URL{Path: "/in/elimity"}, Header: http.Header{"Content-Type": {"application/json"}},
			Body: connectortest.Body(t, "testdata/receive/"+dir),
		}
	}
	for _, tt := range []struct {
		name   string
		set    func(c *Config)
		effect string
	}{
		{"a journal", func(c *Config) { c.Journal = Journal{SourceID: 90, Token: canary} }, ""},
		{"a check", func(c *Config) { c.Check.TokenID, c.Check.TokenSecret = connectortest.Canary, canary }, `{"do":"unlink","entity":{"source":4,"type":"person","id":"u-1"},"other":{"source":5,"type":"role","id":"r-9"}}`},
		{"neither", func(*Config) {}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			connectortest.Run(t, connectortest.Suite{
				New: func(t *testing.T, baseURL string) connectors.Connector {
					t.Helper()
					c := New().(*Config)
					c.BaseURL = baseURL
					tt.set(c)
					k, err := c.Open(connectortest.Env(t))
					if err != nil {
						t.Fatal(err)
					}
					return k
				},
				Standin: func(*testing.T) http.Handler {
					return elimitystandin.New(elimitystandin.Options{
						TokenID: connectortest.Canary, TokenSecret: connectortest.Canary, JournalToken: connectortest.Canary,
						Now: func() time.Time { return connectortest.Now },
					})
				},
				Reads: func(r *http.Request) bool { return r.URL.Path == "/api/agent/query" },
				Decision: connectors.Decision{
					Kind: connectors.ChangeRequested, RequestID: "elm-1", IDs: map[string]string{"effect": tt.effect}, Outcome: connectors.Approved,
					By: connectors.Person{Name: "Lee"}, At: connectortest.Now.Add(-time.Hour),
				},
				Inbound: []connectors.Request{
					inbound("review_submission"), inbound("attribute_assignment"), inbound("relationship_removal"), inbound("entity_removal"), inbound("source_id_beyond_2_53"),
				},
				Verification: connectors.Verification{Token: &connectors.TokenCheck{Tokens: []connectors.Secret{canary}}},
			})
		})
	}
}
