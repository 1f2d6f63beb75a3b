package gateway

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/markdown"
	"github.com/drawbridge-itsm/drawbridge/mapping"
	"github.com/drawbridge-itsm/drawbridge/store"
)

// Ballot is what somebody is shown who follows a link to answer a request.
type Ballot struct {
	State     BallotState
	To        string // the mail address it was sent to; empty: whoever saw it
	Source    string
	Request   string // what the source calls it
	Asked     string // the line that was put to them
	Details   string // the text below it
	Subject   string
	Requester connectors.Person
	Reason    string
	Host      string
	Length    string // for how long access is asked for
	OpenedAt  time.Time
	Until     time.Time // when it ends without an answer; zero: it is not known
	Terms     []string  // who may decide and how, in words
	Durations []string  // that may be chosen; none: nothing is chosen

	ReasonLabel  string // what is asked for in the line for a reason
	ReasonNeeded bool
	Decision     *DecisionView // once there is one
	Given        *AnswerView   // by this link, once there is one
	Tickets      []TicketView  // of the request, at desks that keep any

	link store.Link
}

// BallotState is whether a ballot can still be used.
type BallotState string

const (
	BallotOpen    BallotState = "open"
	BallotSpent   BallotState = "spent"   // this link was used
	BallotDecided BallotState = "decided" // somebody decided, here or elsewhere
	BallotEnded   BallotState = "ended"   // it ended without a decision, or is asked no more
)

// Voter is somebody who signed in with a mail address that is proved to be theirs.
type Voter struct {
	Mail string
	Name string
}

// Choice is what a voter answers.
type Choice struct {
	Outcome  connectors.Outcome
	Reason   string
	Duration string
}

// Limits of texts, in characters.
const (
	longestReason  = 2000 // of a voter
	longestShown   = 4000 // on the page
	longestDetails = 20_000
)

// errNoBallot is one answer to every token that is none of ours, so that nothing is learned by trying.
var errNoBallot = &Refusal{Status: http.StatusNotFound, Text: "There is no request behind this link. It may have been cut or changed on its way; use it as it was sent."}

// noBallot is the answer to a token that is none of ours. An address from which too many came is told to wait; somebody
// who signed in is not, and neither is anybody with a token of ours: others may come from the same address.
func (g *Gateway) noBallot(voter *Voter, peer netip.Addr) error {
	if voter != nil {
		return errNoBallot
	}
	now, who := g.now(), senderOf("", 0, peer)
	who.connection = VotePath + who.network.String() // what others try elsewhere keeps nobody out: a mark cannot be guessed
	if wait := g.door.guard.wait(who, shown{}, now); wait > 0 {
		return &Refusal{Status: http.StatusTooManyRequests, Text: "Too many links that are none came from your address. Please wait a little.", RetryAfter: wait}
	}
	g.door.guard.wrong(who, now)
	return errNoBallot
}

// Ballot reads what a token is about; voter is nil as long as nobody signed in. The error is a *Refusal where there is
// nothing to show. Reading changes nothing.
func (g *Gateway) Ballot(ctx context.Context, token string, voter *Voter, peer netip.Addr) (b Ballot, err error) {
	key, to, ok := g.readVoteToken(token)
	if !ok {
		return b, g.noBallot(voter, peer)
	}
	err = g.store.AtOnce(ctx, func(q store.Queries) error {
		b, err = g.ballot(ctx, q, key, to, voter)
		return err
	})
	if err == nil {
		err = g.ballotChoices(ctx, &b)
	}
	if errors.Is(err, store.ErrNotFound) {
		return b, errNoBallot
	}
	if err != nil {
		return b, fmt.Errorf("read request of link: %w", err)
	}
	return b, nil
}

