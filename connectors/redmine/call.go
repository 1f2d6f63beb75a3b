package redmine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

func (c *connector) get(ctx context.Context, name, path string, out any) error {
	_, err := c.call(ctx, connectors.Call{Name: name, Method: http.MethodGet, URL: path}, out)
	return err
}

// call makes one call; the URL is what follows the site's address. out, where set, takes the answer.
func (c *connector) call(ctx context.Context, call connectors.Call, out any) (http.Header, error) {
	call.URL = c.conf.BaseURL + "/" + call.URL
	answer, err := c.client.Do(ctx, call)
	if err != nil {
		return nil, refused(err)
	}
	if out == nil {
		return answer.Header, nil
	}
	return answer.Header, answer.DecodeJSON(call.Name, out)
}

// refused adds Redmine's own words to an error.
func refused(err error) error {
	fault := *connectors.AsError(err)
	if fault.Status == http.StatusUnauthorized {
		fault.Err = fmt.Errorf("%w, or the REST interface is switched off (Administration, Settings, API)", err)
		return &fault
	}
	answered, ok := errors.AsType[*connectors.Answered](err)
	if !ok {
		return &fault
	}
	var body struct{ Errors []string }
	if json.Unmarshal(answered.Body, &body) != nil {
		return &fault
	}
	if words := connectors.Clean(strings.Join(body.Errors, "; "), 400); words != "" {
		fault.Err = fmt.Errorf("%w; Redmine says: %s", err, words)
	}
	return &fault
}

var issueID = regexp.MustCompile(`^[1-9][0-9]{0,17}$`)

// handle is what a ticket is called by in a path.
func handle(ref connectors.Ref) (string, error) {
	if issueID.MatchString(ref.ID) {
		return ref.ID, nil
	}
	if id, ok := strings.CutPrefix(ref.Key, "#"); ok && ref.ID == "" && issueID.MatchString(id) {
		return id, nil
	}
	return "", connectors.Permanently("the ticket's id is not one of Redmine's")
}

// issue reads a ticket with what include names.
func (c *connector) issue(ctx context.Context, id, include string) (issue, error) {
	var answer struct{ Issue issue }
	if err := c.get(ctx, "read issue", "issues/"+id+".json?include="+include, &answer); err != nil {
		return issue{}, connectors.Unsent(err)
	}
	if answer.Issue.ID <= 0 {
		return issue{}, connectors.Temporarily("read issue: the answer is no issue")
	}
	return answer.Issue, nil
}

// put changes a ticket. Redmine answers with nothing, whatever became of it.
func (c *connector) put(ctx context.Context, name, id string, fields map[string]any) error {
	_, err := c.call(ctx, connectors.Call{Name: name, Method: http.MethodPut, URL: "issues/" + id + ".json", JSON: map[string]any{"issue": fields}}, nil)
	return err
}

// pageSize is the most Redmine gives at once.
const pageSize = 100

// maxPages ends a list that does not end by itself.
const maxPages = 1000

// issues reads one page of a search.
func (c *connector) issues(ctx context.Context, name string, query url.Values) (issueList, error) {
	var list issueList
	if err := c.get(ctx, name, "issues.json?"+query.Encode(), &list); err != nil {
		return issueList{}, connectors.Unsent(err)
	}
	if list.Issues == nil {
		return issueList{}, connectors.Temporarily("%s: the answer is no list", name)
	}
	for _, i := range list.Issues {
		if i.ID <= 0 {
			return issueList{}, connectors.Temporarily("%s: a hit has no id", name)
		}
	}
	return list, nil
}

// ours is a search for tickets our account opened, in whatever state.
func ours() url.Values { return url.Values{"author_id": {"me"}, "status_id": {"*"}, "sort": {"id"}} }

// all reads a search to its end, in the order of ids.
func (c *connector) all(ctx context.Context, name string, query url.Values, take func(issue)) error {
	query.Set("limit", strconv.Itoa(pageSize))
	start := 0
	for range maxPages {
		query.Set("offset", strconv.Itoa(start))
		list, err := c.issues(ctx, name, query)
		if err != nil {
			return err
		}
		for _, i := range list.Issues {
			take(i)
		}
		start += len(list.Issues)
		if len(list.Issues) == 0 || start >= list.Total {
			return nil
		}
	}
	return connectors.Temporarily("%s: the list does not end", name)
}

// project reads a project with what may be set there.
func (c *connector) project(ctx context.Context, name string) (project, error) {
	if !identifier.MatchString(name) {
		return project{}, connectors.Permanently("%q is not a project's identifier", connectors.Clean(name, 100))
	}
	var answer struct{ Project project }
	if err := c.get(ctx, "read project", "projects/"+name+".json?include=trackers,issue_custom_fields,enabled_modules", &answer); err != nil {
		return project{}, connectors.Unsent(err)
	}
	if answer.Project.ID <= 0 {
		return project{}, connectors.Temporarily("read project: the answer is no project")
	}
	return answer.Project, nil
}
