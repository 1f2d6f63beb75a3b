package epm

import (
	"maps"
	"slices"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// events is a set of the four documented events.
type events uint8

const (
	appCreated events = 1 << iota
	appDecided
	adminCreated
	adminDecided

	decided = appDecided | adminDecided
	apps    = appCreated | appDecided
	admins  = adminCreated | adminDecided
	all     = apps | admins
)

// form is how a variable's text is written.
type form uint8

const (
	plain   form = iota
	line         // text that never holds a line break or another control character: names and paths
	id           // a text that says which request this is: never twice, never anything but a text
	truth        // True or False
	instant      // a time in UTC
	seconds      // a number of seconds
	length       // a length whose unit is not documented: a number where it is one
)

// variable is one %%Name%% of EPM's webhook templates.
type variable struct {
	name    string
	in      events
	form    form
	doc     string
	allowed []string
}

// The variables the code reads by name. The rest is only carried along.
const (
	vEventType = iota
	vRequestID
	vTenantID
	vTicketNumber
	vTimestamp
	vDecision
	vDecisionTime
	vPerformedBy
	vDuration
	vStartTime
	vEndTime
	vReason
	vUser
	vUserID
	vUserName
	vComputerID
	vProductName
	vFilePath
	vComDisplayName
	vStoreAppName
	vServiceName
	vProductDescription
	vBundleDescription
)

// documented is every variable in the vendor's tables, with its name as printed there, those read by name first.
// RequestVersion stands in the vendor's example template only. The forms of truth, instant and seconds are documented
// too; a value that is not of its form stays text.
var documented = []variable{
	vEventType:          {"EventType", all, id, "what EPM calls the event", nil},
	vRequestID:          {"RequestId", all, id, "the request's id, needed to answer EPM", nil},
	vTenantID:           {"TenantId", all, id, "the EPM tenant", nil},
	vTicketNumber:       {"TicketNumber", all, id, "EPM's own number for the request, like EPM000001", nil},
	vTimestamp:          {"Timestamp", all, instant, "when the event was made", nil},
	vDecision:           {"Decision", decided, plain, "what was decided", []string{"Approved", "Denied"}},
	vDecisionTime:       {"DecisionTime", decided, instant, "when it was decided", nil},
	vPerformedBy:        {"DecisionPerformedByUser", decided, line, "who decided", nil},
	vDuration:           {"Duration", decided, seconds, "for how long access is given; documented as seconds for applications", nil},
	vStartTime:          {"StartTime", adminDecided, instant, "when administrator rights begin", nil},
	vEndTime:            {"EndTime", adminDecided, instant, "when administrator rights end", nil},
	vReason:             {"Reason", appCreated | adminCreated, plain, "the requester's own words", nil},
	vUser:               {"User", appCreated, line, "who asks", nil},
	vUserID:             {"UserId", adminCreated, line, "id of the person who asks", nil},
	vUserName:           {"UserName", adminCreated, line, "who asks", nil},
	vComputerID:         {"ComputerId", adminCreated, line, "id of the computer", nil},
	vProductName:        {"ProductName", appCreated, plain, "product, as the file says", nil},
	vFilePath:           {"FilePathObjectId", appCreated, line, "path of the file, or object id of the COM class", nil},
	vComDisplayName:     {"ComDisplayName", appCreated, plain, "display name of the COM class", nil},
	vStoreAppName:       {"StoreAppName", appCreated, plain, "name of the store app (Windows)", nil},
	vServiceName:        {"ServiceName", appCreated, plain, "service the request is about", nil},
	vProductDescription: {"ProductDescription", appCreated, plain, "product description, as the file says", nil},
	vBundleDescription:  {"BundleInfoDescription", appCreated, plain, "description of the app bundle (macOS)", nil},

	{"Action", appCreated, plain, "what is asked for (macOS)", []string{"RUN", "SUDO", "INSTALL", "DELETE"}},
	{"ApplicationGroup", appCreated, plain, "application group the policy matched", nil},
	{"ApplicationType", appCreated, plain, "type of the application", nil},
	{"AuthRequestUri", appCreated, plain, "authorization right the app needs (macOS)", nil},
	{"BtZoneIdentifierExists", appCreated, truth, "the file is marked as downloaded from the web", nil},
	{"ClsID", appCreated, plain, "id of the COM class", nil},
	{"CmdArgs", appCreated, plain, "command line", nil},
	{"ComputerGroup", appCreated, plain, "computers under the same policy", nil},
	{"DownloadSourceUrl", appCreated, plain, "where the file was downloaded from", nil},
	{"DriveType", appCreated, plain, "kind of drive the file is on", nil},
	{"DurationRequested", admins, length, "for how long rights are asked for", nil},
	{"FileVersion", appCreated, plain, "file version, as the file says", nil},
	{"GroupId", appCreated | adminCreated, plain, "id of the computer group", nil},
	{"HostedFilePath", appCreated, line, "file loaded by the process (Windows)", nil},
	{"HostType", appCreated, plain, "kind of the computer: Windows, macOS", nil},
	{"Hostname", appCreated, line, "the computer's name", nil},
	{"Message", appCreated, plain, "name of the message the policy showed", nil},
	{"MessageId", appCreated, plain, "id of the message the policy showed", nil},
	{"OsName", appCreated, plain, "operating system of the computer", nil},
	{"OsVersion", appCreated, plain, "its version", nil},
	{"ParentProcess", appCreated, line, "path of the parent process (Windows)", nil},
	{"ProductCode", appCreated, plain, "product code of an installer package", nil},
	{"ProductVersion", appCreated, plain, "product version, as the file says", nil},
	{"Publisher", appCreated, plain, "publisher, as the file says", nil},
	{"ReputationIntegrationType", appCreated, plain, "where the reputation score comes from", nil},
	{"ReputationScore", appCreated, plain, "reputation when the request was made", nil},
	{"ReputationScoreDateTime", appCreated, instant, "when the reputation was looked up", nil},
	{"RequestVersion", appCreated, plain, "in the vendor's example template only", nil},
	{"ServiceAction", appCreated, plain, "what is done to the service: start, stop, pause, configure", nil},
	{"Sha1Hash", appCreated, plain, "SHA-1 of the file", nil},
	{"Sha256Hash", appCreated, plain, "SHA-256 of the file", nil},
	{"Token", appCreated, plain, "token the policy applies", nil},
	{"TokenAssignmentIsShell", appCreated, truth, "the rule was an on-demand rule", nil},
	{"TrustedOwnership", appCreated, truth, "the file is in a trusted place", nil},
	{"UacTriggered", appCreated, truth, "Windows wanted UAC for the file", nil},
	{"UpgradeCode", appCreated, plain, "upgrade code of an installer package", nil},
	{"UserLanguage", appCreated, plain, "the requester's language", nil},
	{"Workstyle", appCreated, plain, "workstyle the policy matched", nil},
}

// fold makes names comparable whatever their case and their separators: HostName, hostname and host_name are one.
// Only ASCII is folded, so no look-alike letter passes for another.
func fold(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		case r == '_' || r == '-' || r == ' ':
			return -1
		}
		return r
	}, name)
}

