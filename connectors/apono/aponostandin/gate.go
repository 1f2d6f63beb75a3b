package aponostandin

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Validator is one row of a webhook's response validators: the answer is good when the value at Path is one of
// Expected.
type Validator struct {
	Path     string // like $.data.status or $.data.tickets[0].status
	Expected []string
}

// Answer is what a manual webhook was answered, and whether the validators took it in either reading of their paths.
type Answer struct {
	Status  int // HTTP
	Body    []byte
	Wrapped bool // data in a path stands for the whole answer
	Member  bool // data in a path is a member of the answer
}

// ask queues the manual webhook of a request; s.mu is held.
func (s *Server) ask(r *Request) {
	s.line.Add(&delivery{kind: "manual", body: s.question(r), request: r.ID})
}

func (s *Server) question(r *Request) []byte {
	return s.render(s.options.Templates.Manual, s.requestPayload(r, "Manual"))
}

// AskAgain queues the manual webhook of every request that waits behind one, unless it is queued already.
func (s *Server) AskAgain() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.requests {
		queued := s.line.Waits(func(d *delivery) bool { return d.request == r.ID })
		if r.BehindWebhook && r.State == Pending && !queued {
			s.ask(r)
		}
	}
}

// Ask calls the manual webhook of one request at once, judges the answer in both readings and grants access where the
// reading the stand-in was given takes it.
func (s *Server) Ask(ctx context.Context, requestID string) (Answer, error) {
	s.mu.Lock()
	r := s.find(requestID)
	if r == nil {
		s.mu.Unlock()
		return Answer{}, ErrUnknown
	}
	body := s.question(r)
	s.mu.Unlock()
	status, text, err := s.post(ctx, "manual", body)
	if err != nil {
		return Answer{}, err
	}
	a := Answer{Status: status, Body: text, Wrapped: s.valid(text, true), Member: s.valid(text, false)}
	if status < 200 || status > 299 {
		return a, fmt.Errorf("ask: the receiver answered %d", status)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conclude(requestID, text)
	return a, nil
}

// conclude grants access where the answer is good. Any other leaves the request waiting. s.mu is held.
func (s *Server) conclude(requestID string, answer []byte) {
	r := s.find(requestID)
	if r == nil || r.State != Pending {
		return
	}
	r.Asked++
	if s.valid(answer, s.options.Wrapped) {
		s.grant(r)
	}
}

// valid tells whether every validator takes the answer. Without validators nothing is taken: that would open the gate
// to any answer.
func (s *Server) valid(answer []byte, wrapped bool) bool {
	var document any
	if json.Unmarshal(answer, &document) != nil {
		return false
	}
	if wrapped {
		document = map[string]any{"data": document}
	}
	for _, v := range s.options.Validators {
		value, ok := follow(document, v.Path)
		if !ok || !slices.Contains(v.Expected, value) {
			return false
		}
	}
	return len(s.options.Validators) > 0
}

// follow reads the value at a JSON path made of names and indexes.
func follow(document any, path string) (string, bool) {
	rest, ok := strings.CutPrefix(path, "$.")
	if !ok {
		return "", false
	}
	for _, step := range strings.FieldsFunc(rest, func(r rune) bool { return r == '.' || r == '[' || r == ']' }) {
		switch at := document.(type) {
		case map[string]any:
			document = at[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(at) {
				return "", false
			}
			document = at[i]
		default:
			return "", false
		}
	}
	switch value := document.(type) {
	case string:
		return value, true
	case bool:
		return strconv.FormatBool(value), true
	case float64:
		return strconv.FormatFloat(value, 'f', -1, 64), true
	default:
		return "", false
	}
}
