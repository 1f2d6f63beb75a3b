// Package slackstandin stands in for one Slack workspace: it takes messages and their updates, tells who people are, and
// sends signed clicks. It is written from what is known of Slack's interfaces and shares nothing with the connector.
package slackstandin

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors/standin"
)

// Options is what a workspace is made with; what is left out is made up.
type Options struct {
	Now           func() time.Time
	Token         string // the app's bot token
	SigningSecret string
	Team          string // default T0CORP
	Scopes        string // as answers name them; "-" for none
	Address       string // where clicks are told: the app's Request URL
	People        []Person
	Channels      []string // that the app was invited to; default C0SEC
	Client        *http.Client
}

// Person is somebody in the workspace, or from another.
type Person struct {
	ID, Name, Mail string
	Team           string // empty: this workspace
	Deleted, Bot   bool

	More map[string]any // of what Slack tells: is_app_user, is_stranger and the like
}

// Message is one message with what was done to it.
type Message struct {
	Channel, TS, Thread string
	Text                string
	Blocks              []map[string]any
	Edited              bool
}

// Server is the workspace. Faults befall calls by the names of their methods: chat.postMessage.
type Server struct {
	Faults standin.Faults
	o      Options

	mu       sync.Mutex
	people   map[string]Person
	messages []*Message
	refusals map[string][]string
	last     int64
}

// New makes a workspace.
func New(o Options) *Server {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Client == nil {
		o.Client = http.DefaultClient
	}
	o.Team = cmp.Or(o.Team, "T0CORP")
	o.Scopes = cmp.Or(o.Scopes, "chat:write,users:read,users:read.email")
	if len(o.Channels) == 0 {
		o.Channels = []string{"C0SEC"}
	}
	s := &Server{o: o, people: map[string]Person{}, refusals: map[string][]string{}}
	for _, p := range o.People {
		s.people[p.ID] = p
	}
	return s
}

// SetPerson changes somebody, or makes them known.
func (s *Server) SetPerson(p Person) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.people[p.ID] = p
}

// RefuseNext makes the next call of a method answer 200 with an error code, without doing anything.
func (s *Server) RefuseNext(method, code string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refusals[method] = append(s.refusals[method], code)
}

// Messages are those in channels, without replies, the oldest first.
func (s *Server) Messages() []Message { return s.list("") }

// Replies are those in the thread of a message.
func (s *Server) Replies(ts string) []Message { return s.list(ts) }

func (s *Server) list(thread string) (found []Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.messages {
		if m.Thread == thread {
			found = append(found, *m)
		}
	}
	return found
}

// Message finds one by its channel and number as CHANNEL:TS.
func (s *Server) Message(id string) (Message, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	channel, ts, _ := strings.Cut(id, ":")
	if m := s.find(channel, ts); m != nil {
		return *m, true
	}
	return Message{}, false
}

// find wants s.mu held.
func (s *Server) find(channel, ts string) *Message {
	for _, m := range s.messages {
		if m.Channel == channel && m.TS == ts {
			return m
		}
	}
	return nil
}

// ServeHTTP answers the Web API.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	method := strings.TrimPrefix(r.URL.Path, "/")
	s.Faults.Serve(w, r, method, func(w http.ResponseWriter, status int) {
		if status == http.StatusTooManyRequests {
			w.Header().Set("Content-Type", "application/json; charset=utf-8")
			w.WriteHeader(status)
			_, _ = w.Write([]byte(`{"ok":false,"error":"ratelimited"}`))
			return
		}
		http.Error(w, http.StatusText(status), status)
	}, func(w http.ResponseWriter, r *http.Request) { s.answer(w, r, method) })
}

func (s *Server) answer(w http.ResponseWriter, r *http.Request, method string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	reply := map[string]any{}
	code := s.refusal(method)
	if code == "" && r.Header.Get("Authorization") != "Bearer "+s.o.Token {
		code = "invalid_auth"
	}
	if code == "" {
		switch method {
		case "auth.test":
			reply = map[string]any{"url": "https://corp.slack.example/", "team": "Corp", "team_id": s.o.Team, "user": "drawbridge", "user_id": "U0BOT", "bot_id": "B0BOT"}
		case "users.info":
			reply, code = s.info(r.URL.Query().Get("user"))
		case "chat.postMessage", "chat.update":
			reply, code = s.write(r, method)
		default:
			code = "unknown_method"
		}
	}
	if code != "" {
		reply = map[string]any{"error": code}
	}
	reply["ok"] = code == ""
	if s.o.Scopes != "-" {
		w.Header().Set("X-OAuth-Scopes", s.o.Scopes)
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_ = json.NewEncoder(w).Encode(reply) // who asked is gone otherwise
}

// refusal wants s.mu held.
func (s *Server) refusal(method string) string {
	next := s.refusals[method]
	if len(next) == 0 {
		return ""
	}
	s.refusals[method] = next[1:]
	return next[0]
}

func (s *Server) info(id string) (map[string]any, string) {
	p, ok := s.people[id]
	if !ok {
		return nil, "user_not_found"
	}
	profile := map[string]any{"real_name": p.Name}
	if strings.Contains(s.o.Scopes, "users:read.email") && p.Mail != "" {
		profile["email"] = p.Mail
	}
	user := map[string]any{
		"id": p.ID, "team_id": cmp.Or(p.Team, s.o.Team), "name": strings.ToLower(p.Name), "real_name": p.Name, "deleted": p.Deleted, "is_bot": p.Bot, "profile": profile,
	}
	maps.Copy(user, p.More)
	return map[string]any{"user": user}, ""
}

// write posts or updates a message.
func (s *Server) write(r *http.Request, method string) (map[string]any, string) {
	var args struct {
		Channel string           `json:"channel"`
		TS      string           `json:"ts"`
		Thread  string           `json:"thread_ts"`
		Text    string           `json:"text"`
		Blocks  []map[string]any `json:"blocks"`
	}
	if !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") || json.NewDecoder(r.Body).Decode(&args) != nil {
		return nil, "invalid_json"
	}
	if !slices.Contains(s.o.Channels, args.Channel) {
		return nil, "not_in_channel"
	}
	if args.Text == "" && len(args.Blocks) == 0 {
		return nil, "no_text"
	}
	if len([]rune(args.Text)) > 4000 {
		return nil, "msg_too_long"
	}
	if fault := blockFault(args.Blocks); fault != "" {
		return nil, "invalid_blocks"
	}
	if method == "chat.update" {
		m := s.find(args.Channel, args.TS)
		if m == nil {
			return nil, "message_not_found"
		}
		m.Text, m.Blocks, m.Edited = args.Text, args.Blocks, true
		return map[string]any{"channel": m.Channel, "ts": m.TS, "text": m.Text}, ""
	}
	if args.Thread != "" && s.find(args.Channel, args.Thread) == nil {
		return nil, "thread_not_found"
	}
	// Slack numbers messages by the time, each with a number of its own.
	s.last = max(s.last+1, s.o.Now().UnixMicro())
	m := &Message{Channel: args.Channel, TS: fmt.Sprintf("%d.%06d", s.last/1e6, s.last%1e6), Thread: args.Thread, Text: args.Text, Blocks: args.Blocks}
	s.messages = append(s.messages, m)
	return map[string]any{"channel": m.Channel, "ts": m.TS}, ""
}
