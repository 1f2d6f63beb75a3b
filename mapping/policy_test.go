package mapping

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func compilePolicyText(env Env, text string) (*PolicyProgram, error) {
	p, err := ParsePolicy([]byte(text))
	if err != nil {
		return nil, err
	}
	return CompilePolicy(p, env)
}

// policyOf compiles a policy that holds what is given and the approver kim.
func policyOf(t *testing.T, lines ...string) *PolicyProgram {
	t.Helper()
	p, err := compilePolicyText(Env{}, "kind: Policy\nname: p\napprovers: { people: [kim] }\n"+strings.Join(lines, "\n")+"\n")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPolicyGolden(t *testing.T) {
	t.Parallel()
	policies, err := filepath.Glob("testdata/policies/*/policy.yaml")
	if err != nil || len(policies) == 0 {
		t.Fatalf("list cases: %v, %d found", err, len(policies))
	}
	for _, policy := range policies {
		folder := filepath.Dir(policy)
		t.Run(filepath.Base(folder), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(policy)
			if err != nil {
				t.Fatal(err)
			}
			p, err := compilePolicyText(policyEnv(t), string(text))
			if err != nil {
				compareFile(t, filepath.Join(folder, "want.err"), explain(err))
				return
			}
			var out strings.Builder
			e := json.NewEncoder(&out)
			e.SetIndent("", "  ")
			e.SetEscapeHTML(false)
			if err := e.Encode(p.Policy().Terms()); err != nil {
				t.Fatal(err)
			}
			compareFile(t, filepath.Join(folder, "want.json"), out.String())
		})
	}
}

// policyEnv is what the policies in testdata are checked against.
func policyEnv(t *testing.T) Env {
	env := testEnv(t)
	env.Ticket = append(env.Ticket, Field{Name: "customfield_10042", Type: "text"})
	return env
}

func TestPolicyNeedsOnlyApprovers(t *testing.T) {
	t.Parallel()
	got, err := policyOf(t).For(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := Terms{Name: "p", Approvers: Approvers{People: []string{"kim"}}, Quorum: 1, Matters: []string{"summary", "description"}}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(Approvers{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestPolicyKeepsItsOwnApprovers(t *testing.T) {
	t.Parallel()
	p := policyOf(t, "unknown_requester: allow", "cases:", "- when: event.test", "  approvers: { people: [lee] }", "  unknown_requester: refuse").Policy()
	if diff := cmp.Diff([]string{"kim"}, p.Approvers.People); diff != "" || p.UnknownRequester != Allow {
		t.Errorf("unknown requester is %s, people (-want +got):\n%s", p.UnknownRequester, diff)
	}
}

func TestPolicyMadeByHandHasTerms(t *testing.T) {
	t.Parallel()
	p, err := CompilePolicy(&Policy{Name: "p", Approvers: Approvers{Groups: []string{"desk"}, When: `actor.name != "Max"`}, UnknownRequester: Allow}, Env{})
	if err != nil {
		t.Fatal(err)
	}
	terms, err := p.For(t.Context(), nil)
	if err != nil || terms.Quorum != 1 || !terms.AllowUnknownRequester || len(terms.Matters) != 2 {
		t.Errorf("got %+v, %v", terms, err)
	}
	for name, want := range map[string]bool{"Kim": true, "Max": false} {
		got, err := terms.Approvers.Admit(t.Context(), Actor{Person: "x", Groups: []string{"desk"}, Name: name}, nil, nil)
		if got != want || err != nil {
			t.Errorf("%s: got %v, %v", name, got, err)
		}
	}
	if _, err := CompilePolicy(&Policy{Name: "p", Approvers: Approvers{When: "actor.nam"}}, Env{}); err == nil || !strings.Contains(err.Error(), "approvers.when: ") {
		t.Errorf("got %v, want a fault at approvers.when", err)
	}
}

func TestQuorumIsBounded(t *testing.T) {
	t.Parallel()
	for quorum, ok := range map[string]bool{
		"1": true, "2": true, "20": true, "0x2": true, "0": false, "21": false, "-1": false, "1.5": false, "2.0": false,
		`"2"`: false, "true": false, "[1]": false, "99999999999999999999": false, "": false, "null": false,
	} {
		_, err := ParsePolicy(fmt.Appendf(nil, "kind: Policy\nname: p\napprovers: { groups: [desk] }\nquorum: %s\n", quorum))
		if (err == nil) != ok {
			t.Errorf("%s: got %v", quorum, err)
		}
	}
}

func TestTermsAreOfTheFirstCaseThatHolds(t *testing.T) {
	t.Parallel()
	p := policyOf(t, "cases:", `- { when: 'event.severity == "high"', reason: required }`, `- { when: event.test, deny: quorum }`, "- { when: 'true and event.data.n > 1', quorum: 1 }")
	for _, c := range []struct {
		name  string
		event map[string]any
		want  string
	}{
		{"first", map[string]any{"severity": "high", "test": true}, "p/case 1"},
		{"second", map[string]any{"severity": "low", "test": true}, "p/case 2"},
		{"third", map[string]any{"data": map[string]any{"n": 2.0}}, "p/case 3"},
		{"none", map[string]any{"data": map[string]any{"n": 1.0}}, "p"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := p.For(t.Context(), c.event)
			if err != nil || got.Name != c.want {
				t.Errorf("got %s, %v, want %s", got.Name, err, c.want)
			}
			if got.ReasonRequired != (c.want == "p/case 1") || got.DenyByQuorum != (c.want == "p/case 2") {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestTermsFailClosed(t *testing.T) {
	t.Parallel()
	p := policyOf(t, "cases:", "- { when: int(event.data.n) > 1, quorum: 1 }")
	for name, event := range map[string]map[string]any{
		"no number": {"data": map[string]any{"n": "secret-4711"}},
		"no value":  nil,
	} {
		got, err := p.For(t.Context(), event)
		if err == nil || !got.Approvers.empty() || got.Name != "" {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
		if err != nil && (strings.Contains(err.Error(), "4711") || !strings.Contains(err.Error(), "p: cases[0].when: line 5")) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
