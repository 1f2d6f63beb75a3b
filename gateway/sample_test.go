package gateway

import (
	"errors"
	"strings"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/store"
)

func TestSamplesMakeCasesOfTheirOwnMarkedAsATest(t *testing.T) {
	t.Parallel()
	g := newTestGateway(t)
	if _, err := g.Apply(t.Context(), starterTexts(t), "tester", ""); err != nil {
		t.Fatal(err)
	}
	send := func(pick string) []SentSample {
		t.Helper()
		samples, err := g.Samples("epm", pick)
		if err != nil {
			t.Fatal(err)
		}
		sent, err := g.SendSamples(t.Context(), "epm", samples, "ana")
		if err != nil {
			t.Fatal(err)
		}
		return sent
	}
	first, second := send("access.requested"), send("access.requested")
	if len(first) != 1 || len(first[0].Cases) != 1 || first[0].Cases[0] == second[0].Cases[0] {
		t.Fatalf("sent %+v and %+v, want a case each", first, second)
	}
	c, err := g.store.Case(t.Context(), first[0].Cases[0])
	if err != nil || !strings.HasPrefix(c.RequestID, "test-") || c.Tenant != "t-100" {
		t.Errorf("the case is %+v, %v", c, err)
	}
	e, err := g.store.Event(t.Context(), first[0].Events[0])
	if err != nil || !e.Test {
		t.Errorf("the event is %+v, %v", e, err)
	}
	if _, err := g.planSome(t.Context()); err != nil {
		t.Fatal(err)
	}
	owed, err := g.store.DeliveriesOfCase(t.Context(), c.ID)
	if err != nil || len(owed) != 1 || !strings.Contains(string(owed[0].Action), `"summary":"[Test] `) || !strings.Contains(string(owed[0].Action), testLabel) {
		t.Errorf("owed is %+v, %v", owed, err)
	}
	if g.shapes.take() != nil {
		t.Error("a shape was learned from a test")
	}
	seen := map[string]bool{}
	for _, one := range send("") {
		if seen[one.Cases[0]] {
			t.Errorf("sample %s belongs to a case of another sample", one.Sample)
		}
		seen[one.Cases[0]] = true
	}
	if len(seen) < 6 {
		t.Errorf("%d samples were sent, want one of each kind", len(seen))
	}
}

func TestSamplesOfOneRequestSentTogetherBelongToOneCase(t *testing.T) {
	t.Parallel()
	g := newTestGateway(t)
	if _, err := g.Apply(t.Context(), starterTexts(t), "tester", ""); err != nil {
		t.Fatal(err)
	}
	body := func(more string) connectors.Sample {
		return connectors.Sample{Name: "own", Body: []byte(`{"EventType":"URM_Native_Ticket_Created","RequestId":"r-1","TicketNumber":"EPM1","TenantId":"t-100"` + more + `}`)}
	}
	sent, err := g.SendSamples(t.Context(), "epm", []connectors.Sample{body(""), body(`,"Decision":"Approved","DecisionTime":"20260105T102100Z"`)}, "ana")
	if err != nil || len(sent) != 2 || sent[0].Kind == sent[1].Kind || sent[0].Cases[0] != sent[1].Cases[0] {
		t.Errorf("sent %+v, %v; want the request and its decision in one case", sent, err)
	}
}

func TestSamplesAreRefusedWhereNothingCanCome(t *testing.T) {
	t.Parallel()
	g := newTestGateway(t)
	disabled := strings.Replace(epmConnection, "name: epm", "name: closed\nstate: disabled", 1)
	if _, err := g.Apply(t.Context(), texts(epmConnection, jiraConnection, disabled), "tester", ""); err != nil {
		t.Fatal(err)
	}
	body := func(text string) []connectors.Sample { return []connectors.Sample{{Name: "own", Body: []byte(text)}} }
	xml := []connectors.Sample{{Name: "own", ContentType: "text/xml", Body: []byte("<a/>")}}
	for _, test := range []struct {
		name, connection string
		samples          []connectors.Sample
		status           int
		says             string
	}{
		{"unknown", "nobody", body("{}"), 404, `no connection "nobody"`},
		{"disabled", "closed", body("{}"), 403, "disabled"},
		{"not understood", "epm", body("{}"), 422, "RequestId is missing"},
		{"wrong type", "epm", xml, 415, "application/json"},
		{"no event", "jira", body(`{"issue":{"id":"1","key":"A-1"}}`), 422, "carries no event"},
	} {
		_, err := g.SendSamples(t.Context(), test.connection, test.samples, "ana")
		if refusal, ok := errors.AsType[*Refusal](err); !ok || refusal.Status != test.status || !strings.Contains(refusal.Text, test.says) {
			t.Errorf("%s: got %v, want %d with %q", test.name, err, test.status, test.says)
		}
	}
	for _, pick := range []string{"no.such", "x"} {
		if _, err := g.Samples("epm", pick); err == nil || !strings.Contains(err.Error(), "offers no sample of kind or name "+pick) {
			t.Errorf("got %v", err)
		}
	}
	if all, err := g.store.Quarantines(t.Context(), "", 10); err != nil || len(all) != 0 {
		t.Errorf("a sample is in quarantine: %+v, %v", all, err)
	}
}

func TestATicketIsMarkedOnce(t *testing.T) {
	t.Parallel()
	a := connectors.Action{Kind: connectors.Create, Ticket: &connectors.Ticket{Summary: "Ana asks", Labels: []string{"x"}}}
	once := marked(a)
	twice := marked(once)
	if a.Ticket.Summary != "Ana asks" || len(a.Ticket.Labels) != 1 {
		t.Errorf("the ticket given was changed: %+v", a.Ticket)
	}
	if twice.Ticket.Summary != "[Test] Ana asks" || len(twice.Ticket.Labels) != 2 || twice.Ticket.Labels[1] != testLabel {
		t.Errorf("marked twice it is %+v", twice.Ticket)
	}
	if update := marked(connectors.Action{Kind: connectors.Update, Ticket: &connectors.Ticket{Priority: "High"}}); update.Ticket.Summary != "" || update.Ticket.Labels != nil {
		t.Errorf("an update changes more than it did: %+v", update.Ticket)
	}
}

// The states of decisions nobody is told are those the schema knows.
func TestStatesOfDecisionsAreTheStores(t *testing.T) {
	t.Parallel()
	for ours, theirs := range map[string]string{decisionTest: store.DecisionTest, decisionKept: store.DecisionKept} {
		if ours != theirs {
			t.Errorf("%s is %s in the store", ours, theirs)
		}
	}
}

func TestASampleWaitsForAsLongAsItsConnectionSays(t *testing.T) {
	t.Parallel()
	g := accepting(t, strings.Replace(epmConnection, "name: epm", "name: epm\nwaits: 24h", 1))
	samples, err := g.Samples("epm", "access.requested")
	if err != nil {
		t.Fatal(err)
	}
	sent, err := g.SendSamples(t.Context(), "epm", samples, "ana")
	if err != nil {
		t.Fatal(err)
	}
	e, err := g.store.Event(t.Context(), sent[0].Events[0])
	if err != nil || !strings.Contains(string(e.Normal), `"expires":`) {
		t.Errorf("the event is %s, %v; want it to expire", e.Normal, err)
	}
}
