package console_test

import (
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/mail"
	"github.com/drawbridge-itsm/drawbridge/gateway"
	"github.com/drawbridge-itsm/drawbridge/gateway/api"
	"github.com/drawbridge-itsm/drawbridge/gateway/console"
	"github.com/drawbridge-itsm/drawbridge/gateway/signin"
	"github.com/drawbridge-itsm/drawbridge/gateway/signin/oidctest"
	"github.com/drawbridge-itsm/drawbridge/store"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

// askedSite is a site where people are asked by links.
func askedSite(t *testing.T) (*site, *oidctest.Issuer, *connectors.Vault) {
	t.Helper()
	db := storetest.New(t, storetest.SQLite)
	log := slog.New(slog.DiscardHandler)
	vault := &connectors.Vault{Keys: map[string][]byte{"k1": make([]byte, 32)}, Current: "k1", Getenv: func(string) string { return "secret" }}
	server := httptest.NewUnstartedServer(nil)
	url := "http://" + server.Listener.Addr().String()
	g, err := gateway.New(t.Context(), gateway.Options{Store: db, Log: log, Vault: vault, BaseURL: url, Vendors: map[string]func() connectors.Config{"mail": mail.New}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.Apply(t.Context(), [][]byte{
		[]byte("kind: Connection\nname: mail\nconnector: mail\nsettings: {host: smtp.example.com, from: drawbridge@example.com}\n"),
		[]byte("kind: People\nname: staff\npeople:\n  - {name: kim, mail: kim@corp.example}\n  - {name: lee, mail: lee@corp.example}\n"),
		[]byte("kind: Policy\nname: endpoint-approvers\napprovers: {people: [kim, lee], groups: [endpoint-approvers]}\nquorum: 2\ndurations: {max: 8h, default: 1h}\nreason: required\n"),
	}, "test", ""); err != nil {
		t.Fatal(err)
	}
	issuer := oidctest.New(t, url+signin.CallbackPath)
	people, err := signin.New(signin.Options{Issuer: issuer.URL, ClientID: oidctest.ClientID, Secret: connectors.SecretValue(oidctest.Secret), BaseURL: url, Store: db, Vault: vault})
	if err != nil {
		t.Fatal(err)
	}
	server.Config.Handler = api.New(api.Options{Gateway: g, Store: db, Log: log, Page: console.Page(), SignIn: people})
	server.Start()
	t.Cleanup(server.Close)
	return &site{t, url, db}, issuer, vault
}

const description = "Reason given:\n\n> I need it for the *audit*\n\n- Computer: PC-7\n- Publisher: ACME & Sons\n\nSee [the handbook](https://corp.example/a?b=1), and <script>window.hit = 1</script>."

// ask puts a request to kim and gives the link.
func (s *site) ask(vault *connectors.Vault, requester, subject string) (link string) {
	s.Helper()
	normal, err := json.Marshal(connectors.Event{Kind: connectors.AccessRequested, RequestID: "r-1", Subject: subject, Reason: "I need it\nfor " + subject, Expires: time.Date(2030, 1, 5, 14, 15, 0, 0, time.UTC),
		Requester: connectors.Person{Name: requester, Account: `CORP\ana`}, Data: map[string]any{"hostName": "PC-7", "DurationRequested": 7200}})
	if err != nil {
		s.Fatal(err)
	}
	action, err := json.Marshal(connectors.Action{Kind: connectors.Create, Key: "lnk-1", Ticket: &connectors.Ticket{Project: "kim@corp.example", Type: "ask", Summary: requester + " asks to run " + subject, Description: description, Fields: map[string]any{"durations": []any{"1h", "4h"}}}})
	if err != nil {
		s.Fatal(err)
	}
	s.write(func(tx *store.Tx) error {
		receipts, err := tx.Accept(s.Context(), []store.Arrival{{
			Event: store.Event{Connection: "epm", Dedupe: "r-1", Kind: connectors.AccessRequested, RequestID: "r-1", ReceivedAt: opened, Body: []byte("{}"), Normal: normal},
			Case:  store.Case{Connection: "epm", RequestID: "r-1", Kind: connectors.AccessRequested, Requester: "{}", Subject: subject, OpenedAt: opened},
		}})
		if err != nil {
			return err
		}
		l, _, err := tx.AddLink(s.Context(), store.Link{CaseID: receipts[0].CaseID, Desk: "mail", Key: "lnk-1", Policy: "endpoint-approvers", PolicyVersion: 1, Opening: receipts[0].EventID,
			State: store.LinkLinked, RefID: "mail-1", RefKey: "mail-1", CreatedAt: opened, LinkedAt: opened})
		if err != nil {
			return err
		}
		_, err = tx.AddDelivery(s.Context(), store.Delivery{CaseID: l.CaseID, LinkID: l.ID, Lane: l.ID, Connection: "mail", Kind: "create", Purpose: "ticket", State: store.Dead, Mode: "live", Action: action, CreatedAt: opened, UpdatedAt: opened})
		return err
	})
	text := "lnk-1\x00kim@corp.example"
	mark, err := vault.Sign("vote links", text)
	if err != nil {
		s.Fatal(err)
	}
	return s.url + "/vote/" + base64.RawURLEncoding.EncodeToString([]byte(text)) + "." + base64.RawURLEncoding.EncodeToString(mark)
}

// TestARequestIsAnsweredByKeyboard signs in and answers without a mouse, and on a narrow screen.
func TestARequestIsAnsweredByKeyboard(t *testing.T) {
	t.Parallel()
	s, issuer, vault := askedSite(t)
	link := s.ask(vault, "Ana Moreau", "ACME Tool")
	issuer.SignInAs(oidctest.Mail("Kim Okafor", "kim@corp.example"))
	p := newTab(t)
	p.open(link)
	p.until("main", "Sign in to answer")
	p.picture("vote-signed-out", 900, 800)
	p.must(p.eval(`document.querySelector("a.button").focus()`, nil))
	p.press("Enter")
	p.until("header", "Kim Okafor")
	shown := p.text("main")
	for _, want := range []string{"Ana Moreau asks to run ACME Tool", "Publisher: ACME & Sons", "I need it for the audit", "Length asked for\n7200", "I need it", "PC-7", "kim, lee, members of endpoint-approvers may decide; never whoever asks.", "2 people have to approve", "at most 8h", "2030-01-05 14:15 UTC", "For how long"} {
		if !strings.Contains(shown, want) {
			t.Errorf("the page lacks %q:\n%s", want, shown)
		}
	}
	p.picture("vote", 1280, 1100)
	p.picture("vote-narrow", 390, 1500)
	var wider bool
	p.do("Emulation.setDeviceMetricsOverride", map[string]any{"width": 340, "height": 700, "deviceScaleFactor": 1, "mobile": true}, nil)
	p.must(p.eval(`document.documentElement.scrollWidth > document.documentElement.clientWidth`, &wider))
	if wider {
		t.Error("the page is wider than a narrow screen")
	}
	p.do("Emulation.clearDeviceMetricsOverride", nil, nil)
	p.must(p.eval(`document.querySelector("#duration").focus()`, nil))
	p.press("Tab", "the scanner is ours", "Tab")
	var at string
	if p.must(p.eval(`document.activeElement.innerText`, &at)); at != "Approve" {
		t.Errorf("the keyboard is at %q", at)
	}
	p.press("Enter")
	p.until("main", "Kim Okafor (kim@corp.example) answered by this link")
	p.picture("vote-given", 900, 800)
	if faults := p.complaints(); len(faults) > 0 {
		t.Errorf("the browser complains: %v", faults)
	}
	answers, err := s.store.AnswersOfCase(t.Context(), caseOf(s))
	if err != nil || len(answers) != 1 || answers[0].Outcome != "approved" || answers[0].Reason != "the scanner is ours" || answers[0].Duration != "1h" {
		t.Errorf("the answers are %+v, %v", answers, err)
	}
}

func caseOf(s *site) string {
	s.Helper()
	c, err := s.store.CaseByRequest(s.Context(), "epm", "", "r-1")
	if err != nil {
		s.Fatal(err)
	}
	return c.ID
}

func TestTextOfARequestIsTextOnItsPage(t *testing.T) {
	t.Parallel()
	s, issuer, vault := askedSite(t)
	link := s.ask(vault, hostile, hostile)
	issuer.SignInAs(oidctest.Mail(hostile, "kim@corp.example"))
	p := newTab(t)
	p.open(link)
	p.until("main", "onerror")
	p.open(s.url + "/auth/sign-in?to=" + strings.TrimPrefix(link, s.url))
	p.until("header", "onerror")
	var hit, scripts int
	p.must(p.eval(`window.hit ? 1 : 0`, &hit))
	p.must(p.eval(`document.querySelectorAll("script, img, [onerror]").length`, &scripts))
	if hit != 0 || scripts != 0 {
		t.Errorf("text of a request became markup: %d, %d", hit, scripts)
	}
}
