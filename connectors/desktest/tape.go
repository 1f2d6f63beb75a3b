package desktest

import (
	"net/http"
	"regexp"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
)

// Tape stands in front of a desk and writes down the requests that pass, with the headers named.
func Tape(t testing.TB, desk string, headers ...string) *connectortest.Tape {
	t.Helper()
	return &connectortest.Tape{Next: Door(t, desk, func(*http.Request) {}), Headers: headers}
}

// Request is one call of a connector's, with the name of the file that shows what it sends.
type Request struct {
	Name string
	Send func() error
}

// Requests makes calls one after the other and compares what each sent with testdata/golden.
func Requests(t *testing.T, tape *connectortest.Tape, all []Request) {
	t.Helper()
	for _, r := range all {
		tape.Take()
		if err := r.Send(); err != nil {
			t.Fatalf("%s: %v", r.Name, err)
		}
		connectortest.Golden(t, r.Name, steady(tape.Take()))
	}
}

// varies are the parts of a request that differ from run to run, with what stands in their place.
var varies = []struct {
	part *regexp.Regexp
	sign string
}{
	{regexp.MustCompile(`\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\dZ?`), "TIME"},
	{regexp.MustCompile(`/(ticket|issues|user|users|group|roles)/\d+`), "/$1/ID"},
	{regexp.MustCompile(`(issue_id=|\(id = )\d+`), "${1}ID"},
	{regexp.MustCompile(`/user/bridge\d+`), "/user/bridge"},
	{regexp.MustCompile(`If-Match: .*`), "If-Match: VERSION"},
	{regexp.MustCompile(`"token": ".*"`), `"token": "TOKEN"`},
}

func steady(text string) string {
	for _, v := range varies {
		text = v.part.ReplaceAllString(text, v.sign)
	}
	return text
}
