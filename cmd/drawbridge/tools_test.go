package main

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/apono/aponostandin"
	"github.com/drawbridge-itsm/drawbridge/connectors/datatheorem/datatheoremstandin"
	"github.com/drawbridge-itsm/drawbridge/connectors/elimity/elimitystandin"
	"github.com/drawbridge-itsm/drawbridge/gateway"
	"github.com/drawbridge-itsm/drawbridge/store"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

func TestAponoIsAskedAfterALostAnswerBeforeItIsToldAgain(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		status, by, action, name string
		state                    aponostandin.State
	}{
		{"Approved", "acc-kim", "approve", "Kim Okafor (kim)", aponostandin.Granted},
		{"Declined", "acc-lee", "reject", "Lee Santos (lee)", aponostandin.Rejected},
	} {
		t.Run(test.action, func(t *testing.T) {
			t.Parallel()
			c := start(t, storetest.SQLite)
			id, issue, err := c.askApono()
			must(t, err)
			c.apono.CutNext()
			must(t, c.jira.Move(issue.Key, test.by, test.status, nil))
			must(t, c.aponoTold(id, issue.Key, test.action, test.name, test.state))
		})
	}
}

// Behind an access flow that wants all its approvers, a lost answer leaves the request pending. Apono is told again and
// refuses a second answer; once the others have answered, its state shows that ours was there.
func TestAponoAnswerLostWhileOthersAreMissingIsSettledByTheirs(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	id, issue, err := c.askApono(func(a *aponostandin.AccessRequest) {
		a.Relation, a.Approvers = aponostandin.AllOf, []aponostandin.Person{aponoBridge, dana}
	})
	must(t, err)
	c.apono.CutNext()
	must(t, c.jira.Move(issue.Key, "acc-kim", "Approved", nil))
	must(t, c.until(func() error {
		if told := c.apono.Decisions(id); len(told) < 2 || told[0].Answered != http.StatusOK || told[1].Answered != http.StatusConflict {
			return fmt.Errorf("Apono was told %+v, want one answer taken and one refused", told)
		}
		return nil
	}))
	must(t, c.aponoHas(c.apono, id, aponostandin.Pending))
	must(t, c.apono.ApproveInPortal(id, dana.Email))
	must(t, c.says(issue.Key, "accepted by apono"))
}

// deadPost waits until a case's decision is a dead letter that its ticket tells of, and returns it.
func (c *check) deadPost(t *testing.T, connection, id, key string) gateway.DeliveryView {
	t.Helper()
	must(t, c.says(key, "did not reach "+connection))
	view, err := c.caseAt(connection, id)
	must(t, err)
	for _, d := range view.Deliveries {
		if d.Action == "decide" && d.State == store.Dead {
			return d
		}
	}
	t.Fatalf("deliveries are %+v, want a dead decide", view.Deliveries)
	return gateway.DeliveryView{}
}

func TestRefusedByAponoIsADeadLetterAndTheTicketSaysSo(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	id, issue, err := c.askApono()
	must(t, err)
	c.apono.FailWrites(1, http.StatusForbidden)
	must(t, c.jira.Move(issue.Key, "acc-kim", "Approved", nil))
	dead := c.deadPost(t, "apono", id, issue.Key)
	if !strings.Contains(dead.Error, "name that user in the access flow") {
		t.Errorf("the error %q does not say what to do", dead.Error)
	}
	must(t, c.aponoSilent(id))
	_, err = c.bridge.gateway.Replay(c.ctx, dead.ID, "tester", "named in the access flow")
	must(t, err)
	must(t, c.aponoTold(id, issue.Key, "approve", "Kim Okafor (kim)", aponostandin.Granted))
}

func TestAponoThatWasDecidedTheOtherWayIsNotOverruled(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	id, issue, err := c.askApono(func(a *aponostandin.AccessRequest) { a.Approvers = []aponostandin.Person{aponoBridge, dana} })
	must(t, err)
	must(t, c.apono.RejectInPortal(id, dana.Email))
	c.apono.ClearQueue() // nobody tells us
	must(t, c.jira.Move(issue.Key, "acc-kim", "Approved", nil))
	c.deadPost(t, "apono", id, issue.Key)
	must(t, c.aponoHas(c.apono, id, aponostandin.Rejected))
}

