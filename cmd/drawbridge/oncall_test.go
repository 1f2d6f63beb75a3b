package main

import (
	"fmt"
	"regexp"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/connectors/preset/presetstandin"
)

const askingRule = `kind: Rule
name: epm-app-requests
on: epm
when: event.kind == "access.requested"
create: {at: %s, project: security, type: ask, summary: "${event.requester.account} asks", description: "${quote(event.reason ?? 'none')}"%s}
decision: {policy: endpoint-approvers}
`

// askBy has requests put to people by a preset, before its stand-in.
func (p *postroom) askBy(name, settings, fields string) *presetstandin.Standin {
	p.t.Helper()
	stand := presetstandin.New(name, "topsecret-key-of-24-bytes")
	p.apply(p.t, fmt.Sprintf("kind: Connection\nname: %[1]s\nconnector: %[1]s\nsettings: {address: %[2]q, %[3]s}\noutbound: {allow_hosts: [127.0.0.1]}\ndelivery: {first: 100ms}\n", name, served(p.t, stand), settings),
		fmt.Sprintf(askingRule, name, fields))
	return stand
}

// taken waits for a record and gives it.
func (p *postroom) taken(stand *presetstandin.Standin, is func(record map[string]any) bool) (found map[string]any) {
	p.t.Helper()
	must(p.t, p.patiently(func() error {
		for _, one := range stand.Records() {
			if record, _ := one.(map[string]any); is(record) {
				found = record
				return nil
			}
		}
		return fmt.Errorf("no such record:\n%s", stand.Requests())
	}))
	return found
}

// TestWhoIsOnCallDecidesByALink: an incident is opened with a link, whoever has the right follows it, and it recovers.
func TestWhoIsOnCallDecidesByALink(t *testing.T) {
	t.Parallel()
	p := openPostroom(t)
	stand := p.askBy("splunk-on-call", "api_key: {value: topsecret-key-of-24-bytes}, routing_key: security", "")
	id := p.epm.RequestApplication(anaAsksForATool)
	opened := p.taken(stand, func(r map[string]any) bool { return r["message_type"] == "CRITICAL" })
	link := regexp.MustCompile(`https?://\S+/vote/\S+`).FindString(fmt.Sprint(opened["state_message"]))
	other := p.browser()
	other.signIn(link, "Max", "max@corp.example")
	other.answer(link, "approved")
	p.taken(stand, func(r map[string]any) bool {
		return r["message_type"] == "INFO" && r["entity_id"] == opened["entity_id"]
	})
	p.silent(id)
	kim := p.browser()
	kim.signIn(link, "Kim", kimsMail)
	kim.answer(link, "approved")
	p.told(id, "Approved")
	p.taken(stand, func(r map[string]any) bool {
		return r["message_type"] == "RECOVERY" && r["entity_id"] == opened["entity_id"]
	})
}

// TestALogicAppsMailsHaveALinkEach: somebody else's link takes no answer.
func TestALogicAppsMailsHaveALinkEach(t *testing.T) {
	t.Parallel()
	p := openPostroom(t)
	stand := p.askBy("logic-app", `url: {value: "https://prod-01.westeurope.logic.azure.com/workflows/0123/triggers/manual/paths/invoke?sig=topsecret-key-of-24-bytes"}`,
		fmt.Sprintf(", fields: {to: %q}", kimsMail+", "+leesMail))
	id := p.epm.RequestApplication(anaAsksForATool)
	sent := p.taken(stand, func(r map[string]any) bool { return r["what"] == "question" })
	links := map[string]string{}
	for _, one := range sent["mails"].([]any) {
		mail := one.(map[string]any)
		links[fmt.Sprint(mail["to"])] = fmt.Sprint(mail["link"])
	}
	if len(links) != 2 || links[kimsMail] == links[leesMail] {
		t.Fatalf("the links are %v", links)
	}
	lee := p.browser()
	lee.signIn(links[kimsMail], "Lee", leesMail)
	if lee.get(links[kimsMail]).form() != "" {
		t.Error("Lee may answer by Kim's link")
	}
	p.silent(id)
	lee.signIn(links[leesMail], "Lee", leesMail)
	lee.answer(links[leesMail], "denied")
	p.told(id, "Denied")
	p.taken(stand, func(r map[string]any) bool { return r["what"] == "end" && r["text"] == "Denied" })
}
