package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors/preset/presetstandin"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

const flowKey, flowAnswers = "topsecret-key-of-24-bytes", "answers-key-of-24-bytes!"

// flow is a workflow tool that is asked by signed webhooks and answers by them.
type flow struct {
	*presetstandin.Standin
	t       *testing.T
	address string
	sent    int
}

// startFlow starts it and gives the desk of docs/asking.md.
func startFlow(t *testing.T, c *check) (*flow, desk) {
	t.Helper()
	page, err := os.ReadFile("../../docs/asking.md")
	must(t, err)
	f := &flow{Standin: presetstandin.New("signed-webhook", flowKey), t: t, address: c.urls.bridge + "/in/flow"}
	whsec := func(key string) string { return value("whsec_" + base64.StdEncoding.EncodeToString([]byte(key))) }
	return f, desk{
		name: "flow", documents: documentsIn(t, "docs/asking.md", string(page)), hooked: true, approved: "approved", denied: "denied",
		settings: strings.NewReplacer("https://flows.example.com/ask", served(t, f)+"/drawbridge", "{env: DRAWBRIDGE_SECRET_FLOW}", whsec(flowKey),
			"{env: DRAWBRIDGE_SECRET_FLOW_ANSWERS}", whsec(flowAnswers)),
		accounts: func(login string) string { return "u-" + login },
		move: func(_ testing.TB, who, key, outcome string) {
			f.answer(http.StatusAccepted, reply{key: key, by: "u-" + who, outcome: outcome})
		},
		comments: func(_ *testing.T, key string) string { return f.about(key) },
		opened:   func() int { return strings.Count(f.Requests(), `"type":"request.asked"`) },
	}
}

// about is everything the flow was sent about a request.
func (f *flow) about(key string) string {
	var all []string
	for _, one := range f.Records() {
		text, err := json.Marshal(one)
		must(f.t, err)
		if strings.Contains(string(text), `"key":"`+key+`"`) {
			all = append(all, string(text))
		}
	}
	return strings.Join(all, "\n")
}

// reply is an answer that need not be true.
type reply struct {
	key, by, outcome, id, signer string
	age                          time.Duration
	changed                      string // a body in place of the signed one
}

