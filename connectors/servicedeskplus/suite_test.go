package servicedeskplus

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	desk "github.com/drawbridge-itsm/drawbridge/connectors/servicedeskplus/servicedeskplusstandin"
)

func TestPromisesOfEveryConnector(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		edition string
		change  func(*Config)
	}{
		{"cloud", desk.Cloud, func(*Config) {}},
		{"cloud, key in the subject", desk.Cloud, bySubject},
		{"on premises, with a history", desk.OnPrem, withHistory},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			connectortest.Run(t, suite(tt.edition, tt.change))
		})
	}
}

func suite(edition string, change func(*Config)) connectortest.Suite {
	o := credentials(desk.Options{Edition: edition, Now: func() time.Time { return connectortest.Now }, History: "history"})
	secrets := []connectors.Secret{connectors.SecretValue(connectortest.Canary)}
	given := connectors.Verification{Header: &connectors.HeaderCheck{Values: secrets}}
	if edition == desk.OnPrem {
		given = connectors.Verification{HMAC: &connectors.HMACCheck{Secrets: secrets}}
	}
	return connectortest.Suite{
		New: func(t *testing.T, baseURL string) connectors.Connector {
			t.Helper()
			return open(t, baseURL, o, change)
		},
		Standin:   func(*testing.T) http.Handler { return desk.New(o) },
		TokenPath: "/oauth/v2/token",
		Ticket:    ticket(),
		Change:    connectors.Ticket{Summary: "Ana asks again"},
		Note:      connectors.Note{Key: "note", Body: "accepted"},
		Move:      connectors.Move{Status: "Approved"},
		File:      connectors.File{Name: "a.txt", Type: "text/plain", Content: []byte("x")},
		Place:     connectors.Place{Project: "IAM", Type: "Access request"},
		Ref:       connectors.Ref{ID: "100000000000123456", Key: "#800"},
		Inbound: []connectors.Request{{
			Method: http.MethodPost, URL: &url.URL{Path: "/in/servicedeskplus"}, Header: http.Header{"Content-Type": {"application/json"}},
			Body: []byte(`{"event":"request.approved","request_id":"100000000000123456","key":"k1"}`),
		}},
		Verification: given,
	}
}
