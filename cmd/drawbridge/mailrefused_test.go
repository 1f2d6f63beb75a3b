package main

import (
	"fmt"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/connectors/mail/mailstandin"
)

// Whose mailbox is full keeps nobody else from answering, and hears of it once there is room.
func TestWhoGotTheMailDecidesWhileSomebodyElsesMailboxIsFull(t *testing.T) {
	t.Parallel()
	p := openPostroom(t)
	p.mail.RefuseTo(kimsMail, 452, "mailbox full")
	id := p.epm.RequestApplication(anaAsksForATool)
	var lees mailstandin.Mail
	must(t, p.patiently(func() error {
		if got := p.mail.To(leesMail); len(got) > 0 {
			lees = got[0]
			return nil
		}
		return fmt.Errorf("no mail to lee yet")
	}))
	b := p.browser()
	b.signIn(lees.Link(), "Lee", leesMail)
	b.answer(lees.Link(), "approved")
	p.told(id, "Approved")
	p.mail.Take(kimsMail)
	p.says(lees, "accepted by epm")
	for who, mails := range map[string][]mailstandin.Mail{kimsMail: p.mail.To(kimsMail), leesMail: p.mail.To(leesMail)} {
		if len(mails) != 2 || mails[0].Link() == "" {
			t.Errorf("%s has %d mails, want the request and what became of it", who, len(mails))
		}
	}
	if n := len(p.mail.Mails()); n != 4 {
		t.Errorf("%d mails were sent, want 4", n)
	}
}
