package jirastandin

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// deskPath is where the service desk's interface lives. Its texts are plain, its errors have a shape of their own.
const deskPath = "/rest/servicedeskapi/"

func deskFault(f *fault) any {
	message := strings.Join(f.messages, " ")
	for _, text := range f.fields {
		message = strings.TrimSpace(message + " " + text)
	}
	return map[string]any{
		"errorMessage":     message,
		"i18nErrorMessage": map[string]any{"i18nKey": "standin.error", "parameters": []string{}},
	}
}

type deskDateWire struct {
	ISO      string `json:"iso8601"`
	Jira     string `json:"jira"`
	Friendly string `json:"friendly"`
	Millis   int64  `json:"epochMillis"`
}

func (v view) deskDate(t time.Time) *deskDateWire {
	if t.IsZero() {
		return nil
	}
	local := t.In(v.zone)
	return &deskDateWire{
		ISO: local.Format("2006-01-02T15:04:05-0700"), Jira: v.stamp(t), Friendly: local.Format("02/Jan/06 3:04 PM"), Millis: t.UnixMilli(),
	}
}

// deskUser is a person as the service desk shows them.
func (v view) deskUser(a *account) map[string]any {
	if a == nil {
		return nil
	}
	u := v.user(a)
	out := map[string]any{
		"emailAddress": u.Mail, "displayName": u.DisplayName, "active": u.Active, "timeZone": u.Zone,
		"_links": map[string]any{"self": u.Self, "jiraRest": u.Self},
	}
	if v.s.o.DataCenter {
		out["name"], out["key"] = u.Name, u.Key
	} else {
		out["accountId"] = u.AccountID
	}
	return out
}

// requestIssue is the path's ticket, which must be in a service desk.
func (c *call) requestIssue() (*issue, error) {
	i, err := c.issue()
	if err == nil && i.project.desk == "" {
		err = refuse(http.StatusNotFound, "The request does not exist or you do not have permission to view it.")
	}
	return i, err
}

func (v view) request(i *issue) map[string]any {
	kind, _ := i.values["customfield_10010"].(choice)
	reporter, _ := i.values["reporter"].(*account)
	var values []any
	for _, f := range i.kind.screen {
		if value := i.values[f.id]; value != nil && f.kind != requestTypeKind {
			values = append(values, map[string]any{"fieldId": f.id, "label": f.name, "value": v.value(f, value)})
		}
	}
	self := v.base + deskPath + "request/" + strconv.Itoa(i.id)
	return map[string]any{
		"issueId": strconv.Itoa(i.id), "issueKey": i.key, "requestTypeId": kind.id, "serviceDeskId": i.project.desk,
		"createdDate": v.deskDate(i.created), "reporter": v.deskUser(reporter), "requestFieldValues": values,
		"currentStatus": map[string]any{
			"status": i.status.name, "statusCategory": strings.ToUpper(i.status.category), "statusDate": v.deskDate(i.since()),
		},
		"_links": map[string]any{"self": self, "jiraRest": v.self("issue", strconv.Itoa(i.id)), "web": v.base + "/browse/" + i.key},
	}
}

// since is when the ticket got its status.
func (i *issue) since() time.Time {
	for _, h := range slices.Backward(i.history) {
		if slices.ContainsFunc(h.items, func(item changeItem) bool { return item.fieldID == "status" }) {
			return h.at
		}
	}
	return i.created
}

// getRequest shows a ticket as the service desk's customers see it.
func (c *call) getRequest() (int, any, error) {
	i, err := c.requestIssue()
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, c.view.request(i), nil
}

// listServiceDesks lists the service desks there are.
func (c *call) listServiceDesks() (int, any, error) {
	var all []any
	for _, p := range c.s.projects {
		if p.desk != "" {
			all = append(all, map[string]any{
				"id": p.desk, "projectId": p.id, "projectName": p.name, "projectKey": p.key,
				"_links": map[string]any{"self": c.view.base + deskPath + "servicedesk/" + p.desk},
			})
		}
	}
	return c.deskPage(all)
}

