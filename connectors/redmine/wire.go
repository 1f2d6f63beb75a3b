package redmine

import (
	"encoding/json"
	"strings"
	"time"
)

// Redmine's own types, as far as they are read.

// named is anything Redmine refers to by number and name.
type named struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

type user struct {
	ID          int64        `json:"id"`
	Login       string       `json:"login"`
	First       string       `json:"firstname"`
	Last        string       `json:"lastname"`
	Admin       bool         `json:"admin"`
	Groups      []named      `json:"groups"` // told to administrators only
	Memberships []membership `json:"memberships"`
}

type membership struct {
	Project named   `json:"project"`
	User    *named  `json:"user"`
	Roles   []named `json:"roles"`
}

type status struct {
	named
	Closed bool `json:"is_closed"`
}

type project struct {
	ID       int64   `json:"id"`
	Name     string  `json:"name"`
	Trackers []named `json:"trackers"`
	Fields   []named `json:"issue_custom_fields"`
	Modules  []named `json:"enabled_modules"`
}

// field finds a custom field by name.
func (p project) field(name string) (named, bool) { return find(p.Fields, name) }

func find(all []named, name string) (named, bool) {
	for _, one := range all {
		if strings.EqualFold(one.Name, name) {
			return one, true
		}
	}
	return named{}, false
}

type customField struct {
	named
	Value json.RawMessage `json:"value"`
}

type issue struct {
	ID           int64         `json:"id"`
	Project      named         `json:"project"`
	Tracker      named         `json:"tracker"`
	Status       status        `json:"status"`
	Priority     named         `json:"priority"`
	Author       named         `json:"author"`
	Subject      string        `json:"subject"`
	Description  string        `json:"description"`
	Created      time.Time     `json:"created_on"`
	Updated      time.Time     `json:"updated_on"`
	CustomFields []customField `json:"custom_fields"`
	Journals     []journal     `json:"journals"`
	Attachments  []attachment  `json:"attachments"`
	Allowed      []status      `json:"allowed_statuses"`

	raw map[string]json.RawMessage
}

func (i *issue) UnmarshalJSON(text []byte) error {
	type plain issue
	if err := json.Unmarshal(text, (*plain)(i)); err != nil {
		return err
	}
	return json.Unmarshal(text, &i.raw)
}

// field finds a custom field by name.
func (i issue) field(name string) (customField, bool) {
	for _, f := range i.CustomFields {
		if strings.EqualFold(f.Name, name) {
			return f, true
		}
	}
	return customField{}, false
}

// journal is one entry of a ticket's history.
type journal struct {
	ID      int64     `json:"id"`
	User    named     `json:"user"`
	Notes   string    `json:"notes"`
	Private bool      `json:"private_notes"`
	Created time.Time `json:"created_on"`
	Details []struct {
		Property string  `json:"property"` // attr, cf, attachment, relation
		Name     string  `json:"name"`
		Old      *string `json:"old_value"`
		New      *string `json:"new_value"`
	} `json:"details"`
}

type attachment struct {
	ID      int64     `json:"id"`
	Name    string    `json:"filename"`
	Size    int64     `json:"filesize"`
	Author  named     `json:"author"`
	Created time.Time `json:"created_on"`
}

// issueList is one page of a search.
type issueList struct {
	Issues []issue `json:"issues"`
	Total  int     `json:"total_count"`
}

func text(p *string) string {
	if p == nil {
		return ""
	}
	return *p
}
