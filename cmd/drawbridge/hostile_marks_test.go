package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors/epm/epmstandin"
)

// rename changes the subject of the ticket, and restore puts back what it said.
func (h *attempt) rename(who, subject string) { h.t.Helper(); h.d.edit(h.t, who, h.ticket, subject) }
func (h *attempt) restore(who string)         { h.t.Helper(); h.rename(who, `CORP\ana asks to run `+h.asked) }

// nextSecond waits until it is another one: most histories do not tell the order within a second.
func (h *attempt) nextSecond() {
	h.t.Helper()
	now := time.Now().Unix()
	must(h.t, eventually(h.ctx, func() error {
		if time.Now().Unix() == now {
			return errors.New("it is the same second")
		}
		return nil
	}))
}

// inConsole has somebody decide in the source itself.
func (h *attempt) inConsole() error {
	if err := h.epm.DecideInConsole(h.id, epmstandin.Denied, "Root"); err != nil {
		return err
	}
	return eventually(h.ctx, func() error {
		view, err := h.caseOf(h.id)
		if err == nil && view.Decision == nil {
			err = errors.New("the source's decision is not known yet")
		}
		return err
	})
}

// hostileMarks are attacks on what tells that a ticket is ours, and which.
func hostileMarks() []attack {
	const changed = "nothing was sent to epm"
	cloned := func(who string) func(h *attempt) {
		return func(h *attempt) {
			clone := h.d.clone(h.t, who, h.ticket)
			h.d.move(h.t, "kim", clone, h.d.approved)
			h.read(clone)
		}
	}
	again := func(h *attempt) {
		if h.d.keptOnce {
			return
		}
		h.d.mark(h.t, h.ticket, h.key)
		h.approvedBy("lee")
	}
	return []attack{
		{name: "a clone is approved", needs: []string{"clone"}, do: cloned("max")},
		{name: "an approver's own clone is approved", needs: []string{"clone"}, do: cloned("kim")},
		{name: "the ticket is replaced by a clone", needs: []string{"clone", "remove"}, then: over, do: func(h *attempt) {
			clone := h.d.clone(h.t, "max", h.ticket)
			h.d.remove(h.t, "max", h.ticket)
			h.d.move(h.t, "kim", clone, h.d.approved)
			h.read(clone)
		}},
		{name: "the ticket is deleted", needs: []string{"remove"}, then: over, do: func(h *attempt) { h.d.remove(h.t, "kim", h.ticket) }},
		{name: "the ticket is approved and deleted", needs: []string{"remove"}, then: over, do: func(h *attempt) {
			h.approve("kim")
			h.d.remove(h.t, "kim", h.ticket)
		}},
		{name: "the key is removed", needs: []string{"mark"}, says: changed, then: again, do: func(h *attempt) {
			h.d.mark(h.t, h.ticket, "")
			h.approve("kim")
		}},
		{name: "the key is replaced", needs: []string{"mark"}, says: changed, then: again, do: func(h *attempt) {
			h.d.mark(h.t, h.ticket, h.key[:len(h.key)-4]+"aaaa")
			h.approve("kim")
		}},
		{name: "the key of another ticket is put on this one", needs: []string{"mark"}, says: changed, then: again, do: func(h *attempt) {
			other := h.another()
			h.d.mark(h.t, h.ticket, other.key)
			h.approve("kim")
			h.read()
			other.read()
			other.wasTold()
		}},
		{name: "the keys of two tickets are swapped", needs: []string{"mark"}, says: changed, then: over, do: func(h *attempt) {
			other := h.another()
			h.d.mark(h.t, h.ticket, other.key)
			h.d.mark(h.t, other.ticket, h.key)
			h.approve("kim")
			other.approve("kim")
			other.read()
			other.wasTold()
		}},
		{name: "the ticket is merged into another, which is approved", needs: []string{"merge"}, then: over, do: func(h *attempt) {
			other := h.another()
			h.d.merge(h.t, h.ticket, other.ticket)
			other.approve("kim")
			other.read()
			other.wasTold("Approved")
		}},
		{name: "the history is rewritten", needs: []string{"rewrite"}, garbled: true, then: over, do: func(h *attempt) { h.d.rewrite(h.t, h.ticket, h.d.approved) }},
		{name: "a status an approver chose gets another name", needs: []string{"rewrite", "busy"}, garbled: true, then: over, do: func(h *attempt) {
			h.move("kim", h.d.busy)
			h.d.rewrite(h.t, h.ticket, h.d.approved)
		}},
		{name: "somebody without the right approves and moves the ticket elsewhere", needs: []string{"elsewhere"}, says: changed, then: over, do: func(h *attempt) {
			h.approve("max")
			h.d.elsewhere(h.t, h.ticket)
		}},
	}
}

