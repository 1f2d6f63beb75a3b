package jira

import (
	"fmt"
	"net/http"
	"strings"
)

// missingScope is why the gateway refused a call.
type missingScope struct{ name, scope string }

func (m *missingScope) Error() string {
	return fmt.Sprintf("%s: the token lacks the scope %s, or what stands for it among the granular ones", m.name, m.scope)
}

// lacksScope tells whether an answer is the gateway's to a token without the scope the call needs.
func lacksScope(resp *http.Response, words string) bool {
	return (resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden) && strings.Contains(words, "scope")
}

// scopeOf is the classic scope a call needs, by Atlassian's description of it.
func scopeOf(r *http.Request) string {
	_, path, _ := strings.Cut(r.URL.Path, "/rest/")
	verb := "write:"
	if r.Method == http.MethodGet || strings.HasSuffix(path, "/search/jql") || strings.HasSuffix(path, "/bulkfetch") {
		verb = "read:"
	}
	area, call, _ := strings.Cut(strings.TrimPrefix(path, "api/"), "/")
	first, _, _ := strings.Cut(call, "/")
	switch {
	case area == "servicedeskapi":
		return verb + "servicedesk-request"
	case first == "webhook":
		return "manage:jira-webhook"
	case first == "myself", first == "user", first == "users":
		return "read:jira-user"
	default:
		return verb + "jira-work"
	}
}
