package elimitystandin

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
)

// question is a query. Elimity's own schema wants every member, and so does the stand-in.
type question struct {
	Alias              *string            `json:"alias"`
	Condition          *expression        `json:"condition"`
	DirectLinkGroupBy  *[]json.RawMessage `json:"directLinkGroupByQueries"`
	DirectLinkQueries  *[]json.RawMessage `json:"directLinkQueries"`
	EntityType         *string            `json:"entityType"`
	Include            *[]included        `json:"include"`
	Limit              *int               `json:"limit"`
	LinkGroupByQueries *[]json.RawMessage `json:"linkGroupByQueries"`
	LinkQueries        *[]json.RawMessage `json:"linkQueries"`
	Offset             *int               `json:"offset"`
	OrderBy            *[]json.RawMessage `json:"orderBy"`
	SourceID           *int64             `json:"sourceId"`
}

func (q question) whole() bool {
	return q.Alias != nil && q.Condition != nil && q.DirectLinkGroupBy != nil && q.DirectLinkQueries != nil && q.EntityType != nil &&
		q.Include != nil && q.Limit != nil && q.LinkGroupByQueries != nil && q.LinkQueries != nil && q.Offset != nil && q.OrderBy != nil && q.SourceID != nil
}

// expression is any of the conditions the stand-in knows.
type expression struct {
	Type       string       `json:"type"`
	Boolean    bool         `json:"boolean"`
	IDs        []string     `json:"ids"`
	Reference  string       `json:"reference"`
	Exprs      []expression `json:"exprs"`
	Alias      string       `json:"alias"`
	Condition  *expression  `json:"condition"`
	EntityType string       `json:"entityType"`
	LinkAlias  string       `json:"linkAlias"`
	SourceID   int64        `json:"sourceId"`
}

type included struct {
	Type string `json:"type"`
	Expr struct {
		Attribute string `json:"attributeType"`
		Reference string `json:"reference"`
		Type      string `json:"type"`
	} `json:"expr"`
}

type resultPage struct {
	Count   int      `json:"count"`
	Results []result `json:"results"`
}

type result struct {
	Entity      resultEntity     `json:"entity"`
	Inclusions  []resultIncluded `json:"inclusions"`
	GroupPages  []any            `json:"linkGroupByPages"`
	LinkedPages []any            `json:"linkPages"`
}

type resultEntity struct {
	Active bool   `json:"active"`
	ID     string `json:"id"`
	Name   string `json:"name"`
}

type resultIncluded struct {
	Type  string `json:"type"`
	Value string `json:"value"`
}

// query answers each query with the entities that meet its condition. Queries inside queries and sorting are not known.
func (s *Server) query(w http.ResponseWriter, r *http.Request) {
	var questions []question
	if err := decode(r.Body, &questions); err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	pages := []resultPage{}
	for _, q := range questions {
		page, err := s.answer(q)
		if err != nil {
			refuse(w, http.StatusBadRequest, err.Error())
			return
		}
		pages = append(pages, page)
	}
	reply(w, http.StatusOK, pages)
}

// answer answers one query; s.mu is held.
func (s *Server) answer(q question) (resultPage, error) {
	if !q.whole() {
		return resultPage{}, fmt.Errorf("a query lacks a member")
	}
	page := resultPage{Results: []result{}}
	for _, k := range s.shown.of(*q.SourceID, *q.EntityType) {
		ok, err := s.meets(*q.Condition, map[string]key{*q.Alias: k})
		if err != nil {
			return resultPage{}, err
		}
		if !ok {
			continue
		}
		page.Count++
		if page.Count <= *q.Offset || len(page.Results) == *q.Limit {
			continue
		}
		t := s.shown.things[k]
		found := result{Entity: resultEntity{t.active, k.id, t.name}, Inclusions: []resultIncluded{}, GroupPages: []any{}, LinkedPages: []any{}}
		for _, in := range *q.Include {
			value, has := t.assigned[in.Expr.Attribute]
			if in.Expr.Type == "assigned" {
				value = fmt.Sprint(has)
			}
			found.Inclusions = append(found.Inclusions, resultIncluded{in.Type, value})
		}
		page.Results = append(page.Results, found)
	}
	return page, nil
}

// of lists the entities of a source and a type in the order of their ids.
func (g graph) of(source int64, kind string) []key {
	var keys []key
	for k := range g.things {
		if k.source == source && k.kind == kind {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, func(a, b key) int { return cmp.Compare(a.id, b.id) })
	return keys
}

// meets tells whether a condition holds for the entities its aliases stand for.
func (s *Server) meets(e expression, as map[string]key) (bool, error) {
	switch e.Type {
	case "literal":
		return e.Boolean, nil
	case "idInBooleanExpression":
		k, ok := as[e.Reference]
		if !ok {
			return false, fmt.Errorf("the condition refers to an alias that there is not")
		}
		return slices.Contains(e.IDs, k.id), nil
	case "active":
		return s.shown.things[as[e.Reference]].active, nil
	case "all":
		for _, inner := range e.Exprs {
			if ok, err := s.meets(inner, as); !ok || err != nil {
				return false, err
			}
		}
		return true, nil
	case "directlyLinkedTo":
		return s.linked(e, as)
	default:
		return false, fmt.Errorf("the condition is of a type that is not known")
	}
}

// linked tells whether the outermost entity is linked to one that meets e's condition.
func (s *Server) linked(e expression, as map[string]key) (bool, error) {
	if e.Condition == nil || e.Alias == "" || e.LinkAlias == "" {
		return false, fmt.Errorf("the condition on links lacks a member")
	}
	for _, other := range s.shown.of(e.SourceID, e.EntityType) {
		within := map[string]key{e.Alias: other}
		ok, err := s.meets(*e.Condition, within)
		if err != nil {
			return false, err
		}
		for _, one := range as {
			if ok && (s.shown.links[[2]key{one, other}] || !s.options.Directed && s.shown.links[[2]key{other, one}]) {
				return true, nil
			}
		}
	}
	return false, nil
}
