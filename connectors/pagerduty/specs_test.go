package pagerduty

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
)

// called are the paths that are called.
var called = regexp.MustCompile(`^/(incidents(/custom_fields|/\{id\}(/log_entries|/notes|/custom_fields/values)?)?|users(/me|/\{id\})?|services|priorities|log_entries)$`)

// spec reads PagerDuty's own description where DRAWBRIDGE_SPECS names its folder, once for all tests. Where it says
// something else than PagerDuty's guides and its own examples, the guides count.
var spec = sync.OnceValues(func() (*openapi3.T, error) {
	dir := os.Getenv("DRAWBRIDGE_SPECS")
	if dir == "" {
		return nil, nil
	}
	text, err := os.ReadFile(filepath.Join(dir, "pagerduty-rest-v2.openapi.json"))
	if err != nil {
		return nil, fmt.Errorf("read description: %w", err)
	}
	var whole map[string]any
	if err := json.Unmarshal(text, &whole); err != nil {
		return nil, fmt.Errorf("read description: %w", err)
	}
	maps.DeleteFunc(whole["paths"].(map[string]any), func(path string, _ any) bool { return !called.MatchString(path) }) // others lead nowhere
	unlink(whole, "#/components/schemas/CustomFieldsFieldValue/properties/value/")
	paths := whole["paths"].(map[string]any)
	responses := func(path string) map[string]any {
		return paths[path].(map[string]any)["get"].(map[string]any)["responses"].(map[string]any)
	}
	responses("/log_entries")["200"] = responses("/incidents/{id}/log_entries")["200"] // it lists fewer kinds of the same entries
	correct(whole["components"].(map[string]any)["schemas"].(map[string]any))
	if text, err = json.Marshal(whole); err != nil {
		return nil, fmt.Errorf("write description: %w", err)
	}
	doc, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		return nil, fmt.Errorf("load description: %w", err)
	}
	return doc, nil
})

// unlink lets everything be where a description points to what starts so.
func unlink(v any, to string) {
	switch v := v.(type) {
	case map[string]any:
		if link, ok := v["$ref"].(string); ok && strings.HasPrefix(link, to) {
			delete(v, "$ref")
		}
		for _, member := range v {
			unlink(member, to)
		}
	case []any:
		for _, member := range v {
			unlink(member, to)
		}
	}
}

// correct takes out of a description what PagerDuty's guides and the description's own examples say otherwise.
func correct(schemas map[string]any) {
	at := func(path ...any) map[string]any {
		var v any = schemas
		for _, step := range path {
			switch step := step.(type) {
			case string:
				v = v.(map[string]any)[step]
			case int:
				v = v.([]any)[step]
			}
		}
		return v.(map[string]any)
	}
	plain := func() map[string]any { return map[string]any{"nullable": true} }
	at("IncidentBody", "properties")["details"] = map[string]any{"type": "string"} // "only supports string Incident bodies"
	at("CustomFieldsFieldValue", "properties")["value"] = plain()                  // its examples are plain values
	delete(at("CustomFieldsFieldValue"), "required")
	for i, names := range [][]any{{"name", "value"}, {"id", "value"}} {
		form := at("CustomFieldsEditableFieldValue", "oneOf", i)
		form["properties"].(map[string]any)["value"], form["required"] = plain(), names // else both forms are good
	}
	schemas["CustomFieldsEditableFieldOption"] = map[string]any{"type": "object"}                        // the same of options
	at("AcknowledgeLogEntry", "allOf", 1, "properties", "type")["enum"] = []any{"acknowledge_log_entry"} // as in the list of types
	at("LogEntry", "allOf", 1, "properties")["incident"] = map[string]any{"type": "object"}              // whole where it is included
	schemas["Channel"] = map[string]any{"type": "object"}                                                // one of several that are alike
}

// conform passes calls on and reports those whose request or answer is not as PagerDuty describes it.
func conform(t testing.TB, next http.Handler) http.Handler {
	doc, err := spec()
	if err != nil {
		t.Fatal(err)
	}
	if doc == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the caller is gone
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		answer := httptest.NewRecorder()
		input, err := described(r, body, doc)
		if err != nil {
			t.Errorf("the request %s %s is not as PagerDuty describes it: %v", r.Method, r.URL, err)
		}
		next.ServeHTTP(answer, r)
		if input != nil && answer.Code != http.StatusForbidden && answer.Body.Len() < 32<<10 { // long lists take long, and not every call lists that it may be forbidden
			if err := answered(input, answer); err != nil {
				t.Errorf("the answer %d to %s %s is not as PagerDuty describes it: %v", answer.Code, r.Method, r.URL, err)
			}
		}
		for name, values := range answer.Header() {
			w.Header()[name] = values
		}
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes())
	})
}

