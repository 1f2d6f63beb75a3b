package servicedeskplusstandin

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// user finds somebody by id or mail address.
func (s *Server) user(text string) (User, bool) {
	for _, u := range append([]User{s.o.Account}, s.o.People...) {
		if text != "" && (u.ID == text || strings.EqualFold(u.Mail, text)) {
			return u, true
		}
	}
	return User{}, false
}

// act does something as somebody, and tells of it.
func (s *Server) act(id, who, event string, do func(r *request, by User, now time.Time) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.find(id)
	by, known := s.user(who)
	if r == nil || !known {
		return fmt.Errorf("there is no request %s or nobody %s", id, who)
	}
	if err := do(r, by, s.o.Now()); err != nil {
		return err
	}
	s.notify(event, r)
	return nil
}

// Move brings a request to a status.
func (s *Server) Move(id, who, status string) error {
	return s.act(id, who, "request.edited", func(r *request, by User, now time.Time) error {
		if !slices.Contains(s.o.Statuses, status) {
			return fmt.Errorf("there is no status %s", status)
		}
		r.change(s, by, now, "status", named(r.status), named(status), func() { r.status = status })
		return nil
	})
}

// Reword brings a request to a status without a trace in its history.
func (s *Server) Reword(id, status string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.find(id); r != nil {
		r.status = status
	}
}

// Edit changes the subject, the description or an additional field.
func (s *Server) Edit(id, who, field, value string) error {
	return s.act(id, who, "request.edited", func(r *request, by User, now time.Time) error {
		switch {
		case field == "subject":
			r.change(s, by, now, field, r.subject, value, func() { r.subject = value })
		case field == "description":
			r.change(s, by, now, field, r.description, value, func() { r.description = value })
		case slices.Contains(s.o.Fields, field):
			r.change(s, by, now, "udf_fields."+field, r.additional[field], value, func() { r.additional[field] = value })
		default:
			return fmt.Errorf("there is no field %s", field)
		}
		return nil
	})
}

// CommentAs writes a note.
func (s *Server) CommentAs(id, who, text string) error {
	return s.act(id, who, "request.edited", func(r *request, by User, _ time.Time) error {
		r.notes = append(r.notes, Note{ID: s.next(), By: by, Text: text})
		return nil
	})
}

// Ask sends a request for approval to the people of one more level.
func (s *Server) Ask(id, who string, approvers ...string) error {
	return s.act(id, who, "request.edited", func(r *request, _ User, _ time.Time) error {
		r.ask(s, len(r.rounds)+1, approvers)
		return nil
	})
}

// Answer answers an approval somebody was asked for, Approved or Denied.
func (s *Server) Answer(id, who, status string) error { return s.answer(id, who, "", status) }

// AnswerFor has a backup answer in place of the one who was asked.
func (s *Server) AnswerFor(id, backup, original, status string) error {
	return s.answer(id, backup, original, status)
}

func (s *Server) answer(id, who, original, status string) error {
	events := map[string]string{Approved: "request.approved", Denied: "request.rejected"}
	return s.act(id, who, events[status], func(r *request, by User, now time.Time) error {
		for _, l := range r.rounds {
			if l.status() == Approved {
				continue
			}
			for _, a := range l.asked {
				if a.status != Pending || (a.approver.ID != who && a.approver.ID != original) {
					continue
				}
				if original != "" {
					a.original, a.approver = a.approver, by
				}
				a.status, a.at = status, now
				if !s.o.QuietApprovals {
					r.updated = now
				}
				return nil
			}
			break
		}
		return fmt.Errorf("%s is not asked for an approval of request %s now", who, id)
	})
}

