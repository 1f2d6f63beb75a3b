package zendeskstandin

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

func (s *Server) showTicket(r request) answer {
	id, _ := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if t := s.find(id); t != nil {
		return ok(map[string]any{"ticket": s.view(t)})
	}
	return notFound()
}

func (s *Server) showTickets(r request) answer {
	ids := strings.Split(r.URL.Query().Get("ids"), ",")
	if len(ids) > 100 {
		return refusal(http.StatusBadRequest, "TooManyIds", "at most 100 ids")
	}
	found := []map[string]any{}
	for _, text := range ids {
		id, _ := strconv.ParseInt(text, 10, 64)
		if t := s.find(id); t != nil {
			found = append(found, s.view(t))
		}
	}
	return ok(map[string]any{"tickets": found, "count": len(found), "next_page": nil})
}

// listTickets lists tickets; by external id, several of which a comma parts, newer ones late.
func (s *Server) listTickets(r request) answer {
	found := []map[string]any{}
	keys := r.URL.Query().Get("external_id")
	for _, t := range s.tickets {
		if t.deleted || keys != "" && s.o.Now().Sub(t.created) < s.o.Lag {
			continue
		}
		if keys == "" || slices.Contains(strings.Split(keys, ","), stringOf(t.fields["external_id"])) {
			found = append(found, s.view(t))
		}
	}
	if r.URL.Query().Get("page[size]") != "" {
		return s.page(r, "tickets", found)
	}
	return ok(map[string]any{"tickets": found, "count": len(found), "next_page": nil})
}

func stringOf(v any) string {
	text, _ := v.(string)
	return text
}

func (s *Server) listAudits(r request) answer {
	id, _ := strconv.ParseInt(r.PathValue("id"), 10, 64)
	t := s.find(id)
	if t == nil {
		return notFound()
	}
	return s.page(r, "audits", t.audits)
}

// export is the incremental export: ten calls a minute, a hundred tickets a page, and nothing of the last minute.
func (s *Server) export(r request) answer {
	now := s.o.Now()
	s.exports = slices.DeleteFunc(s.exports, func(at time.Time) bool { return now.Sub(at) >= time.Minute })
	if len(s.exports) >= 10 {
		return answer{status: http.StatusTooManyRequests, body: map[string]any{"error": "APIRateLimitExceeded", "description": "Number of allowed incremental requests per minute exceeded"},
			header: http.Header{"Retry-After": {strconv.Itoa(int(time.Minute-now.Sub(s.exports[0]))/int(time.Second) + 1)}}}
	}
	s.exports = append(s.exports, now)
	since := int64(-1)
	query := r.URL.Query()
	if cursor := query.Get("cursor"); cursor != "" {
		var err error
		if since, err = strconv.ParseInt(strings.TrimPrefix(cursor, "at-"), 10, 64); err != nil {
			return refusal(http.StatusBadRequest, "InvalidCursor", "the cursor is invalid")
		}
	}
	start := time.Time{}
	if since < 0 {
		seconds, err := strconv.ParseInt(query.Get("start_time"), 10, 64)
		if err != nil {
			return refusal(http.StatusBadRequest, "InvalidStartTime", "start_time is missing")
		}
		if start = time.Unix(seconds, 0); now.Sub(start) < time.Minute {
			return refusal(http.StatusUnprocessableEntity, "InvalidValue", "Too recent start_time. Use a start_time older than 60 seconds")
		}
	}
	var due []*ticket
	for _, t := range s.tickets {
		if t.change > since && !t.generated.Before(start) && now.Sub(t.generated) >= time.Minute {
			due = append(due, t)
		}
	}
	slices.SortFunc(due, func(a, b *ticket) int { return int(a.change - b.change) })
	end := len(due) <= 100
	found := []map[string]any{}
	at := max(since, 0)
	for _, t := range due[:min(len(due), 100)] {
		found = append(found, s.view(t))
		at = t.change
	}
	return ok(map[string]any{"tickets": found, "after_cursor": "at-" + strconv.FormatInt(at, 10), "after_url": nil, "end_of_stream": end})
}
