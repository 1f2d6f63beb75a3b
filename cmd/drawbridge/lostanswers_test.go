package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors/freshdesk/freshdeskstandin"
	"github.com/drawbridge-itsm/drawbridge/connectors/freshservice/freshservicestandin"
	og "github.com/drawbridge-itsm/drawbridge/connectors/opsgenie/opsgeniestandin"
	pd "github.com/drawbridge-itsm/drawbridge/connectors/pagerduty/pagerdutystandin"
	sdp "github.com/drawbridge-itsm/drawbridge/connectors/servicedeskplus/servicedeskplusstandin"
	"github.com/drawbridge-itsm/drawbridge/connectors/zendesk/zendeskstandin"
	"github.com/drawbridge-itsm/drawbridge/store"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

// deskLag is how long the search of a desk misses a new ticket.
const deskLag = 300 * time.Millisecond

// TestLostAnswersToCreatesLeaveOneTicket loses the answers to creates at every desk, with two replicas of which one is
// killed meanwhile. DRAWBRIDGE_SOAK does it ten times as often.
func TestLostAnswersToCreatesLeaveOneTicket(t *testing.T) {
	t.Parallel()
	storetest.Need(t)
	many := 20
	if os.Getenv("DRAWBRIDGE_SOAK") != "" {
		many = 200
	}
	for name, open := range map[string]func(t *testing.T, c *check) desk{
		"jira": func(_ *testing.T, c *check) desk {
			c.lag.Store(int64(deskLag))
			return desk{name: "jira", cut: func() { c.jira.CutNext("create") }, opened: func() int { return len(c.jira.Issues()) }}
		},
		"servicenow": func(t *testing.T, c *check) desk {
			server, url := serviceNow(t, c)
			return serviceNowDesk(server, url)
		},
		"zendesk": func(t *testing.T, c *check) desk {
			_, d := zendesk(t, zendeskstandin.Options{Notices: c.urls.bridge + "/in/zendesk", Secret: zendeskWebhook, Lag: deskLag})
			return d
		},
		"freshservice": func(t *testing.T, c *check) desk {
			_, d := freshService(t, c, freshservicestandin.Options{Lag: deskLag})
			return d
		},
		"freshdesk": func(t *testing.T, c *check) desk {
			_, d := freshDesk(t, c, freshdeskstandin.Options{Lag: deskLag})
			return d
		},
		"opsgenie": func(t *testing.T, c *check) desk {
			_, d := opsgenie(t, c, og.Options{Lag: deskLag, Hidden: deskLag})
			return d
		},
		"pagerduty": func(t *testing.T, c *check) desk {
			_, d := pagerDuty(t, c, pd.Options{Lag: deskLag})
			return d
		},
		"servicedeskplus": func(t *testing.T, c *check) desk {
			_, d := serviceDeskPlus(t, c, sdp.Options{SearchLag: deskLag})
			return d
		},
		"rt": func(t *testing.T, c *check) desk {
			return requestTracker(t, c, cutting(http.MethodPost, "/REST/2.0/ticket"))
		},
		"redmine": func(t *testing.T, _ *check) desk { return redmineDesk(t, cutting(http.MethodPost, "/issues.json")) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dsn := storetest.DSN(t, storetest.Postgres)
			w, err := newWorld(t.Context(), worldOptions{Database: dsn, Log: testLog(t)})
			must(t, err)
			defer w.close()
			c := &check{world: w, out: io.Discard, ctx: t.Context()}
			d := open(t, c)
			o := &office{check: c, t: t, d: d}
			if d.settings != nil {
				o = openOffice(t, c, d)
			}
			p := w.programs(t, dsn, 2)
			defer p.stopAll()
			p.ready()
			for range many {
				d.cut()
				c.epm.RequestApplication(anaAsksForATool)
			}
			must(t, o.patiently(func() error { return atLeast(d.opened(), many/2) }))
			p.kill(0)
			p.start(0)
			must(t, o.patiently(func() error {
				if err := atLeast(d.opened(), many); err != nil {
					return err
				}
				return o.quietNow()
			}))
			o.oneTicketEach(many)
		})
	}
}

func atLeast(have, want int) error {
	if have < want {
		return fmt.Errorf("there are %d tickets, want %d", have, want)
	}
	return nil
}

// oneTicketEach wants one live ticket for each of many requests, and every other ticket known as a second one.
func (o *office) oneTicketEach(many int) {
	o.t.Helper()
	cases, err := o.store.Cases(o.ctx, store.CaseFilter{Limit: 1000})
	must(o.t, err)
	live, twins := map[string]bool{}, 0
	for _, one := range cases {
		links, err := o.store.LinksOfCase(o.ctx, one.ID)
		must(o.t, err)
		for _, l := range links {
			switch l.State {
			case store.LinkLinked:
				live[l.RefID] = true
			case store.LinkTwin:
				twins++
			default:
				o.t.Errorf("request %s has %+v", one.RequestID, l)
			}
		}
	}
	if len(cases) != many || len(live) != many || o.d.opened() != many+twins {
		o.t.Errorf("%d requests, %d live tickets, %d second ones, %d at the desk; want %d live ones", len(cases), len(live), twins, o.d.opened(), many)
	}
}

// cutter stands in front of a real desk and loses answers.
type cutter struct {
	method, path string
	cuts         atomic.Int64 // creates whose answer is to be lost
}

func cutting(method, path string) *cutter { return &cutter{method: method, path: path} }

// front gives an address that leads to the desk, and loses answers on the way back.
func (f *cutter) front(t *testing.T, desk string) string {
	t.Helper()
	if f == nil {
		return desk
	}
	to, err := url.Parse(desk)
	must(t, err)
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) },
		ModifyResponse: func(r *http.Response) error {
			if r.Request.Method != f.method || r.Request.URL.Path != f.path || r.StatusCode/100 != 2 {
				return nil
			}
			if f.cuts.Add(-1) >= 0 {
				panic(http.ErrAbortHandler) // closes the connection
			}
			return nil
		},
	}
	return served(t, proxy)
}