// fieldMap says which value of a body is which variable, for one connection.
type fieldMap struct {
	variables []variable
	byKey     map[string]int      // folded key → variable, for those without pointers
	byPointer map[string]position // lower-case pointer → variable
}

type position struct{ variable, rank int }

func newFieldMap(given map[string][]string, f *faults) *fieldMap {
	m := &fieldMap{variables: slices.Clone(documented), byKey: map[string]int{}, byPointer: map[string]position{}}
	for i, v := range documented {
		m.byKey[fold(v.name)] = i
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
		v, known := m.byKey[fold(name)]
		if known {
			delete(m.byKey, fold(name))
		} else {
			v = len(m.variables)
			m.variables = append(m.variables, variable{name: name, in: all, form: plain, doc: "set by settings.fields"})
		}
		for rank, p := range given[name] {
			p = strings.ToLower(p)
			if old, taken := m.byPointer[p]; taken {
				f.add(path, "%s is used by %s already", p, m.variables[old.variable].name)
			}
			m.byPointer[p] = position{v, rank}
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

// declare lists the fields of one event's data.
func (m *fieldMap) declare(of events) []connectors.Field {
	var fields []connectors.Field
	for i, v := range m.variables {
		if v.in&of == 0 {
			continue
		}
		fields = append(fields, connectors.Field{
			ID: v.name, Type: v.kind(of), Required: i == vRequestID, Allowed: v.allowed, Doc: v.doc,
		})
	}
	slices.SortFunc(fields, func(a, b connectors.Field) int { return strings.Compare(fold(a.ID), fold(b.ID)) })
	return fields
}

func (v variable) kind(of events) string {
	switch {
	case v.form == truth:
		return "bool"
	case v.form == instant:
		return "time"
	case v.form == seconds && of == appDecided:
		return "number"
	case v.form == seconds, v.form == length:
		return "any"
	default:
		return "text"
	}
}
