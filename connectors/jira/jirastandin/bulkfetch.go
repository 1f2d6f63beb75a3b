package jirastandin

import (
	"net/http"
	"slices"
)

type issueErrorWire struct {
	ID      string `json:"id"`
	Message string `json:"errorMessage"`
}

// bulkFetch shows up to 100 tickets by id or key. Those that cannot be shown are listed as errors.
func (c *call) bulkFetch() (int, any, error) {
	var body struct {
		IDs        []string `json:"issueIdsOrKeys"`
		Fields     []string `json:"fields"`
		ByKeys     bool     `json:"fieldsByKeys"`
		Properties []string `json:"properties"`
		Expand     []string `json:"expand"`
	}
	if err := c.strictly(&body); err != nil {
		return 0, nil, err
	}
	if len(body.IDs) == 0 || len(body.IDs) > 100 {
		return 0, nil, refuse(http.StatusBadRequest, "issueIdsOrKeys must have between 1 and 100 entries.")
	}
	want := wanted{fields: orAll(body.Fields, "*navigable"), properties: body.Properties, expand: body.Expand}
	if !slices.Contains(want.fields, "key") {
		want.fields = append(want.fields, "key") // an id alone still comes with its key here
	}
	out := struct {
		Issues []issueWire      `json:"issues"`
		Errors []issueErrorWire `json:"issueErrors"`
	}{Issues: []issueWire{}, Errors: []issueErrorWire{}}
	var shown []*issue
	for _, id := range body.IDs {
		c.args["issue"] = id
		i, err := c.issue()
		if err != nil {
			out.Errors = append(out.Errors, issueErrorWire{ID: id, Message: "Issue does not exist or you do not have permission to see it."})
			continue
		}
		if !slices.Contains(shown, i) {
			shown = append(shown, i)
			out.Issues = append(out.Issues, c.view.issue(i, want))
		}
	}
	return http.StatusOK, out, nil
}
