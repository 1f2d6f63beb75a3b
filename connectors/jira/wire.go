package jira

import (
	"cmp"
	"encoding/json"
	"errors"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Jira's own types, as far as they are read.

type user struct {
	AccountID   string `json:"accountId"`   // Cloud
	AccountType string `json:"accountType"` // Cloud: atlassian, app, customer
	Name        string `json:"name"`        // Data Center: login
	UserKey     string `json:"key"`         // Data Center: survives renames
	DisplayName string `json:"displayName"`
	Mail        string `json:"emailAddress"`
	Active      *bool  `json:"active"`
	TimeZone    string `json:"timeZone"`
}

// account is what other calls know the person by.
func (u user) account() string { return cmp.Or(u.AccountID, u.Name, u.UserKey) }

func (u user) person() connectors.Person {
	return connectors.Person{Account: u.account(), Name: u.DisplayName, Mail: u.Mail}
}

// same tells whether two users are one, by the name that does not change.
func (u user) same(other user) bool {
	switch {
	case u.AccountID != "" || other.AccountID != "":
		return u.AccountID == other.AccountID
	case u.UserKey != "" && other.UserKey != "":
		return u.UserKey == other.UserKey
	default:
		return u.Name != "" && u.Name == other.Name
	}
}

// seenBy is the user as an account of a ticket's history. A user Jira no longer names is nobody.
func (u *user) seenBy(me self) connectors.Account {
	if u == nil {
		return connectors.Account{}
	}
	return connectors.Account{Person: u.person(), Ours: me.same(*u), Automation: u.AccountType == "app"}
}

// stamp is a time as Jira writes it, which is not RFC 3339: 2026-11-20T10:05:00.000+0000.
type stamp struct{ time.Time }

func (s *stamp) UnmarshalJSON(text []byte) error {
	var value string
	if err := json.Unmarshal(text, &value); err != nil || value == "" {
		return err
	}
	for _, layout := range []string{"2006-01-02T15:04:05.999-0700", time.RFC3339Nano} {
		if at, err := time.Parse(layout, value); err == nil {
			s.Time = at.UTC()
			return nil
		}
	}
	return errors.New("a time is not written as Jira writes times")
}

type property struct {
	Key   string `json:"key"`
	Value any    `json:"value"`
}

// owned is the value of our properties.
type owned struct {
	Key string `json:"key"`
}

type issue struct {
	ID         string                     `json:"id"`
	Key        string                     `json:"key"`
	Fields     map[string]json.RawMessage `json:"fields"`
	Properties map[string]json.RawMessage `json:"properties"`
	Changelog  *struct {
		Total     int       `json:"total"`
		Histories []history `json:"histories"`
	} `json:"changelog"`
}

// field reads one field into out, which is left as it is where the field is missing or of another shape.
func (i issue) field(id string, out any) { _ = json.Unmarshal(i.Fields[id], out) }

// key is what our property on the ticket says.
func (i issue) key(name string) string {
	var value owned
	_ = json.Unmarshal(i.Properties[name], &value)
	return value.Key
}

type history struct {
	ID      string `json:"id"`
	Author  *user  `json:"author"`
	Created stamp  `json:"created"`
	Items   []struct {
		Field      string `json:"field"`
		FieldID    string `json:"fieldId"`
		FieldType  string `json:"fieldtype"`
		From       string `json:"from"`
		FromString string `json:"fromString"`
		To         string `json:"to"`
		ToString   string `json:"toString"`
	} `json:"items"`
}

type status struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Category struct {
		Key string `json:"key"`
	} `json:"statusCategory"`
}

type project struct {
	Key  string `json:"key"`
	Type string `json:"projectTypeKey"`
}

type attachment struct {
	ID      string `json:"id"`
	Name    string `json:"filename"`
	Size    int64  `json:"size"`
	Author  *user  `json:"author"`
	Created stamp  `json:"created"`
}

type permissions struct {
	Permissions map[string]struct {
		Have bool `json:"havePermission"`
	} `json:"permissions"`
}

// fieldMeta describes a field on a screen.
type fieldMeta struct {
	ID         string            `json:"fieldId"` // in create meta
	Name       string            `json:"name"`
	Required   bool              `json:"required"`
	HasDefault bool              `json:"hasDefaultValue"`
	Allowed    []json.RawMessage `json:"allowedValues"`
	Schema     fieldSchema       `json:"schema"`
}

type fieldSchema struct {
	Type   string `json:"type"`
	Items  string `json:"items"`
	System string `json:"system"`
	Custom string `json:"custom"`
}

type transition struct {
	ID     string               `json:"id"`
	Name   string               `json:"name"`
	To     status               `json:"to"`
	Fields map[string]fieldMeta `json:"fields"`
}

type comment struct {
	ID         string `json:"id"`
	Author     *user  `json:"author"`
	Public     *bool  `json:"jsdPublic"`
	Properties []struct {
		Key   string          `json:"key"`
		Value json.RawMessage `json:"value"`
	} `json:"properties"`
}

type approval struct {
	ID        string `json:"id"`
	Final     string `json:"finalDecision"`
	Approvers []struct {
		Approver *user  `json:"approver"`
		Decision string `json:"approverDecision"`
	} `json:"approvers"`
	Created   moment `json:"createdDate"`
	Completed moment `json:"completedDate"`
}

// moment is a time as the service desk writes it.
type moment struct {
	Millis int64 `json:"epochMillis"`
}
