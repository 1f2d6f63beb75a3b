package servicenowstandin

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// What people do at the desk. Tickets are named by number, people by User ID, states by name.

// ticket finds a ticket by number or sys_id.
func (s *Server) ticket(name string) (string, row, error) {
	for _, t := range taskTables {
		for _, one := range s.rows[t.name] {
			if one["number"] == name || one["sys_id"] == name || t.name+"/"+one["sys_id"] == name {
				return t.name, one, nil
			}
		}
	}
	return "", nil, fmt.Errorf("there is no ticket %s", name)
}

func (s *Server) user(name string) (row, error) {
	for _, one := range s.rows["sys_user"] {
		if one["user_name"] == name {
			return one, nil
		}
	}
	return nil, fmt.Errorf("there is no user %s", name)
}

func (s *Server) change(name, by string, fields map[string]string) error {
	if by != "system" {
		if _, err := s.user(by); err != nil {
			return err
		}
	}
	table, r, err := s.ticket(name)
	if err != nil {
		return err
	}
	return s.update(table, r, by, fields)
}

// Move brings a ticket to a state, with further fields.
func (s *Server) Move(name, by, state string, fields map[string]string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	table, _, err := s.ticket(name)
	if err != nil {
		return err
	}
	all := maps.Clone(fields)
	if all == nil {
		all = map[string]string{}
	}
	known := s.own(table, "state")
	at := slices.IndexFunc(known, func(one [2]string) bool { return one[1] == state })
	if at < 0 {
		return fmt.Errorf("table %s has no state %s", table, state)
	}
	all["state"] = known[at][0]
	return s.change(name, by, all)
}

func (s *Server) own(table, element string) [][2]string {
	if own := choices[table][element]; own != nil {
		return own
	}
	return choices["task"][element]
}

// Edit changes fields of a ticket, those nobody sees included.
func (s *Server) Edit(name, by string, fields map[string]string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.change(name, by, fields)
}

// CommentAs writes a comment, or a work note.
func (s *Server) CommentAs(name, by, text string, public bool) error {
	field := "work_notes"
	if public {
		field = "comments"
	}
	return s.Edit(name, by, map[string]string{field: text})
}

// AttachAs attaches a file.
func (s *Server) AttachAs(name, by, file string, size int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	table, r, err := s.ticket(name)
	if err == nil {
		s.attached(table, r["sys_id"], by, file, "text/plain", size)
	}
	return err
}

// Ask asks people for their approval, as a flow would, or as an administrator who makes rows by hand.
func (s *Server) Ask(name, by string, approvers ...string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, r, err := s.ticket(name)
	if err != nil {
		return err
	}
	for _, approver := range approvers {
		u, err := s.user(approver)
		if err != nil {
			return err
		}
		s.add("sysapproval_approver", by, row{"state": "requested", "approver": u["sys_id"], "sysapproval": r["sys_id"]})
	}
	return s.change(name, by, map[string]string{"approval": "requested"})
}

// Answer sets the row of somebody who was asked, done by whoever it is; "approved" and "rejected" are answers. The ticket's
// approval follows.
func (s *Server) Answer(name, approver, by, state string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, r, err := s.ticket(name)
	if err != nil {
		return err
	}
	asked, err := s.user(approver)
	if err != nil {
		return err
	}
	states := map[string]int{}
	found := false
	for _, one := range s.rows["sysapproval_approver"] {
		if one["sysapproval"] != r["sys_id"] {
			continue
		}
		if one["approver"] == asked["sys_id"] {
			found = true
			if err := s.update("sysapproval_approver", one, by, map[string]string{"state": state, "comments": "answered by " + by}); err != nil {
				return err
			}
		}
		states[one["state"]]++
	}
	if !found {
		return fmt.Errorf("%s was not asked", approver)
	}
	rolled := "requested"
	switch {
	case states["rejected"] > 0:
		rolled = "rejected"
	case states["requested"] == 0 && states["approved"] > 0:
		rolled = "approved"
	}
	return s.change(name, "system", map[string]string{"approval": rolled})
}

// Clone makes a copy of a ticket, our marks included, and tells its number.
func (s *Server) Clone(name, by string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	table, r, err := s.ticket(name)
	if err != nil {
		return "", err
	}
	fields := maps.Clone(r)
	delete(fields, "state")
	made, err := s.insert(table, by, fields)
	return made["number"], err
}

// Delete removes a ticket.
func (s *Server) Delete(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	table, r, err := s.ticket(name)
	if err != nil {
		return err
	}
	s.rows[table] = slices.DeleteFunc(s.rows[table], func(one row) bool { return one["sys_id"] == r["sys_id"] })
	return nil
}

// Note is a comment or a work note of a ticket.
type Note struct {
	By, Text string
	Public   bool
}

// Ticket is a ticket as it is kept.
type Ticket struct {
	Table, ID, Number, State string // State by name
	Fields                   map[string]string
	Notes                    []Note
	Files                    []string
}

// Ticket finds a ticket by number, sys_id or both.
func (s *Server) Ticket(name string) (Ticket, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	table, r, err := s.ticket(name)
	if err != nil {
		return Ticket{}, false
	}
	return s.view(table, r), true
}

func (s *Server) view(table string, r row) Ticket {
	out := Ticket{Table: table, ID: r["sys_id"], Number: r["number"], Fields: maps.Clone(r)}
	for _, one := range s.own(table, "state") {
		if one[0] == r["state"] {
			out.State = one[1]
		}
	}
	for _, one := range s.rows["sys_journal_field"] {
		if one["element_id"] == r["sys_id"] {
			out.Notes = append(out.Notes, Note{one["sys_created_by"], one["value"], one["element"] == "comments"})
		}
	}
	for _, one := range s.rows["sys_attachment"] {
		if one["table_sys_id"] == r["sys_id"] {
			out.Files = append(out.Files, one["file_name"])
		}
	}
	return out
}

// Tickets are all tickets, table by table in the order they were opened.
func (s *Server) Tickets() []Ticket {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Ticket
	for _, t := range taskTables {
		for _, one := range s.rows[t.name] {
			out = append(out, s.view(t.name, one))
		}
	}
	return out
}

// Words are all notes of a ticket in one text.
func (t Ticket) Words() string {
	var out []string
	for _, n := range t.Notes {
		out = append(out, n.Text)
	}
	return strings.Join(out, "\n")
}

// Requests counts the calls that were made.
func (s *Server) Requests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests
}

// Reword changes what was recorded of a ticket's state, as a script does that changes records without a trace.
func (s *Server) Reword(name, state string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, r, err := s.ticket(name)
	if err == nil {
		r["state"] = state
	}
	return err
}

// SetGroups puts somebody into these groups and no others.
func (s *Server) SetGroups(name string, groups ...string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	u, err := s.user(name)
	if err != nil {
		return err
	}
	s.rows["sys_user_grmember"] = slices.DeleteFunc(s.rows["sys_user_grmember"], func(one row) bool { return one["user"] == u["sys_id"] })
	for _, group := range groups {
		at := slices.IndexFunc(s.rows["sys_user_group"], func(one row) bool { return one["name"] == group })
		if at < 0 {
			return fmt.Errorf("there is no group %s", group)
		}
		s.add("sys_user_grmember", "admin", row{"user": u["sys_id"], "group": s.rows["sys_user_group"][at]["sys_id"]})
	}
	return nil
}