// Whatever ended a request at Apono, its ticket follows although no webhook told of it; and one that tells of it later
// adds nothing.
func TestWhatNoWebhookToldOfIsFoundByAsking(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, kind, status, says string
		end                      func(c *check, id string) error
	}{
		{"approved", "access.approved", "Approved", "in apono itself", func(c *check, id string) error { return c.apono.ApproveInPortal(id, dana.Email) }},
		{"rejected", "access.denied", "Declined", "in apono itself", func(c *check, id string) error { return c.apono.RejectInPortal(id, dana.Email) }},
		{"expired", "access.expired", "Won't do", "ended without a decision", func(c *check, id string) error { return c.apono.Expire(id) }},
		{"failed", "access.failed", "Won't do", "ended without a decision", func(c *check, id string) error { return c.apono.Fail(id) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := start(t, storetest.SQLite)
			id, issue, err := c.askApono(func(a *aponostandin.AccessRequest) { a.Approvers = []aponostandin.Person{aponoBridge, dana} })
			must(t, err)
			must(t, test.end(c, id))
			c.apono.ClearQueue()
			_, err = c.pollOften("apono")
			must(t, err)
			must(t, c.stands(issue.Key, test.status))
			must(t, c.says(issue.Key, test.says))
			body := fmt.Sprintf(`{"event_type":"Request%s","event_time":"1767608100.5","data":{"id":%q}}`, strings.ToUpper(test.name[:1])+test.name[1:], id)
			status, err := c.apono.Send(c.ctx, []byte(body))
			if err != nil || status/100 != 2 {
				t.Fatalf("the late webhook is answered %d, %v", status, err)
			}
			var view gateway.CaseView
			must(t, c.until(func() (err error) {
				view, err = c.caseAt("apono", id)
				if err == nil && (len(view.Events) != 3 || view.Events[2].State == store.EventAccepted) {
					err = fmt.Errorf("events are %+v, want three planned ones", view.Events)
				}
				return err
			}))
			found := view.Events[1]
			if found.Kind != test.kind || !strings.Contains(string(found.Normal), `"polled":true`) || !strings.Contains(found.Body, `"status"`) || view.State != store.CaseClosed {
				t.Errorf("the case is %s, found was %+v", view.State, found)
			}
			must(t, c.aponoSilent(id))
			told := 0
			now, _ := c.jira.Issue(issue.Key)
			for _, comment := range now.Comments {
				if strings.Contains(comment.Text, test.says) {
					told++
				}
			}
			if told != 1 {
				t.Errorf("the ticket was told %d times: %+v", told, now.Comments)
			}
		})
	}
}

// A sample's case is none of Apono's, and nothing is asked about it.
func TestSamplesAreNotAskedAbout(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	samples, err := c.bridge.gateway.Samples("apono", "created")
	must(t, err)
	sent, err := c.bridge.gateway.SendSamples(c.ctx, "apono", samples, "tester")
	must(t, err)
	id, issue, err := c.askApono(func(a *aponostandin.AccessRequest) { a.Approvers = []aponostandin.Person{aponoBridge, dana} })
	must(t, err)
	must(t, c.apono.Expire(id))
	c.apono.ClearQueue()
	_, err = c.pollOften("apono")
	must(t, err)
	must(t, c.stands(issue.Key, "Won't do"))
	view, err := c.bridge.gateway.Case(c.ctx, sent[0].Cases[0])
	if err != nil || len(view.Events) != 1 || view.State != store.CaseOpen {
		t.Errorf("the sample's case is %+v, %v", view, err)
	}
}

// The change was made before anybody decided: the case ends, and its ticket with what shows it. Nothing is told twice.
func TestChangeThatWasMadeEndsItsCase(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	n := 0
	id, issue, err := c.changeOf(func() { n = c.elimity.RemoveEntity(asker, "left", elimitystandin.Bo) })
	must(t, err)
	must(t, c.elimity.CarryOut(n))
	must(t, c.elimity.Reload(elimitystandin.Bo.SourceID))
	_, err = c.pollOften("elimity")
	must(t, err)
	must(t, c.stands(issue.Key, "Done"))
	must(t, c.says(issue.Key, "is gone or inactive"))
	view, err := c.caseAt("elimity", id)
	must(t, err)
	if view.State != store.CaseClosed || view.Decision != nil || len(view.Events) != 2 || view.Events[1].Kind != "change.made" {
		t.Errorf("got %+v", view)
	}
	if log := c.elimity.Log(); len(log) != 0 {
		t.Errorf("the journal has %+v", log)
	}
}

