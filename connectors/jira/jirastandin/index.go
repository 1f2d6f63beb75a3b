package jirastandin

import "time"

// indexed is a ticket as search knows it from some time on.
type indexed struct {
	seen    time.Time
	key     string
	project *project
	kind    *issueType
	status  *status
	labels  []string
	people  map[string]*account // creator, reporter, assignee
	times   map[string]time.Time
}

// reindex queues what search will know of a ticket once the change's lag is over.
func (s *Server) reindex(i *issue) {
	entry := i.entry()
	entry.seen = s.o.Now().Add(s.lag())
	i.index = append(i.index, entry)
}

func (i *issue) entry() indexed {
	labels, _ := i.values["labels"].([]string)
	assignee, _ := i.values["assignee"].(*account)
	reporter, _ := i.values["reporter"].(*account)
	return indexed{
		key: i.key, project: i.project, kind: i.kind, status: i.status, labels: labels,
		people: map[string]*account{"creator": i.creator, "reporter": reporter, "assignee": assignee},
		times:  map[string]time.Time{"created": i.created, "updated": i.updated},
	}
}

func (s *Server) lag() time.Duration {
	if s.o.IndexLag != nil {
		return s.o.IndexLag()
	}
	spread := s.o.IndexLagMax - s.o.IndexLagMin
	if spread <= 0 {
		return s.o.IndexLagMin
	}
	return s.o.IndexLagMin + time.Duration(s.rand.Int64N(int64(spread)+1))
}

// known is what search knows of a ticket now, nil while it has not heard of it. A later change that became visible
// first wins over an earlier one.
func (i *issue) known(now time.Time) *indexed {
	for n := len(i.index) - 1; n >= 0; n-- {
		if !i.index[n].seen.After(now) {
			i.index = i.index[n:]
			return &i.index[0]
		}
	}
	return nil
}