// listRequestTypes lists what can be asked for at a service desk, which is named by its id or its project.
func (c *call) listRequestTypes() (int, any, error) {
	var all []any
	found := false
	for _, p := range c.s.projects {
		if p.desk == "" || (p.desk != c.args["project"] && c.s.project(c.args["project"]) != p) {
			continue
		}
		found = true
		for _, kind := range p.requestTypes {
			all = append(all, map[string]any{
				"id": kind.id, "name": kind.name, "description": "", "helpText": "", "issueTypeId": p.types[0].id, "serviceDeskId": p.desk,
				"groupIds": []string{}, "_links": map[string]any{"self": c.view.base + deskPath + "servicedesk/" + p.desk + "/requesttype/" + kind.id},
			})
		}
	}
	if !found {
		return 0, nil, refuse(http.StatusNotFound, "The service desk does not exist.")
	}
	return c.deskPage(all)
}

// createRequest opens a ticket by request type.
func (c *call) createRequest() (int, any, error) {
	var body struct {
		Desk   string                     `json:"serviceDeskId"`
		Type   string                     `json:"requestTypeId"`
		Values map[string]json.RawMessage `json:"requestFieldValues"`
		For    string                     `json:"raiseOnBehalfOf"`
	}
	if err := c.decode(&body); err != nil {
		return 0, nil, err
	}
	n := slices.IndexFunc(c.s.projects, func(p *project) bool { return p.desk != "" && p.desk == body.Desk })
	if n < 0 {
		return 0, nil, refuse(http.StatusBadRequest, "The service desk with id '%s' does not exist.", body.Desk)
	}
	p := c.s.projects[n]
	fields := map[string]json.RawMessage{}
	for id, raw := range body.Values {
		fields[id] = raw
	}
	fields["project"], _ = json.Marshal(pick{ID: p.id})
	fields["issuetype"], _ = json.Marshal(pick{ID: p.types[0].id})
	fields["customfield_10010"], _ = json.Marshal(body.Type)
	if body.For != "" {
		fields["reporter"], _ = json.Marshal(map[string]string{"accountId": body.For, "name": body.For})
	}
	i, err := c.create(updateBody{Fields: fields}, 2)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusCreated, c.view.request(i), nil
}

func (v view) requestComment(i *issue, c *comment) map[string]any {
	id := strconv.Itoa(c.id)
	return map[string]any{
		"id": id, "body": c.body.text, "public": !c.internal, "author": v.deskUser(c.by), "created": v.deskDate(c.at),
		"_links": map[string]any{"self": v.base + deskPath + "request/" + strconv.Itoa(i.id) + "/comment/" + id},
	}
}

// addRequestComment comments on a request; the body must say whether customers see it.
func (c *call) addRequestComment() (int, any, error) {
	i, err := c.requestIssue()
	if err != nil {
		return 0, nil, err
	}
	if err := c.need("ADD_COMMENTS", "You do not have the permission to comment on this request."); err != nil {
		return 0, nil, err
	}
	var body struct {
		Body   string `json:"body"`
		Public *bool  `json:"public"`
	}
	if err := c.decode(&body); err != nil {
		return 0, nil, err
	}
	raw, _ := json.Marshal(body.Body)
	value, problem := parseRich(raw, 2)
	text, ok := value.(richText)
	switch {
	case body.Public == nil:
		return 0, nil, refuse(http.StatusBadRequest, "The 'public' property must be given.")
	case problem != "":
		return 0, nil, refuse(http.StatusBadRequest, "%s", problem)
	case !ok:
		return 0, nil, refuse(http.StatusBadRequest, "Comment body can not be empty!")
	}
	added := c.s.comment(i, c.me, &comment{body: text, internal: !*body.Public})
	return http.StatusCreated, c.view.requestComment(i, added), nil
}

// listRequestComments pages through a request's comments, oldest first.
func (c *call) listRequestComments() (int, any, error) {
	i, err := c.requestIssue()
	if err != nil {
		return 0, nil, err
	}
	var all []any
	query := c.req.URL.Query()
	for _, comment := range i.comments {
		if (comment.internal && query.Get("internal") == "false") || (!comment.internal && query.Get("public") == "false") {
			continue
		}
		all = append(all, c.view.requestComment(i, comment))
	}
	return c.deskPage(all)
}

// deskPage is the service desk's way of paging.
func (c *call) deskPage(all []any) (int, any, error) {
	start, err := c.number("start", 0, 0)
	if err != nil {
		return 0, nil, err
	}
	limit, err := c.number("limit", 50, 100)
	if err != nil {
		return 0, nil, err
	}
	shown := append([]any{}, page(all, start, limit)...)
	return http.StatusOK, map[string]any{
		"size": len(shown), "start": start, "limit": limit, "isLastPage": start+limit >= len(all), "values": shown,
	}, nil
}
