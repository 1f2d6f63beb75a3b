package jirastandin

import (
	"net/http"
	"strings"
)

// route is one vendor call. op is its name for FailOn and CutNext.
type route struct {
	op      string
	method  string
	pattern []string
	serve   func(*call) (status int, body any, err error)
	writes  bool // counts against the write limit of the ticket in its path
}

// routes lists the calls served, in the order they are matched: literal paths stand before those with a variable.
func routes(dataCenter bool) []route {
	both := []route{
		read("myself", "GET /rest/api/{version}/myself", (*call).myself),
		read("permissions", "GET /rest/api/{version}/mypermissions", (*call).myPermissions),
		read("types", "GET /rest/api/{version}/issue/createmeta/{project}/issuetypes", (*call).createMetaTypes),
		read("fields", "GET /rest/api/{version}/issue/createmeta/{project}/issuetypes/{type}", (*call).createMetaFields),
		write("create", "POST /rest/api/{version}/issue", (*call).createIssue),
		read("get", "GET /rest/api/{version}/issue/{issue}", (*call).getIssue),
		write("update", "PUT /rest/api/{version}/issue/{issue}", (*call).editIssue),
		read("comments", "GET /rest/api/{version}/issue/{issue}/comment", (*call).listComments),
		write("comment", "POST /rest/api/{version}/issue/{issue}/comment", (*call).addComment),
		read("comment-property", "GET /rest/api/{version}/comment/{comment}/properties/{property}", (*call).getCommentProperty),
		read("transitions", "GET /rest/api/{version}/issue/{issue}/transitions", (*call).listTransitions),
		write("transition", "POST /rest/api/{version}/issue/{issue}/transitions", (*call).doTransition),
		write("attach", "POST /rest/api/{version}/issue/{issue}/attachments", (*call).addAttachments),
		read("properties", "GET /rest/api/{version}/issue/{issue}/properties", (*call).listProperties),
		read("property", "GET /rest/api/{version}/issue/{issue}/properties/{property}", (*call).getProperty),
		write("set-property", "PUT /rest/api/{version}/issue/{issue}/properties/{property}", (*call).putProperty),
		write("delete-property", "DELETE /rest/api/{version}/issue/{issue}/properties/{property}", (*call).deleteProperty),
		write("link", "POST /rest/api/{version}/issueLink", (*call).linkIssues),
		read("statuses", "GET /rest/api/{version}/project/{project}/statuses", (*call).projectStatuses),
		read("project", "GET /rest/api/{version}/project/{project}", (*call).getProject),
		read("user", "GET /rest/api/{version}/user", (*call).getUser),
		read("members", "GET /rest/api/{version}/group/member", (*call).groupMembers),
		read("servicedesks", "GET /rest/servicedeskapi/servicedesk", (*call).listServiceDesks),
		read("request-types", "GET /rest/servicedeskapi/servicedesk/{project}/requesttype", (*call).listRequestTypes),
		read("request", "GET /rest/servicedeskapi/request/{issue}", (*call).getRequest),
		write("request-create", "POST /rest/servicedeskapi/request", (*call).createRequest),
		read("request-comments", "GET /rest/servicedeskapi/request/{issue}/comment", (*call).listRequestComments),
		write("request-comment", "POST /rest/servicedeskapi/request/{issue}/comment", (*call).addRequestComment),
		read("approvals", "GET /rest/servicedeskapi/request/{issue}/approval", (*call).listApprovals),
		read("approval", "GET /rest/servicedeskapi/request/{issue}/approval/{approval}", (*call).getApproval),
		write("answer", "POST /rest/servicedeskapi/request/{issue}/approval/{approval}", (*call).answerApproval),
	}
	if dataCenter {
		return append(both,
			read("search", "GET /rest/api/{version}/search", (*call).searchByOffset),
			read("search", "POST /rest/api/{version}/search", (*call).searchByOffset),
			read("people", "GET /rest/api/{version}/user/search", (*call).searchUsers),
		)
	}
	return append(both,
		read("search", "GET /rest/api/{version}/search/jql", (*call).searchByToken),
		read("search", "POST /rest/api/{version}/search/jql", (*call).searchByToken),
		read("removed-search", "GET /rest/api/{version}/search", (*call).removedSearch),
		read("removed-search", "POST /rest/api/{version}/search", (*call).removedSearch),
		read("bulkfetch", "POST /rest/api/{version}/issue/bulkfetch", (*call).bulkFetch),
		read("changelog", "GET /rest/api/{version}/issue/{issue}/changelog", (*call).listChanges),
		read("groups", "GET /rest/api/{version}/user/groups", (*call).userGroups),
		read("people", "GET /rest/api/{version}/users/search", (*call).allUsers),
		read("webhooks", "GET /rest/api/{version}/webhook", (*call).listWebhooks),
		write("webhook-register", "POST /rest/api/{version}/webhook", (*call).registerWebhooks),
		write("webhook-remove", "DELETE /rest/api/{version}/webhook", (*call).removeWebhooks),
		write("webhook-refresh", "PUT /rest/api/{version}/webhook/refresh", (*call).refreshWebhooks),
	)
}

func read(op, pattern string, serve func(*call) (int, any, error)) route {
	method, path, _ := strings.Cut(pattern, " ")
	return route{op: op, method: method, pattern: strings.Split(path, "/"), serve: serve}
}

func write(op, pattern string, serve func(*call) (int, any, error)) route {
	r := read(op, pattern, serve)
	r.writes = true
	return r
}

// match finds the route of a request and the variables of its path.
func (s *Server) match(r *http.Request) (route, map[string]string, error) {
	parts := strings.Split(strings.TrimSuffix(r.URL.Path, "/"), "/")
	known := false
	for _, rt := range s.routes {
		args, ok := rt.args(parts)
		if !ok || !s.speaks(args["version"]) {
			continue
		}
		if rt.method == r.Method {
			return rt, args, nil
		}
		known = true
	}
	if known {
		return route{}, nil, &fault{status: http.StatusMethodNotAllowed, text: "Method Not Allowed"}
	}
	return route{}, nil, &fault{status: http.StatusNotFound, text: "null for uri: " + r.URL.Path}
}

// speaks tells whether this Jira has that version of the platform interface; the empty one is the service desk's.
func (s *Server) speaks(version string) bool {
	if s.o.DataCenter {
		return version == "" || version == "2" || version == "latest"
	}
	return version == "" || version == "2" || version == "3"
}

func (rt route) args(parts []string) (map[string]string, bool) {
	if len(parts) != len(rt.pattern) {
		return nil, false
	}
	args := map[string]string{}
	for i, want := range rt.pattern {
		switch {
		case strings.HasPrefix(want, "{"):
			if parts[i] == "" {
				return nil, false
			}
			args[strings.Trim(want, "{}")] = parts[i]
		case want != parts[i]:
			return nil, false
		}
	}
	return args, true
}

// version is the number that decides how rich text looks: a document tree in 3, a string in everything else.
func version(text string) int {
	if text == "3" {
		return 3
	}
	return 2
}
