package jira

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"

	"github.com/drawbridge-itsm/drawbridge/connectors/jira/jirastandin"
)

// specs reads Atlassian's own descriptions where DRAWBRIDGE_SPECS names their folder, once for all tests.
var specs = sync.OnceValues(func() ([]*openapi3.T, error) {
	dir := os.Getenv("DRAWBRIDGE_SPECS")
	if dir == "" {
		return nil, nil
	}
	var docs []*openapi3.T
	for _, name := range []string{"jira-cloud-platform-v3.2025-12.json", "jira-service-management-cloud.json"} {
		doc, err := openapi3.NewLoader().LoadFromFile(filepath.Join(dir, name))
		if err != nil {
			return nil, fmt.Errorf("load %s: %w", name, err)
		}
		docs = append(docs, doc)
	}
	return docs, nil
})

// conform passes requests on and reports those a Jira Cloud would not know. With Atlassian's descriptions at hand
// each is checked against them; the removed search is refused always.
func conform(t testing.TB, next http.Handler) http.Handler {
	docs, err := specs()
	if err != nil {
		t.Fatal(err)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/oauth/") {
			next.ServeHTTP(w, r)
			return
		}
		if path := r.URL.Path; strings.HasSuffix(path, "/rest/api/2/search") || strings.HasSuffix(path, "/rest/api/3/search") {
			t.Errorf("%s %s: Jira Cloud has no such call any more", r.Method, path)
		}
		if docs != nil {
			if err := described(r, docs); err != nil {
				t.Errorf("%s %s is not as Atlassian describes it: %v", r.Method, r.URL, err)
			}
		}
		next.ServeHTTP(w, r)
	})
}

// gatewayPrefix is what stands in front of the described paths at Atlassian's gateway.
const gatewayPrefix = "/ex/jira/" + jirastandin.CloudID

func described(r *http.Request, docs []*openapi3.T) error {
	route, params := operation(r, docs)
	if route == nil {
		return fmt.Errorf("no such operation")
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	probe := r.Clone(context.Background())
	probe.URL.Path = strings.TrimPrefix(probe.URL.Path, gatewayPrefix)
	probe.Body = io.NopCloser(bytes.NewReader(body))
	r.Body = io.NopCloser(bytes.NewReader(body))
	multipart := strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/")
	return openapi3filter.ValidateRequest(probe.Context(), &openapi3filter.RequestValidationInput{
		Request: probe, PathParams: params, Route: route,
		Options: &openapi3filter.Options{
			AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, ExcludeRequestBody: multipart || len(body) == 0,
		},
	})
}

// operation finds the operation of a request, literal paths before those with variables.
func operation(r *http.Request, docs []*openapi3.T) (*routers.Route, map[string]string) {
	var best *routers.Route
	var bestParams map[string]string
	for _, doc := range docs {
		for template, item := range doc.Paths.Map() {
			op := item.GetOperation(r.Method)
			params, ok := fill(template, strings.TrimPrefix(r.URL.Path, gatewayPrefix))
			if op == nil || !ok || best != nil && len(params) >= len(bestParams) {
				continue
			}
			best = &routers.Route{Spec: doc, Path: template, PathItem: item, Method: r.Method, Operation: op}
			bestParams = params
		}
	}
	return best, bestParams
}

func fill(template, path string) (map[string]string, bool) {
	want, got := strings.Split(template, "/"), strings.Split(path, "/")
	if len(want) != len(got) {
		return nil, false
	}
	params := map[string]string{}
	for i := range want {
		if strings.HasPrefix(want[i], "{") {
			params[strings.Trim(want[i], "{}")] = got[i]
		} else if want[i] != got[i] {
			return nil, false
		}
	}
	return params, true
}

// The journey visits every call we make of Jira Cloud.
func TestRequestsAreAsAtlassianDescribesThem(t *testing.T) {
	t.Parallel()
	docs, err := specs()
	if err != nil {
		t.Fatal(err)
	}
	if docs == nil {
		t.Skip("skipped: specs: requests are not checked against Atlassian's API descriptions (set DRAWBRIDGE_SPECS)")
	}
	for name, r := range map[string]*http.Request{
		"no such call":   httptest.NewRequest(http.MethodPost, "/rest/api/3/issues", nil),
		"no such method": httptest.NewRequest(http.MethodDelete, "/rest/api/3/search/jql", nil),
		"no such field":  httptest.NewRequest(http.MethodPost, "/rest/api/3/search/jql", strings.NewReader(`{"jql":"a","startAt":1}`)),
		"wrong type":     httptest.NewRequest(http.MethodPost, "/rest/api/3/search/jql", strings.NewReader(`{"jql":7}`)),
	} {
		r.Header.Set("Content-Type", "application/json")
		if described(r, docs) == nil {
			t.Errorf("%s: the check lets it pass", name)
		}
	}
	journey(t, newWorld(t, worldOptions{}))
	w := newWorld(t, consented())
	journey(t, w)
	s := subscriber{w.connector}
	for _, notices := range []string{"https://a.example/in/jira", "https://b.example/in/jira"} {
		if _, err := s.Subscribe(t.Context(), notices); err != nil {
			t.Error(err)
		}
		w.time.Advance(20 * 24 * time.Hour)
		if _, err := s.Subscribe(t.Context(), notices); err != nil {
			t.Error(err)
		}
	}
}
