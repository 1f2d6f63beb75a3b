package jirastandin

import (
	"net/http"
	"strings"
)

// getIssue shows a ticket.
func (c *call) getIssue() (int, any, error) {
	i, err := c.issue()
	if err != nil {
		return 0, nil, err
	}
	want := wanted{fields: orAll(c.list("fields"), "*all"), properties: c.list("properties"), expand: c.list("expand")}
	if len(want.properties) > 5 {
		return 0, nil, refuse(http.StatusBadRequest, "At most 5 properties can be requested.")
	}
	return http.StatusOK, c.view.issue(i, want), nil
}

// orAll gives the default where no field is asked for, or where some are only left out.
func orAll(fields []string, otherwise string) []string {
	for _, f := range fields {
		if !strings.HasPrefix(f, "-") {
			return fields
		}
	}
	return append([]string{otherwise}, fields...)
}
