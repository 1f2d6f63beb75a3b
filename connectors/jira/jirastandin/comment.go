package jirastandin

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
)

type commentWire struct {
	Self         string         `json:"self"`
	ID           string         `json:"id"`
	Author       *userWire      `json:"author"`
	UpdateAuthor *userWire      `json:"updateAuthor"`
	Body         any            `json:"body"`
	Created      string         `json:"created"`
	Updated      string         `json:"updated"`
	Public       *bool          `json:"jsdPublic,omitempty"`
	Properties   []propertyWire `json:"properties,omitempty"`
}

type commentsWire struct {
	Self       string        `json:"self,omitempty"`
	StartAt    int           `json:"startAt"`
	MaxResults int           `json:"maxResults"`
	Total      int           `json:"total"`
	Comments   []commentWire `json:"comments"`
}

func (v view) comment(i *issue, c *comment) commentWire {
	out := commentWire{
		Self: v.self("issue", strconv.Itoa(i.id), "comment", strconv.Itoa(c.id)), ID: strconv.Itoa(c.id),
		Author: v.user(c.by), UpdateAuthor: v.user(c.by), Body: v.rich(c.body), Created: v.stamp(c.at), Updated: v.stamp(c.at),
	}
	if !v.s.o.DataCenter {
		public := !c.internal
		out.Public = &public
	}
	return out
}

func (v view) comments(i *issue, comments []*comment, start, total int) commentsWire {
	out := commentsWire{
		Self: v.self("issue", strconv.Itoa(i.id), "comment"), StartAt: start, MaxResults: len(comments), Total: total, Comments: []commentWire{},
	}
	for _, c := range comments {
		out.Comments = append(out.Comments, v.comment(i, c))
	}
	return out
}

// listComments pages through the comments, oldest first, or newest first with orderBy=-created. Properties are shown
// with expand=properties.
func (c *call) listComments() (int, any, error) {
	i, err := c.issue()
	if err != nil {
		return 0, nil, err
	}
	start, err := c.number("startAt", 0, 0)
	if err != nil {
		return 0, nil, err
	}
	size, err := c.number("maxResults", 100, 5000)
	if err != nil {
		return 0, nil, err
	}
	all := slices.Clone(i.comments)
	switch c.req.URL.Query().Get("orderBy") {
	case "", "created", "+created":
	case "-created":
		slices.Reverse(all)
	default:
		return 0, nil, refuse(http.StatusBadRequest, "Comments can be ordered by 'created' only.")
	}
	shown := page(all, start, size)
	out := c.view.comments(i, shown, start, len(all))
	out.Self, out.MaxResults = "", size
	if c.expands("properties") {
		for n, comment := range shown {
			for _, key := range slices.Sorted(maps.Keys(comment.properties)) {
				out.Comments[n].Properties = append(out.Comments[n].Properties, propertyWire{Key: key, Value: comment.properties[key]})
			}
		}
	}
	return http.StatusOK, out, nil
}

// internalProperty is the comment property that makes a comment internal at a service desk.
const internalProperty = "sd.public.comment"

// addComment comments on a ticket, with properties.
func (c *call) addComment() (int, any, error) {
	i, err := c.issue()
	if err != nil {
		return 0, nil, err
	}
	if err := c.need("ADD_COMMENTS", "You do not have the permission to comment on this issue."); err != nil {
		return 0, nil, err
	}
	var body struct {
		Body       json.RawMessage `json:"body"`
		Properties []propertyWire  `json:"properties"`
	}
	if err := c.decode(&body); err != nil {
		return 0, nil, err
	}
	if len(body.Body) == 0 {
		return 0, nil, refuseFields(map[string]string{"comment": "Comment body can not be empty!"})
	}
	value, problem := parseRich(body.Body, c.version)
	text, ok := value.(richText)
	if problem == "" && !ok {
		problem = "Comment body can not be empty!"
	}
	if problem != "" {
		return 0, nil, refuseFields(map[string]string{"comment": problem})
	}
	fresh := &comment{body: text, properties: map[string]json.RawMessage{}}
	for _, p := range body.Properties {
		if err := checkProperty(p.Key, p.Value); err != nil {
			return 0, nil, err
		}
		fresh.properties[p.Key] = p.Value
	}
	fresh.internal = i.project.desk != "" && saysInternal(fresh.properties[internalProperty])
	return http.StatusCreated, c.view.comment(i, c.s.comment(i, c.me, fresh)), nil
}

func saysInternal(property json.RawMessage) bool {
	var value struct {
		Internal bool `json:"internal"`
	}
	return json.Unmarshal(property, &value) == nil && value.Internal
}

// getCommentProperty shows one property of a comment.
func (c *call) getCommentProperty() (int, any, error) {
	for _, i := range c.s.issues {
		for _, comment := range i.comments {
			value, ok := comment.properties[c.args["property"]]
			if ok && strconv.Itoa(comment.id) == c.args["comment"] && c.me != nil && c.s.may("BROWSE_PROJECTS", c.me) {
				return http.StatusOK, propertyWire{Key: c.args["property"], Value: value}, nil
			}
		}
	}
	return 0, nil, refuse(http.StatusNotFound, "The property %s does not exist.", c.args["property"])
}
