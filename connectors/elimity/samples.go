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

// Samples are the four types of change requests, and a type that nobody documents. That a change was made is found out by
// asking, so there is no body that says it.
func (c *connector) Samples() []connectors.Sample {
	list := []connectors.Sample{
		{Kind: connectors.ChangeRequested, Name: "entity_removal"},
		{Kind: connectors.ChangeRequested, Name: "relationship_removal"},
		{Kind: connectors.ChangeRequested, Name: "attribute_assignment"},
		{Kind: connectors.ChangeRequested, Name: "review_submission"},
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

// Example shows what lets the connection take decisions and see changes take effect; without any of it, it only
// receives.
func (c *Config) Example() string {
	return `base_url: https://example.elimity.com
journal: {source_id: 12, token: {env: DRAWBRIDGE_SECRET_ELIMITY_SOURCE}}   # a custom source, made for the purpose
check: {token_id: "7", token_secret: {env: DRAWBRIDGE_SECRET_ELIMITY_TOKEN}}
`
}
