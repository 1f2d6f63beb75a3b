package servicedeskplusstandin

import (
	"net/http"
	"strconv"
	"time"
)

// Names of what approvals can be in.
const (
	Pending  = "Pending Approval"
	Approved = "Approved"
	Denied   = "Denied"
)

type level struct {
	id    string
	level int
	asked []*asked
}

type asked struct {
	id       string
	approver User
	original User
	status   string
	at       time.Time
}

// ask adds a level.
func (r *request) ask(s *Server, n int, who []string) {
	l := &level{id: s.next(), level: n}
	for _, id := range who {
		u, _ := s.user(id)
		l.asked = append(l.asked, &asked{id: s.next(), approver: u, status: Pending})
	}
	r.rounds = append(r.rounds, l)
}

func (l *level) status() string {
	status := Approved
	for _, a := range l.asked {
		switch a.status {
		case Denied:
			return Denied
		case Pending:
			status = Pending
		}
	}
	return status
}

// rollUp is what the levels come to, empty where nobody was asked.
func (r *request) rollUp() string {
	status := ""
	for _, l := range r.rounds {
		if status = l.status(); status != Approved {
			return status
		}
	}
	return status
}

func (c *call) levels() (any, error) {
	r, err := c.one()
	if err != nil {
		return nil, err
	}
	var all []any
	for _, l := range r.rounds {
		all = append(all, map[string]any{"id": l.id, "level": l.level, "status": named(l.status())})
	}
	return c.page("approval_levels", all)
}

func (c *call) approvals() (any, error) {
	r, err := c.one()
	if err != nil {
		return nil, err
	}
	for _, l := range r.rounds {
		if l.id != c.args[1] {
			continue
		}
		var all []any
		for _, a := range l.asked {
			all = append(all, map[string]any{
				"id": a.id, "approver": a.approver.view(), "original_approver": a.original.view(), "status": named(a.status), "comments": nil,
				"action_taken_on": stamped(a.at), "approval_level": map[string]any{"id": l.id, "level": strconv.Itoa(l.level)},
			})
		}
		return c.page("approvals", all)
	}
	return nil, refuse(http.StatusNotFound, 4007, "Invalid ID")
}