// hostileEdits are attacks that change what the approver sees.
func hostileEdits() []attack {
	const edited = "no longer says what was asked for"
	renamed := func(who string) func(h *attempt) {
		return func(h *attempt) { h.rename(who, "something harmless"); h.approve("kim") }
	}
	restored := func(h *attempt) {
		h.restore("max")
		h.nextSecond()
		h.approvedBy("lee")
	}
	return []attack{
		{name: "edited, then approved", needs: []string{"edit"}, says: edited, do: renamed("max"), then: restored},
		{name: "edited by the requester, then approved", needs: []string{"edit", "ana"}, says: edited, do: renamed("ana"), then: restored},
		{name: "edited by the approver, then approved", needs: []string{"edit"}, says: edited, do: renamed("kim"), then: restored},
		{name: "the description is edited, then approved", needs: []string{"describe"}, says: edited, then: over, do: func(h *attempt) {
			h.d.describe(h.t, "max", h.ticket)
			h.approve("kim")
		}},
		{name: "edited after the approval, before anybody read it", needs: []string{"edit"}, says: edited, then: restored, do: func(h *attempt) {
			h.approve("kim")
			h.rename("max", "something else")
		}},
		{name: "edited, approved, put back", needs: []string{"edit"}, then: restored, do: func(h *attempt) {
			h.rename("max", "something harmless")
			h.approve("kim")
			h.read()
			h.restore("max")
		}},
		{name: "approved, edited, put back, before anybody read it", needs: []string{"edit", "history"}, says: "the decision must be made anew", then: restored, do: func(h *attempt) {
			h.approve("kim")
			h.rename("max", "something else")
			h.restore("max")
		}},
		{name: "edited, approved and put back, before anybody read it", needs: []string{"edit", "history"}, says: "the decision must be made anew", then: restored, do: func(h *attempt) {
			h.rename("max", "something harmless")
			h.approve("kim")
			h.restore("max")
		}},
	}
}

// hostileNotices are attacks by what tells of tickets. None of them says more than that a ticket is to be read.
func hostileNotices() []attack {
	// notify sends a notice that says the ticket is approved.
	notify := func(h *attempt, path, body, header string, want int) {
		h.t.Helper()
		status, _, text := h.send1(h.t, path, body, "application/json", func(r *http.Request) {
			for _, line := range strings.Split(header, "\n") {
				if name, value, ok := strings.Cut(line, ": "); ok {
					r.Header.Set(name, value)
				}
			}
		})
		if status != want {
			h.t.Errorf("answered %d %s, want %d", status, text, want)
		}
	}
	return []attack{
		{name: "a notice with a wrong signature", needs: []string{"forge"}, do: func(h *attempt) {
			body, header := h.d.forge(h.t, h.ticket)
			notify(h, "/in/"+h.d.name, body, header, http.StatusUnauthorized)
		}},
		{name: "a notice without a signature", needs: []string{"forge"}, do: func(h *attempt) {
			body, _ := h.d.forge(h.t, h.ticket)
			notify(h, "/in/"+h.d.name, body, "", http.StatusUnauthorized)
		}},
		{name: "a notice with an empty signature", needs: []string{"forge"}, do: func(h *attempt) {
			body, header := h.d.forge(h.t, h.ticket)
			name, _, _ := strings.Cut(header, ": ")
			notify(h, "/in/"+h.d.name, body, name+": ", http.StatusUnauthorized)
		}},
		{name: "the tool's credentials at the desk's door", needs: []string{"forge"}, do: func(h *attempt) {
			body, _ := h.d.forge(h.t, h.ticket)
			status, _, _ := h.send1(h.t, "/in/"+h.d.name, body, "application/json", func(r *http.Request) { r.SetBasicAuth(demoHookUser, h.hookPassword) })
			if status != http.StatusUnauthorized {
				h.t.Errorf("answered %d, want 401", status)
			}
		}},
		{name: "a desk's notice at the tool's door", needs: []string{"forge"}, do: func(h *attempt) {
			body, _ := h.d.forge(h.t, h.ticket)
			_, err := h.post(body)
			must(h.t, err)
		}},
		{name: "a genuine notice that the ticket does not bear out, many times", needs: []string{"notice"}, do: func(h *attempt) {
			body, header := h.d.notice(h.t, h.ticket)
			for range 20 {
				notify(h, "/in/"+h.d.name, body, header, http.StatusAccepted)
			}
		}},
		{name: "a genuine notice sent after the ticket was moved back", needs: []string{"notice", "reopen"}, do: func(h *attempt) {
			h.approve("kim")
			body, header := h.d.notice(h.t, h.ticket)
			h.reopen("kim")
			notify(h, "/in/"+h.d.name, body, header, http.StatusAccepted)
		}},
		{name: "a genuine notice of a ticket that somebody without the right approved", needs: []string{"notice"}, says: "not among those who may decide", do: func(h *attempt) {
			h.approve("max")
			body, header := h.d.notice(h.t, h.ticket)
			notify(h, "/in/"+h.d.name, body, header, http.StatusAccepted)
		}},
	}
}

// signature is that of a text as most desks write it.
func signature(secret, text string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(text))
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// scriptSigned are the headers of a notice as our desk scripts sign it.
func scriptSigned(secret, body string) string {
	at := strconv.FormatInt(time.Now().Unix(), 10)
	return "X-Drawbridge-Timestamp: " + at + "\nX-Drawbridge-Signature: " + signature(secret, at+"."+body)
}

// headerLines writes headers one below the other.
func headerLines(r *http.Request) string {
	var lines []string
	for name := range r.Header {
		lines = append(lines, name+": "+r.Header.Get(name))
	}
	return strings.Join(lines, "\n")
}
