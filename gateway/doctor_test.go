package gateway

import (
	"slices"
	"strings"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/store"
)

func found(r Report, about string, level Level, says string) bool {
	return slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.About == about && f.Level == level && strings.Contains(f.Text, says) })
}

func TestDoctorNamesWhatDoesNotWork(t *testing.T) {
	t.Parallel()
	g := newTestGateway(t)
	environment := `kind: Connection
name: tool
connector: epm
tenant: t-1
settings:
  base_url: https://127.0.0.1:1
  client_id: drawbridge
  client_secret: {env: DRAWBRIDGE_SECRET_NOT_THERE}
inbound:
  verify: {basic: {user: epm, passwords: [{file: missing}]}}
`
	if _, err := g.Apply(t.Context(), texts(epmConnection, environment), "tester", ""); err != nil {
		t.Fatal(err)
	}
	now := g.now()
	err := g.store.InTx(t.Context(), func(tx *store.Tx) error {
		if err := tx.SetHealth(t.Context(), store.Health{Connection: "epm", State: healthUnwell, Reason: "credentials refused", Since: now}); err != nil {
			return err
		}
		if _, _, err := tx.RaiseNotice(t.Context(), noticeShape, "epm/x/y", "something has changed", now); err != nil {
			return err
		}
		if _, err := tx.PutDocument(t.Context(), store.Document{Kind: kindRule, Name: "broken", Text: "kind: Rule\nname: broken\non: nobody\nwhen: 1\n", At: now}); err != nil {
			return err
		}
		for _, to := range []string{"epm", "gone"} {
			if _, err := tx.AddDelivery(t.Context(), store.Delivery{Connection: to, Kind: "decide", State: store.Dead, CreatedAt: now}); err != nil {
				return err
			}
		}
		_, err := tx.Accept(t.Context(), []store.Arrival{{Quarantine: &store.Quarantined{Connection: "epm", Reason: "odd", ReceivedAt: now}}})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := g.reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	r, err := g.Doctor(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	if r.Healthy() {
		t.Error("all is well")
	}
	for _, want := range []Finding{
		{aboutDatabase, Fine, "sqlite, schema 2026"},
		{"Rule/broken", Bad, "cannot be used"},
		{"Connection/tool", Bad, "the secret at settings.client_secret cannot be read: environment variable DRAWBRIDGE_SECRET_NOT_THERE is not set"},
		{"Connection/tool", Bad, "the secret at inbound.verify.basic.passwords[0] cannot be read"},
		{"Connection/epm", Bad, "it does not work"},
		{"Connection/epm", Look, "credentials refused"},
		{"Connection/epm", Look, "1 delivery was given up"},
		{"Connection/epm", Look, "1 body is not understood"},
		{"Connection/epm", Note, "unverified: settings.application.path"},
		{"Connection/gone", Look, "clear-queue gone"},
		{aboutNotices, Look, "something has changed"},
	} {
		if !found(r, want.About, want.Level, want.Text) {
			t.Errorf("there is no %q finding about %s that says %q", want.Level, want.About, want.Text)
		}
	}
	for _, f := range r.Findings {
		if strings.Contains(f.Text, canary) {
			t.Errorf("a finding gives a secret away: %s", f.Text)
		}
	}
	one, err := g.Doctor(t.Context(), "tool")
	if err != nil || len(one.Findings) == 0 || slices.ContainsFunc(one.Findings, func(f Finding) bool { return f.About != "Connection/tool" }) {
		t.Errorf("of one connection: %+v, %v", one, err)
	}
	if _, err := g.Doctor(t.Context(), "nobody"); err == nil {
		t.Error("a connection that is not there was looked at")
	}
}

func TestDoctorNoticesARecordThatWasChanged(t *testing.T) {
	t.Parallel()
	g := newTestGateway(t)
	if _, err := g.Apply(t.Context(), texts(epmConnection), "tester", ""); err != nil {
		t.Fatal(err)
	}
	if _, err := g.store.DB().ExecContext(t.Context(), `UPDATE records SET content = '{}'`); err != nil {
		t.Fatal(err)
	}
	r, err := g.Doctor(t.Context(), "")
	if err != nil || !found(r, aboutRecord, Bad, "not as it was written") {
		t.Errorf("found %+v, %v", r, err)
	}
}

func TestEventsNoRuleWantedAreCounted(t *testing.T) {
	t.Parallel()
	g := accepting(t, epmConnection)
	for _, id := range []string{"r-1", "r-2"} {
		if _, err := g.Accept(t.Context(), "epm", "", sent(strings.Replace(body, "r-1", id, 1))); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := g.planSome(t.Context()); err != nil {
		t.Fatal(err)
	}
	if v, err := g.Connection(t.Context(), "epm"); err != nil || v.Unrouted != 2 {
		t.Errorf("it is %+v, %v; want 2 unrouted", v, err)
	}
	r, err := g.Doctor(t.Context(), "")
	if err != nil || !found(r, "Connection/epm", Note, "2 events are kept that no rule wanted") {
		t.Errorf("doctor says %+v, %v", r.Findings, err)
	}
}
