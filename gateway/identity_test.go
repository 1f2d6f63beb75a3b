package gateway

import (
	"strings"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

func TestEditKeepsTheIdentity(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		before, after string
		tenant        string
		want          bool
	}{
		"same field":                           {`{"RequestId":"r-1","a":1}`, `{"RequestId":"r-1","a":2}`, "", true},
		"same field of a body that is no JSON": {`{"RequestId":"r-1","a":`, `{"RequestId":"r-1"}`, "", true},
		"a number":                             {`{"request_id":17`, `{"request_id":17}`, "", true},
		"a number in JSON":                     {`{"request_id":17}`, `{"request_id":17,"a":1}`, "", true},
		"escaped alike":                        {`{"key":"CORP\\r" broken`, `{"key":"CORP\\r"}`, "", true},
		"an edit that is no JSON":              {`{"RequestId":"r-1","a":`, `{"RequestId":"r-1","a":"C:\q"}`, "", true},
		"the same place of several ids":        {`{"data":{"id":"r-1","user":{"id":"u"}},"a":1}`, `{"data":{"id":"r-1","user":{"id":"u"}}}`, "", true},
		"a list":                               {`[{"ref":"r-1"},{"ref":"r-2"}]`, `[{"ref":"r-1"},{"ref":"r-2"},1]`, "", true},
		"the tenant":                           {`{"id":"r-1","tenant_id":"t" x`, `{"id":"r-1","tenant_id":"t"}`, "t", true},

		"text of another field":               {`{"RequestId":"r-0","Reason":"r-1"}`, `{"RequestId":"r-1"}`, "", false},
		"text within another field":           {`{"RequestId":"r-0","Reason":"as in r-1" x`, `{"RequestId":"r-1"}`, "", false},
		"name and value within a text":        {`{"Reason":"\"RequestId\":\"r-1\"" x`, `{"RequestId":"r-1"}`, "", false},
		"a part of it":                        {`{"RequestId":"r-12" x`, `{"RequestId":"r-1"}`, "", false},
		"twice, with two values":              {`{"RequestId":"r-1","RequestId":"r-0" x`, `{"RequestId":"r-1"}`, "", false},
		"twice in JSON, with two values":      {`{"RequestId":"r-1","RequestId":"r-0"}`, `{"RequestId":"r-1"}`, "", false},
		"another spelling has another value":  {`{"RequestId":"r-0","request_id":"r-1" x`, `{"request_id":"r-1"}`, "", false},
		"another name has another value":      {`{"id":"r-0","request_id":"r-1"}`, `{"request_id":"r-1"}`, "", false},
		"another place":                       {`{"data":{"id":"r-0","user":{"id":"r-1"}}}`, `{"data":{"id":"r-1","user":{"id":"r-1"}}}`, "", false},
		"two places change":                   {`{"data":{"id":"r-0","user":{"id":"r-1"}}}`, `{"data":{"user":{"id":"r-0"},"id":"r-1"}}`, "", false},
		"added beside the reason that had it": {`{"number":"r-0","reason":"r-1"}`, `{"number":"r-1","reason":"r-1"}`, "", false},
		"it is new":                           {`{"a":`, `{"RequestId":"r-1"}`, "", false},
		"it stands in no field":               {`{"a":"r-1"`, `{"a":"R-1"}`, "", false},
		"the tenant is another field's":       {`{"id":"r-1","a":"t" x`, `{"id":"r-1","tenant_id":"t"}`, "t", false},
		"the tenant is dropped":               {`{"id":"r-1","TenantId":"t" x`, `{"id":"r-1"}`, "", false},
		"the tenant is emptied":               {`{"id":"r-1","tenant":"t"}`, `{"id":"r-1","tenant":""}`, "", false},
		"two ids that stood in one name":      {`{"data":{"id":"r-0","user":{"id":"r-1"}} x`, `{"data":{"id":"r-1","user":{"id":"r-0"}}}`, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			id := "r-1"
			switch {
			case strings.Contains(name, "number"):
				id = "17"
			case strings.Contains(name, "escaped"):
				id = `CORP\r`
			}
			if got := keeps([]byte(c.before), []byte(c.after), connectors.Event{RequestID: id, Tenant: c.tenant}); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestEditNeitherDecidesNorEnds(t *testing.T) {
	t.Parallel()
	for kind, want := range map[string]bool{
		connectors.AccessRequested: true, connectors.AdminRequested: true, connectors.FindingOpened: true, connectors.Audit: true, "": true,
		connectors.AccessApproved: false, connectors.AccessDenied: false, connectors.AccessGranted: false, connectors.AccessExpired: false,
		connectors.AccessFailed: false, connectors.AdminApproved: false, connectors.AdminDenied: false, connectors.FindingResolved: false,
		connectors.FindingDismissed: false,
	} {
		if got := editable(connectors.Event{Kind: kind}); got != want {
			t.Errorf("an edit into %q: got %v, want %v", kind, got, want)
		}
	}
	if editable(connectors.Event{Kind: connectors.AccessRequested, Decision: &connectors.Told{}}) {
		t.Error("an edit with a decision beside was taken")
	}
}
