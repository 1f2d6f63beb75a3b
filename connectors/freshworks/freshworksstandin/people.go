package freshworksstandin

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"html"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// act does something to a ticket as a person would, and tells of it as the site's workflow does.
func (s *Server) act(id string, do func(*record) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.find(id)
	if err != nil {
		return err
	}
	if err := do(r); err != nil {
		return err
	}
	s.touch(r)
	s.deliver(r)
	return nil
}

// Account finds the number of an agent by the start of their address.
func (s *Server) Account(login string) int64 {
	for _, a := range s.opts.Accounts {
		if strings.HasPrefix(a.Mail, login+"@") {
			return a.ID
		}
	}
	return 0
}

// SetGroups puts an agent into these groups and no others.
func (s *Server) SetGroups(account int64, groups ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, a := range s.opts.Accounts {
		if a.ID == account {
			s.opts.Accounts[i].Groups = groups
		}
	}
}

// Move brings a ticket to a status. The site keeps nobody's name for it.
func (s *Server) Move(id, status string) error {
	return s.act(id, func(r *record) error {
		for _, one := range s.statuses(r.kind) {
			if one.Name == status {
				r.status = one.Number
				return nil
			}
		}
		return fmt.Errorf("there is no status %q", status)
	})
}

// Edit changes the subject, the description, a field of the catalog item or a custom field.
func (s *Server) Edit(id, field string, value any) error {
	return s.act(id, func(r *record) error {
		switch field {
		case "subject":
			r.subject = fmt.Sprint(value)
		case "description":
			r.description = fmt.Sprint(value)
		default:
			if _, ofItem := r.item[field]; ofItem {
				r.item[field] = value
			} else {
				r.custom[field] = value
			}
		}
		return nil
	})
}

// SetTags replaces the tags.
func (s *Server) SetTags(id string, tags ...string) error {
	return s.act(id, func(r *record) error {
		r.tags = append([]string{}, tags...)
		return nil
	})
}

// NoteAs adds a private note as an agent; account 0 is a rule.
func (s *Server) NoteAs(id string, account int64, text string) (note int64, err error) {
	err = s.act(id, func(r *record) error {
		note = s.keep(r, newNote(account, text)).id
		return nil
	})
	return note, err
}

// PublicNoteAs adds a note of an agent's that requesters see.
func (s *Server) PublicNoteAs(id string, account int64, text string) error {
	return s.act(id, func(r *record) error {
		n := newNote(account, text)
		n.private = false
		s.keep(r, n)
		return nil
	})
}

func newNote(account int64, text string) *note {
	return &note{user: account, body: strings.ReplaceAll(html.EscapeString(text), "\n", "<br>"), private: true, source: 2}
}

// MailAs adds what somebody sent by mail, which comes with their account.
func (s *Server) MailAs(id string, account int64, text string) error {
	return s.act(id, func(r *record) error {
		n := newNote(account, text)
		n.private, n.incoming, n.source = false, true, 0
		s.keep(r, n)
		return nil
	})
}

// EditNote changes what a note says; its author stays.
func (s *Server) EditNote(id string, number int64, text string) error {
	return s.act(id, func(r *record) error {
		i := slices.IndexFunc(r.notes, func(n *note) bool { return n.id == number })
		if i < 0 {
			return fmt.Errorf("there is no note %d", number)
		}
		n := r.notes[i]
		n.body, n.edited = newNote(n.user, text).body, true
		n.updated = s.now().Add(60e9)
		return nil
	})
}

// DropNotes deletes the notes of an account.
func (s *Server) DropNotes(id string, account int64) error {
	return s.act(id, func(r *record) error {
		r.notes = slices.DeleteFunc(r.notes, func(n *note) bool { return n.user == account })
		return nil
	})
}

// Ask asks agents to approve, all of them, on the level after the last.
func (s *Server) Ask(id string, approvers ...int64) error {
	return s.act(id, func(r *record) error {
		if r.kind == "tickets" && r.typ != "Service Request" {
			return fmt.Errorf("tickets have no approvals")
		}
		level := 1
		for _, a := range r.approvals {
			level = max(level, a.level+1)
		}
		group := s.number("rounds")
		for _, one := range approvers {
			a := &approval{
				id: s.number("approvals"), approver: one, name: s.nameOf(one), delegate: s.opts.Delegates[one], level: level, group: group, created: s.now(), updated: s.now(),
			}
			r.approvals = append(r.approvals, a)
		}
		return nil
	})
}

func (s *Server) nameOf(id int64) string {
	for _, a := range s.opts.Accounts {
		if a.ID == id {
			return a.Name
		}
	}
	return ""
}

// Answer answers the last approval an agent was asked for: approved, rejected or cancelled. Only the approver can in the
// product; the ticket's time of update stays as it is.
func (s *Server) Answer(id string, approver int64, answer, remark string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.find(id)
	if err != nil {
		return err
	}
	code := slices.Index(approvalNames, answer)
	for _, a := range slices.Backward(r.approvals) {
		if a.approver == approver && a.status == 0 && code > 0 {
			a.status, a.remark, a.updated = code, remark, s.now()
			s.deliver(r)
			return nil
		}
	}
	return fmt.Errorf("account %d was not asked to approve %s", approver, id)
}

// Clone copies a ticket with its tags and fields. The site keeps nobody's name for it.
func (s *Server) Clone(id string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.find(id)
	if err != nil {
		return "", err
	}
	twin := *r
	twin.notes, twin.approvals = nil, nil
	twin.tags, twin.custom, twin.standard, twin.item = slices.Clone(r.tags), maps.Clone(r.custom), maps.Clone(r.standard), maps.Clone(r.item)
	s.add(&twin)
	s.deliver(&twin)
	return s.seen(&twin).ID, nil
}

// Delete puts a ticket into the trash.
func (s *Server) Delete(id string) error {
	return s.act(id, func(r *record) error {
		r.deleted = true
		return nil
	})
}

// build makes the request of one webhook.
func (s *Server) build(url, header, secret string, notice map[string]any) func(context.Context, int) (*http.Request, error) {
	return func(ctx context.Context, _ int) (*http.Request, error) {
		body, err := json.Marshal(notice)
		if err != nil {
			return nil, err
		}
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set(header, secret)
		return r, nil
	}
}
