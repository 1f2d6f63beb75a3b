package jirastandin_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"

	"github.com/drawbridge-itsm/drawbridge/connectors/jira/jirastandin"
)

func specsAtHand() bool { return os.Getenv("DRAWBRIDGE_SPECS") != "" }

// loadSpec reads one of Atlassian's own descriptions of its interfaces.
func loadSpec(t *testing.T, name string) *openapi3.T {
	t.Helper()
	dir := os.Getenv("DRAWBRIDGE_SPECS")
	if dir == "" {
		t.Skip("skipped: specs: answers are not checked against Atlassian's API descriptions (set DRAWBRIDGE_SPECS)")
	}
	doc, err := openapi3.NewLoader().LoadFromFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// The description calls times date-time, yet Jira writes their zone without a colon.
var jiraTime = openapi3.WithStringFormatValidator("date-time", openapi3.NewCallbackValidator(func(text string) error {
	_, err := time.Parse("2006-01-02T15:04:05.000-0700", text)
	return err
}))

// withoutNulls encodes a body without its null members: the description allows none, its own examples have them.
func withoutNulls(t *testing.T, body any) []byte {
	t.Helper()
	var strip func(v any)
	strip = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			maps.DeleteFunc(v, func(_ string, member any) bool { return member == nil })
			for _, member := range v {
				strip(member)
			}
		case []any:
			for _, member := range v {
				strip(member)
			}
		}
	}
	strip(body)
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// conform makes a call and checks its answer against the operation of that path in the description.
func conform(t *testing.T, doc *openapi3.T, d *desk, req *http.Request, path string, want int) response {
	t.Helper()
	got, err := d.send(req)
	if err != nil {
		t.Fatal(err)
	}
	if got.status != want {
		t.Fatalf("%s %s: got %d, want %d\n%s", req.Method, req.URL.Path, got.status, want, got.raw)
	}
	item := doc.Paths.Value(path)
	if item == nil || item.GetOperation(req.Method) == nil {
		t.Fatalf("the description has no %s %s", req.Method, path)
	}
	err = openapi3filter.ValidateResponse(t.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{
			Request: req,
			Route:   &routers.Route{Spec: doc, Path: path, PathItem: item, Method: req.Method, Operation: item.GetOperation(req.Method)},
		},
		Status: got.status,
		Header: got.header,
		Body:   io.NopCloser(bytes.NewReader(withoutNulls(t, got.body))),
		Options: &openapi3filter.Options{
			IncludeResponseStatus:   true,
			MultiError:              true,
			ExcludeResponseBody:     got.raw == "", // documented as JSON, and empty all the same
			SchemaValidationOptions: []openapi3.SchemaValidationOption{jiraTime},
		},
	})
	if err != nil {
		t.Errorf("%s %s: %v\n%s", req.Method, path, err, got.raw)
	}
	return got
}

