// Package freshworks is what the desks Freshservice and Freshdesk have in common: the exchange, notes, the proof that a
// ticket is ours, answers, watching and what a notice holds. It is no vendor of its own; each desk's package says where
// its tickets are and how they carry our key.
//
// Neither desk tells who opened a ticket or who moved it. What both tell is who wrote a note, so notes are the evidence
// here:
//
//   - A ticket is ours when a note of our account seals it: one that names our key and this very ticket. Clones keep
//     tags, fields and the requester, but no note of ours names their number. A ticket whose seal was lost with an
//     answer is sealed later, provided it is the oldest with its key and none with that key is sealed.
//   - Where the connection lists words for it, a person's answer is a private note of theirs whose first line is one of
//     them. It is told as the field answer, with its author. Notes that were edited, and what came by mail, are no
//     answers.
//
// The interface lets whoever has an agent's key write a note in another's name. A seal therefore keeps apart what people
// clone, it does not stop an agent who forges one; and no note answers unless the operator says so.
//
// Read call.go for how a call is made, note.go for seals and answers, find.go for whose a ticket is, and then the file
// of the capability you look for.
package freshworks

import (
	"context"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Kind is one kind of ticket, in the words of its paths and answers.
type Kind struct {
	Path      string // tickets
	One       string // what one is wrapped in; empty: nothing
	Many      string // what a list is wrapped in; empty: nothing
	Notes     string // the path of the notes below a ticket
	ManyNotes string // what their list is wrapped in
	OneNote   string // what a new note is wrapped in
	Fields    string // the path of the fields
	AllFields string // what their list is wrapped in
	Standard  []string
	Internal  bool   // its notes have no private mark and are seen by agents only
	Prefix    string // before the number in a ticket's id, to tell kinds apart; empty for tickets
	Closed    []int  // statuses that are an end
}

// Desk is one of the two desks, as far as they are alike.
type Desk struct {
	Vendor  string // for people
	BaseURL string // of the site
	Client  *connectors.Client
	Log     *slog.Logger
	Now     func() time.Time
	Kinds   []Kind   // the first is that of tickets
	Answers []string // words that notes answer with
	Overlap time.Duration
	Recent  time.Duration // how far back the list of tickets is read besides the search
	Batch   int           // open tickets looked at each time
	Robots  []string      // accounts that are apps or rules

	Me       func(ctx context.Context) (int64, error)                           // the account we work with
	Clock    func(ctx context.Context) (time.Time, error)                       // the time at the desk
	Search   func(ctx context.Context, key string) ([]Ticket, error)            // what the index knows of a key
	Listings func(k Kind) []string                                              // queries of the lists to read, one a workspace
	Key      func(k Kind, t Ticket) string                                      // our key as it stands on a ticket
	Slow     func(ctx context.Context, k Kind, t Ticket) (string, error)        // our key where it takes a call; nil: never
	Mend     func(ctx context.Context, k Kind, t Ticket, key string) error      // puts right what a lost answer left undone; nil: nothing
	News     func(ctx context.Context, k Kind, t Ticket) (text string, e error) // what a ticket's time of update does not show; nil: nothing
	Called   func(k Kind, t Ticket) string                                      // what people call a ticket

	mu     sync.Mutex
	fields map[string]known
}

// known are the fields of a kind and when they were read.
type known struct {
	fields []Field
	at     time.Time
}

// fieldsAge is how long fields are trusted.
const fieldsAge = 5 * time.Minute

// Ref points at a ticket, with its address for people.
func (d *Desk) Ref(k Kind, t Ticket) connectors.Ref {
	id := strconv.FormatInt(t.ID, 10)
	return connectors.Ref{ID: k.Prefix + id, Key: d.Called(k, t), URL: d.BaseURL + "/a/" + k.Path + "/" + id}
}

// Handle tells a ticket's kind and number.
func (d *Desk) Handle(ref connectors.Ref) (Kind, int64, error) {
	for _, k := range d.Kinds {
		rest, ok := strings.CutPrefix(ref.ID, k.Prefix)
		if n, good := number(rest); ok && good {
			return k, n, nil
		}
	}
	return Kind{}, 0, connectors.Permanently("the ticket's id is not one of %s", d.Vendor)
}

// number reads a number as these desks give them.
func number(text string) (int64, bool) {
	if text == "" || len(text) > 18 || text[0] == '0' {
		return 0, false
	}
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil && n > 0
}

// Account is somebody as a snapshot names them. Rules write notes as nobody.
func (d *Desk) Account(id, me int64) connectors.Account {
	if id == 0 {
		return connectors.Account{Automation: true}
	}
	text := strconv.FormatInt(id, 10)
	a := connectors.Account{Person: connectors.Person{Account: text}, Ours: id == me}
	for _, robot := range d.Robots {
		a.Automation = a.Automation || robot == text
	}
	return a
}

// TimeOf is when an answer was given, by the desk's clock where it tells.
func (d *Desk) TimeOf(h http.Header) time.Time {
	if at, err := http.ParseTime(h.Get("Date")); err == nil {
		return at.UTC()
	}
	return d.Now().UTC()
}
