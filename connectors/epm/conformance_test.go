package epm

import (
	"net/http"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	"github.com/drawbridge-itsm/drawbridge/connectors/epm/epmstandin"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	connectortest.Run(t, connectortest.Suite{
		New: func(t *testing.T, baseURL string) connectors.Connector {
			t.Helper()
			c := New().(*Config)
			c.BaseURL, c.ClientID, c.ClientSecret = baseURL, connectortest.Canary, connectors.SecretValue(connectortest.Canary)
			k, err := c.Open(connectortest.Env(t))
			if err != nil {
				t.Fatal(err)
			}
			return k
		},
		Standin: func(*testing.T) http.Handler {
			s := epmstandin.New(epmstandin.Options{
				ClientID: connectortest.Canary, ClientSecret: connectortest.Canary,
				Now: func() time.Time { return connectortest.Now }, NewID: func() string { return "r-1" },
			})
			s.RequestApplication(epmstandin.AppRequest{User: `CORP\ana`, ProductName: "ACME Tool"})
			return s
		},
		TokenPath: "/oauth/connect/token",
		Decision:  approval,
		Inbound: []connectors.Request{
			{Method: http.MethodPost, Header: http.Header{"Content-Type": {"application/json"}}, Body: connectortest.Body(t, "testdata/receive/app_created_vendor_template")},
			{Method: http.MethodPost, Header: http.Header{}, Body: connectortest.Body(t, "testdata/receive/admin_approved_with_type_of_creation")},
		},
		Verification: connectors.Verification{Basic: &connectors.BasicCheck{User: "epm", Passwords: []connectors.Secret{connectors.SecretValue(connectortest.Canary)}}},
	})
}