// The one call of Data Theorem that changes a finding is off until its body is given: a decision that needs it is a dead
// letter that names the setting, and goes out once that is set.
func TestFindingTargetIsUpdatedOnceTheCallIsSet(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	c.apply(t, "kind: Policy\nname: risk-owners\napprovers: {people: [kim]}\nunknown_requester: allow\n")
	c.edit(t, "Rule", "datatheorem-findings", "  reopen: { status: Open, within: 30d }\n", `decision:
  approved: ticket.status == "In Progress"
  denied: ticket.status == "Done"
  policy: risk-owners
`)
	id := c.datatheorem.OpenTarget("app-1", "A key is in the program")
	issue, err := c.ticketOf("datatheorem", id)
	must(t, err)
	must(t, c.jira.Move(issue.Key, "acc-kim", "In Progress", nil))
	dead := c.deadPost(t, "datatheorem", id, issue.Key)
	if !strings.Contains(dead.Error, "set settings.targets.update.body") {
		t.Errorf("the error %q does not name the setting", dead.Error)
	}
	if told := c.datatheorem.Updates(); len(told) != 0 {
		t.Fatalf("Data Theorem was told %+v", told)
	}
	c.edit(t, "Connection", "datatheorem", "inbound:\n", `  targets: {update: {body: '{"status":{status},"comment":{by}}'}}
inbound:
`)
	_, err = c.bridge.gateway.Replay(c.ctx, dead.ID, "tester", "looked up")
	must(t, err)
	must(t, c.says(issue.Key, "accepted by datatheorem"))
	if told := c.datatheorem.Updates(); len(told) != 1 || told[0].Status != "CLOSED_RISK_ACCEPTED" || told[0].Comment != "Kim Okafor (kim)" {
		t.Errorf("Data Theorem was told %+v", told)
	}

	violation, issue, err := c.violation()
	must(t, err)
	must(t, c.jira.Move(issue.Key, "acc-kim", "In Progress", nil))
	must(t, c.says(issue.Key, "This is recorded here only; datatheorem was not told: Data Theorem documents no call"))
	view, err := c.caseAt("datatheorem", violation)
	if err != nil || view.Decision == nil || view.Decision.State != store.DecisionKept || view.Decision.Receipt == "" {
		t.Errorf("got %+v, %v", view.Decision, err)
	}
}

func TestJournalOfElimityIsWrittenOnceAfterAFault(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	id, issue, err := c.changeOf(func() { c.elimity.RemoveEntity(asker, "left", elimitystandin.Bo) })
	must(t, err)
	c.elimity.FailWrites(1, http.StatusBadGateway)
	must(t, c.jira.Move(issue.Key, "acc-kim", "Approved", nil))
	must(t, c.journaled(id, issue.Key, "approved", "Kim Okafor (kim)"))
}

// A decision whose answer was lost is recorded here only once its connection tells nobody any more. Whether Elimity was
// told before is not known, and the ticket does not deny it.
func TestDecisionKeptAfterALostAnswerMayHaveBeenTold(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	id, issue, err := c.changeOf(func() { c.elimity.RemoveEntity(asker, "left", elimitystandin.Bo) })
	must(t, err)
	c.elimity.FailWrites(1000, http.StatusBadGateway)
	must(t, c.jira.Move(issue.Key, "acc-kim", "Approved", nil))
	must(t, c.until(func() error {
		view, err := c.caseAt("elimity", id)
		if err != nil {
			return err
		}
		sent, err := c.store.DeliveriesOfCase(c.ctx, view.ID)
		if err == nil && !slices.ContainsFunc(sent, func(d store.Delivery) bool { return d.Kind == string(connectors.Decide) && d.InDoubt }) {
			err = errors.New("no answer was lost yet")
		}
		return err
	}))
	_, err = c.withoutJournal()
	must(t, err)
	must(t, c.says(issue.Key, "elimity may have been told all the same"))
}

