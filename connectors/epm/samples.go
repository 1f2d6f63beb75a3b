package epm

import (
	"encoding/json"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

var _ connectors.Sampler = (*connector)(nil)

// samples are the documented events, with what the stand-in for a person and a computer would say. EPM has no payload of
// its own: each is a template filled in, as EPM fills in the customer's. Each is of a request of its own, so that none
// finds its request decided by another where they are sent together.
var samples = []struct {
	kind   string
	in     events
	values map[string]string
}{
	{connectors.AccessRequested, appCreated, appSample},
	{connectors.AccessApproved, appDecided, decisionSample("URM_NATIVE_DECISION_UPDATE", "Approved", map[string]string{
		"RequestId": "8a4d27b6-5c0e-4b0f-8f43-5d1c2e9a3c03", "TicketNumber": "EPM000044",
	})},
	{connectors.AccessDenied, appDecided, decisionSample("URM_NATIVE_DECISION_UPDATE", "Denied", map[string]string{
		"RequestId": "b2c7e9d1-3f48-4e6a-9d17-6e2f4b8c4d04", "TicketNumber": "EPM000045",
	})},
	{connectors.AdminRequested, adminCreated, adminSample},
	// The documented type of a decision on administrator rights is that of the request.
	{connectors.AdminApproved, adminDecided, decisionSample("JIT_ADMIN_TICKET_CREATED", "Approved", map[string]string{
		"RequestId": "d6e1f3a8-9b25-4c7d-8a50-7f3a5c9d5e05", "TicketNumber": "EPM000046",
		"StartTime": "20260105T102100Z", "EndTime": "20260105T112100Z", "DurationRequested": "3600", "Duration": "3600",
	})},
	{connectors.AdminDenied, adminDecided, decisionSample("JIT_ADMIN_TICKET_CREATED", "Denied", map[string]string{
		"RequestId": "f0b5a4c2-6d93-4f1e-b764-8a4b6dae6f06", "TicketNumber": "EPM000047", "DurationRequested": "3600",
	})},
}

var (
	appSample = map[string]string{
		"EventType": "URM_Native_Ticket_Created", "RequestId": "6f0c1c1e-0d0a-4b58-9c55-2b1f7f7d1a01", "TicketNumber": "EPM000042",
		"Timestamp": "20260105T101500Z",
		"User":      `CORP\ana`, "Hostname": "PC-7", "HostType": "Windows", "OsName": "Windows 11", "ComputerGroup": "Finance",
		"Reason": "I need it to install the new scanner's driver", "ApplicationType": "Executable", "ProductName": "ACME Scanner Setup",
		"ProductVersion": "4.2", "Publisher": "ACME Ltd", "FilePathObjectId": `C:\Users\ana\Downloads\setup.exe`,
		"CmdArgs": `setup.exe /lang "en"`, "Workstyle": "All users", "ApplicationGroup": "Ask first", "TrustedOwnership": "False",
		"Sha256Hash": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
	}
	adminSample = map[string]string{
		"EventType": "JIT_ADMIN_TICKET_CREATED", "RequestId": "1c9d0f4e-77aa-4f0e-a9c0-0e1f6f3f2b02", "TicketNumber": "EPM000043",
		"Timestamp": "20260105T101500Z",
		"UserId":    "S-1-5-21-7", "UserName": `CORP\max`, "ComputerId": "PC-9", "Reason": "Changing the network card's settings", "DurationRequested": "3600",
	}
)

func decisionSample(event, decision string, more map[string]string) map[string]string {
	values := map[string]string{
		"EventType": event, "Timestamp": "20260105T102100Z", "Decision": decision,
		"DecisionTime": "20260105T102100Z", "DecisionPerformedByUser": `CORP\kim`,
	}
	for name, value := range more {
		values[name] = value
	}
	return values
}

// Samples are the recommended templates and what they become.
func (c *connector) Samples() []connectors.Sample {
	list := make([]connectors.Sample, len(samples))
	for i, s := range samples {
		text := template(s.in)
		list[i] = connectors.Sample{Kind: s.kind, Name: s.kind, Template: text, Body: []byte(fillIn(text, s.values))}
	}
	return list
}

// template is the body to be entered for an event in EPM under Configuration > Webhook Settings: every documented
// variable of it under its own name. TicketNumber is among them, which the vendor's own example lacks.
func template(of events) string {
	var head, rest []string
	for i, v := range documented {
		if v.in&of == 0 || v.name == "RequestVersion" {
			continue
		}
		line := `"` + v.name + `": "%%` + v.name + `%%"`
		if i <= vTimestamp {
			head = append(head, "  "+line)
		} else {
			rest = append(rest, "    "+line)
		}
	}
	return "{\n" + strings.Join(head, ",\n") + ",\n  \"requestInfo\": {\n" + strings.Join(rest, ",\n") + "\n  }\n}\n"
}

// fillIn puts values in; variables without one are left empty.
func fillIn(text string, values map[string]string) string {
	for _, v := range documented {
		value := values[v.name]
		if v.name == "TenantId" {
			value = "t-100"
		}
		written, _ := json.Marshal(value) // a text can always be written
		text = strings.ReplaceAll(text, `"%%`+v.name+`%%"`, string(written))
	}
	return text
}

// Example shows the settings without a default.
func (c *Config) Example() string {
	return `base_url: https://example.pm.beyondtrustcloud.com   # Configuration > API Settings
client_id: drawbridge
client_secret: {env: DRAWBRIDGE_SECRET_EPM}
`
}
