// Package connectortest holds the suite every vendor passes: what a connector promises whatever its vendor. What a
// connector can do is found out, not declared, so that desks, security tools and sinks pass the same suite.
//
// Each check puts a server in front of the vendor's stand-in. The server passes requests on, answers in the stand-in's
// place, or lets it act and then loses the answer. Without a stand-in the checks that need a memory at the vendor's
// are skipped.
package connectortest

import (
	"errors"
	"net/http"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Suite is a connector under test with samples of what it is asked to do. A sample may be left out only where the
// connector lacks the capability.
type Suite struct {
	// New opens a fresh connector for the vendor at baseURL. It uses the surroundings of Env, and Canary as every
	// credential.
	New func(t *testing.T, baseURL string) connectors.Connector
	// Standin returns a fresh stand-in that takes Canary as every credential, shows Now on its clock and knows no
	// index lag. The samples below make sense to it.
	Standin func(t *testing.T) http.Handler
	// Peer starts a stand-in that does not speak HTTP, in place of Standin. New is then given tcp:// and the address of a relay
	// in front of it. Statuses and waiting times are HTTP's, and not tried.
	Peer func(t *testing.T) Peer
	// TokenPath is where the connector asks for access tokens. Such requests are never disturbed.
	TokenPath string
	// Reads tells which requests change nothing though their method is neither GET nor HEAD.
	Reads func(r *http.Request) bool

	Ticket   connectors.Ticket   // create
	Change   connectors.Ticket   // update
	Note     connectors.Note     // comment
	Move     connectors.Move     // transition, possible right after create
	File     connectors.File     // attach
	Place    connectors.Place    // describe
	Account  string              // groups, resolve
	Records  []connectors.Record // send
	Decision connectors.Decision // decide, state: a request that waits at the stand-in
	Ref      connectors.Ref      // the ticket that is acted on where there is no stand-in

	// Inbound are requests the connector receives, without credentials. Verification is what a connection's document
	// says over the vendor's defaults, with Canary, or "whsec_" and a key, as the secret.
	Inbound      []connectors.Request
	Verification connectors.Verification

	// Means says where a status means something else to this vendor, by capability and status: "fetch 404". A broken answer
	// that is as good as any is NoError by its name.
	Means map[string]connectors.Kind
}

// NoError in Suite.Means says that a status is no error there.
const NoError connectors.Kind = -1

// check looks at one promise and returns every way in which it is broken.
type check struct {
	name string
	run  func(t *testing.T, s Suite) error
}

var checks = []check{
	{"statuses are classified", checkStatuses},
	{"waiting times are read", checkRetryAfter},
	{"broken answers are errors", checkBrokenAnswers},
	{"a stopped call returns", checkStop},
	{"a lost answer is in doubt", checkLostAnswers},
	{"doing it twice leaves one ticket", checkCreateTwice},
	{"a ticket can be worked on", checkTicket},
	{"a change is seen", checkWatch},
	{"a decision is kept", checkDecision},
	{"records are taken", checkSend},
	{"forged requests are refused", checkForged},
	{"requests are received", checkReceive},
}

// Run checks everything that the connector of s can do.
func Run(t *testing.T, s Suite) {
	t.Helper()
	for _, c := range checks {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			err := c.run(t, s)
			if reason, ok := errors.AsType[skipped](err); ok {
				t.Skip(string(reason))
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// skipped is why a check does not apply.
type skipped string

func (s skipped) Error() string { return string(s) }

const (
	noStandin   = skipped("there is no stand-in")
	noHTTP      = skipped("the vendor does not speak HTTP")
	notThisKind = skipped("the connector cannot do this")
)
