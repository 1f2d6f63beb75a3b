package servicenowstandin

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// term is one condition of a search.
type term struct {
	field, operator, value string
	or                     bool // an alternative to the term before
}

var termForm = regexp.MustCompile(`^(OR)?([a-z_][a-z0-9_.]*)(>=|<=|!=|=|>|<|NOT IN|IN|STARTSWITH|ENDSWITH|LIKE|ISNOTEMPTY|ISEMPTY)(.*)$`)

// search finds the records of an encoded query. What it does not understand it ignores, so that a search for a column
// that is misspelt finds everything.
func (s *Server) search(table, query string) []row {
	var terms []term
	var orders []string
	const escaped = "\x00" // stands for ^^
	for _, part := range strings.Split(strings.ReplaceAll(query, "^^", escaped), "^") {
		part = strings.ReplaceAll(part, escaped, "^")
		if order, ok := strings.CutPrefix(part, "ORDERBY"); ok {
			orders = append(orders, order)
			continue
		}
		m := termForm.FindStringSubmatch(part)
		if m == nil {
			continue
		}
		if _, known := s.kind(table, m[2]); known {
			terms = append(terms, term{m[2], m[3], s.evaluate(m[4]), m[1] != ""})
		}
	}
	now := s.o.Now()
	var out []row
	for _, one := range s.all(table) {
		if isTask(table) && s.o.Lag > 0 {
			if made, err := time.Parse(stamp, one["sys_created_on"]); err == nil && now.Sub(made) < s.o.Lag {
				continue
			}
		}
		if s.matches(table, one, terms) {
			out = append(out, one)
		}
	}
	for _, order := range slices.Backward(orders) {
		field, down := strings.CutPrefix(order, "DESC")
		slices.SortStableFunc(out, func(a, b row) int {
			x, _, _ := s.walk(table, a, field)
			y, _, _ := s.walk(table, b, field)
			if down {
				x, y = y, x
			}
			return strings.Compare(x, y)
		})
	}
	return out
}

func (s *Server) all(table string) []row {
	if table != "task" {
		return s.rows[table]
	}
	var out []row
	for _, t := range taskTables {
		out = append(out, s.rows[t.name]...)
	}
	return out
}

// evaluate runs the one script there is.
func (s *Server) evaluate(value string) string {
	if value != "javascript:gs.getUserID()" {
		return value
	}
	for _, one := range s.rows["sys_user"] {
		if one["user_name"] == s.o.Account {
			return one["sys_id"]
		}
	}
	return value
}

func (s *Server) matches(table string, r row, terms []term) bool {
	holds := true
	for i := 0; i < len(terms); {
		any := s.holds(table, r, terms[i])
		for i++; i < len(terms) && terms[i].or; i++ {
			any = any || s.holds(table, r, terms[i])
		}
		holds = holds && any
	}
	return holds
}

func (s *Server) holds(table string, r row, t term) bool {
	have, kind, _ := s.walk(table, r, t.field)
	wanted := t.value
	if kind == "time" {
		// Times are read in the zone of whoever asks.
		if at, err := time.ParseInLocation(stamp, wanted, s.o.Zone); err == nil {
			wanted = at.UTC().Format(stamp)
		}
	}
	order := strings.Compare(have, wanted)
	if x, err := strconv.Atoi(have); err == nil {
		if y, err := strconv.Atoi(wanted); err == nil {
			order = cmp.Compare(x, y)
		}
	}
	folded, part := strings.ToLower(have), strings.ToLower(wanted)
	switch t.operator {
	case "=":
		return strings.EqualFold(have, wanted)
	case "!=":
		return !strings.EqualFold(have, wanted)
	case ">=":
		return order >= 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	case "<":
		return order < 0
	case "IN":
		return slices.ContainsFunc(strings.Split(wanted, ","), func(one string) bool { return strings.EqualFold(one, have) })
	case "NOT IN":
		return !slices.ContainsFunc(strings.Split(wanted, ","), func(one string) bool { return strings.EqualFold(one, have) })
	case "LIKE":
		return strings.Contains(folded, part)
	case "STARTSWITH":
		return strings.HasPrefix(folded, part)
	case "ENDSWITH":
		return strings.HasSuffix(folded, part)
	case "ISNOTEMPTY":
		return have != ""
	default:
		return have == ""
	}
}

// kind is the kind of a column, through references.
func (s *Server) kind(table, field string) (string, bool) {
	first, rest, deep := strings.Cut(field, ".")
	for _, one := range s.columns[table] {
		if one.name != first {
			continue
		}
		if !deep {
			return one.kind, true
		}
		if references[one.kind] == "" {
			return "", false
		}
		return s.kind(references[one.kind], rest)
	}
	return "", false
}

// walk is a field of a record, through references. Journals are written only.
func (s *Server) walk(table string, r row, field string) (value, kind string, ok bool) {
	kind, ok = s.kind(table, field)
	if !ok {
		return "", "", false
	}
	first, rest, deep := strings.Cut(field, ".")
	if !deep {
		if kind == "journal" {
			return "", kind, true
		}
		return r[first], kind, true
	}
	to, _ := s.kind(table, first)
	target := s.find(references[to], r[first])
	if target == nil {
		return "", kind, true
	}
	return s.walk(references[to], target, rest)
}
