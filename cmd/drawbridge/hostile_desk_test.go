package main

import (
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors/epm/epmstandin"
	"github.com/drawbridge-itsm/drawbridge/store"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

// Each attack tries to get a decision posted that nobody with the right to decide has made. Whatever is tried on a ticket
// is written once, in hostile_people_test.go, hostile_votes_test.go and hostile_marks_test.go, and played at every desk.
// What only Jira lets somebody try stands in hostile_jira_test.go; what no desk has a part in, in hostile_tool_test.go and
// hostile_admin_test.go.

// attack is tried on a request of its own.
type attack struct {
	name  string
	needs []string      // what the desk must let people do, and who must be there besides Kim, Lee and Max; see desk.can
	asks  string        // the application asked for, by which the policy chooses its terms; default aTool
	by    string        // who asks; default Ana
	reads string        // what must be read off a field for it: a key of readings
	ago   time.Duration // how long before it is asked for, with alone
	do    func(h *attempt)
	says  string           // what the ticket says afterwards, "" where nothing is owed to it
	told  []string         // what the source is rightly told; nothing by default
	then  func(h *attempt) // how who may decides afterwards; default: Lee approves
	alone bool             // what it changes is seen by every other attack
	// The ticket contradicts itself afterwards, and may be read again and again without end.
	garbled bool
}

// attempt is an attack under way. The desk tells of nothing by itself and is not watched, so the attack chooses when the
// ticket is read.
type attempt struct {
	*office
	id, ticket string
	asked, key string // the application, and what tells that the ticket is ours
	garbled    bool
}

// hostileDesks are all desks, each with every way to decide there.
var hostileDesks = map[string]func(t *testing.T, c *check) desk{
	"jira":                      jiraDesk,
	"servicenow":                serviceNowByStates,
	"servicenow approvals":      serviceNowByApprovals,
	"zendesk":                   zendeskByStatuses,
	"zendesk approvals":         zendeskByApprovals,
	"freshservice":              freshServiceByNotes,
	"freshservice approvals":    freshServiceByApprovals,
	"freshdesk":                 freshDeskByNotes,
	"servicedeskplus":           serviceDeskPlusByStatuses,
	"servicedeskplus approvals": serviceDeskPlusByApprovals,
	"pagerduty":                 pagerDutyByField,
	"pagerduty notes":           pagerDutyByNotes,
	"opsgenie":                  opsgenieByActions,
	"slack":                     slackByClicks,
	"rt":                        func(t *testing.T, _ *check) desk { return requestTracker(t, nil, nil) },
	"redmine":                   func(t *testing.T, _ *check) desk { return redmineDesk(t, nil) },
}

// hostileLinks are those where people sign in and answer on our own page.
var hostileLinks = map[string]func(t *testing.T, p *postroom) desk{"mail": mailByLinks, "teams": teamsByLinks}

// TestHostileAtEveryDesk plays every attack at every desk. What a desk does not let anybody try is skipped, and says why.
func TestHostileAtEveryDesk(t *testing.T) {
	t.Parallel()
	attacks := slices.Concat(hostileMovers(), hostilePeople(), hostileVotes(), hostileMarks(), hostileEdits(), hostileTimes(), hostileNotices())
	play := func(name string, open func(t *testing.T, world func(*worldOptions)) (*check, desk)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var clock virtual
			c, d := open(t, func(o *worldOptions) {
				o.Gateway.Now, o.Gateway.Poll = clock.now, 50*time.Millisecond
				o.EPM = func(e *epmstandin.Options) { e.Now = clock.now }
			})
			d.quiet = true
			o := openOffice(t, c, d)
			o.clock = &clock
			c.apply(t, hostilePolicy(d))
			if d.field != "" && d.history {
				c.edit(t, "Rule", "epm-app-requests", "  policy:", fmt.Sprintf("  duration: ticket.fields[%q]\n  policy:", d.field))
			}
			if testing.Short() || d.real && os.Getenv("DRAWBRIDGE_SOAK") == "" {
				o.besiege(few(t, attacks))
				return
			}
			o.besiege(attacks)
		})
	}
	for name, open := range hostileDesks {
		play(name, func(t *testing.T, world func(*worldOptions)) (*check, desk) {
			c := start(t, storetest.SQLite, world)
			return c, open(t, c)
		})
	}
	for name, open := range hostileLinks {
		play(name, func(t *testing.T, world func(*worldOptions)) (*check, desk) {
			p := openDoor(t, world)
			return p.check, open(t, p)
		})
	}
}

