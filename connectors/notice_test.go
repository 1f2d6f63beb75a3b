package connectors

import (
	"errors"
	"net/http"
	"strings"
	"testing"
)

func TestANoticeIsOneSmallJSONObject(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, kind, body, want string }{
		{"whole", "application/json; charset=utf-8", `{"ticket":"7","more":[]}`, ""},
		{"another type", "text/plain", `{"ticket":"7"}`, "send application/json, as the desk script does"},
		{"no type", "", `{"ticket":"7"}`, "send application/json, as the desk script does"},
		{"no JSON", "application/json", `ticket=7`, "the body is no JSON object with ticket"},
		{"nothing", "application/json", ``, "the body is no JSON object with ticket"},
		{"a list", "application/json", `[{"ticket":"7"}]`, "the body is no JSON object with ticket"},
		{"a field of another type", "application/json", `{"ticket":7}`, "the body is no JSON object with ticket"},
		{"two objects", "application/json", `{"ticket":"7"}{}`, "the body goes on after the JSON object"},
		{"too large", "application/json", `{"x":"` + strings.Repeat("x", MaxNotice) + `"}`, "the body is larger than any notice of the desk script"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var notice struct {
				Ticket string `json:"ticket"`
			}
			r := Request{Header: http.Header{"Content-Type": {tc.kind}}, Body: []byte(tc.body)}
			err := ReadNotice(r, &notice, "ticket")
			got := ""
			if malformed, ok := errors.AsType[*Malformed](err); ok {
				got = malformed.Reason
			} else if wrong, ok := errors.AsType[*WrongType](err); ok {
				got = wrong.Advice
			}
			if got != tc.want || (err != nil) != (tc.want != "") {
				t.Errorf("got %v, want %q", err, tc.want)
			}
			if err == nil && notice.Ticket != "7" {
				t.Errorf("read %+v", notice)
			}
		})
	}
}