// Clone copies a request with everything in it, as somebody's own.
func (s *Server) Clone(id, who string) (clone string, err error) {
	err = s.act(id, who, "request.created", func(r *request, by User, now time.Time) error {
		twin := *r
		twin.id, twin.createdBy, twin.created, twin.updated, twin.history, twin.notes = s.next(), by, now, now, nil, nil
		twin.display = strconv.Itoa(800 + len(s.requests))
		twin.fields, twin.additional, twin.rounds = maps.Clone(r.fields), maps.Clone(r.additional), nil
		for n, l := range r.rounds {
			var who []string
			for _, a := range l.asked {
				who = append(who, a.approver.ID)
			}
			twin.ask(s, n+1, who)
		}
		s.requests = append(s.requests, &twin)
		clone = twin.id
		return nil
	})
	return clone, err
}

// Trash puts a request into the trash, where it still can be read.
func (s *Server) Trash(id, who string) error {
	return s.act(id, who, "request.deleted", func(r *request, _ User, now time.Time) error {
		r.trashed, r.updated = true, now
		return nil
	})
}

// Delete deletes a request for good.
func (s *Server) Delete(id, who string) error {
	return s.act(id, who, "request.deleted", func(r *request, _ User, _ time.Time) error {
		s.requests = slices.DeleteFunc(s.requests, func(one *request) bool { return one == r })
		return nil
	})
}

// Deny takes rights from the account: read, create, update.
func (s *Server) Deny(rights ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, right := range rights {
		s.denied[right] = true
	}
}

// SetHook makes the desk tell of changes: with the secret in a header at the cloud, signed by it elsewhere.
func (s *Server) SetHook(url, secret string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hookURL, s.secret = url, secret
}

// Flush sends the notices that wait.
func (s *Server) Flush(ctx context.Context) error { return s.hooks.Flush(ctx) }

// DropWebhooks loses the notices of what happens from now on, for as long as it is set.
func (s *Server) DropWebhooks(drop bool) { s.hooks.Drop(drop) }

// notify queues a notice.
func (s *Server) notify(event string, r *request) {
	if s.hookURL == "" {
		return
	}
	url, secret, edition := s.hookURL, s.secret, s.o.Edition
	body, err := json.Marshal(map[string]any{"event": event, "request_id": r.id, "key": r.additional["udf_char1"]})
	if err != nil {
		panic(err) // texts always encode
	}
	s.hooks.Queue(func(ctx context.Context, _ int) (*http.Request, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(string(body)))
		if err != nil {
			return nil, err
		}
		req.Header.Set("Content-Type", "application/json")
		if edition == Cloud {
			req.Header.Set("X-Drawbridge-Token", secret)
			return req, nil
		}
		moment := strconv.FormatInt(s.o.Now().Unix(), 10)
		mac := hmac.New(sha256.New, []byte(secret))
		fmt.Fprintf(mac, "%s.%s", moment, body)
		req.Header.Set("X-Drawbridge-Timestamp", moment)
		req.Header.Set("X-Drawbridge-Signature", "sha256="+hex.EncodeToString(mac.Sum(nil)))
		return req, nil
	})
}

// Ticket is a request as it stands.
type Ticket struct {
	ID, Display, Subject, Description, Status, Approval string
	CreatedBy                                           User
	Additional                                          map[string]any
	Fields                                              map[string]any
	Closure                                             map[string]any
	Notes                                               []Note
	Files                                               []string
}

func (r *request) ticket() Ticket {
	t := Ticket{
		ID: r.id, Display: r.display, Subject: r.subject, Description: r.description, Status: r.status, Approval: r.rollUp(), CreatedBy: r.createdBy,
		Additional: maps.Clone(r.additional), Fields: maps.Clone(r.fields), Closure: r.closure, Notes: slices.Clone(r.notes),
	}
	for _, f := range r.files {
		t.Files = append(t.Files, f.name)
	}
	return t
}

// Tickets are all requests there are, in order of creation.
func (s *Server) Tickets() []Ticket {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Ticket
	for _, r := range s.requests {
		out = append(out, r.ticket())
	}
	return out
}

// Ticket is one request, by its id or by what people call it.
func (s *Server) Ticket(id string) (Ticket, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.find(id); r != nil {
		return r.ticket(), true
	}
	return Ticket{}, false
}

// Requests tells how often a call was made, by its name; token is asking for an access token.
func (s *Server) Requests(op string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[op]
}
