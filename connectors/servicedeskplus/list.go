package servicedeskplus

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// pageSize is the most the desk gives at once.
const pageSize = 100

// maxPages ends a list that does not end by itself.
const maxPages = 1000

// criterion is one condition of a search. Values stand in JSON and are never part of a language.
type criterion struct {
	Field     string `json:"field"`
	Condition string `json:"condition"`
	Value     any    `json:"value,omitempty"`
	Values    []any  `json:"values,omitempty"`
}

// listing is one page of a search.
type listing struct {
	name     string
	fields   []string
	criteria []criterion
	sort     string
	start    int // from 1 on
	rows     int
}

// rowFields are what is needed of a request to know it by its key.
var rowFields = []string{"id", "display_id", "subject", "created_by", "created_time", "udf_fields"}

type page struct {
	Requests []request `json:"requests"`
	Info     listInfo  `json:"list_info"`

	header http.Header
}

// list reads one page of a search.
func (c *connector) list(ctx context.Context, l listing) (page, error) {
	info := map[string]any{
		"row_count": l.rows, "start_index": max(l.start, 1), "sort_field": l.sort, "sort_order": "asc", "fields_required": l.fields,
	}
	if len(l.criteria) > 0 {
		info["search_criteria"] = l.criteria
	}
	var out page
	header, err := c.call(ctx, l.name, http.MethodGet, "requests", input{"list_info": info}, &out)
	if err != nil {
		return page{}, connectors.Unsent(err)
	}
	if out.Requests == nil {
		return page{}, connectors.Temporarily("%s: the answer is no list", l.name)
	}
	for _, r := range out.Requests {
		if !requestID.MatchString(string(r.ID)) {
			return page{}, connectors.Temporarily("%s: a hit has no id", l.name)
		}
	}
	out.header = header
	return out, nil
}

// all reads a search to its end.
func (c *connector) all(ctx context.Context, l listing, take func(request) error) error {
	l.start, l.rows = 1, pageSize
	for range maxPages {
		p, err := c.list(ctx, l)
		if err != nil {
			return err
		}
		for _, r := range p.Requests {
			if err := take(r); err != nil {
				return err
			}
		}
		l.start += len(p.Requests)
		if !p.Info.More || len(p.Requests) == 0 {
			return nil
		}
	}
	return connectors.Temporarily("%s: the list does not end", l.name)
}

var errNoList = errors.New("the answer is no list")

// parts reads a list that belongs to a request to its end; key is what the answer keeps it under.
func parts[T any](ctx context.Context, c *connector, name, path, key string) ([]T, error) {
	var out []T
	for range maxPages {
		var answer map[string]json.RawMessage
		in := input{"list_info": map[string]any{"row_count": pageSize, "start_index": len(out) + 1}}
		if _, err := c.call(ctx, name, http.MethodGet, path, in, &answer); err != nil {
			return nil, err
		}
		var some []T
		if json.Unmarshal(answer[key], &some) != nil || some == nil {
			return nil, connectors.Temporarily("%s: %w", name, errNoList)
		}
		out = append(out, some...)
		var info listInfo
		if raw, ok := answer["list_info"]; ok && json.Unmarshal(raw, &info) != nil {
			return nil, connectors.Temporarily("%s: the answer does not say where it ends", name)
		}
		if !info.More {
			return out, nil
		}
		if len(some) == 0 {
			break
		}
	}
	return nil, connectors.Temporarily("%s: the list does not end", name)
}
