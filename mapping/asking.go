package mapping

// What a rule need not say whose desk asks people: how their answers read on what was put to them.
const (
	askedApproved = `ticket.status == "approved"`
	askedDenied   = `ticket.status == "denied"`
	askedReason   = `ticket.fields.reason`
	askedDuration = `ticket.fields.duration`
)

// Asks fills in what the rule does not say, for a desk that puts requests to people and keeps no tickets: how an answer
// is read, and what stands there once nobody needs to answer any more.
func (r *Rule) Asks() {
	fill := func(text *string, with string) {
		if *text == "" {
			*text = with
		}
	}
	if d := r.Decision; d != nil {
		fill(&d.Approved, askedApproved)
		fill(&d.Denied, askedDenied)
		fill(&d.Reason, askedReason)
		fill(&d.Duration, askedDuration)
	}
	if r.Create == nil {
		return
	}
	if r.Settle == nil {
		r.Settle = &Settle{}
	}
	for _, one := range []struct {
		move   **Move
		status string
	}{
		{&r.Settle.Approved, "Approved"}, {&r.Settle.Denied, "Denied"}, {&r.Settle.Expired, "Ended without a decision"}, {&r.Settle.Made, "Done"},
	} {
		if *one.move == nil {
			*one.move = &Move{Status: one.status}
		}
	}
}
