package mail

import (
	"bytes"
	"fmt"
	"html"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"net/textproto"
	"strings"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/markdown"
)

// Limits of a mail's parts.
const (
	maxSubject = 150
	maxText    = 20_000
)

// letter is one mail to one person.
type letter struct {
	from, to   string // From as it stands in the header
	id, thread string // Message-IDs; thread: of the first mail, empty in that one
	at         time.Time
	subject    string
	heading    string
	body       markdown.Document
	link       string // where to answer; empty: there is nothing to answer
	shows      bool   // nobody can answer there: it shows where else the request stands
}

// request is the first mail of a request.
func (c *connector) request(ref connectors.Ref, to string, t connectors.Ticket) letter {
	l := c.letter(ref, to, t)
	l.id, l.thread = l.thread, ""
	l.heading, l.body = l.subject, markdown.Parse(t.Description)
	if priority := markdown.Line(t.Priority, maxSubject); priority != "" {
		l.heading += " (priority: " + priority + ")"
	}
	return l
}

// further is a mail that follows it.
func (c *connector) further(ref connectors.Ref, to string, t connectors.Ticket, key, body string) letter {
	l := c.letter(ref, to, t)
	l.id = c.messageID(ref.ID, to, key)
	l.heading, l.body = l.subject, markdown.Parse(body)
	l.subject = "Re: " + l.subject
	return l
}

func (c *connector) letter(ref connectors.Ref, to string, t connectors.Ticket) letter {
	from := mail.Address{Name: c.conf.FromName, Address: c.conf.From}
	return letter{from: from.String(), to: to, thread: c.messageID(ref.ID, to), at: c.now(), subject: markdown.Line(t.Summary, maxSubject)}
}

// messageID is the same for the same mail, whenever it is made.
func (c *connector) messageID(ref, to string, rest ...string) string {
	_, domain, _ := strings.Cut(c.conf.From, "@")
	return "<drawbridge." + digest(append([]string{ref, strings.ToLower(to)}, rest...)...) + "@" + domain + ">"
}

// text writes the mail with CR LF at the ends of its lines. Its header holds what was checked, or is encoded: nothing in
// it can begin a line of its own.
func (l letter) text() []byte {
	var b bytes.Buffer
	header := func(name, value string) {
		value = strings.NewReplacer("\r", "", "\n", "").Replace(value)
		fmt.Fprintf(&b, "%s: %s\r\n", name, strings.ReplaceAll(value, "?= =?", "?=\r\n =?")) // a line is 998 bytes at most
	}
	header("From", l.from)
	header("To", "<"+l.to+">")
	header("Subject", encoded(l.subject))
	header("Date", l.at.UTC().Format(time.RFC1123Z))
	header("Message-ID", l.id)
	if l.thread != "" {
		header("In-Reply-To", l.thread)
		header("References", l.thread)
	}
	header("Auto-Submitted", "auto-generated")
	header("X-Auto-Response-Suppress", "All")
	header("MIME-Version", "1.0")
	parts := multipart.NewWriter(&b)
	_ = parts.SetBoundary("drawbridge-" + digest(l.id, "boundary"))
	header("Content-Type", "multipart/alternative; boundary="+parts.Boundary())
	b.WriteString("\r\n")
	for _, part := range [][2]string{{"text/plain", l.plain()}, {"text/html", l.html()}} {
		w, _ := parts.CreatePart(textproto.MIMEHeader{"Content-Type": {part[0] + "; charset=utf-8"}, "Content-Transfer-Encoding": {"quoted-printable"}})
		q := quotedprintable.NewWriter(w)
		_, _ = q.Write([]byte(strings.ReplaceAll(part[1], "\n", "\r\n"))) // into memory: it cannot fail
		_ = q.Close()
	}
	_ = parts.Close()
	return b.Bytes()
}

// encoded encodes what is not plain ASCII. What looks as if it were encoded already is kept from being read so.
func encoded(text string) string {
	return mime.QEncoding.Encode("utf-8", strings.ReplaceAll(text, "=?", "= ?"))
}

// invitation is what a link is called, and what there is to know of it.
func (l letter) invitation() (call, advice string) {
	if l.shows {
		return "See where this request stands", "Nobody can answer by the link: it shows where else the request stands, to answer there."
	}
	return "Answer this request", "You have to sign in. The link is yours alone, takes one answer, and ends with the request. Opening it decides nothing."
}

func (l letter) plain() string {
	text := l.heading + "\n\n" + l.body.Text(maxText) + "\n"
	if l.link != "" {
		call, advice := l.invitation()
		text += "\n" + call + ": " + l.link + "\n\n" + advice + "\n"
	}
	return text
}

func (l letter) html() string {
	text := "<!doctype html>\n<html lang=\"en\"><body>\n<h3>" + html.EscapeString(l.heading) + "</h3>\n" + l.body.HTML(maxText) + "\n"
	if l.link != "" {
		call, advice := l.invitation()
		text += `<p><a href="` + html.EscapeString(l.link) + "\">" + call + "</a></p>\n<p>" + advice + "</p>\n"
	}
	return text + "</body></html>\n"
}