func (g *Gateway) ballot(ctx context.Context, q store.Queries, key, to string, voter *Voter) (b Ballot, err error) {
	b.To = to
	if b.link, err = q.LinkByKey(ctx, key); err != nil {
		return b, err
	}
	caze, err := q.Case(ctx, b.link.CaseID)
	if err != nil {
		return b, err
	}
	view := CaseView{CaseSummary: CaseSummary{State: caze.State}}
	for _, add := range []func(context.Context, store.Queries, string) error{view.addTickets, view.addDecision, view.addTimers} {
		if err := add(ctx, q, caze.ID); err != nil {
			return b, err
		}
	}
	opening, err := q.Event(ctx, b.link.Opening)
	if err != nil {
		return b, err
	}
	var said connectors.Event
	if err := json.Unmarshal(opening.Normal, &said); err != nil {
		return b, fmt.Errorf("read opening event: %w", err)
	}
	b.Source, b.Request, b.OpenedAt = caze.Connection, caze.RequestID, caze.OpenedAt
	b.Subject, b.Requester, b.Reason = caze.Subject, said.Requester, markdown.Lines(said.Reason, longestShown)
	b.Host, b.Length = host(said.Data), length(said.Data)
	b.Until, b.Decision = said.Expires, view.Decision
	for _, t := range view.Timers {
		if t.Kind == store.TimerDeadline && (b.Until.IsZero() || t.Due.Before(b.Until)) {
			b.Until = t.Due
		}
	}
	connections := g.catalogue().connections
	for _, t := range view.Tickets {
		if t.URL != "" && t.State == linkLinked && !connections[t.Desk].asks() {
			b.Tickets = append(b.Tickets, t)
		}
	}
	if err := b.given(ctx, q, voter); err != nil {
		return b, err
	}
	conn := connections[b.link.Desk]
	b.State = b.state(caze, conn != nil && conn.doc.State != stateDisabled && conn.answersByLink())
	return b, g.ballotTerms(ctx, q, &b, opening)
}

// state tells whether the ballot can be used.
func (b *Ballot) state(caze store.Case, asks bool) BallotState {
	switch {
	case caze.State == caseDecided || b.Decision != nil:
		return BallotDecided
	case caze.State != caseOpen, !asks, b.link.State != linkPlanned && b.link.State != linkLinked:
		return BallotEnded
	case b.Given != nil:
		return BallotSpent
	}
	return BallotOpen
}

// host is what many tools call the machine a request is about.
func host(data map[string]any) string {
	return first(data, "HostName", "hostName", "hostname", "Hostname", "host", "ComputerName", "ComputerId", "resource")
}

// length is for how long a request asks, as the tool says it where the unit is not known.
func length(data map[string]any) string {
	if seconds, ok := data["access_duration_in_seconds"].(float64); ok && seconds > 0 && seconds < math.MaxInt32 {
		return mapping.Granted{Length: time.Duration(seconds) * time.Second}.String()
	}
	return first(data, "DurationRequested", "duration", "Duration")
}

// first is the first of these that says something.
func first(data map[string]any, names ...string) string {
	for _, name := range names {
		if text, ok := connectors.ScalarText(data[name]); ok && text != "" {
			return markdown.Line(text, longestShown)
		}
	}
	return ""
}

// answerID is one for each addressee of a link; where it was sent to nobody in particular, for each person.
func (b *Ballot) answerID(voter *Voter) string {
	if b.To == "" && voter == nil {
		return ""
	}
	to := b.To
	if to == "" {
		to = "\x00" + voter.Mail
	}
	return strings.Join([]string{"link", b.link.Key, lowerASCII(to)}, "\x00")
}

func (b *Ballot) given(ctx context.Context, q store.Queries, voter *Voter) error {
	id := b.answerID(voter)
	if id == "" {
		return nil
	}
	answers, err := q.AnswersOf(ctx, b.link.ID)
	at := slices.IndexFunc(answers, func(a store.Answer) bool { return a.ID == shortHash(b.link.Desk, id) })
	if err != nil || at < 0 {
		return err
	}
	refusals, err := q.RefusalsOfCase(ctx, b.link.CaseID)
	given := viewAnswer(answers[at], refusals)
	given.Desk, given.Key = b.link.Desk, b.link.Key
	b.Given = &given
	return err
}

// ballotTerms puts the policy in words, as it stands for the request. One that cannot be worked out says nothing here;
// the judgement says why.
func (g *Gateway) ballotTerms(ctx context.Context, q store.Queries, b *Ballot, opening store.Event) error {
	event, err := value(opening)
	if err != nil {
		return err
	}
	p, err := g.policyAt(ctx, q, b.link.Policy, b.link.PolicyVersion)
	if err != nil || p == nil {
		return err
	}
	terms, err := p.For(ctx, event)
	if err != nil {
		return nil
	}
	b.Terms, b.ReasonNeeded = inWords(terms), terms.ReasonRequired
	return nil
}

