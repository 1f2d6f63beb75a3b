package servicedeskplusstandin

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

type criterion struct {
	Field     string `json:"field"`
	Condition string `json:"condition"`
	Value     any    `json:"value"`
	Values    []any  `json:"values"`
	Logic     string `json:"logical_operator"`
}

type listInfo struct {
	Fields   []string    `json:"fields_required"`
	Sort     string      `json:"sort_field"`
	Order    string      `json:"sort_order"`
	Criteria []criterion `json:"search_criteria"`
}

// list finds requests. Every condition must hold; what was made a moment ago is missed while the index lags.
func (c *call) list() (any, error) {
	var info listInfo
	if json.Unmarshal(c.input["list_info"], &info) != nil {
		return nil, refuse(http.StatusBadRequest, 4021, "Wrong type", "list_info")
	}
	var found []*request
next:
	for _, r := range c.s.requests {
		if len(info.Criteria) > 0 && c.now.Sub(r.created) < c.s.o.SearchLag {
			continue
		}
		for _, one := range info.Criteria {
			holds, err := c.holds(r, one)
			if err != nil {
				return nil, err
			}
			if !holds {
				continue next
			}
		}
		found = append(found, r)
	}
	if len(c.s.requests) == 0 {
		for _, one := range info.Criteria {
			if _, err := c.holds(&request{}, one); err != nil {
				return nil, err
			}
		}
	}
	slices.SortStableFunc(found, func(a, b *request) int {
		order := cmp.Compare(a.id, b.id)
		switch info.Sort {
		case "last_updated_time":
			order = cmp.Or(a.updated.Compare(b.updated), order)
		case "created_time":
			order = cmp.Or(a.created.Compare(b.created), order)
		}
		if info.Order == "desc" {
			return -order
		}
		return order
	})
	var all []any
	for _, r := range found {
		view := r.view()
		if len(info.Fields) > 0 {
			for name := range view {
				if name != "id" && !slices.Contains(info.Fields, name) {
					delete(view, name)
				}
			}
		}
		all = append(all, view)
	}
	return c.page("requests", all)
}

func (c *call) holds(r *request, one criterion) (bool, error) {
	text, _ := one.Value.(string)
	unknown := refuse(http.StatusBadRequest, 4001, "Unknown field or condition", one.Field)
	switch {
	case one.Field == "last_updated_time":
		word := "gte"
		if c.s.o.LongWords {
			word = "greater or equal"
		}
		from, err := strconv.ParseInt(text, 10, 64)
		if one.Condition != word || err != nil {
			return false, unknown
		}
		return r.updated.UnixMilli() >= from, nil
	case one.Field == "id" && one.Condition == "is":
		return slices.ContainsFunc(one.Values, func(v any) bool { return v == r.id }), nil
	case one.Field == "subject" && one.Condition == "contains":
		return strings.Contains(strings.ToLower(r.subject), strings.ToLower(text)), nil
	case strings.HasPrefix(one.Field, "udf_fields.") && one.Condition == "is":
		name := strings.TrimPrefix(one.Field, "udf_fields.")
		if !slices.Contains(c.s.o.Fields, name) {
			if c.s.o.IgnoresSearch {
				return true, nil
			}
			return false, unknown
		}
		value, _ := r.additional[name].(string)
		return strings.EqualFold(value, text), nil
	default:
		return false, unknown
	}
}