// everywhere are the attacks that are played at every desk in every run: under the race detector (-short) only these. Desks
// that others wrote and that run for real take a second or more of a processor for each ticket, and minutes for all attacks:
// they are played there by make soak.
var everywhere = []string{
	"somebody without the right approves", "the requester approves", "the requester under a second account approves", "an automation approves",
	"our own account approves", "a stranger with an approver's name approves", "an approver asks for themselves", "a comment that looks like a status",
	"a field that says approved", "somebody else moves it on before anybody reads it", "approved, then denied, then approved",
	"the approver left the group in between", "a stranger in the group", "the approver is nobody's account any more",
	"one of two, read twice", "the same person twice", "one person under two accounts", "an approver takes theirs back, then the other approves",
	"after the deadline", "somebody makes the condition hold after the click", "somebody else chooses the duration before the click",
	"an approver's own clone is approved", "the ticket is replaced by a clone", "the ticket is deleted", "the key is replaced",
	"the keys of two tickets are swapped", "the ticket is merged into another, which is approved", "somebody without the right approves and moves the ticket elsewhere",
	"edited, then approved", "edited, approved and put back, before anybody read it",
	"a notice with a wrong signature", "a genuine notice of a ticket that somebody without the right approved",
}

// few are those of the attacks.
func few(t *testing.T, attacks []attack) (some []attack) {
	t.Helper()
	for _, a := range attacks {
		if slices.Contains(everywhere, a.name) {
			some = append(some, a)
		}
	}
	if len(some) != len(everywhere) {
		t.Fatalf("%d of %d attacks are there", len(some), len(everywhere))
	}
	return some
}

// besiege plays attacks side by side, each on a ticket of its own; those that change what all others see come last.
func (o *office) besiege(attacks []attack) {
	var playing sync.WaitGroup
	places := make(chan struct{}, 8)
	for _, a := range attacks {
		if !a.alone {
			places <- struct{}{}
			playing.Go(func() {
				defer func() { <-places }()
				o.try(a)
			})
		}
	}
	playing.Wait()
	for _, a := range attacks {
		if a.alone {
			o.try(a)
		}
	}
}

// try plays one attack.
func (o *office) try(a attack) {
	o.t.Run(a.name, func(t *testing.T) {
		switch why := o.d.mayNot(a); why {
		case "":
		case o.d.lacks["history"]:
			if publish, ok := readings[a.reads]; ok && o.d.field != "" { // nothing that would let it succeed is published
				publish(t, o)
				return
			}
			t.Skip(why)
		case unsaid:
			t.Fatalf("what of %v is missing here, and why?", a.needs)
		default:
			t.Skip(why)
		}
		here := *o
		here.t = t
		h := here.request(a)
		a.do(h)
		h.read()
		h.wasTold(a.told...)
		if a.says != "" {
			must(t, h.says(h.ticket, a.says))
		}
		if len(a.told) > 0 {
			return
		}
		if a.then != nil {
			a.then(h)
			return
		}
		h.approvedBy("lee")
	})
}

// request asks for what an attack is about, and waits for its ticket.
func (o *office) request(a attack) *attempt {
	asks, by := a.asks, a.by
	if asks == "" {
		asks = aTool
	}
	if by == "" {
		by = `CORP\ana`
	}
	if by == nobody {
		by = ""
	}
	o.clock.forward(-a.ago)
	defer o.clock.forward(a.ago)
	h := &attempt{office: o, asked: asks, garbled: a.garbled, id: o.epm.RequestApplication(epmstandin.AppRequest{User: by, ProductName: asks})}
	must(o.t, o.check.patiently(h.opened))
	h.read() // what it says is known by now
	return h
}

const nobody = "nobody"

func (h *attempt) opened() error {
	if h.ticket != "" {
		return nil
	}
	view, err := h.caseOf(h.id)
	if err != nil {
		return err
	}
	if len(view.Tickets) != 1 || view.Tickets[0].ID == "" {
		return fmt.Errorf("request %s has tickets %+v", h.id, view.Tickets)
	}
	h.ticket = strings.TrimPrefix(view.Tickets[0].Ticket, "#")
	if h.d.key != nil {
		h.key = h.d.key(h.t, h.ticket)
	}
	return nil
}

func (h *attempt) move(who, status string) { h.t.Helper(); h.d.move(h.t, who, h.ticket, status) }
func (h *attempt) approve(who string)      { h.t.Helper(); h.move(who, h.d.approved) }
func (h *attempt) deny(who string)         { h.t.Helper(); h.move(who, h.d.denied) }

// reopen makes room for another answer, where answers do not stand beside each other.
func (h *attempt) reopen(who string) {
	h.t.Helper()
	if h.d.reopen != nil {
		h.d.reopen(h.t, who, h.ticket)
	}
}

