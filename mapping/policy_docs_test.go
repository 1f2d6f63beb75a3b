package mapping

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

func policyPage(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../docs/policies.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestDocumentedPoliciesCompile(t *testing.T) {
	t.Parallel()
	examples := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(policyPage(t), -1)
	if len(examples) < 15 {
		t.Fatalf("got %d examples", len(examples))
	}
	for _, example := range examples {
		text := example[1]
		if strings.HasPrefix(text, "kind: Rule\n") {
			if _, err := compileText(Env{}, []byte(text)); err != nil {
				t.Errorf("%s\n%s", text, explain(err))
			}
			continue
		}
		if !strings.HasPrefix(text, "kind: Policy\n") {
			if !strings.Contains("\n"+text, "\napprovers:") {
				text = "approvers: { people: [kim] }\n" + text
			}
			text = "kind: Policy\nname: example\n" + text
		}
		if _, err := compilePolicyText(Env{}, text); err != nil {
			t.Errorf("%s\n%s", text, explain(err))
		}
	}
}

func TestEveryPolicyKeyIsDocumented(t *testing.T) {
	t.Parallel()
	page := policyPage(t)
	var look func(above string, known keys)
	look = func(above string, known keys) {
		for key, below := range known {
			if !strings.Contains(page, "`"+key+"`") {
				t.Errorf("%s%s is not in the page", above, key)
			}
			look(above+key+".", below)
		}
	}
	look("", policyKeys)
	look("cases.", caseKeys)
}