// The change may be made before the journal could be written. That says nothing of the journal, which gets its line.
func TestJournalOfElimityIsWrittenThoughTheChangeWasMade(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	n := 0
	id, issue, err := c.changeOf(func() { n = c.elimity.RemoveEntity(asker, "left", elimitystandin.Bo) })
	must(t, err)
	c.elimity.FailNext(1000, http.StatusBadGateway)
	must(t, c.jira.Move(issue.Key, "acc-kim", "Approved", nil))
	must(t, c.until(func() error {
		view, err := c.caseAt("elimity", id)
		if err != nil {
			return err
		}
		for _, d := range view.Deliveries {
			if d.Action == "decide" && d.InDoubt {
				return nil
			}
		}
		return fmt.Errorf("deliveries are %+v, want a decide in doubt", view.Deliveries)
	}))
	must(t, c.elimity.CarryOut(n))
	must(t, c.elimity.Reload(elimitystandin.Bo.SourceID))
	c.elimity.FailNext(0, 0)
	must(t, c.journaled(id, issue.Key, "approved", "Kim Okafor (kim)"))
}

func TestRefusedByElimityIsADeadLetterAndTheTicketSaysSo(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	id, issue, err := c.changeOf(func() { c.elimity.RemoveEntity(asker, "left", elimitystandin.Bo) })
	must(t, err)
	c.elimity.FailWrites(1, http.StatusBadRequest)
	must(t, c.jira.Move(issue.Key, "acc-kim", "Approved", nil))
	dead := c.deadPost(t, "elimity", id, issue.Key)
	_, err = c.bridge.gateway.Replay(c.ctx, dead.ID, "tester", "mended")
	must(t, err)
	must(t, c.journaled(id, issue.Key, "approved", "Kim Okafor (kim)"))
}

func TestManualWebhookOfARequestThatEndedLetsNobodyThrough(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	id, issue, err := c.askAtTheGate()
	must(t, err)
	must(t, c.gate.Expire(id))
	must(t, c.stands(issue.Key, "Won't do"))
	must(t, c.answered(id, "expired"))
	must(t, c.jira.Move(issue.Key, "acc-kim", "Open", nil))
	must(t, c.jira.Move(issue.Key, "acc-kim", "Approved", nil))
	must(t, c.says(issue.Key, "the request ended before"))
	must(t, c.answered(id, "expired"))
}

func TestManualWebhookIsAnsweredPendingAfterARefusedClaim(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	id, issue, err := c.askAtTheGate()
	must(t, err)
	must(t, c.jira.Move(issue.Key, "acc-max", "Approved", nil))
	must(t, c.says(issue.Key, "nothing was sent"))
	must(t, c.answered(id, "pending"))
}

func TestFindingThatIsToldOfLateOpensNothing(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	send := func(kind, status string, at int) {
		t.Helper()
		body := fmt.Sprintf(`{"event":{"type":"API_SECURE__POLICY_VIOLATION_%s","version":1,"data":{"uuid":"v-1","policy_violation_status":%q}},"time":%d,"host":"securetheorem.com"}`, kind, status, at)
		answer, err := c.datatheorem.Send(c.ctx, []byte(body))
		if err != nil || answer/100 != 2 {
			t.Fatalf("answered %d, %v", answer, err)
		}
	}
	planned := func(n int) gateway.CaseView {
		t.Helper()
		var view gateway.CaseView
		must(t, c.until(func() (err error) {
			if view, err = c.caseAt("datatheorem", "v-1"); err != nil {
				return err
			}
			for _, e := range view.Events {
				if e.State == store.EventAccepted {
					return fmt.Errorf("event %s is not planned yet", e.ID)
				}
			}
			if len(view.Events) != n {
				return fmt.Errorf("there are %d events, want %d", len(view.Events), n)
			}
			return nil
		}))
		return view
	}
	send("RESOLVED", "RESOLVED", 2000)
	planned(1)
	send("OPENED", "OPEN", 1000)
	if view := planned(2); len(view.Tickets) != 0 || view.State != store.CaseClosed {
		t.Fatalf("got %+v, want a closed case without a ticket", view)
	}
	send("OPENED", "OPEN", 3000)
	if view := planned(3); len(view.Tickets) != 1 || view.State != store.CaseOpen {
		t.Errorf("got %+v, want an open case with a ticket", view)
	}
}

