package connectors

import (
	"context"
	"net/http"
)

// Trial is one exchange with a sink, to be shown to who set the connection up. Credentials are left out of all of it, and
// texts are cut.
type Trial struct {
	Method  string      `json:"method"`
	URL     string      `json:"url"`
	Header  http.Header `json:"header"`
	Body    string      `json:"body"`
	Answer  *Shown      `json:"answer,omitempty"` // nil: there was none
	Tests   []Verdict   `json:"tests"`            // of the answer, in the order they are looked at
	Taken   bool        `json:"taken"`
	Meaning string      `json:"meaning"` // what came of it, in words
}

// Shown is an answer as it may be shown.
type Shown struct {
	Status int         `json:"status"`
	Header http.Header `json:"header"`
	Body   string      `json:"body"`
}

// Verdict is what one test of an answer came to.
type Verdict struct {
	Test  string `json:"test"`
	Holds bool   `json:"holds"`
}

// Trier is a Sender that shows what it sends and what it is answered. An error says that nothing could be sent.
type Trier interface {
	Try(ctx context.Context, r Record) (Trial, error)
}

// AsTrier returns c as a Trier where it is one.
func AsTrier(c Connector) (Trier, bool) { t, ok := c.(Trier); return t, ok }
