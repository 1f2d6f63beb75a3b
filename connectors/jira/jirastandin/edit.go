package jirastandin

import "net/http"

// editIssue changes fields. A transition in the body is ignored; that is what the transitions call is for.
func (c *call) editIssue() (int, any, error) {
	i, err := c.issue()
	if err != nil {
		return 0, nil, err
	}
	if err := c.need("EDIT_ISSUES", "You do not have permission to edit issues in this project."); err != nil {
		return 0, nil, err
	}
	var body updateBody
	if err := c.decode(&body); err != nil {
		return 0, nil, err
	}
	if len(body.Fields)+len(body.Update)+len(body.Properties) == 0 {
		return 0, nil, refuse(http.StatusBadRequest, "one of 'fields' or 'update' required")
	}
	e := c.s.readScreen(i.editScreen(), body, c.version, i.values)
	if err := refuseFields(e.problems); err != nil {
		return 0, nil, err
	}
	properties, err := c.properties(body.Properties)
	if err != nil {
		return 0, nil, err
	}
	for key, value := range properties {
		i.setProperty(key, value)
	}
	c.s.edited(i, c.me, e)
	if c.req.URL.Query().Get("returnIssue") == "true" && !c.s.o.DataCenter {
		return http.StatusOK, c.view.issue(i, wanted{fields: []string{"*all"}, expand: c.list("expand")}), nil
	}
	return http.StatusNoContent, nil, nil
}

// editScreen is the create screen and the comment.
func (i *issue) editScreen() []*field {
	return append([]*field{i.kind.fieldOrSystem("comment")}, i.kind.screen...)
}

// edited applies what an edit said and tells about it.
func (s *Server) edited(i *issue, by *account, e edit) {
	if items := s.apply(i, by, e.set); len(items) > 0 {
		s.notify(updated, "issue_updated", i, by, items, nil)
	}
	for _, text := range e.comments {
		s.comment(i, by, &comment{body: text})
	}
}
