package datatheorem

import (
	"embed"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

var _ connectors.Sampler = (*connector)(nil)

// sampleFiles are the documented event of a resolved violation and the documented connectivity check, word for word, and
// beside them what other events are expected to look like.
//
//go:embed samples
var sampleFiles embed.FS

// Samples are an event of each kind that Data Theorem tells of.
func (c *connector) Samples() []connectors.Sample {
	list := []connectors.Sample{
		{Kind: connectors.FindingOpened, Name: "violation_opened"},
		{Kind: connectors.FindingResolved, Name: "violation_resolved"},
		{Kind: connectors.FindingDismissed, Name: "violation_wont_fix"},
		{Kind: connectors.AssetDiscovered, Name: "service_discovered"},
		{Kind: connectors.FindingOpened, Name: "mobile_target_created"},
		{Kind: connectors.Audit, Name: "user_login_failed"},
		{Kind: connectors.Anomaly, Name: "protect_attack_blocked"},
		{Kind: connectors.Test, Name: "connectivity_check"},
		{Kind: unknown, Name: "type_nobody_documents"},
	}
	for i := range list {
		text, err := sampleFiles.ReadFile("samples/" + list[i].Name + ".json")
		if err != nil {
			panic(err) // the folder is embedded above
		}
		list[i].Body = text
	}
	return list
}

// Example shows the one setting without a default; without it the connection only receives.
func (c *Config) Example() string {
	return `api_key: {env: DRAWBRIDGE_SECRET_DATATHEOREM}   # DevSecOps in the portal; may read API and mobile results
`
}