func TestAnswersConformToTheDescription(t *testing.T) {
	t.Parallel()
	doc := loadSpec(t, "jira-cloud-platform-v3.2025-12.json")
	d := start(t, jirastandin.Options{Required: []string{"customfield_10042"}})
	const place = `"project":{"key":"ITSEC"},"issuetype":{"name":"Access Request"},"summary":"a"`
	create := `{"fields":{` + place + `,"labels":["x"],"priority":{"name":"High"},"assignee":{"accountId":"acc-kim"},"customfield_10042":"g","customfield_10070":{"value":"High"}},"properties":[{"key":"drawbridge","value":{"key":"k"}}]}`
	const issue = "/issue/{issueIdOrKey}"
	for _, tt := range []struct {
		method, path, body string // path without /rest/api/3
		described          string
		want               int
	}{
		{"GET", "/myself", "", "/myself", 200},
		{"GET", "/mypermissions?permissions=CREATE_ISSUES,ADMINISTER", "", "/mypermissions", 200},
		{"GET", "/mypermissions", "", "/mypermissions", 400},
		{"GET", "/issue/createmeta/ITSEC/issuetypes", "", "/issue/createmeta/{projectIdOrKey}/issuetypes", 200},
		{"GET", "/issue/createmeta/ITSEC/issuetypes/10100", "", "/issue/createmeta/{projectIdOrKey}/issuetypes/{issueTypeId}", 200},
		{"GET", "/issue/createmeta/DESK/issuetypes/10200", "", "/issue/createmeta/{projectIdOrKey}/issuetypes/{issueTypeId}", 200},
		{"POST", "/issue", create, "/issue", 201},
		{"POST", "/issue", create, "/issue", 201},
		{"POST", "/issue", `{"fields":{` + place + `}}`, "/issue", 400},
		{"PUT", "/issue/ITSEC-1", `{"fields":{"duedate":"2026-12-01"}}`, issue, 204},
		{"PUT", "/issue/ITSEC-1?returnIssue=true", `{"update":{"labels":[{"add":"y"}]}}`, issue, 200},
		{"PUT", "/issue/ITSEC-1", `{"fields":{"nope":1}}`, issue, 400},
		{"GET", "/issue/ITSEC-1/transitions?expand=transitions.fields", "", issue + "/transitions", 200},
		{"POST", "/issue/ITSEC-1/transitions", `{"transition":{"id":"51"},"fields":{"resolution":{"name":"Done"}}}`, issue + "/transitions", 204},
		{"POST", "/issue/ITSEC-1/transitions", `{"transition":{"id":"51"}}`, issue + "/transitions", 400},
		{"POST", "/issue/ITSEC-1/comment", `{"body":{"type":"doc","version":1,"content":[{"type":"paragraph","content":[{"type":"text","text":"a"}]}]},"properties":[{"key":"k","value":1}]}`, issue + "/comment", 201},
		{"GET", "/issue/ITSEC-1/comment?expand=properties", "", issue + "/comment", 200},
		{"PUT", "/issue/ITSEC-1/properties/p", `{"a":1}`, issue + "/properties/{propertyKey}", 201},
		{"PUT", "/issue/ITSEC-1/properties/p", `{"a":1}`, issue + "/properties/{propertyKey}", 200},
		{"GET", "/issue/ITSEC-1/properties/p", "", issue + "/properties/{propertyKey}", 200},
		{"GET", "/issue/ITSEC-1/properties", "", issue + "/properties", 200},
		{"POST", "/issueLink", `{"type":{"name":"Duplicate"},"inwardIssue":{"key":"ITSEC-2"},"outwardIssue":{"key":"ITSEC-1"}}`, "/issueLink", 201},
		{"GET", "/issue/ITSEC-1?expand=changelog,names&properties=*all", "", issue, 200},
		{"GET", "/issue/ITSEC-99", "", issue, 404},
		{"GET", "/issue/ITSEC-1/changelog?maxResults=2", "", issue + "/changelog", 200},
		{"POST", "/issue/bulkfetch", `{"issueIdsOrKeys":["ITSEC-1","ITSEC-99"],"fields":["*all"],"expand":["changelog"],"properties":["drawbridge"]}`, "/issue/bulkfetch", 200},
		{"POST", "/search/jql", `{"jql":"project = ITSEC","maxResults":1}`, "/search/jql", 200},
		{"POST", "/search/jql", `{"jql":"project = ITSEC","fields":["*all"],"expand":"names,changelog"}`, "/search/jql", 200},
		{"GET", "/search/jql?jql=project=ITSEC&fields=key,status", "", "/search/jql", 200},
		{"GET", "/search/jql?jql=", "", "/search/jql", 400},
		{"GET", "/project/DESK", "", "/project/{projectIdOrKey}", 200},
		{"GET", "/project/NONE", "", "/project/{projectIdOrKey}", 404},
		{"GET", "/project/ITSEC/statuses", "", "/project/{projectIdOrKey}/statuses", 200},
		{"GET", "/user?accountId=acc-kim&expand=groups", "", "/user", 200},
		{"GET", "/user/groups?accountId=acc-kim", "", "/user/groups", 200},
		{"GET", "/users/search", "", "/users/search", 200},
		{"GET", "/group/member?groupname=jira-users&maxResults=2", "", "/group/member", 200},
		{"DELETE", "/issue/ITSEC-1/properties/p", "", issue + "/properties/{propertyKey}", 204},
	} {
		conform(t, doc, d, d.request(tt.method, "/rest/api/3"+tt.path, tt.body), "/rest/api/3"+tt.described, tt.want)
	}
	conform(t, doc, d, attachment(t, d, "ITSEC-1"), "/rest/api/3"+issue+"/attachments", 200)
	conform(t, doc, d, d.request("GET", "/rest/api/3/issue/ITSEC-1", ""), "/rest/api/3"+issue, 200)
}

func attachment(t *testing.T, d *desk, key string) *http.Request {
	t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	f, err := w.CreateFormFile("file", "a.txt")
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(f, "evidence")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	req := d.request("POST", "/rest/api/3/issue/"+key+"/attachments", body.String())
	req.Header.Set("Content-Type", w.FormDataContentType())
	req.Header.Set("X-Atlassian-Token", "no-check")
	return req
}

func TestServiceDeskAnswersConformToTheDescription(t *testing.T) {
	t.Parallel()
	doc := loadSpec(t, "jira-service-management-cloud.json")
	d := start(t, jirastandin.Options{})
	kim := d.as("kim@example.test", "token-kim")
	const base = "/rest/servicedeskapi/request"
	const one = base + "/{issueIdOrKey}"
	const desks = "/rest/servicedeskapi/servicedesk"
	conform(t, doc, d, d.request("GET", desks, ""), desks, 200)
	conform(t, doc, d, d.request("GET", desks+"/DESK/requesttype", ""), desks+"/{serviceDeskId}/requesttype", 200)
	conform(t, doc, d, d.request("GET", desks+"/ITSEC/requesttype", ""), desks+"/{serviceDeskId}/requesttype", 404)
	conform(t, doc, d, d.request("POST", base, `{"serviceDeskId":"2","requestTypeId":"20","requestFieldValues":{"summary":"a","description":"b"}}`), base, 201)
	conform(t, doc, d, d.request("POST", base, `{"serviceDeskId":"9"}`), base, 400)
	conform(t, doc, d, d.request("GET", base+"/DESK-1", ""), one, 200)
	conform(t, doc, d, d.request("GET", base+"/DESK-9", ""), one, 404)
	conform(t, doc, d, d.request("POST", base+"/DESK-1/comment", `{"body":"a","public":false}`), one+"/comment", 201)
	conform(t, doc, d, d.request("GET", base+"/DESK-1/comment", ""), one+"/comment", 200)
	list := conform(t, doc, d, d.request("GET", base+"/DESK-1/approval", ""), one+"/approval", 200)
	approval := base + "/DESK-1/approval/" + list.at("values", 0, "id").(string)
	conform(t, doc, d, d.request("GET", approval, ""), one+"/approval/{approvalId}", 200)
	conform(t, doc, kim, kim.request("POST", approval, `{"decision":"approve"}`), one+"/approval/{approvalId}", 200)
	conform(t, doc, d, d.request("GET", approval, ""), one+"/approval/{approvalId}", 200)
}
