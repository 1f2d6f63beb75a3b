package mapping

import (
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
)

// Terms are what a policy says for one event.
type Terms struct {
	Name                  string     `json:"name"` // the policy's, followed by /case N (from 1) where a case applies
	Approvers             Approvers  `json:"approvers"`
	Quorum                int        `json:"quorum"`         // so many distinct people
	DenyByQuorum          bool       `json:"deny_by_quorum"` // as many noes as yeses are needed; else one is enough
	ReasonRequired        bool       `json:"reason_required"`
	Hours                 *Hours     `json:"hours,omitempty"`     // nil: always
	Durations             *Durations `json:"durations,omitempty"` // nil: as chosen
	Matters               []string   `json:"matters"`             // ticket fields whose later edit asks for a fresh approval
	MoveBack              string     `json:"move_back,omitempty"` // the status a refused ticket is moved to; empty: it is left
	Deadline              *Deadline  `json:"deadline,omitempty"`  // nil: none
	Revoke                *Approvers `json:"revoke,omitempty"`    // who may ask that access is taken back; nil: nobody
	AllowUnknownRequester bool       `json:"allow_unknown_requester"`
}

// Approvers are people by the names in People documents, groups as the desk reports them, and a condition that must
// hold besides. A condition without people and groups names approvers by itself. See Admit.
type Approvers struct {
	People []string `json:"people,omitempty"`
	Groups []string `json:"groups,omitempty"`
	When   string   `json:"when,omitempty"` // over actor, event and ticket

	when *condition
}

func (a Approvers) empty() bool { return len(a.People)+len(a.Groups) == 0 && a.When == "" }

// newTerms is what a policy means that says nothing more.
func newTerms(name string) Terms {
	return Terms{Name: name, Quorum: 1, Matters: []string{"summary", "description"}}
}

// terms reads the terms that hold with these layers.
func (l *layers) terms(name string) Terms {
	t := newTerms(name)
	t.Approvers = l.approvers("approvers")
	if t.Approvers.empty() {
		l.add(l.home("approvers"), "a policy names at least one person or group that may approve, or a condition that tells who may")
	}
	t.Quorum = l.quorum()
	t.DenyByQuorum = l.word("deny", "any", "quorum")
	t.ReasonRequired = l.word("reason", "optional", "required")
	t.AllowUnknownRequester = l.word("unknown_requester", Refuse, Allow)
	t.Hours = l.hours()
	t.Durations = l.durations()
	if l.has("matters") {
		t.Matters = []string{}
		l.list("matters", maxNames, func(text, at string) {
			if text == "status" {
				l.add(at, "the status is what decides and cannot matter besides")
			}
			t.Matters = append(t.Matters, text)
		})
	}
	if l.hasMapping("refused") {
		t.MoveBack = l.needed("refused.status")
	}
	t.Deadline = l.deadline()
	if l.hasMapping("revoke") {
		revoke := l.approvers("revoke")
		t.Revoke = &revoke
		if revoke.empty() {
			t.Revoke = nil // an empty list names nobody
		}
	}
	l.checkQuorum(t)
	return t
}

// needed reads a constant that must be there.
func (l *layers) needed(path string) string {
	if !l.has(path) {
		l.add(l.home(path), path+" is missing")
		return ""
	}
	text, _, _ := l.constant(path)
	return text
}

func (l *layers) approvers(path string) Approvers {
	a := Approvers{People: l.names(path + ".people"), Groups: l.names(path + ".groups")}
	when, at, ok := l.text(path + ".when")
	if !ok {
		return a
	}
	if strings.TrimSpace(when) == "" {
		l.add(at, "a condition is missing")
	}
	a.When, a.when = when, &condition{path: at}
	return a
}

func (l *layers) quorum() int {
	node, at := l.find("quorum")
	if node == nil {
		return 1
	}
	n := 0
	if _, ok := node.(*ast.IntegerNode); !ok || yaml.NodeToValue(node, &n) != nil || n < 1 || n > maxQuorum {
		l.add(at, fmt.Sprintf("quorum is a whole number from 1 to %d", maxQuorum))
		return 1
	}
	return n
}

// checkQuorum refuses terms that nobody could meet. Who is in a group, or meets a condition, is not known here.
func (l *layers) checkQuorum(t Terms) {
	people := slices.Clone(t.Approvers.People)
	open := len(people) == 0 || len(t.Approvers.Groups) > 0
	if t.Deadline != nil && t.Deadline.Deputy != nil {
		deputies := t.Deadline.Deputy.Approvers
		people = append(people, deputies.People...)
		open = open || len(deputies.People) == 0 || len(deputies.Groups) > 0
	}
	slices.Sort(people)
	if n := len(slices.Compact(people)); !open && n < t.Quorum {
		l.add(l.where("quorum", "approvers.people", "approvers.groups", "deadline.deputy"), fmt.Sprintf("%d different people must agree and only %d may", t.Quorum, n))
	}
}
