package elimity

import (
	"embed"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

var _ connectors.Sampler = (*connector)(nil)

// sampleFiles are a change request of each documented type, put together from the documented tables.
//
//go:embed samples
var sampleFiles embed.FS

// Samples are the four types of change requests.
func (c *connector) Samples() []connectors.Sample {
	var list []connectors.Sample
	for _, name := range []string{"entity_removal", "relationship_removal", "attribute_assignment", "review_submission"} {
		text, err := sampleFiles.ReadFile("samples/" + name + ".json")
		if err != nil {
			panic(err) // the folder is embedded above
		}
		list = append(list, connectors.Sample{Kind: connectors.ChangeRequested, Name: name, Body: text})
	}
	return list
}

// Example shows what lets the connection take decisions and see changes take effect; without any of it, it only
// receives.
func (c *Config) Example() string {
	return `base_url: https://example.elimity.com
journal: {source_id: 12, token: {env: DRAWBRIDGE_SECRET_ELIMITY_SOURCE}}   # a custom source, made for the purpose
check: {token_id: "7", token_secret: {env: DRAWBRIDGE_SECRET_ELIMITY_TOKEN}}
`
}