// wasTold wants the source told exactly this.
func (h *attempt) wasTold(want ...string) {
	h.t.Helper()
	var told []string
	for _, one := range h.epm.Decisions(h.id) {
		told = append(told, one.Decision)
	}
	if !slices.Equal(told, want) {
		h.t.Fatalf("the source was told %q about ticket %s, want %q; refused was %q", told, h.ticket, want, h.refused())
	}
}

// refused are the refusals of the request.
func (h *attempt) refused() (texts []string) {
	caze, err := h.caseOf(h.id)
	must(h.t, err)
	refusals, err := h.store.RefusalsOfCase(h.ctx, caze.ID)
	must(h.t, err)
	for _, r := range refusals {
		texts = append(texts, r.Text)
	}
	return texts
}

// approvedBy has people approve after an attack, of whom the last brings the decision.
func (h *attempt) approvedBy(who ...string) {
	h.t.Helper()
	h.answeredBy(h.d.approved, "Approved", who...)
}
func (h *attempt) deniedBy(who ...string) { h.t.Helper(); h.answeredBy(h.d.denied, "Denied", who...) }

func (h *attempt) answeredBy(status, decision string, who ...string) {
	h.t.Helper()
	for _, one := range who {
		h.wasTold()
		h.reopen(one)
		h.move(one, status)
		h.read()
	}
	h.wasTold(decision)
	must(h.t, h.says(h.ticket, "accepted by epm"))
}

// over is for attacks after which nothing is left to decide.
func over(*attempt) {}

// read has the ticket read, and more by id, and waits until nothing is left to do about them.
func (h *attempt) read(more ...string) {
	h.t.Helper()
	refs := more
	must(h.t, h.store.InTx(h.ctx, func(tx *store.Tx) error {
		view, err := h.caseOf(h.id)
		if err != nil {
			return err
		}
		refs = append([]string{view.Tickets[0].ID}, more...)
		for _, ref := range refs {
			if err := tx.AddChange(h.ctx, store.Change{Connection: h.d.name, RefID: ref, RefKey: ref, Due: h.clock.now()}); err != nil {
				return err
			}
		}
		return nil
	}))
	must(h.t, h.check.patiently(func() error { return h.idle(refs) }))
}

// idle tells whether something is still under way about the request.
func (h *attempt) idle(refs []string) error {
	caze, err := h.caseOf(h.id)
	if err != nil {
		return err
	}
	args, tries := []any{caze.ID}, math.MaxInt32
	if h.garbled {
		tries = 0
	}
	marks := make([]string, len(refs))
	for i, ref := range refs {
		args = append(args, ref)
		marks[i] = fmt.Sprintf("$%d", i+2)
	}
	var n int
	err = h.store.DB().QueryRowContext(h.ctx, `SELECT (SELECT COUNT(*) FROM deliveries WHERE case_id = $1 AND state IN ('pending', 'running'))
		+ (SELECT COUNT(*) FROM changes WHERE ref_id IN (`+strings.Join(marks, ", ")+`) AND tries <= `+strconv.Itoa(tries)+`)`, args...).Scan(&n)
	if err == nil && n > 0 {
		err = fmt.Errorf("%d things are under way about request %s", n, h.id)
	}
	return err
}

// another opens a ticket for one more request like it.
func (h *attempt) another() *attempt {
	h.t.Helper()
	return h.request(attack{})
}

// abilities are what only some desks let people do, and whether this one does.
func (d desk) abilities() map[string]bool {
	return map[string]bool{
		"reopen": d.reopen != nil, "busy": d.busy != "", "edit": d.edit != nil, "describe": d.describe != nil, "history": d.history, "note": d.note != nil,
		"field": d.field != "", "clone": d.clone != nil, "mark": d.mark != nil, "remove": d.remove != nil, "merge": d.merge != nil,
		"elsewhere": d.elsewhere != nil, "rewrite": d.rewrite != nil, "group": d.group != "", "notice": d.notice != nil, "forge": d.forge != nil,
		"unread": d.lacks["unread"] == "", "late": d.lacks["late"] == "", // what people do is read when the attack wants it, and what they do after a decision too
	}
}

// can tells why something cannot be done at the desk; "" where it can.
func (d desk) can(what string) string {
	if d.abilities()[what] || slices.Contains(d.others, what) || slices.Contains([]string{"kim", "lee", "max"}, what) {
		return ""
	}
	if why := d.lacks[what]; why != "" {
		return why
	}
	return unsaid
}

const unsaid = "nobody said why"

// mayNot tells why an attack cannot be tried at the desk; "" where it can.
func (d desk) mayNot(a attack) string {
	for _, what := range a.needs {
		if why := d.can(what); why != "" {
			return why
		}
	}
	return ""
}
