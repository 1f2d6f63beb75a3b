package elimity

import "encoding/json"

// logLine is one line of a source's connector log.
type logLine struct {
	Level     string `json:"level"` // info or alert
	Message   string `json:"message"`
	Timestamp string `json:"timestamp"`
}

// sourceInfo is a source, as far as it is looked at.
type sourceInfo struct {
	ID         json.Number `json:"id"`
	Archived   bool        `json:"archived"`
	LastReload *string     `json:"lastReloadTimestamp"`
}

// query asks for entities of one type. Elimity's own client always sends all members.
type query struct {
	Alias                    string      `json:"alias"`
	Condition                any         `json:"condition"`
	DirectLinkGroupByQueries []any       `json:"directLinkGroupByQueries"`
	DirectLinkQueries        []any       `json:"directLinkQueries"`
	EntityType               string      `json:"entityType"`
	Include                  []any       `json:"include"`
	Limit                    int         `json:"limit"`
	LinkGroupByQueries       []any       `json:"linkGroupByQueries"`
	LinkQueries              []any       `json:"linkQueries"`
	Offset                   int         `json:"offset"`
	OrderBy                  []any       `json:"orderBy"`
	SourceID                 json.Number `json:"sourceId"`
}

// newQuery asks for at most one of the entities that meet a condition.
func newQuery(alias string, k key, condition any) query {
	none := []any{}
	return query{
		Alias: alias, Condition: condition, DirectLinkGroupByQueries: none, DirectLinkQueries: none, EntityType: k.Type,
		Include: none, Limit: 1, LinkGroupByQueries: none, LinkQueries: none, OrderBy: none, SourceID: k.Source,
	}
}

// page is the answer to one query.
type page struct {
	Results *[]struct {
		Entity struct {
			Active bool   `json:"active"`
			ID     string `json:"id"`
		} `json:"entity"`
		Inclusions []struct {
			Type  string `json:"type"`
			Value string `json:"value"`
		} `json:"inclusions"`
	} `json:"results"`
}

// The expressions a query is made of.
type (
	idIn struct {
		IDs       []string `json:"ids"`
		Reference string   `json:"reference"`
		Type      string   `json:"type"`
	}
	linkedTo struct {
		Alias      string      `json:"alias"`
		Condition  any         `json:"condition"`
		EntityType string      `json:"entityType"`
		LinkAlias  string      `json:"linkAlias"`
		SourceID   json.Number `json:"sourceId"`
		Type       string      `json:"type"`
	}
	all struct {
		Exprs []any  `json:"exprs"`
		Type  string `json:"type"`
	}
	inclusion struct {
		Expr any    `json:"expr"`
		Type string `json:"type"`
	}
	ofAttribute struct {
		AttributeType string `json:"attributeType"`
		Reference     string `json:"reference"`
		Type          string `json:"type"` // assigned or attribute
	}
)