func (g *Gateway) ballotChoices(ctx context.Context, b *Ballot) error {
	asked, err := g.askedBy(ctx, b.link.ID)
	if err != nil || asked == nil {
		return err
	}
	b.Asked, b.Details = markdown.Line(asked.Summary, longestShown), markdown.Parse(asked.Description).Text(longestDetails)
	b.ReasonLabel, _ = asked.Fields["reason"].(string)
	list, _ := asked.Fields["durations"].([]any)
	for _, one := range list {
		if text, ok := one.(string); ok {
			b.Durations = append(b.Durations, text)
		}
	}
	return nil
}

// inWords says what a policy's terms come to.
func inWords(t mapping.Terms) []string {
	who := slices.Clone(t.Approvers.People)
	for _, group := range t.Approvers.Groups {
		who = append(who, "members of "+group)
	}
	first := strings.Join(who, ", ") + " may decide"
	switch {
	case len(who) == 0:
		first = "Whoever meets the policy's condition may decide"
	case t.Approvers.When != "":
		first += ", where the policy's condition holds"
	}
	words := []string{first + "; never whoever asks."}
	if t.Quorum > 1 {
		no := "one no is enough."
		if t.DenyByQuorum {
			no = "as many have to say no."
		}
		words = append(words, fmt.Sprintf("%d people have to approve; %s", t.Quorum, no))
	}
	if t.Hours != nil {
		words = append(words, "Answers count within the policy's hours.")
	}
	if d := t.Durations; d != nil && d.Max > 0 {
		words = append(words, "Access is given for at most "+mapping.Granted{Length: d.Max}.String()+".")
	}
	if t.ReasonRequired {
		words = append(words, "A reason has to be given.")
	}
	return words
}

// Vote takes a voter's answer. Nothing is decided yet: the answer is a claim that the policy is held against. The error is
// a *Refusal that says in words why it was not taken.
func (g *Gateway) Vote(ctx context.Context, token string, voter Voter, c Choice, peer netip.Addr) error {
	b, err := g.Ballot(ctx, token, &voter, peer)
	if err != nil {
		return err
	}
	c.Reason = markdown.Lines(c.Reason, longestReason+1)
	if fault := b.refuses(voter, c); fault != nil {
		return fault
	}
	fresh, err := g.Answer(ctx, b.link, connectors.Vote{
		ID: b.answerID(&voter), By: connectors.Account{Person: connectors.Person{Account: lowerASCII(voter.Mail), Mail: voter.Mail, Name: cmp.Or(voter.Name, voter.Mail)}},
		Outcome: c.Outcome, Reason: c.Reason, Duration: c.Duration, At: g.now(),
	})
	if errors.Is(err, errGone) || err == nil && !fresh {
		return &Refusal{Status: http.StatusConflict, Text: "This answer was not taken: the link was used already, or the request needs no answer any more."}
	}
	return err
}

// For tells whether the ballot is for somebody to answer: whoever it was sent to, or anybody who signed in.
func (b *Ballot) For(voter Voter) bool {
	return voter.Mail != "" && (b.To == "" || sameMail(b.To, voter.Mail))
}

// refuses tells what is wrong with an answer; nil where nothing is.
func (b *Ballot) refuses(voter Voter, c Choice) *Refusal {
	refuse := func(status int, text string) *Refusal { return &Refusal{Status: status, Text: text} }
	switch {
	case !b.For(voter):
		return refuse(http.StatusForbidden, "This link was sent to somebody else. Only they can answer by it.")
	case b.State == BallotSpent:
		return refuse(http.StatusConflict, "This link was used already. An answer is given once.")
	case b.State == BallotDecided:
		return refuse(http.StatusConflict, "The request was decided meanwhile. Your answer was not taken.")
	case b.State != BallotOpen:
		return refuse(http.StatusGone, "The request needs no answer any more. Your answer was not taken.")
	case c.Outcome != connectors.Approved && c.Outcome != connectors.Denied:
		return refuse(http.StatusBadRequest, "Please choose to approve or to deny.")
	case utf8.RuneCountInString(c.Reason) > longestReason:
		return refuse(http.StatusBadRequest, fmt.Sprintf("A reason has at most %d characters.", longestReason))
	case b.ReasonNeeded && c.Reason == "":
		return refuse(http.StatusBadRequest, "Please give a reason: the policy asks for one.")
	case c.Duration != "" && (c.Outcome != connectors.Approved || !slices.Contains(b.Durations, c.Duration)):
		return refuse(http.StatusBadRequest, "Please choose one of the durations offered.")
	case c.Outcome == connectors.Approved && len(b.Durations) > 0 && c.Duration == "":
		return refuse(http.StatusBadRequest, "Please choose for how long access is given.")
	}
	return nil
}
