package servicedeskplusstandin

import (
	"cmp"
	"time"
)

// Editions.
const (
	Cloud  = "cloud"
	OnPrem = "onprem"
)

// User is somebody who works at the desk.
type User struct{ ID, Name, Mail string }

// Options say what the desk is like. Zero values are filled: a cloud with a few people, templates and fields.
type Options struct {
	Edition string
	Base    string // what stands before /api/v3; default /app/itdesk at the cloud
	Now     func() time.Time
	Accept  string // the one media type answers are given in

	Account      User   // who the credentials work as
	ClientID     string // cloud
	ClientSecret string
	RefreshToken string
	TokenLife    time.Duration
	AuthToken    string // an installation of one's own

	People     []User
	Statuses   []string
	Priorities []string
	Templates  map[string]Template
	Fields     []string // additional fields

	NoteWrapper    string
	Uploads        string
	History        string // the path of the call for a request's history; empty: there is none
	MaxRows        int    // the most rows a list gives at once
	LongWords      bool   // comparisons are spelled greater or equal
	IgnoresSearch  bool   // conditions on fields it does not know are left out without a word
	QuietApprovals bool   // an approval leaves the time of the last update as it was
	SearchLag      time.Duration
}

// Template is what a kind of request demands.
type Template struct {
	Mandatory []string
	// Levels are the people, by id, who are asked for approval as soon as a request is made; each level waits for the one
	// before and wants everybody in it.
	Levels [][]string
}

// People every desk has, by id.
const (
	Kim   = "100000000000000101"
	Lee   = "100000000000000102"
	Max   = "100000000000000103"
	Ana   = "100000000000000104"
	Robot = "100000000000000105"
	ours  = "100000000000000100"
)

func (o Options) withDefaults() Options {
	o.Edition = cmp.Or(o.Edition, Cloud)
	if o.Edition == Cloud {
		o.Base = cmp.Or(o.Base, "/app/itdesk")
		o.Accept = cmp.Or(o.Accept, "application/vnd.manageengine.sdp.v3+json")
	}
	o.Accept = cmp.Or(o.Accept, "application/vnd.manageengine.v3+json")
	if o.Now == nil {
		o.Now = time.Now
	}
	o.Account = cmp.Or(o.Account, User{ours, "Drawbridge", "drawbridge@example.com"})
	o.ClientID = cmp.Or(o.ClientID, "1000.ABCDEF")
	o.TokenLife = cmp.Or(o.TokenLife, time.Hour)
	o.NoteWrapper = cmp.Or(o.NoteWrapper, "request_note")
	o.Uploads = cmp.Or(o.Uploads, "_uploads")
	o.MaxRows = cmp.Or(o.MaxRows, 100)
	if o.People == nil {
		o.People = []User{
			{Kim, "Kim", "kim@corp.example"}, {Lee, "Lee", "lee@corp.example"}, {Max, "Max", "max@corp.example"}, {Ana, "Ana", "ana@corp.example"},
			{Robot, "System", ""},
		}
	}
	if o.Statuses == nil {
		o.Statuses = []string{"Open", "On Hold", "Approved", "Declined", "Resolved", "Closed"}
	}
	if o.Priorities == nil {
		o.Priorities = []string{"Low", "Normal", "High"}
	}
	if o.Templates == nil {
		o.Templates = map[string]Template{
			"Default Request": {},
			"Access request":  {Levels: [][]string{{Kim}}},
			"Two levels":      {Levels: [][]string{{Kim}, {Lee, Max}}},
			"Anybody asked":   {Levels: [][]string{{Ana}}},
			"With category":   {Mandatory: []string{"category", "urgency"}},
		}
	}
	if o.Fields == nil {
		o.Fields = []string{"udf_char1", "udf_char2", "udf_sline_301", "udf_multiselect_1"}
	}
	return o
}
