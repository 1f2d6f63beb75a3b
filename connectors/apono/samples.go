package apono

import (
	"embed"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

var _ connectors.Sampler = (*source)(nil)

// sampleFiles are the documented payload of a request and of an audit log event, the examples on Apono's pages for
// Microsoft Sentinel and Logz.io, and what those pages show of anomalies and integrations; all filled in.
//
//go:embed samples
var sampleFiles embed.FS

// template is what a request webhook's body needs so that a request can be shown and decided.
const template = `{
  "event_type": "{{event_type}}",
  "event_time": "{{event_time}}",
  "data": {
    "id": "{{data.id}}",
    "friendly_id": "{{data.friendly_id}}",
    "justification": "{{data.justification}}",
    "requester": { "id": "{{data.requester.id}}", "name": "{{data.requester.name}}", "email": "{{data.requester.email}}" },
    "access_flow": { "name": "{{data.access_flow.name}}" },
    "access_duration_in_seconds": "{{data.access_duration_in_seconds}}",
    "access_groups": [
      {
        "integration": { "name": "{{data.access_groups.[0].integration.name}}", "type": "{{data.access_groups.[0].integration.type}}" },
        "access_units": [
          {
            "resource": { "name": "{{data.access_groups.[0].access_units.[0].resource.name}}" },
            "permission": { "name": "{{data.access_groups.[0].access_units.[0].permission.name}}" }
          }
        ]
      }
    ]
  }
}
`

// Samples are a webhook of each trigger and of each further kind.
func (s *source) Samples() []connectors.Sample {
	request := sampleFile("request")
	of := func(name, trigger, kind string) connectors.Sample {
		body := strings.Replace(request, `"AccessRequestCreated"`, `"`+trigger+`"`, 1)
		switch kind {
		case connectors.AccessApproved:
			body = strings.Replace(body, `"Pending"`, `"Approved"`, 1)
		case connectors.AccessDenied:
			body = strings.Replace(body, `"Pending"`, `"Rejected"`, 1)
		}
		return connectors.Sample{Kind: kind, Name: name, Body: []byte(body), Template: template}
	}
	return []connectors.Sample{
		of("created", "RequestCreated", connectors.AccessRequested),
		of("approved", "RequestApproved", connectors.AccessApproved),
		of("rejected", "RequestRejected", connectors.AccessDenied),
		of("granted", "RequestGranted", connectors.AccessGranted),
		of("expired", "RequestExpired", connectors.AccessExpired),
		of("failed", "RequestFailed", connectors.AccessFailed),
		of("manual", "Manual", connectors.AccessRequested),
		{Kind: connectors.AccessRequested, Name: "sentinel", Body: []byte(sampleFile("sentinel"))},
		{Kind: connectors.AccessRequested, Name: "logz.io", Body: []byte(sampleFile("logz"))},
		{Kind: connectors.Audit, Name: "audit", Body: []byte(sampleFile("audit"))},
		{Kind: connectors.Anomaly, Name: "anomaly", Query: "webhook=anomaly", Body: []byte(sampleFile("anomaly"))},
		{Kind: connectors.IntegrationWarning, Name: "integration", Query: "webhook=integration", Body: []byte(sampleFile("integration"))},
	}
}

func sampleFile(name string) string {
	text, err := sampleFiles.ReadFile("samples/" + name + ".json")
	if err != nil {
		panic(err) // the folder is embedded above
	}
	return string(text)
}

// Example shows the settings without a default.
func (c *Config) Example() string {
	return `token: {env: DRAWBRIDGE_SECRET_APONO}   # of a user whom the access flows name as an approver
`
}
