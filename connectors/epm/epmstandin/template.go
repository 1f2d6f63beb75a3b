package epmstandin

import (
	"bytes"
	"encoding/json"
	"maps"
	"regexp"
	"strings"
	"time"
)

// Templates are webhook bodies with %%Variable%% in them, as a customer types them.
type Templates struct {
	ApplicationCreated, ApplicationDecided, AdminCreated, AdminDecided string
}

// VendorTemplate is the example in BeyondTrust's documentation, with its oddities: workstyle twice, names that are not
// quite those of the variables, and no TicketNumber.
const VendorTemplate = `{ "EventType": "%%EventType%%", "RequestId": "%%RequestId%%", "TenantId": "%%TenantId%%", "Timestamp": "%%Timestamp%%", "requestInfo": { "applicationType": "%%ApplicationType%%", "action": "%%Action%%", "workstyle": "%%Workstyle%%", "reason": "%%Reason%%", "user": "%%User%%", "hostName": "%%HostName%%", "trustedOwnership": "%%trustedOwnership%%", "productDescription": "%%ProductDescription%%", "driveType": "%%DriveType%%", "btZoneIdentifierExists": "%%BtZoneIdentifierExists%%", "productCode": "%%ProductCode%%", "upgradeCode": "%%UpgradeCode%%", "clsId": "%%ClsId%%", "comDisplayName": "%%ComDisplayName%%", "token": "%%Token%%", "tokenAssignmentIsShell": "%%TokenAssignmentIsShell%%", "uacTriggered": "%%UacTriggered%%", "downloadSourceUrl": "%%DownloadSourceUrl%%", "userLanguage": "%%UserLanguage%%", "sha1Hash": "%%Sha1Hash%%", "sha256Hash": "%%Sha256Hash%%", "filePathObjectId": "%%FilePathObjectId%%", "cmdArgs": "%%CmdArgs%%", "publisher": "%%Publisher%%", "productName": "%%ProductName%%", "productVersion": "%%ProductVersion%%", "fileVersion": "%%FileVersion%%", "workstyle": "%%Workstyle%%", "applicationGroup": "%%ApplicationGroup%%", "message": "%%Message%%", "messageId": "%%MessageId%%", "hostType": "%%HostType%%", "osName": "%%OsName%%", "osVersion": "%%OsVersion%%", "ComputerGroup": "%%ComputerGroup%%", "GroupId": "%%GroupId%%", "requestVersion": "%%RequestVersion%%", "hostedFilePath": "%%HostedFilePath%%", "parentProcess": "%%ParentProcess%%", "storeAppName": "%%StoreAppName%%", "serviceName": "%%ServiceName%%", "serviceAction": "%%ServiceAction%%", "authRequestUri": "%%AuthRequestUri%%", "bundleInfoDescription": "%%BundleInfoDescription%%", "reputationScoreDateTime": "%%ReputationScoreDateTime%%", "reputationScore": "%%ReputationScore%%", "reputationIntegrationType": "%%ReputationIntegrationType%%" } }`

// withDefaults fills in the vendor's example with TicketNumber added, which a decision needs, and flat objects of the
// documented variables for the other three events.
func (t Templates) withDefaults() Templates {
	const ids = `"EventType":"%%EventType%%","RequestId":"%%RequestId%%","TicketNumber":"%%TicketNumber%%","TenantId":"%%TenantId%%","Timestamp":"%%Timestamp%%"`
	const decided = `"Decision":"%%Decision%%","DecisionTime":"%%DecisionTime%%","DecisionPerformedByUser":"%%DecisionPerformedByUser%%","Duration":"%%Duration%%"`
	t.ApplicationCreated = or(t.ApplicationCreated, strings.Replace(VendorTemplate, `"TenantId"`, `"TicketNumber": "%%TicketNumber%%", "TenantId"`, 1))
	t.ApplicationDecided = or(t.ApplicationDecided, "{"+ids+","+decided+"}")
	t.AdminCreated = or(t.AdminCreated, "{"+ids+`,"ComputerId":"%%ComputerId%%","GroupId":"%%GroupId%%","Reason":"%%Reason%%","UserId":"%%UserId%%","UserName":"%%UserName%%","DurationRequested":"%%DurationRequested%%"}`)
	t.AdminDecided = or(t.AdminDecided, "{"+ids+","+decided+`,"StartTime":"%%StartTime%%","EndTime":"%%EndTime%%","DurationRequested":"%%DurationRequested%%"}`)
	return t
}

var placeholder = regexp.MustCompile(`%%\w+%%`)

// render fills a template; variables that are not known stay as they are.
func (s *Server) render(template string, variables map[string]string) []byte {
	values := make(map[string]string, len(variables))
	for name, value := range variables {
		values[s.variableName(name)] = value
	}
	return placeholder.ReplaceAllFunc([]byte(template), func(found []byte) []byte {
		value, ok := values[s.variableName(string(found[2:len(found)-2]))]
		switch {
		case !ok:
			return found
		case s.options.RawValues:
			return []byte(value)
		default:
			return escape(value)
		}
	})
}

func (s *Server) variableName(name string) string {
	if s.options.ExactNames {
		return name
	}
	return strings.ToLower(name)
}

// escape writes a value the way it stands inside a JSON text.
func escape(value string) []byte {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(value) // a text can always be written
	return bytes.TrimSuffix(bytes.TrimPrefix(bytes.TrimSpace(b.Bytes()), []byte(`"`)), []byte(`"`))
}

func stamp(t time.Time) string { return t.UTC().Format("20060102T150405Z") }

// createdBody is the webhook of a new request.
func (s *Server) createdBody(r *Request) []byte {
	v := s.common(r)
	maps.Copy(v, r.Variables)
	if r.Admin {
		v["EventType"] = "JIT_ADMIN_TICKET_CREATED"
		return s.render(s.options.Templates.AdminCreated, v)
	}
	v["EventType"] = "URM_Native_Ticket_Created"
	return s.render(s.options.Templates.ApplicationCreated, v)
}

// decidedBody is the webhook of a decision. For administrator rights it carries the creation's type, as documented.
func (s *Server) decidedBody(r *Request) []byte {
	v := s.common(r)
	v["Decision"], v["DecisionTime"], v["DecisionPerformedByUser"] = string(r.State), stamp(r.DecidedAt), r.By
	v["Duration"] = or(r.Duration, r.Variables["DurationRequested"])
	if !r.Admin {
		v["EventType"] = "URM_NATIVE_DECISION_UPDATE"
		return s.render(s.options.Templates.ApplicationDecided, v)
	}
	v["EventType"] = "JIT_ADMIN_TICKET_CREATED"
	v["DurationRequested"] = r.Variables["DurationRequested"]
	if length, err := time.ParseDuration(v["Duration"] + "s"); err == nil && r.State == Approved {
		v["StartTime"], v["EndTime"] = stamp(r.DecidedAt), stamp(r.DecidedAt.Add(length))
	}
	return s.render(s.options.Templates.AdminDecided, v)
}

func (s *Server) common(r *Request) map[string]string {
	return map[string]string{
		"RequestId": r.ID, "TicketNumber": r.Number, "TenantId": s.options.Tenant, "Timestamp": stamp(s.options.Now()),
	}
}
