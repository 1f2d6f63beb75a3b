package jirastandin

import (
	"net/http"
	"time"

	// Accounts live in time zones and searches are read in them; the machine may have no zone files.
	_ "time/tzdata"
)

// Options say what the stand-in is like. The zero value is a Jira Cloud with
//
//   - project ITSEC, types "Access Request", "Task" and "Bug", workflow Open → In Review → Approved, Declined,
//     Won't do, Done, where Done asks for a resolution;
//   - project DESK, a service desk, type "Service Request", where a ticket waits for the approval of acc-kim or acc-lee;
//   - accounts acc-bridge (bridge@example.test, token "token"), acc-ana, acc-kim, acc-lee, acc-max and the app acc-robot;
//   - groups endpoint-approvers (acc-kim, acc-lee) and jira-users (all but acc-robot).
type Options struct {
	Now        func() time.Time // the clock; default time.Now; must not call the Server
	Seed       uint64           // of everything drawn at random: lag, loss and duplicates
	DataCenter bool             // Jira Data Center instead of Jira Cloud
	BaseURL    string           // where links lead; default the host that was called

	// IndexLag is how long a change stays unseen by search, asked once a change; it must not call the Server. Without
	// it a lag is drawn between IndexLagMin and IndexLagMax.
	IndexLag    func() time.Duration
	IndexLagMin time.Duration
	IndexLagMax time.Duration

	HookURL       string        // where webhooks go; empty: none
	HookSecret    string        // signs them; empty: unsigned
	HookDuplicate float64       // fraction of webhooks sent twice
	HookRetry     time.Duration // pause before Run tries again, default 2s; Jira waits 5 to 15 minutes
	Client        *http.Client  // sends webhooks; default: one that gives up after 20 seconds

	Projects []Project
	Accounts []Account
	Required []string // field ids made required on every create screen they are on
	Denied   []string // permissions nobody has, as at Deny

	// App is what may ask for access tokens, and calls through the gateway with them; Cloud only. nil: none.
	App *App

	// AnonymousReads lets calls with wrong credentials pass as nobody's, as public sites do: lists are empty, tickets
	// are not found.
	AnonymousReads bool
	// WriteLimit enforces Jira's limit on writes to one ticket: 20 in 2 seconds and 100 in 30 seconds.
	WriteLimit bool
}

// Project is a project and what can be created in it.
type Project struct {
	Key, Name    string
	ServiceDesk  bool
	RequestTypes []string // names, of a service desk
	Types        []Type
}

// Type is an issue type: a create screen, which is the edit screen too, and a workflow. Summary, description,
// priority, labels, assignee, reporter and due date are on every screen; Fields are the custom ones.
type Type struct {
	Name     string
	Fields   []Field
	Workflow Workflow
}

// Field is a custom field.
type Field struct {
	ID       string // customfield_10042
	Name     string
	Kind     Kind
	Required bool
	Options  []string // of Select and MultiSelect
}

// Kind is what a field holds.
type Kind string

const (
	Text        Kind = "textfield" // one line, 255 characters
	TextArea    Kind = "textarea"  // rich text
	Number      Kind = "float"
	Select      Kind = "select"
	MultiSelect Kind = "multiselect"
	UserPicker  Kind = "userpicker"
	Date        Kind = "datepicker"
	DateTime    Kind = "datetime"
)

// Workflow is the way of a ticket through its statuses, starting with the first.
type Workflow struct {
	Statuses    []Status
	Transitions []Transition
}

// Status is a step of a workflow. Statuses of one name are one status in all workflows.
type Status struct {
	Name     string
	Category string    // new, indeterminate or done
	Approval *Approval // what a service desk waits for in this status
}

// Approval is an approval step: one answer of one approver decides and moves the ticket.
type Approval struct {
	Approvers []string // account ids
	Approved  string   // status after an approval
	Declined  string   // status after a decline
}

// Transition leads to a status. The resolution of a ticket is cleared when it moves to a status that is not done.
type Transition struct {
	Name   string
	From   []string // status names; empty: from everywhere
	To     string
	Screen []OnScreen
}

// OnScreen puts a field on a transition's screen: resolution, comment, or a field of the type.
type OnScreen struct {
	Field    string
	Required bool
}

// Account is a person, or an app.
type Account struct {
	ID       string // accountId at Cloud
	Login    string // user name at Data Center; default: the part of Mail before the @
	Name     string
	Mail     string
	Zone     string // IANA name; default UTC
	Token    string // signs in with Mail (Cloud), Login (Data Center) or as bearer; empty: cannot call
	Kind     string // atlassian (default), app or customer
	Groups   []string
	Inactive bool
	Scopes   []string // makes Token a scoped one, which is taken at the gateway only
}

