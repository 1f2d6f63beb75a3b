package apono

import (
	"maps"
	"slices"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// family is a set of the kinds of webhooks, whose payloads differ.
type family uint8

const (
	requests family = 1 << iota
	audits
	anomalies
	integrations

	all     = requests | audits | anomalies | integrations
	notices = requests | anomalies // what tells of a request
)

// kindOf says which payload a kind of event has.
type kindOf struct {
	kind   string
	family family
}

var kinds = []kindOf{
	{connectors.AccessRequested, requests},
	{connectors.AccessApproved, requests},
	{connectors.AccessDenied, requests},
	{connectors.AccessGranted, requests},
	{connectors.AccessExpired, requests},
	{connectors.AccessFailed, requests},
	{connectors.Audit, audits},
	{connectors.Anomaly, anomalies},
	{connectors.IntegrationWarning, integrations},
}

func familyOf(kind string) family {
	i := slices.IndexFunc(kinds, func(k kindOf) bool { return k.kind == kind })
	return kinds[i].family
}

// manual is the type of a webhook that asks: an access flow waits for the answer.
const manual = "manual"

// documentedTypes are the triggers, as foldType writes them.
var documentedTypes = map[string]string{
	"requestcreated":  connectors.AccessRequested,
	"requestapproved": connectors.AccessApproved,
	"requestrejected": connectors.AccessDenied,
	"requestgranted":  connectors.AccessGranted,
	"requestexpired":  connectors.AccessExpired,
	"requestfailed":   connectors.AccessFailed,
	manual:            manual,
}

// foldType makes event types comparable. A trigger is RequestCreated in one place of the documentation and
// AccessRequestCreated in another.
func foldType(text string) string {
	return strings.TrimPrefix(strings.ReplaceAll(fold(text), "_", ""), "access")
}

// form is how a variable's value is written.
type form uint8

const (
	plain   form = iota
	id           // says which event this is: never twice, never anything but a text or a whole number
	instant      // seconds and a fraction since 1970, or RFC 3339
	number       // a number
	list         // a list, whole
	anyhow       // whatever it is, whole
)

// variable is one variable of Apono's webhook templates. It is known by its name, and by the names its documented path
// comes to when a body repeats the payload's own layout.
type variable struct {
	name  string
	in    family
	form  form
	doc   string
	paths []string // as fold and the joining of keys write them, besides name
}

// The variables the code reads by name. The rest is only carried along.
const (
	vEventType = iota
	vEventTime
	vID
	vRequestID
	vFriendlyID
	vRequesterID
	vRequesterName
	vRequesterEmail
	vJustification
	vFlowName
	vBundleName
	vDuration
	vIntegrationName
	vResourceName
	vPermissionName
	vApprovalStatus
	vApproverID
	vApproverName
	vApproverEmail
	vAccessGroups
	vApprovals
	vTimestamp
	vAction
	vActorID
	vActorName
	vTargetID
	vTargetType
	vTargetName
	vStatus
)

const (
	friendlyIDName   = "friendly_id"
	accessGroupsName = "access_groups"
	approvalsName    = "approvals"
)

// documented is every variable of the documented payloads, those read by name first. Names are the documented paths
// without data., joined by _, and shortened where the path runs through lists: of a list the first element counts, and
// the list itself is carried whole where the body has it. request_id and status of anomalies and integrations are the
// customer's to add, as their payloads are not documented.
var documented = []variable{
	vEventType:       {"event_type", all, id, "what Apono calls the event", nil},
	vEventTime:       {"event_time", all, instant, "when it happened", []string{"time_generated"}},
	vID:              {"id", all &^ audits, id, "the request's id, needed to answer Apono", nil},
	vRequestID:       {"request_id", all &^ audits, id, "the request an anomaly or another event belongs to, where the template says so", nil},
	vFriendlyID:      {friendlyIDName, notices, id, "the request's id for people, like AR-123", nil},
	vRequesterID:     {"requester_id", notices, plain, "id of the person who asks", nil},
	vRequesterName:   {"requester_name", notices, plain, "name of the person who asks", nil},
	vRequesterEmail:  {"requester_email", notices, plain, "address of the person who asks", nil},
	vJustification:   {"justification", notices, plain, "the requester's own words", nil},
	vFlowName:        {"access_flow_name", notices, plain, "name of the access flow", nil},
	vBundleName:      {"access_bundle_name", notices, plain, "name of the bundle", nil},
	vDuration:        {"access_duration_in_seconds", notices, number, "for how long access is asked for", nil},
	vIntegrationName: {"integration_name", notices | integrations, plain, "name of the integration", []string{"access_groups_integration_name"}},
	vResourceName:    {"resource_name", notices, plain, "name of the resource", []string{"access_groups_access_units_resource_name"}},
	vPermissionName:  {"permission_name", notices, plain, "the permission asked for", []string{"access_groups_access_units_permission_name", "permission"}},
	vApprovalStatus:  {"approval_status", requests, plain, "status of the first approval", []string{"approvals_status"}},
	vApproverID:      {"approver_id", requests, plain, "id of the first approver", []string{"approvals_approver_id"}},
	vApproverName:    {"approver_name", requests, plain, "name of the first approver", []string{"approvals_approver_name"}},
	vApproverEmail:   {"approver_email", requests, plain, "address of the first approver", []string{"approvals_approver_email"}},
	vAccessGroups:    {accessGroupsName, notices, list, "everything asked for, by integration", nil},
	vApprovals:       {approvalsName, requests, list, "who was asked to approve, and what they answered", nil},
	vTimestamp:       {"timestamp", audits, instant, "when the change was made", nil},
	vAction:          {"action", audits, plain, "what was done", nil},
	vActorID:         {"actor_id", audits, plain, "address of the person who did it", nil},
	vActorName:       {"actor_name", audits, plain, "name of the person who did it", nil},
	vTargetID:        {"target_id", audits, plain, "id of what was changed", nil},
	vTargetType:      {"target_type", audits, plain, "what was changed: access flow, bundle, integration", nil},
	vTargetName:      {"target_name", audits, plain, "name of what was changed", nil},
	vStatus:          {"status", integrations, plain, "status of the integration", nil},

	{"grantee_id", notices, plain, "id of who receives access", nil},
	{"grantee_source_id", notices, plain, "id of who receives access, where they come from", nil},
	{"grantee_name", notices, plain, "name of who receives access", nil},
	{"grantee_type", notices, plain, "what receives access", nil},
	{"creation_date", notices, instant, "when the request was made", nil},
	{"revocation_date", notices, instant, "when access ends", nil},
	{"access_flow_id", notices, plain, "id of the access flow", nil},
	{"access_bundle_id", notices, plain, "id of the bundle", nil},
	{"integration_id", notices | integrations, plain, "id of the integration", []string{"access_groups_integration_id"}},
	{"integration_type", notices | integrations, plain, "type of the integration", []string{"access_groups_integration_type"}},
	{"resource_types_id", notices, plain, "id of the first type of resource asked for", []string{"access_groups_resource_types_id"}},
	{"resource_types_name", notices, plain, "name of the first type of resource asked for", []string{"access_groups_resource_types_name"}},
	{"resource_types_display_path", notices, plain, "the first type of resource asked for, with its path", []string{"access_groups_resource_types_display_path"}},
	{"resource_id", notices, plain, "id of the resource", []string{"access_groups_access_units_resource_id"}},
	{"resource_path", notices, plain, "path of the resource", []string{"access_groups_access_units_resource_path"}},
	{"resource_type_id", notices, plain, "id of the resource's type", []string{"access_groups_access_units_resource_type_id"}},
	{"resource_type_name", notices, plain, "name of the resource's type", []string{"access_groups_access_units_resource_type_name"}},
	{"resource_type_display_path", notices, plain, "the resource's type, with its path", []string{"access_groups_access_units_resource_type_display_path"}},
	{"permission_id", notices, plain, "id of the permission", []string{"access_groups_access_units_permission_id"}},
	{"approvals_logical_relation", requests, plain, "whether one approver is enough or all are needed", nil},
	{"approval_name", requests, plain, "name of the first approval", []string{"approvals_name"}},
	{"approval_type", requests, plain, "type of the first approval", []string{"approvals_type"}},
	{"actor_type", audits, plain, "what did it", nil},
	{"source", audits, plain, "from where: API, integration, Terraform, web application", nil},
	{"metadata", audits, anyhow, "further facts about the change", nil},
	{"current_target_object", audits, anyhow, "what was changed, as it is now", nil},
	{"previous_target_object", audits, anyhow, "what was changed, as it was before", nil},
}

// fold makes names comparable: requesterName, Requester-Name and requester_name are one, and data.requester.name comes
// to the same when its keys are joined. Only ASCII is folded, so no look-alike letter passes for another.
func fold(name string) string {
	if !strings.ContainsFunc(name, func(r rune) bool { return r >= 'A' && r <= 'Z' || r == '-' || r == ' ' || r == '.' }) {
		return name
	}
	var b strings.Builder
	for i := range len(name) {
		c := name[i]
		switch {
		case c >= 'A' && c <= 'Z':
			if i > 0 && (name[i-1] >= 'a' && name[i-1] <= 'z' || name[i-1] >= '0' && name[i-1] <= '9') {
				b.WriteByte('_')
			}
			c += 'a' - 'A'
		case c == '-', c == ' ', c == '.':
			c = '_'
		}
		b.WriteByte(c)
	}
	return b.String()
}

// fieldMap says which value of a body is which variable, for one connection.
type fieldMap struct {
	variables []variable
	byPath    map[string]int      // folded path → variable, for those without pointers
	byPointer map[string]position // lower-case pointer → variable
	longest   int                 // no variable stands below a longer pointer
}

type position struct{ variable, rank int }

func newFieldMap(given map[string][]string, f *faults) *fieldMap {
	m := &fieldMap{variables: slices.Clone(documented), byPath: map[string]int{}, byPointer: map[string]position{}, longest: 256}
	names := map[string]int{}
	for i, v := range documented {
		names[v.name] = i
		for _, path := range append([]string{v.name}, v.paths...) {
			m.byPath[path] = i
		}
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		path := "fields." + name
		if !plainName(name) {
			f.add(path, "is no name of letters, digits and _ that starts with a letter")
			continue
		}
		if len(given[name]) == 0 {
			f.add(path, "lists no JSON pointer")
		}
		f.pointers(path, given[name])
		v, known := names[name]
		if known {
			maps.DeleteFunc(m.byPath, func(_ string, i int) bool { return i == v })
		} else {
			v = len(m.variables)
			m.variables = append(m.variables, variable{name: name, in: all, doc: "set by settings.fields"})
		}
		for rank, p := range given[name] {
			p = strings.ToLower(p)
			if old, taken := m.byPointer[p]; taken {
				f.add(path, "%s is used by %s already", p, m.variables[old.variable].name)
			}
			m.byPointer[p] = position{v, rank}
			m.longest = max(m.longest, len(p))
		}
	}
	return m
}

func plainName(name string) bool {
	for i, r := range name {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if !letter && (i == 0 || r != '_' && (r < '0' || r > '9')) {
			return false
		}
	}
	return name != ""
}

// declare lists the fields of the data of one family's events.
func (m *fieldMap) declare(of family) []connectors.Field {
	var fields []connectors.Field
	for _, v := range m.variables {
		if v.in&of != 0 {
			fields = append(fields, connectors.Field{ID: v.name, Type: v.form.kind(), Doc: v.doc})
		}
	}
	slices.SortFunc(fields, func(a, b connectors.Field) int { return strings.Compare(a.ID, b.ID) })
	return fields
}

func (f form) kind() string {
	switch f {
	case instant:
		return "time"
	case number:
		return "number"
	case list:
		return "list"
	case anyhow:
		return "any"
	default:
		return "text"
	}
}
