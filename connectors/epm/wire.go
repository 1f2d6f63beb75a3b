package epm

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// applicationDecision is the body that decides an application request. EPM wants all ten to be texts with something
// in them.
type applicationDecision struct {
	RequestID   string `json:"itsmRequestId"`
	SystemID    string `json:"systemId"`
	TicketID    string `json:"ticketId"`
	TicketURL   string `json:"ticketUrl"`
	Decision    string `json:"decision"`
	Status      string `json:"status"`
	Time        string `json:"decisionTime"`
	Duration    string `json:"duration"`
	PerformedBy string `json:"decisionPerformedByUser"`
	Message     string `json:"message"`
}

// adminDecision builds the body that decides an administrator request, under the configured names. Everything but the
// request's id may be absent, so empty values are.
func (n AdminNames) adminDecision(d applicationDecision) map[string]string {
	body := map[string]string{}
	for _, pair := range [][2]string{
		{n.RequestID, d.RequestID}, {n.Decision, d.Decision}, {n.Duration, d.Duration}, {n.PerformedBy, d.PerformedBy},
		{n.Message, d.Message}, {n.SystemID, d.SystemID}, {n.TicketID, d.TicketID}, {n.TicketURL, d.TicketURL},
	} {
		if pair[0] != "" && pair[1] != "" {
			body[pair[0]] = pair[1]
		}
	}
	return body
}

// lookUp returns the text at the first of the pointers that leads to a text or a number. Keys are compared without
// regard to case.
func lookUp(v any, pointers []string) string {
	for _, pointer := range pointers {
		at := v
		for _, key := range strings.Split(pointer[1:], "/") {
			at = member(at, strings.NewReplacer("~1", "/", "~0", "~").Replace(key))
		}
		switch found := at.(type) {
		case string:
			if found = strings.TrimSpace(found); found != "" {
				return found
			}
		case float64:
			return strconv.FormatFloat(found, 'f', -1, 64)
		}
	}
	return ""
}

func member(v any, key string) any {
	switch v := v.(type) {
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			if strings.EqualFold(k, key) {
				return v[k]
			}
		}
	case []any:
		if i, err := strconv.Atoi(key); err == nil && i >= 0 && i < len(v) {
			return v[i]
		}
	}
	return nil
}

// faultWords finds EPM's own words in an error body, of which no form is documented: the usual members of a JSON error
// are tried. A page is not quoted.
func faultWords(body []byte) string {
	var v any
	if json.Unmarshal(body, &v) != nil {
		return ""
	}
	words := lookUp(v, []string{"/detail", "/message", "/error_description", "/title", "/error/message", "/error"})
	if fields, ok := member(v, "errors").(map[string]any); ok && len(fields) > 0 {
		words = strings.TrimSpace(words + " (" + strings.Join(slices.Sorted(maps.Keys(fields)), ", ") + ")")
	}
	return words
}
