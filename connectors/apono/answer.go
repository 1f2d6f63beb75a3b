package apono

import (
	"encoding/json"
	"net/http"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// answer is what Apono reads at once. A response validator names a path like $.data.status, and it is not known
// whether data is a member of the answer or stands for all of it, so everything is there twice.
type answer struct {
	Status string `json:"status"`
	Event  string `json:"event,omitempty"`
}

// What an access flow is answered that asks about a request. These are the values to expect in its response validator.
var answers = map[connectors.Outcome]string{
	connectors.Pending:  "pending",
	connectors.Approved: "approved",
	connectors.Denied:   "rejected",
	connectors.Expired:  "expired",
}

// reply answers a webhook after it was committed: accepted, or the state of the case where Apono asks for it. A request
// that was not known before has just opened its case, so the answer is pending, and the same for anything unclear:
// access is only given by the word approved. With the way none a decision is recorded here only, so that the answer is
// pending whatever it was.
func (s *source) reply(asks bool) func(connectors.CaseState) connectors.Response {
	return func(state connectors.CaseState) connectors.Response {
		a := answer{Status: "accepted", Event: state.EventID}
		if asks {
			a.Status = answers[connectors.Pending]
			if word, ok := answers[state.Outcome]; ok && s.config.Way != wayNone {
				a.Status = word
			}
		}
		body, _ := json.Marshal(struct { // texts can always be written
			answer
			Data answer `json:"data"`
		}{a, a})
		return connectors.Response{
			Status: s.config.AnswerStatus, Header: http.Header{"Content-Type": {"application/json"}}, Body: body,
		}
	}
}