// answer sends one; what it is answered must be the status given.
func (f *flow) answer(status int, r reply) {
	f.t.Helper()
	f.sent++
	if r.id == "" {
		r.id = fmt.Sprint("msg-", f.sent)
	}
	if r.signer == "" {
		r.signer = flowAnswers
	}
	body := fmt.Sprintf(`{"key":%q,"outcome":%q,"by":{"account":%q,"name":"Somebody"},"reason":"planned"}`, r.key, r.outcome, r.by)
	stamp := strconv.FormatInt(time.Now().Add(-r.age).Unix(), 10)
	mac := hmac.New(sha256.New, []byte(r.signer))
	mac.Write([]byte(r.id + "." + stamp + "." + body))
	if r.changed != "" {
		body = r.changed
	}
	request, err := http.NewRequestWithContext(f.t.Context(), http.MethodPost, f.address, bytes.NewReader([]byte(body)))
	must(f.t, err)
	request.Header = http.Header{"Content-Type": {"application/json"}, "Webhook-Id": {r.id}, "Webhook-Timestamp": {stamp}, "Webhook-Signature": {"v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))}}
	answer, err := http.DefaultClient.Do(request)
	must(f.t, err)
	must(f.t, answer.Body.Close())
	if answer.StatusCode != status {
		f.t.Errorf("the answer %+v is answered %d, want %d", r, answer.StatusCode, status)
	}
}

func TestAFlowDecidesBySignedAnswers(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	f, d := startFlow(t, c)
	c.decideAt(t, d)
	o := &office{check: c, t: t, d: d}
	id, key := o.ask(anaAsksForATool)
	f.answer(http.StatusAccepted, reply{key: key, by: "u-kim", outcome: "approved"})
	o.told(id, key, "Approved")
	must(t, o.patiently(func() error {
		if about := f.about(key); !strings.Contains(about, `"request.ended"`) || !strings.Contains(about, `"status":"Approved"`) {
			return errors.New("the flow is not told that it has ended: " + about)
		}
		return nil
	}))
	view, err := o.caseOf(id)
	must(t, err)
	if view.Decision.Reason != "planned" || view.Decision.Receipt == "" {
		t.Errorf("the case says %+v", view.Decision)
	}
}

func TestHostileAnswersOfAFlow(t *testing.T) {
	t.Parallel()
	c := start(t, storetest.SQLite)
	f, d := startFlow(t, c)
	o := openOffice(t, c, d)
	const taken, refused = http.StatusAccepted, http.StatusUnauthorized
	id, key := o.ask(anaAsksForATool)
	other, another := o.ask(anaAsksForATool)
	yes := reply{key: key, by: "u-kim", outcome: "approved"}
	with := func(change func(*reply)) reply {
		r := yes
		change(&r)
		return r
	}
	for _, attack := range []struct {
		name   string
		status int
		reply  reply
	}{
		{"signed by another key", refused, with(func(r *reply) { r.signer = "another-key-of-24-bytes!" })},
		{"signed by the key of what we send", refused, with(func(r *reply) { r.signer = flowKey })},
		{"a body that was changed", refused, with(func(r *reply) {
			r.outcome, r.changed = "denied", `{"key":"`+key+`","outcome":"approved","by":{"account":"u-kim"}}`
		})},
		{"long ago", refused, with(func(r *reply) { r.age = 6 * time.Minute })},
		{"in the future", refused, with(func(r *reply) { r.age = -6 * time.Minute })},
		{"an id that moves the cut", refused, with(func(r *reply) { r.id = "msg.1" })},
		{"somebody unknown", taken, with(func(r *reply) { r.by = "u-who" })},
		{"nobody", taken, with(func(r *reply) { r.by = "" })},
		{"the requester", taken, with(func(r *reply) { r.by = "u-ana" })},
		{"somebody without the right", taken, with(func(r *reply) { r.by = "u-max" })},
		{"a key that is none", taken, with(func(r *reply) { r.key = "lnk_none" })},
		{"an outcome that is none", taken, with(func(r *reply) { r.outcome = "maybe" })},
	} {
		f.answer(attack.status, attack.reply)
		must(t, o.patiently(o.quietNow))
		if err := o.silent(id); err != nil {
			t.Errorf("%s: %v", attack.name, err)
		}
	}
	// A message that was taken once says nothing a second time, whatever it says then.
	f.answer(taken, reply{key: another, by: "u-max", outcome: "approved", id: "msg-same"})
	must(t, o.patiently(o.quietNow))
	f.answer(taken, reply{key: key, by: "u-kim", outcome: "approved", id: "msg-same"})
	must(t, o.patiently(o.quietNow))
	must(t, o.silent(id))
	must(t, o.silent(other))

	f.answer(taken, yes)
	o.told(id, key, "Approved")
	f.answer(taken, with(func(r *reply) { r.outcome = "denied" }))
	must(t, o.patiently(o.quietNow))
	if told := c.epm.Decisions(id); len(told) != 1 {
		t.Errorf("EPM was told %+v", told)
	}
}

func TestAnswersWithoutASignatureAreRefused(t *testing.T) {
	t.Parallel()
	p := newProgram(t)
	for _, scheme := range []string{"none: true", "bearer: {tokens: [{value: s3cret-token}]}", "basic: {user: torq, passwords: [{value: s3cret}]}", "header: {name: X-Key, values: [{value: s3cret}]}", "token: {tokens: [{value: s3cret}]}", "certificate: {subjects: [CN=torq]}"} {
		p.write("docs/flow.yaml", "kind: Connection\nname: flow\nconnector: signed-webhook\nsettings: {url: 'https://flows.example.com/', secret: {value: whsec_AAAA}, answers: true}\ninbound: {verify: {"+scheme+"}}\n")
		if r := p.run("check", "docs"); r.code == 0 || !strings.Contains(r.err, "an answer of people counts only where it is signed") {
			t.Errorf("%s: %+v", scheme, r)
		}
	}
	if got := p.fine("connectors", "torq"); !strings.Contains(got, "can: create, comment, transition, ask, send") {
		t.Errorf("got %s", got)
	}
}
