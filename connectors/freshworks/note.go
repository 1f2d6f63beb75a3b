package freshworks

import (
	"context"
	"errors"
	"fmt"
	"html"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/markdown"
)

const (
	mark     = "drawbridge:"      // before our key and the ticket's number, in a seal
	noteMark = "drawbridge-note:" // before a note's key, in its last word
	sealText = "This ticket belongs to Drawbridge. Leave this note as it is: "
	maxNote  = 60000 // runes; the vendor publishes no limit
)

var keyForm = regexp.MustCompile(`^[A-Za-z0-9._-]{1,40}$`)

// CheckKey refuses a key that would not survive in a tag, a field or a search.
func CheckKey(key string) error {
	if !keyForm.MatchString(key) {
		return errors.New("the key has other characters than letters, digits, '.', '_' and '-', or is longer than 40")
	}
	return nil
}

// notes reads the whole conversation of a ticket, oldest first.
func (d *Desk) notes(ctx context.Context, k Kind, id int64) ([]Note, error) {
	path := fmt.Sprintf("%s/%d/%s", k.Path, id, k.Notes)
	out, err := List[Note](ctx, d, "read notes", path, k.ManyNotes, nil)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(out, func(a, b Note) int {
		if c := a.Created.Compare(b.Created); c != 0 {
			return c
		}
		return int(a.ID - b.ID)
	})
	return slices.CompactFunc(out, func(a, b Note) bool { return a.ID == b.ID }), nil // pages may shift while they are read
}

// write adds a note.
func (d *Desk) write(ctx context.Context, name string, k Kind, id int64, body string, public bool) (Note, error) {
	content := map[string]any{"body": body}
	if !k.Internal {
		content["private"] = !public
	}
	var made Note
	call := connectors.Call{Name: name, Method: http.MethodPost, URL: fmt.Sprintf("%s/%d/notes", k.Path, id), JSON: content}
	if _, err := d.Call(ctx, call, k.OneNote, &made); err != nil {
		return Note{}, err
	}
	if made.ID <= 0 {
		return Note{}, connectors.InDoubt("%s: the answer names no note", name)
	}
	return made, nil
}

// Seal writes the note that makes a ticket ours.
func (d *Desk) Seal(ctx context.Context, k Kind, id int64, key string) error {
	me, err := d.Me(ctx)
	if err != nil {
		return err
	}
	made, err := d.write(ctx, "seal ticket", k, id, "<p>"+html.EscapeString(seal(k, id, key))+"</p>", false)
	if err != nil {
		return err
	}
	if made.UserID != me {
		return &connectors.Error{Kind: connectors.Permanent, Sent: true, Err: fmt.Errorf(
			"seal ticket: %s says that account %d wrote our note, but the account we work with is %d", d.Vendor, made.UserID, me)}
	}
	return nil
}

func seal(k Kind, id int64, key string) string {
	return sealText + mark + key + "@" + k.Prefix + strconv.FormatInt(id, 10)
}

// sealed is the key our seals name for a ticket, empty where there is none; fault tells of seals that differ.
func sealed(k Kind, id, me int64, notes []Note) (key string, fault bool) {
	for _, n := range notes {
		token, ok := strings.CutPrefix(words(n.Body), sealText+mark)
		found, at, whole := strings.Cut(token, "@")
		if !ok || !whole || n.UserID != me || n.edited() || at != k.Prefix+strconv.FormatInt(id, 10) || CheckKey(found) != nil {
			continue
		}
		if key != "" && key != found {
			return "", true
		}
		key = found
	}
	return key, false
}

// maxSeals is how many seals are written on one ticket, should they never hold.
const maxSeals = 3

// broken counts the seals of ours on a ticket that has none that holds.
func broken(me int64, notes []Note) int {
	n := 0
	for _, one := range notes {
		if one.UserID == me && strings.HasPrefix(words(one.Body), sealText) {
			n++
		}
	}
	return n
}

// editSlack is how far apart the times of a note that nobody edited may be.
const editSlack = 2 * time.Second

// edited tells whether a note says something else than its author wrote.
func (n Note) edited() bool {
	return n.Edited != nil && !n.Edited.IsZero() || n.Updated.Sub(n.Created) > editSlack
}

var (
	breaks = regexp.MustCompile(`(?i)<(?:br|/p|/div|/li|/h[1-6]|/tr|/pre|/blockquote)[^>]*>`)
	tags   = regexp.MustCompile(`<[^>]*>`)
)

// lines are the lines of a note's text that are not empty.
func lines(body string) []string {
	return connectors.Lines(html.UnescapeString(tags.ReplaceAllString(breaks.ReplaceAllString(body, "\n"), "")))
}

// words is a note's text on one line.
func words(body string) string { return strings.Join(lines(body), " ") }

// Comment adds a note unless it is there already: notes with a key have it as their last word. A note is private unless
// it says otherwise.
func (d *Desk) Comment(ctx context.Context, ref connectors.Ref, n connectors.Note) error {
	shown := markdown.Parse(n.Body)
	if shown.Text(0) == "" {
		return connectors.Permanently("comment: the text is empty")
	}
	if n.Key != "" && CheckKey(n.Key) != nil {
		return connectors.Permanently("comment: the note's key has other characters than letters, digits, '.', '_' and '-', or is too long")
	}
	k, id, err := d.Handle(ref)
	if err != nil {
		return err
	}
	if n.Public && k.Internal {
		return connectors.Permanently("comment: notes on %s are seen by agents only, none can be public", k.Path)
	}
	body := shown.HTML(maxNote)
	if n.Key != "" {
		me, err := d.Me(ctx)
		if err != nil {
			return err
		}
		there, err := d.notes(ctx, k, id)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(there, func(one Note) bool { return one.UserID == me && one.key() == n.Key }) {
			return nil
		}
		body += "<p>" + noteMark + n.Key + "</p>"
	}
	made, err := d.write(ctx, "comment", k, id, body, n.Public)
	if err == nil && !k.Internal && made.Private == n.Public {
		return &connectors.Error{Kind: connectors.Permanent, Sent: true, Err: fmt.Errorf(
			"comment: %s did not keep the note as private or public as it was asked for", d.Vendor)}
	}
	return err
}

// key is the key in a note's last line.
func (n Note) key() string {
	all := lines(n.Body)
	if len(all) == 0 {
		return ""
	}
	key, _ := strings.CutPrefix(all[len(all)-1], noteMark)
	return key
}

// noteSource is what a note that was written as one has as its source; notes that came by mail have another.
const noteSource = 2

// said is everything on a ticket that may answer: private notes that nobody edited. What requesters may read, and so may
// have been written to them, is no answer.
func (d *Desk) said(k Kind, notes []Note, me int64) []connectors.Said {
	var out []connectors.Said
	for _, n := range notes {
		if !n.Private && !k.Internal || n.Incoming || n.edited() || n.Source != nil && *n.Source != noteSource {
			continue
		}
		out = append(out, connectors.Said{ID: strconv.FormatInt(n.ID, 10), At: n.Created.UTC(), By: d.Account(n.UserID, me), Lines: lines(n.Body)})
	}
	return out
}
