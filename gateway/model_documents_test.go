package gateway

import (
	"fmt"

	"github.com/drawbridge-itsm/drawbridge/mapping"
)

// modelPeople says whose account is whose: eve and robot are nobody, ghost is nobody at the source.
const modelPeople = "kind: People\nname: all\npeople:\n"

func modelPeopleText() string {
	text := modelPeople
	for _, who := range []string{"kim", "lee", "dan", "max", "ana"} {
		text += fmt.Sprintf("  - {name: %s, accounts: {tool: ['CORP\\%s'], jira: ['%s@jira'], snow: ['%s@snow']}}\n", who, who, who, who)
	}
	return text
}

func (p simPolicy) document() string { return "kind: Policy\nname: " + p.name + "\n" + p.text + "\n" }

// modelRules are the rules of a policy, one a desk, and two that write on a ticket later.
func modelRules(p simPolicy) []string {
	rule := func(desk, more string) string {
		return fmt.Sprintf(`kind: Rule
name: %[1]s-%[2]s
on: tool
when: event.kind == "access.requested" and event.subject == "%[1]s"%[3]s
create: {at: %[2]s, project: SEC, type: Request, summary: "${event.requester.name} asks", description: "request ${event.request_id}"}
decision:
  approved: ticket.status in ["Approved", "Granted"]
  denied: ticket.status == "Declined"
  revoked: ticket.status == "Revoked"
  duration: ticket.fields.hours ?? ""
  policy: %[1]s
settle:
  approved: {status: Approved}
  denied: {status: Declined}
  expired: {status: Over}
`, p.name, desk, more)
	}
	return []string{rule(simJira, ""), rule(simSnow, ` and event.severity == "both"`)}
}

var modelNotes = []string{
	"kind: Rule\nname: note\non: tool\nwhen: event.kind == \"access.granted\"\ncomment: {at: jira, body: Granted}\n",
	"kind: Rule\nname: warn\non: tool\nwhen: event.kind == \"integration.warning\"\nupdate: {at: jira, summary: \"${event.requester.name} asks again\"}\n",
}

// modelLibrary is what the memory machine knows of documents: compiled once, as the production catalogue compiles them.
type modelLibrary struct {
	rules    map[string]*rule
	ordered  map[string][]*rule // by policy: those that may match
	policies map[string]*mapping.PolicyProgram
}

func newModelLibrary() (*modelLibrary, error) {
	lib := &modelLibrary{rules: map[string]*rule{}, ordered: map[string][]*rule{}, policies: map[string]*mapping.PolicyProgram{}}
	for _, p := range simPolicies {
		compiled, err := compilePolicy(p.document())
		if err != nil {
			return nil, err
		}
		lib.policies[p.name] = compiled
		for _, text := range append(modelRules(p), modelNotes...) {
			doc, err := mapping.ParseRule([]byte(text))
			if err != nil {
				return nil, err
			}
			program, err := mapping.Compile(doc, mapping.Env{})
			if err != nil {
				return nil, err
			}
			r := &rule{Program: program, version: 1, policyVersion: 1}
			lib.rules[doc.Name] = r
			lib.ordered[p.name] = append(lib.ordered[p.name], r)
		}
	}
	return lib, nil
}
