package datatheorem

import "github.com/drawbridge-itsm/drawbridge/connectors"

// fieldFindingID is documented for the API's finding targets; where an event has it, the target can be asked for.
const fieldFindingID = "security_finding_id"

// fieldVersion is the version of the event's layout, which stands beside its data.
const fieldVersion = "event_version"

var versionField = connectors.Field{ID: fieldVersion, Type: "number", Doc: "the version of the event's layout; 1 is the only documented one"}

// findingFields are the documented members of a policy violation's data. Any may be absent; affected_asset has other
// members for other types of assets.
var findingFields = []connectors.Field{
	{ID: "additional_information", Type: "text", Doc: "more about the violation"},
	{ID: "affected_asset", Type: "object", Doc: "what is affected: uuid, name, portal_url, date_created, discovered_via, url, hosted_on, type, belongs_to_asset_group (name, uuid), cloud_console_url"},
	{ID: "date_created", Type: "time", Doc: "when it was found"},
	{ID: "description", Type: "text", Doc: "what is wrong"},
	versionField,
	{ID: "exception_date_created", Type: "time", Doc: "when an exception was granted"},
	{ID: "exception_explanation", Type: "text", Doc: "why an exception was granted"},
	{ID: "policy_name", Type: "text", Doc: "the policy that is violated"},
	{ID: "policy_portal_url", Type: "text", Doc: "its page in the portal"},
	{ID: "policy_uuid", Type: "text", Doc: "its id"},
	{ID: "policy_violation_status", Type: "text", Doc: "the violation's status; RESOLVED is the only documented value"},
	{ID: "portal_url", Type: "text", Doc: "the violation's page in the portal"},
	{ID: "recommendation", Type: "text", Doc: "how to mend it"},
	{ID: "relevance", Type: "text", Doc: "how much it matters; IMPORTANT is the only documented value"},
	{ID: fieldFindingID, Type: "text", Doc: "of a mobile finding target: its finding; not documented for events"},
	{ID: "uuid", Type: "text", Required: true, Doc: "the violation's id"},
	{ID: "violated_policy_rule_type_uuid", Type: "text", Doc: "the type of the rule that is violated"},
	{ID: "violated_policy_rule_uuid", Type: "text", Doc: "the rule that is violated"},
}

// auditFields are the documented members of events about users. Their can_... flags are carried along.
var auditFields = []connectors.Field{
	{ID: "auth_failed_reason", Type: "text", Doc: "why a login failed"},
	{ID: "auth_strategy", Type: "text", Doc: "how the user logs in"},
	{ID: "created_by", Type: "text", Doc: "who made the user"},
	{ID: "deleted_by", Type: "text", Doc: "who deleted the user"},
	versionField,
	{ID: "ip_address", Type: "text", Doc: "where the user came from"},
	{ID: "role", Type: "text", Doc: "the user's role"},
	{ID: "user_login_email", Type: "text", Doc: "the user"},
}

// assetFields are what a discovered service is expected to have: the members a violation's asset is documented with.
var assetFields = []connectors.Field{
	{ID: "date_created", Type: "time", Doc: "when it was found"},
	{ID: "discovered_via", Type: "text", Doc: "how it was found, like WEBSITE_CRAWLER"},
	versionField,
	{ID: "hosted_on", Type: "text", Doc: "where it is hosted"},
	{ID: "name", Type: "text", Doc: "its name"},
	{ID: "portal_url", Type: "text", Doc: "its page in the portal"},
	{ID: "type", Type: "text", Doc: "its type, like NETWORK_SERVICE"},
	{ID: "url", Type: "text", Doc: "its address"},
	{ID: "uuid", Type: "text", Doc: "its id"},
}

// anyFields are what may be found in events of which nothing is documented.
var anyFields = []connectors.Field{
	versionField,
	{ID: "name", Type: "text", Doc: "a name, where the event has one"},
	{ID: "portal_url", Type: "text", Doc: "a page in the portal, where the event has one"},
	{ID: "uuid", Type: "text", Doc: "an id, where the event has one"},
}

var testFields = []connectors.Field{{ID: "event", Type: "text", Doc: "the text of the connectivity check"}}

// texts are the members declared as text or time in any kind.
var texts = func() map[string]bool {
	names := map[string]bool{}
	for _, list := range [][]connectors.Field{findingFields, auditFields, assetFields, anyFields} {
		for _, f := range list {
			if f.Type == "text" || f.Type == "time" {
				names[f.ID] = true
			}
		}
	}
	return names
}()

// prose are the members that arrive with line breaks escaped twice.
var prose = []string{"description", "recommendation", "additional_information"}