func TestFindingWithoutReopenLeavesItsTicketAlone(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	c.apply(t, "kind: Policy\nname: risk-owners\napprovers: {people: [kim]}\nunknown_requester: allow\n")
	c.edit(t, "Rule", "datatheorem-findings", "  reopen: { status: Open, within: 30d }\n", "")
	id, issue, err := c.violation()
	must(t, err)
	must(t, c.resolve(id, issue.Key))
	c.later(time.Hour)
	must(t, c.datatheorem.Reopen(id))
	must(t, c.until(func() error {
		view, err := c.caseAt("datatheorem", id)
		if err == nil && (len(view.Events) != 3 || view.Events[2].State == store.EventAccepted) {
			err = fmt.Errorf("events are %+v, want three", view.Events)
		}
		return err
	}))
	must(t, c.stands(issue.Key, "Done"))
	must(t, c.linkedOnce("datatheorem", id))
}

func TestSameFindingToldTwiceOpensOneTicket(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	id, issue, err := c.violation()
	must(t, err)
	view, err := c.caseAt("datatheorem", id)
	must(t, err)
	status, err := c.datatheorem.Send(c.ctx, []byte(view.Events[0].Body))
	if err != nil || status/100 != 2 {
		t.Fatalf("answered %d, %v", status, err)
	}
	if issues := c.jira.Issues(); len(issues) != 1 || issues[0].Key != issue.Key {
		t.Errorf("tickets are %+v, want one", issues)
	}
}

func TestToolsAreVerifiedAndWhatIsBrokenIsKept(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	bearer := func(token string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
	}
	none := func(*http.Request) {}
	for _, test := range []struct {
		name, path, body string
		change           func(*http.Request)
		status           int
	}{
		{"Apono without a token", "/in/apono", `{}`, none, 401},
		{"Apono with another token", "/in/apono", `{}`, bearer("guess"), 401},
		{"Apono, nothing filled in", "/in/apono", `{"event_type":"{{event_type}}","data":{"id":"{{data.id}}"}}`, bearer(c.hookPassword), 422},
		{"Apono, an id injected", "/in/apono", `{"event_type":"RequestCreated","data":{"id":"r-1","justification":"x","id":"r-2"}}`, bearer(c.hookPassword), 422},
		{"the question of another account", "/in/apono-gate?webhook=manual", `{"event_type":"Manual","data":{"id":"r-1"}}`, bearer("guess"), 401},
		{"a question without an id", "/in/apono-gate?webhook=manual", `{"event_type":"Manual","event_time":"1767603600.1"}`, bearer(c.hookPassword), 422},
		{"Data Theorem with another token", "/in/datatheorem", string(datatheoremstandin.Example), bearer("guess"), 401},
		{"Data Theorem, a violation without an id", "/in/datatheorem", `{"event":{"type":"API_SECURE__POLICY_VIOLATION_OPENED","version":1,"data":{}},"time":1}`, bearer(c.hookPassword), 422},
		{"Elimity without a token", "/in/elimity", `{}`, none, 401},
		{"Elimity with another token", "/in/elimity/guess", `{}`, none, 401},
		{"Elimity, an operation nobody knows", "/in/elimity/" + c.hookPassword, `{"type":"accessReviewSubmission","requestedAt":"x","requestedBy":"y","relationshipChanges":[{"operation":"grant"}]}`, none, 422},
	} {
		t.Run(test.name, func(t *testing.T) {
			status, _, text := c.send1(t, test.path, test.body, "application/json", test.change)
			if status != test.status {
				t.Errorf("got %d %s, want %d", status, text, test.status)
			}
			if strings.Contains(text, c.hookPassword) {
				t.Errorf("the answer gives the token away: %s", text)
			}
		})
	}
	if n := len(c.jira.Issues()); n != 0 {
		t.Errorf("%d tickets were opened, want none", n)
	}
}
