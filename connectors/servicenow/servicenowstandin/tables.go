package servicenowstandin

import (
	"crypto/rand"
	"encoding/hex"
	"slices"
	"strconv"
)

// row is a record; all values are texts.
type row map[string]string

// column is one field of a table. Its kind is text, time, journal, or the table it points at.
type column struct {
	name, kind string
	length     int
}

// stamp is how times are kept, in UTC.
const stamp = "2006-01-02 15:04:05"

// references are the kinds of columns that point at another table's records.
var references = map[string]string{"sys_user": "sys_user", "sys_user_group": "sys_user_group", "task": "task"}

// taskTables are the tables that extend task, with what their numbers begin with and the state of a new record.
var taskTables = []struct{ name, prefix, state string }{
	{"incident", "INC", "1"}, {"change_request", "CHG", "-5"}, {"sc_req_item", "RITM", "1"}, {"sc_task", "SCTASK", "1"},
}

func isTask(table string) bool {
	return slices.ContainsFunc(taskTables, func(t struct{ name, prefix, state string }) bool { return t.name == table })
}

var system = []column{
	{"sys_id", "text", 32}, {"sys_created_by", "text", 40}, {"sys_created_on", "time", 0}, {"sys_updated_by", "text", 40}, {"sys_updated_on", "time", 0},
	{"sys_mod_count", "integer", 0},
}

var taskColumns = []column{
	{"number", "text", 40}, {"sys_class_name", "text", 80}, {"state", "integer", 0}, {"priority", "integer", 0}, {"active", "boolean", 0},
	{"short_description", "text", 160}, {"description", "text", 4000}, {"comments", "journal", 4000}, {"work_notes", "journal", 4000},
	{"correlation_id", "text", 100}, {"correlation_display", "text", 100}, {"approval", "text", 40}, {"assignment_group", "sys_user_group", 32},
	{"assigned_to", "sys_user", 32}, {"opened_by", "sys_user", 32}, {"close_notes", "text", 4000},
}

var ownColumns = map[string][]column{
	"incident":       {{"caller_id", "sys_user", 32}, {"close_code", "text", 40}, {"category", "text", 40}, {"u_department", "text", 40}},
	"change_request": {{"type", "text", 40}, {"close_code", "text", 40}, {"requested_by", "sys_user", 32}},
	"sc_req_item":    {{"requested_for", "sys_user", 32}},
	"sc_task":        {{"u_department", "text", 40}},
}

var plainTables = map[string][]column{
	"sys_user": {
		{"user_name", "text", 40}, {"name", "text", 100}, {"email", "text", 100}, {"active", "boolean", 0}, {"web_service_access_only", "boolean", 0},
		{"internal_integration_user", "boolean", 0},
	},
	"sys_user_group":    {{"name", "text", 80}},
	"sys_user_grmember": {{"user", "sys_user", 32}, {"group", "sys_user_group", 32}},
	"sys_choice": {
		{"name", "text", 80}, {"element", "text", 80}, {"value", "text", 80}, {"label", "text", 80}, {"language", "text", 10}, {"inactive", "boolean", 0},
	},
	"sys_dictionary": {
		{"name", "text", 80}, {"element", "text", 80}, {"column_label", "text", 80}, {"internal_type", "text", 40}, {"max_length", "integer", 0},
		{"mandatory", "boolean", 0}, {"audit", "boolean", 0},
	},
	"sys_audit": {
		{"tablename", "text", 80}, {"documentkey", "text", 32}, {"fieldname", "text", 80}, {"oldvalue", "text", 0}, {"newvalue", "text", 0},
		{"user", "text", 40}, {"record_checkpoint", "integer", 0},
	},
	"sys_journal_field": {{"element_id", "text", 32}, {"element", "text", 80}, {"name", "text", 80}, {"value", "text", 0}},
	"sys_attachment": {
		{"table_name", "text", 80}, {"table_sys_id", "text", 32}, {"file_name", "text", 100}, {"content_type", "text", 100}, {"size_bytes", "integer", 0},
	},
	"sysapproval_approver": {{"state", "text", 40}, {"approver", "sys_user", 32}, {"sysapproval", "task", 32}, {"comments", "journal", 4000}},
}