func (o Options) withDefaults() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Client == nil {
		o.Client = &http.Client{Timeout: 20 * time.Second, Transport: http.DefaultTransport.(*http.Transport).Clone()}
	}
	if o.HookRetry == 0 {
		o.HookRetry = 2 * time.Second
	}
	if o.Projects == nil {
		o.Projects = defaultProjects()
	}
	if o.Accounts == nil {
		o.Accounts = DefaultAccounts()
	}
	return o
}

// DefaultAccounts are the people there are when Options name none, to add others to.
func DefaultAccounts() []Account {
	users, approvers := []string{"jira-users"}, []string{"jira-users", "endpoint-approvers"}
	return []Account{
		{ID: "acc-bridge", Name: "Drawbridge", Mail: "bridge@example.test", Zone: "Europe/Berlin", Token: "token", Groups: users},
		{ID: "acc-ana", Name: "Ana Moreau", Mail: "ana@example.test", Zone: "Europe/Paris", Groups: users},
		{ID: "acc-kim", Name: "Kim Okafor", Mail: "kim@example.test", Zone: "America/New_York", Token: "token-kim", Groups: approvers},
		{ID: "acc-lee", Name: "Lee Santos", Mail: "lee@example.test", Zone: "Asia/Kolkata", Token: "token-lee", Groups: approvers},
		{ID: "acc-max", Name: "Max Lindqvist", Mail: "max@example.test", Token: "token-max", Groups: users},
		{ID: "acc-robot", Name: "Automation for Jira", Mail: "robot@example.test", Kind: "app"},
	}
}

func defaultProjects() []Project {
	group := Field{ID: "customfield_10042", Name: "Computer group", Kind: Text}
	duration := Field{ID: "customfield_10050", Name: "Duration", Kind: Text}
	justification := Field{ID: "customfield_10060", Name: "Justification", Kind: TextArea}
	risk := Field{ID: "customfield_10070", Name: "Risk", Kind: Select, Options: []string{"Low", "Medium", "High", "Critical"}}
	approver := Field{ID: "customfield_10080", Name: "Approver", Kind: UserPicker}
	closing := []OnScreen{{Field: "resolution", Required: true}, {Field: "comment"}}
	granting := []OnScreen{{Field: "customfield_10050"}, {Field: "comment"}}
	refusing := []OnScreen{{Field: "comment"}}
	waiting := []string{"Open", "In Review"}
	access := Workflow{
		Statuses: []Status{
			{Name: "Open", Category: "new"}, {Name: "In Review", Category: "indeterminate"}, {Name: "Approved", Category: "done"},
			{Name: "Declined", Category: "done"}, {Name: "Won't do", Category: "done"}, {Name: "Done", Category: "done"},
		},
		Transitions: []Transition{
			{Name: "Start review", From: []string{"Open"}, To: "In Review"},
			{Name: "Approve", From: waiting, To: "Approved", Screen: granting},
			{Name: "Decline", From: waiting, To: "Declined", Screen: refusing},
			{Name: "Reject", From: waiting, To: "Won't do"},
			{Name: "Close", From: []string{"Open", "In Review", "Approved", "Declined"}, To: "Done", Screen: closing},
			{Name: "Reopen", From: []string{"Approved", "Declined", "Won't do", "Done"}, To: "Open"},
		},
	}
	plain := Workflow{
		Statuses: []Status{{Name: "Open", Category: "new"}, {Name: "In Progress", Category: "indeterminate"}, {Name: "Done", Category: "done"}},
		Transitions: []Transition{
			{Name: "Start", From: []string{"Open"}, To: "In Progress"},
			{Name: "Finish", From: []string{"Open", "In Progress"}, To: "Done"},
			{Name: "Reopen", From: []string{"Done"}, To: "Open"},
		},
	}
	desk := Workflow{
		Statuses: []Status{
			{Name: "Waiting for approval", Category: "indeterminate", Approval: &Approval{
				Approvers: []string{"acc-kim", "acc-lee"}, Approved: "Approved", Declined: "Declined",
			}},
			{Name: "Approved", Category: "indeterminate"}, {Name: "Declined", Category: "done"}, {Name: "Resolved", Category: "done"},
		},
		Transitions: []Transition{
			{Name: "Resolve", From: []string{"Approved", "Waiting for approval"}, To: "Resolved", Screen: []OnScreen{{Field: "resolution", Required: true}, {Field: "comment"}}},
			{Name: "Ask again", From: []string{"Approved", "Declined", "Resolved"}, To: "Waiting for approval"},
		},
	}
	return []Project{
		{Key: "ITSEC", Name: "IT Security", Types: []Type{
			{Name: "Access Request", Fields: []Field{group, duration, justification, risk, approver}, Workflow: access},
			{Name: "Task", Fields: []Field{risk}, Workflow: plain},
			{Name: "Bug", Fields: []Field{risk}, Workflow: plain},
		}},
		{Key: "DESK", Name: "Service Desk", ServiceDesk: true, RequestTypes: []string{"Get access", "Report a finding"}, Types: []Type{
			{Name: "Service Request", Fields: []Field{group, duration, justification}, Workflow: desk},
		}},
	}
}
