package main

import (
	"fmt"
	"io/fs"

	"github.com/drawbridge-itsm/drawbridge/mapping"
	"github.com/drawbridge-itsm/drawbridge/mapping/starter"
)

// demoDocuments are the starter rules, with connections to the stand-ins.
func demoDocuments(w *world) ([][]byte, error) {
	texts := [][]byte{[]byte(jiraDocument(w)), []byte(epmDocument(w))}
	for _, text := range toolDocuments(w) {
		texts = append(texts, []byte(text))
	}
	for _, files := range []fs.FS{starter.Files(), starter.Tools()} {
		more, err := readFS(files)
		if err != nil {
			return nil, err
		}
		texts = append(texts, more...)
	}
	return texts, nil
}

// Times are short, so that what takes minutes in earnest can be watched.

func jiraDocument(w *world) string {
	return fmt.Sprintf(`kind: Connection
name: jira
connector: jira
settings:
  base_url: %q
  auth:
    basic: {user: bridge@example.test, token: {value: token}}
  index_lag: 1s
  search_every: 500ms
inbound:
  verify: {hmac: {secrets: [{value: %q}]}}
outbound: {allow_hosts: [127.0.0.1]}
delivery: {timeout: 2s, first: 200ms}
watch: {every: 1s}
`, w.urls.jira, w.hookSecret)
}

func epmDocument(w *world) string {
	return fmt.Sprintf(`kind: Connection
name: epm
connector: epm
tenant: %q
settings:
  base_url: %q
  client_id: %q
  client_secret: {value: %q}
  admin:
    # Not documented by the vendor; to be looked up in the tenant's own interface description.
    decision_path: /management-api/v3/AdminAccessRequest/notification
inbound:
  verify: {basic: {user: %q, passwords: [{value: %q}]}}
  status: 200
  quarantine_status: 200
outbound: {allow_hosts: [127.0.0.1]}
delivery: {timeout: 2s, first: 200ms}
`, demoTenant, w.urls.epm, demoClient, w.toolSecret, demoHookUser, w.hookPassword)
}

// toolDocuments are the connections to the other tools, one for each way a decision goes back, and the rule for the one
// that nobody has heard of.
func toolDocuments(w *world) []string {
	return []string{
		fmt.Sprintf(`# A decision is told by a call.
kind: Connection
name: apono
connector: apono
settings:
  base_url: %q
  token: {value: %q}
  way: api
  unescape: true
inbound:
  verify: {bearer: {tokens: [{value: %q}]}}
outbound: {allow_hosts: [127.0.0.1]}
delivery: {timeout: 2s, first: 200ms}
`, w.urls.apono, w.toolSecret, w.hookPassword),
		fmt.Sprintf(`# A decision is the answer when Apono asks.
kind: Connection
name: apono-gate
connector: apono
settings:
  way: manual
  unescape: true
inbound:
  verify: {bearer: {tokens: [{value: %q}]}}
delivery: {timeout: 2s, first: 200ms}
`, w.hookPassword),
		fmt.Sprintf(`# What is found is mended, not decided: nothing goes back.
kind: Connection
name: datatheorem
connector: datatheorem
settings:
  base_url: %q
  api_key: {value: %q}
inbound:
  verify: {bearer: {tokens: [{value: %q}]}}
outbound: {allow_hosts: [127.0.0.1]}
delivery: {timeout: 2s, first: 200ms}
`, w.urls.datatheorem, w.toolSecret, w.hookPassword),
		`# Who may accept the risk of a finding, where a rule asks for that. Nobody has asked for one.
kind: Policy
name: risk-owners
approvers:
  people: [kim]
unknown_requester: allow
`,
		fmt.Sprintf(`# A decision is written into a journal.
kind: Connection
name: elimity
connector: elimity
settings:
  base_url: %q
  journal: {source_id: %d, token: {value: %q}}
  check: {token_id: bridge, token_secret: {value: %q}}
inbound:
  verify: {token: {tokens: [{value: %q}]}}
outbound: {allow_hosts: [127.0.0.1]}
delivery: {timeout: 2s, first: 200ms}
`, w.urls.elimity, demoJournal, w.toolSecret, w.toolSecret, w.hookPassword),
		fmt.Sprintf(`# A tool no connector was written for: where its events say what, and the call that tells it a decision.
kind: Connection
name: tool
connector: webhook
settings:
  paths:
    id: /id
    kind: /event
    time: /at
    request_id: /request/id
    subject: /request/resource
    reason: /request/reason
    requester: {account: /request/user/login, name: /request/user/name, mail: "${body.request.user.login}@corp.example"}
  kinds: {request.created: access.requested}
  auth: {bearer: {token: {value: %[2]q}}}
  decision:
    url: %[1]s/requests/${decision.request_id}/decision
    words: {approved: APPROVE, denied: REJECT}
    taken: /ok
    body: {decision: "${decision.word}", by: "${decision.by.name}", ticket: "${decision.ticket.key}", note: "${decision.reason}"}
    state:
      url: %[1]s/requests/${decision.request_id}
      outcome: /status
      words: {WAITING: pending}
inbound:
  verify: {bearer: {tokens: [{value: %[3]q}]}}
outbound: {allow_hosts: [127.0.0.1]}
delivery: {timeout: 2s, first: 200ms}
`, w.urls.tool, w.toolSecret, w.hookPassword),
		`# What a tool without rules of ours needs: the same as the others.
kind: Rule
name: tool-requests
on: tool
when: event.kind == "access.requested"
create:
  at: jira
  project: ITSEC
  type: Access Request
  summary: "${event.requester.name ?? 'Somebody'} asks for ${event.subject ?? 'access'}"
  description: ${quote(event.reason ?? "none")}
  labels: [tool]
decision:
  approved: ticket.status == "Approved"
  denied: ticket.status == "Declined"
  policy: access-approvers
settle:
  approved: { status: Approved }
  denied: { status: Declined }
`,
	}
}

// readFS reads the documents of an embedded directory and those below it.
func readFS(files fs.FS) (texts [][]byte, err error) {
	err = fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		docs, err := mapping.SplitDocuments(text)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		texts = append(texts, docs...)
		return nil
	})
	return texts, err
}
