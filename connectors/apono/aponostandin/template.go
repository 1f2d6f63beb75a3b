package aponostandin

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
)

// Templates are webhook bodies with {{variables}} in them, as a customer types them.
type Templates struct {
	Request, Manual, Audit, Anomaly, Integration string
}

// SentinelTemplate and LogzTemplate are the examples on Apono's pages for Microsoft Sentinel and Logz.io, with their
// oddities: no id and a type in place of a resource's id in the first, an id in place of a name in the second.
const (
	SentinelTemplate = `[
  {
    "TimeGenerated": "{{event_time}}",
    "event_type": "{{event_type}}",
    "requester_id": "{{data.requester.id}}",
    "requester_name": "{{data.requester.name}}",
    "requester_email": "{{data.requester.email}}",
    "justification": "{{data.justification}}",
    "resource_id": "{{data.access_groups.[0].access_units.[0].resource.type.name}}",
    "resource_name": "{{data.access_groups.[0].access_units.[0].resource.name}}",
    "permission":  "{{data.access_groups.[0].access_units.[0].permission.name}}"
  }
]`
	LogzTemplate = `{"message": "{ \"event_type\": \"{{ event_type }}\", \"event_time\": \"{{ event_time }}\", \"id\": \"{{ data.id }}\", \"friendly_id\": \"{{ data.friendly_id }}\", \"requester_id\": \"{{ data.requester.id }}\", \"requester_name\": \"{{ data.requester.name }}\", \"requester_email\": \"{{ data.requester.email }}\", \"justification\": \"{{ data.justification }}\", \"creation_date\": \"{{ data.creation_date }}\", \"access_flow_id\": \"{{ data.access_flow.id }}\", \"access_flow_name\": \"{{ data.access_flow.name }}\", \"access_bundle_id\": \"{{ data.access_bundle.id }}\", \"access_bundle_name\": \"{{ data.access_bundle.id }}\", \"access_groups_integration_name\": \"{{ data.access_groups.[0].integration.name }}\", \"access_groups_integration_type\": \"{{ data.access_groups.[0].integration.type }}\"}", "type": "Apono"}`
)

// RequestTemplate carries what a ticket needs, the id above all.
const RequestTemplate = `{"event_type":"{{event_type}}","event_time":"{{event_time}}","data":{"id":"{{data.id}}","friendly_id":"{{data.friendly_id}}","requester":{"id":"{{data.requester.id}}","name":"{{data.requester.name}}","email":"{{data.requester.email}}"},"justification":"{{data.justification}}","creation_date":"{{data.creation_date}}","access_flow":{"id":"{{data.access_flow.id}}","name":"{{data.access_flow.name}}"},"access_duration_in_seconds":"{{data.access_duration_in_seconds}}","access_groups":[{"integration":{"name":"{{data.access_groups.[0].integration.name}}","type":"{{data.access_groups.[0].integration.type}}"},"access_units":[{"resource":{"name":"{{data.access_groups.[0].access_units.[0].resource.name}}"},"permission":{"name":"{{data.access_groups.[0].access_units.[0].permission.name}}"}}]}],"approvals":[{"status":"{{data.approvals.[0].status}}","approver":{"name":"{{data.approvals.[0].approver.name}}","email":"{{data.approvals.[0].approver.email}}"}},{"status":"{{data.approvals.[1].status}}","approver":{"name":"{{data.approvals.[1].approver.name}}","email":"{{data.approvals.[1].approver.email}}"}}]}}`

func (t Templates) withDefaults() Templates {
	const audit = `{"event_type":"{{event_type}}","event_time":"{{event_time}}","data":{"timestamp":"{{data.timestamp}}","action":"{{data.action}}","actor_id":"{{data.actor_id}}","actor_name":"{{data.actor_name}}","source":"{{data.source}}","target_id":"{{data.target_id}}","target_type":"{{data.target_type}}","target_name":"{{data.target_name}}"}}`
	const anomaly = `{"event_type":"{{event_type}}","event_time":"{{event_time}}","request_id":"{{data.id}}","anomaly":"{{data.anomaly}}","requester_email":"{{data.requester.email}}"}`
	const integration = `{"event_type":"{{event_type}}","event_time":"{{event_time}}","integration":{"id":"{{data.integration.id}}","name":"{{data.integration.name}}","type":"{{data.integration.type}}"},"status":"{{data.status}}"}`
	for _, p := range []struct {
		to       *string
		fallback string
	}{
		{&t.Request, RequestTemplate}, {&t.Manual, RequestTemplate}, {&t.Audit, audit}, {&t.Anomaly, anomaly}, {&t.Integration, integration},
	} {
		if *p.to == "" {
			*p.to = p.fallback
		}
	}
	return t
}

// Escaping is how values are pasted into templates; which of these Apono does is not documented.
type Escaping int

const (
	EscapeHTML Escaping = iota // as stock Handlebars: marks of HTML are escaped, line breaks and backslashes are not
	EscapeJSON                 // as it would be right
	EscapeNone                 // as people typed them
)

var placeholder = regexp.MustCompile(`\{\{\s*([^{}\s]+)\s*\}\}`)

// render fills a template. What the payload lacks becomes an empty text.
func (s *Server) render(template string, payload map[string]any) []byte {
	return []byte(placeholder.ReplaceAllStringFunc(template, func(found string) string {
		value := lookUp(payload, placeholder.FindStringSubmatch(found)[1])
		switch s.options.Escaping {
		case EscapeJSON:
			return escapeJSON(value)
		case EscapeNone:
			return value
		default:
			return handlebars.Replace(value)
		}
	}))
}

// lookUp follows a path like data.access_groups.[0].integration.name.
func lookUp(payload any, path string) string {
	for _, step := range strings.Split(path, ".") {
		switch at := payload.(type) {
		case map[string]any:
			payload = at[step]
		case []any:
			i, err := strconv.Atoi(strings.Trim(step, "[]"))
			if err != nil || i < 0 || i >= len(at) {
				return ""
			}
			payload = at[i]
		default:
			return ""
		}
	}
	switch value := payload.(type) {
	case string:
		return value
	case json.Number:
		return value.String()
	case map[string]any:
		return "[object Object]"
	default:
		return ""
	}
}

var handlebars = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&#x27;", "`", "&#x60;", "=", "&#x3D;")

func escapeJSON(value string) string {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(value) // a text can always be written
	return strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(b.String()), `"`), `"`)
}
