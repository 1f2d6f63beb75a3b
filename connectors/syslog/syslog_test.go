package syslog_test

import (
	"crypto/tls"
	"net"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	"github.com/drawbridge-itsm/drawbridge/connectors/syslog"
	"github.com/drawbridge-itsm/drawbridge/connectors/syslog/syslogstandin"
)

func receiver(t *testing.T) *syslogstandin.Receiver {
	t.Helper()
	lender := httptest.NewTLSServer(nil) // has a certificate for 127.0.0.1
	lender.Close()
	r, err := syslogstandin.New(&tls.Config{Certificates: lender.TLS.Certificates})
	connectortest.Must(t, err)
	t.Cleanup(r.Close)
	return r
}

// world is a connection before its stand-in.
func world(t *testing.T, change func(*syslog.Config), out ...func(*connectors.Outbound)) (connectors.Connector, *syslogstandin.Receiver) {
	t.Helper()
	r := receiver(t)
	config := syslog.New().(*syslog.Config)
	config.Host, config.Port = "127.0.0.1", r.Port()
	if change != nil {
		change(config)
	}
	c, err := config.Open(connectortest.Env(t, append([]func(*connectors.Outbound){connectortest.TrustStandins(t)}, out...)...))
	connectortest.Must(t, err)
	return c, r
}

func record(id string) connectors.Record {
	return connectors.Record{
		EventID: id, Source: "apono", Group: "req-1", At: connectortest.Now,
		Event: map[string]any{"kind": "access.requested", "severity": "high", "reason": "it's \"urgent\"]\r\n<13>1 forged"},
	}
}

func TestPromisesOfEveryConnector(t *testing.T) {
	t.Parallel()
	connectortest.Run(t, connectortest.Suite{
		New: func(t *testing.T, baseURL string) connectors.Connector {
			t.Helper()
			config := syslog.New().(*syslog.Config)
			config.Host, config.Port = connectortest.At(t, baseURL)
			c, err := config.Open(connectortest.Env(t, connectortest.TrustStandins(t)))
			connectortest.Must(t, err)
			return c
		},
		Peer: func(t *testing.T) connectortest.Peer {
			t.Helper()
			r := receiver(t)
			return connectortest.Peer{Address: net.JoinHostPort("127.0.0.1", strconv.Itoa(r.Port())), Acted: func() int {
				taken, faults := r.Taken()
				return len(taken) + len(faults)
			}}
		},
		Records: []connectors.Record{record("evt-1"), record("evt-2")},
	})
}

func TestRecordsArriveInTheirOrder(t *testing.T) {
	t.Parallel()
	c, r := world(t, nil)
	connectortest.Must(t, c.Ping(t.Context()))
	results, err := c.(connectors.Sender).Send(t.Context(), []connectors.Record{record("evt-1"), record("evt-2"), record(`evt"]\3`)})
	connectortest.Must(t, err)
	r.Close()
	got, faults := r.Taken()
	if len(results) != 3 || len(got) != 3 || len(faults) > 0 {
		t.Fatalf("%d results, %d messages, %v", len(results), len(got), faults)
	}
	first := got[0]
	if first.Priority != "107" || first.Time != "2026-03-02T09:30:00.000000Z" || first.ID != "access.requested" || first.App != "drawbridge" || first.Data["case"] != "req-1" {
		t.Errorf("got %+v", first)
	}
	var ids []string
	for _, m := range got {
		ids = append(ids, m.Data["event_id"])
		if strings.ContainsAny(m.Text, "\r\n") || !strings.Contains(m.Text, `"reason":"it's \"urgent\"]\r\n<13>1 forged"`) {
			t.Errorf("got %s", m.Text)
		}
	}
	if !slices.Equal(ids, []string{"evt-1", "evt-2", `evt"]\3`}) {
		t.Errorf("got %q", ids)
	}
}

func TestATextThatIsTooLongIsCutBetweenCharacters(t *testing.T) {
	t.Parallel()
	for most := 1024; most < 1028; most++ {
		c, r := world(t, func(config *syslog.Config) { config.MaxBytes = most })
		one := record("evt-1")
		one.Data = map[string]any{"text": strings.Repeat("é", 2000)}
		_, err := c.(connectors.Sender).Send(t.Context(), []connectors.Record{one})
		connectortest.Must(t, err)
		r.Close()
		got, faults := r.Taken()
		if len(got) != 1 || got[0].Bytes > most || got[0].Bytes < most-3 || !utf8.ValidString(got[0].Text) || !strings.HasSuffix(got[0].Text, "…") {
			t.Errorf("%d: got %+v, %v", most, got, faults)
		}
	}
}

func TestWhatIsWrongWithTheConnectionIsTold(t *testing.T) {
	t.Parallel()
	untrusted := func(o *connectors.Outbound) { o.CA = "" }
	private := func(o *connectors.Outbound) { o.AllowHosts = nil }
	for name, tt := range map[string]struct {
		out  func(*connectors.Outbound)
		want string
	}{"a certificate nobody knows": {untrusted, "not trusted"}, "a private address": {private, "private address"}, "a proxy": {func(o *connectors.Outbound) { o.Proxy = "http://127.0.0.1:1" }, "proxy"}} {
		c, _ := world(t, nil, tt.out)
		_, err := c.(connectors.Sender).Send(t.Context(), []connectors.Record{record("evt-1")})
		for _, err := range []error{c.Ping(t.Context()), err} {
			if e := connectors.AsError(err); err == nil || e.Kind != connectors.Unwell || e.Sent || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s: got %v", name, err)
			}
		}
	}
}

func TestAConnectionThatBreaksLeavesTheBatchInDoubt(t *testing.T) {
	t.Parallel()
	c, r := world(t, nil)
	r.Drop()
	_, err := c.(connectors.Sender).Send(t.Context(), []connectors.Record{record("evt-1")})
	if e := connectors.AsError(err); err == nil || e.Kind == connectors.Permanent {
		t.Errorf("got %v", err)
	}
}

func TestSettingsAreChecked(t *testing.T) {
	t.Parallel()
	config := &syslog.Config{Host: "https://x", Facility: 24, Hostname: "a b", AppName: "ü"}
	_, err := config.Open(connectortest.Env(t))
	for _, want := range []string{"host", "port", "facility", "hostname", "app_name", "enterprise", "max_bytes"} {
		if err == nil || !strings.Contains(err.Error(), "settings."+want+":") {
			t.Errorf("%s is not named: %v", want, err)
		}
	}
}