var lenient = &openapi3filter.Options{
	AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, ExcludeReadOnlyValidations: true, ExcludeWriteOnlyValidations: true, IncludeResponseStatus: true,
}

func described(r *http.Request, body []byte, doc *openapi3.T) (*openapi3filter.RequestValidationInput, error) {
	route, params := operation(r, doc)
	if route == nil {
		return nil, errors.New("there is no such operation")
	}
	probe := r.Clone(context.Background())
	probe.Body = io.NopCloser(bytes.NewReader(body))
	input := &openapi3filter.RequestValidationInput{Request: probe, PathParams: params, Route: route, Options: lenient}
	return input, openapi3filter.ValidateRequest(probe.Context(), input)
}

func answered(input *openapi3filter.RequestValidationInput, answer *httptest.ResponseRecorder) error {
	var whole any
	if err := json.Unmarshal(answer.Body.Bytes(), &whole); err != nil {
		return err
	}
	body, err := json.Marshal(withoutNulls(whole)) // the description allows few, its own examples have more
	if err != nil {
		return err
	}
	header := answer.Header().Clone()
	header.Set("Content-Type", "application/json")
	return openapi3filter.ValidateResponse(context.Background(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input, Status: answer.Code, Header: header, Body: io.NopCloser(bytes.NewReader(body)), Options: lenient,
	})
}

func withoutNulls(v any) any {
	switch v := v.(type) {
	case map[string]any:
		maps.DeleteFunc(v, func(_ string, member any) bool { return member == nil })
		for _, member := range v {
			withoutNulls(member)
		}
	case []any:
		for _, member := range v {
			withoutNulls(member)
		}
	}
	return v
}

// operation finds the operation of a request, literal paths before those with variables.
func operation(r *http.Request, doc *openapi3.T) (best *routers.Route, params map[string]string) {
	got := strings.Split(r.URL.Path, "/")
	for template, item := range doc.Paths.Map() {
		want := strings.Split(template, "/")
		op, found := item.GetOperation(r.Method), map[string]string{}
		ok := op != nil && len(want) == len(got)
		for i := 0; ok && i < len(want); i++ {
			if strings.HasPrefix(want[i], "{") {
				found[strings.Trim(want[i], "{}")] = got[i]
			} else {
				ok = want[i] == got[i]
			}
		}
		if ok && (best == nil || len(found) < len(params)) {
			best, params = &routers.Route{Spec: doc, Path: template, PathItem: item, Method: r.Method, Operation: op}, found
		}
	}
	return best, params
}

// Every world of these tests checks its calls; this one makes sure that the check finds something.
func TestCallsAreAsPagerDutyDescribesThem(t *testing.T) {
	t.Parallel()
	doc, err := spec()
	if err != nil {
		t.Fatal(err)
	}
	if doc == nil {
		t.Skip("skipped: specs: calls are not checked against PagerDuty's API description (set DRAWBRIDGE_SPECS)")
	}
	const good = `{"incident":{"type":"incident","title":"x","service":{"id":"P1","type":"service_reference"}}}`
	for name, tc := range map[string]struct {
		method, path, from, body string
		good                     bool
	}{
		"as it should be": {http.MethodPost, "/incidents", "a@b.example", good, true},
		"no such call":    {http.MethodPost, "/incident", "a@b.example", good, false},
		"no such method":  {http.MethodDelete, "/incidents", "a@b.example", "", false},
		"nobody":          {http.MethodPost, "/incidents", "", good, false},
		"no title":        {http.MethodPost, "/incidents", "a@b.example", `{"incident":{"type":"incident"}}`, false},
		"an urgency":      {http.MethodPut, "/incidents/P1", "a@b.example", `{"incident":{"type":"incident","urgency":"huge"}}`, false},
	} {
		r := httptest.NewRequest(tc.method, tc.path, strings.NewReader(tc.body))
		r.Header.Set("Accept", accept)
		r.Header.Set("Content-Type", "application/json")
		if tc.from != "" {
			r.Header.Set("From", tc.from)
		}
		if _, err := described(r, []byte(tc.body), doc); (err == nil) != tc.good {
			t.Errorf("%s: %v", name, err)
		}
	}
}
