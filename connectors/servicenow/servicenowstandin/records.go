package servicenowstandin

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// insert opens a record as the API does.
func (s *Server) insert(table, by string, fields map[string]string) (row, error) {
	if !isTask(table) && table != "sysapproval_approver" {
		return nil, refuse(http.StatusForbidden, "Operation Failed", "ACL restricts the record creation")
	}
	r := row{}
	if isTask(table) {
		at := slices.IndexFunc(taskTables, func(t struct{ name, prefix, state string }) bool { return t.name == table })
		s.numbers[table]++
		r = row{
			"number": fmt.Sprintf("%s%07d", taskTables[at].prefix, 10000+s.numbers[table]), "sys_class_name": table, "state": taskTables[at].state,
			"priority": "4", "active": "true", "approval": "not requested",
		}
	}
	if r["state"] != "" && fields["state"] == "" {
		fields = maps.Clone(fields)
		delete(fields, "state")
	}
	kept, journals := s.writable(table, by, fields)
	if err := s.policy(table, r, kept); err != nil {
		return nil, err
	}
	s.add(table, by, r)
	maps.Copy(r, kept)
	s.settle(table, r)
	s.write(table, r, by, journals)
	s.notify(table, r, by)
	return r, nil
}

// update changes a record as the API does, and records what changed.
func (s *Server) update(table string, r row, by string, fields map[string]string) error {
	kept, journals := s.writable(table, by, fields)
	if err := s.policy(table, r, kept); err != nil {
		return err
	}
	before := maps.Clone(r)
	maps.Copy(r, kept)
	s.settle(table, r)
	if maps.Equal(before, r) && len(journals) == 0 {
		return nil
	}
	n, _ := strconv.Atoi(r["sys_mod_count"])
	r["sys_mod_count"] = strconv.Itoa(n + 1)
	r["sys_updated_by"], r["sys_updated_on"] = by, s.o.Now().UTC().Format(stamp)
	for _, one := range s.columns[table] {
		if !strings.HasPrefix(one.name, "sys_") && before[one.name] != r[one.name] {
			s.record(table, r, by, one.name, before[one.name], r[one.name])
		}
	}
	s.write(table, r, by, journals)
	s.notify(table, r, by)
	return nil
}

// record writes into the history.
func (s *Server) record(table string, r row, by, field, from, to string) {
	if slices.Contains(s.o.Unaudited, table) {
		return
	}
	s.add("sys_audit", by, row{
		"tablename": table, "documentkey": r["sys_id"], "fieldname": field, "oldvalue": from, "newvalue": to, "user": by, "record_checkpoint": r["sys_mod_count"],
	})
}

// writable is what is kept of the fields of a write: without those there are not, those of the system and those the
// account may not write, and cut. Notes are apart.
func (s *Server) writable(table, by string, fields map[string]string) (kept, journals map[string]string) {
	kept, journals = map[string]string{}, map[string]string{}
	for _, one := range s.columns[table] {
		value, given := fields[one.name]
		if !given || strings.HasPrefix(one.name, "sys_") || one.name == "number" || by == s.o.Account && slices.Contains(s.o.Dropped, table+"."+one.name) {
			continue
		}
		if limit := s.length(table, one); limit > 0 && len([]rune(value)) > limit {
			value = string([]rune(value)[:limit])
		}
		if one.kind == "journal" {
			if value != "" {
				journals[one.name] = value
			}
			continue
		}
		kept[one.name] = value
	}
	return kept, journals
}

// nextStates are those a change may go to.
var nextStates = map[string][]string{
	"-5": {"-4", "4"}, "-4": {"-3", "4"}, "-3": {"-2", "4"}, "-2": {"-1", "4"}, "-1": {"0", "4"}, "0": {"3"}, "3": nil, "4": nil,
}

// policy refuses what data policies and business rules do.
func (s *Server) policy(table string, r row, kept map[string]string) error {
	state, moved := kept["state"]
	moved = moved && state != r["state"]
	after := maps.Clone(r)
	maps.Copy(after, kept)
	if table == "incident" && moved && (state == "6" || state == "7") {
		for _, field := range []string{"close_code", "close_notes"} {
			if after[field] == "" {
				return refuse(http.StatusForbidden, "Operation Failed", "Data Policy Exception: The following fields are mandatory: "+field)
			}
		}
	}
	if table == "change_request" && moved && r["sys_id"] != "" && !slices.Contains(nextStates[r["state"]], state) {
		return refuse(http.StatusForbidden, "Operation Failed", "Operation against file 'change_request' was aborted by Business Rule 'Change Model: Check State Transition'")
	}
	return nil
}

// settle sets what follows from the state.
func (s *Server) settle(table string, r row) {
	if isTask(table) {
		r["active"] = strconv.FormatBool(!slices.Contains(closedStates[table], r["state"]))
	}
}

// write keeps notes.
func (s *Server) write(table string, r row, by string, journals map[string]string) {
	for _, element := range slices.Sorted(maps.Keys(journals)) {
		s.add("sys_journal_field", by, row{"element_id": r["sys_id"], "element": element, "name": table, "value": journals[element]})
		if r["sys_mod_count"] != "0" {
			s.record(table, r, by, element, "", journals[element])
		}
	}
}

// attach keeps a file's name and size.
func (s *Server) attach(r *http.Request, body []byte) (int, any, error) {
	q := r.URL.Query()
	table, id, name := q.Get("table_name"), q.Get("table_sys_id"), q.Get("file_name")
	switch {
	case table == "" || id == "" || name == "" || r.Header.Get("Content-Type") == "":
		return 0, nil, refuse(http.StatusBadRequest, "Missing parameter", "table_name, table_sys_id, file_name and a content type are needed")
	case s.columns[table] == nil || s.find(table, id) == nil:
		return 0, nil, refuse(http.StatusNotFound, "No Record found", "The record to attach to does not exist")
	}
	made := s.attached(table, id, s.o.Account, name, r.Header.Get("Content-Type"), len(body))
	return http.StatusCreated, s.show("sys_attachment", made, view{shown: "false", bare: true}), nil
}

func (s *Server) attached(table, id, by, name, kind string, size int) row {
	return s.add("sys_attachment", by, row{
		"table_name": table, "table_sys_id": id, "file_name": name, "content_type": kind, "size_bytes": strconv.Itoa(size),
	})
}