var choices = map[string]map[string][][2]string{
	"incident":       {"state": {{"1", "New"}, {"2", "In Progress"}, {"3", "On Hold"}, {"6", "Resolved"}, {"7", "Closed"}, {"8", "Canceled"}, {"20", "Approved"}, {"21", "Declined"}}},
	"change_request": {"state": {{"-5", "New"}, {"-4", "Assess"}, {"-3", "Authorize"}, {"-2", "Scheduled"}, {"-1", "Implement"}, {"0", "Review"}, {"3", "Closed"}, {"4", "Canceled"}}},
	"task": {
		"state":    {{"1", "Open"}, {"2", "Work in Progress"}, {"3", "Closed Complete"}, {"4", "Closed Incomplete"}, {"7", "Closed Skipped"}},
		"priority": {{"1", "1 - Critical"}, {"2", "2 - High"}, {"3", "3 - Moderate"}, {"4", "4 - Low"}},
	},
}

// closedStates end a record.
var closedStates = map[string][]string{"incident": {"7", "8"}, "change_request": {"3", "4"}, "sc_req_item": {"3", "4", "7"}, "sc_task": {"3", "4", "7"}}

func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// build fills the tables.
func (s *Server) build() {
	for table, columns := range plainTables {
		s.columns[table] = slices.Concat(system, columns)
	}
	s.columns["task"] = slices.Concat(system, taskColumns)
	s.define("task", taskColumns)
	s.define("sysapproval_approver", plainTables["sysapproval_approver"])
	for _, t := range taskTables {
		s.columns[t.name] = slices.Concat(system, taskColumns, ownColumns[t.name])
		s.define(t.name, ownColumns[t.name])
	}
	for _, table := range []string{"incident", "change_request", "task"} {
		for _, element := range []string{"state", "priority"} {
			for _, one := range choices[table][element] {
				s.add("sys_choice", "admin", row{"name": table, "element": element, "value": one[0], "label": one[1], "language": "en", "inactive": "false"})
				s.add("sys_choice", "admin", row{"name": table, "element": element, "value": one[0], "label": "Wert " + one[0], "language": "de", "inactive": "false"})
			}
		}
	}
	groups := map[string]string{}
	for _, u := range append([]User{{Name: s.o.Account, Full: "Drawbridge", Robot: true}}, s.o.Users...) {
		robot := strconv.FormatBool(u.Robot)
		made := s.add("sys_user", "admin", row{
			"user_name": u.Name, "name": u.Full, "email": u.Mail, "active": "true", "web_service_access_only": robot, "internal_integration_user": "false",
		})
		for _, name := range u.Groups {
			if groups[name] == "" {
				groups[name] = s.add("sys_user_group", "admin", row{"name": name})["sys_id"]
			}
			s.add("sys_user_grmember", "admin", row{"user": made["sys_id"], "group": groups[name]})
		}
	}
}

// define writes a table into the dictionary.
func (s *Server) define(table string, columns []column) {
	audited := strconv.FormatBool(!slices.Contains(s.o.Unaudited, table))
	s.add("sys_dictionary", "admin", row{"name": table, "internal_type": "collection", "mandatory": "false", "audit": audited})
	for _, one := range columns {
		kind := one.kind
		if references[kind] != "" {
			kind = "reference"
		} else if kind == "journal" {
			kind = "journal_input"
		} else if kind == "text" {
			kind = "string"
		}
		length := ""
		if n := s.length(table, one); n > 0 {
			length = strconv.Itoa(n)
		}
		s.add("sys_dictionary", "admin", row{
			"name": table, "element": one.name, "column_label": one.name, "internal_type": kind, "max_length": length, "audit": "false",
			"mandatory": strconv.FormatBool(one.name == "caller_id"),
		})
	}
}

// length is how long a column's text may be.
func (s *Server) length(table string, one column) int {
	if n, ok := s.o.Lengths[table+"."+one.name]; ok {
		return n
	}
	return one.length
}

// add keeps a record as it is.
func (s *Server) add(table, by string, r row) row {
	now := s.o.Now().UTC().Format(stamp)
	for name, value := range map[string]string{
		"sys_id": newID(), "sys_created_by": by, "sys_created_on": now, "sys_updated_by": by, "sys_updated_on": now, "sys_mod_count": "0",
	} {
		r[name] = value
	}
	s.rows[table] = append(s.rows[table], r)
	return r
}

// find is one record of a table; those of task are all tickets.
func (s *Server) find(table, id string) row {
	tables := []string{table}
	if table == "task" {
		tables = nil
		for _, t := range taskTables {
			tables = append(tables, t.name)
		}
	}
	for _, name := range tables {
		for _, one := range s.rows[name] {
			if one["sys_id"] == id {
				return one
			}
		}
	}
	return nil
}
