// Package mailstandin is a mail server for tests, made of a server library that nobody here wrote: it takes mail over TLS
// from who signs in, keeps it, and fails when told to.
package mailstandin

import (
	"bytes"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"mime"
	"mime/multipart"
	"net"
	"net/http/httptest"
	"net/mail"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// Options say what the server is like.
type Options struct {
	User     string
	Password string
	Token    func() string // the access token that is good now; nil: there are none
	Implicit bool          // TLS from the start
	Plain    bool          // no TLS at all
}

// Server is the mail server.
type Server struct {
	Host string
	Port int
	CA   []byte // its certificate, as PEM

	options Options
	server  *smtp.Server
	pair    tls.Certificate

	mu    sync.Mutex
	mails []Mail
	fail  map[string][]error      // by part: auth, mail, rcpt, data
	to    map[string]func() error // what befalls an addressee
	cut   int
}

// Mail is one that was taken.
type Mail struct {
	From, To string
	Text     string // as it came
	Header   mail.Header
	Plain    string
	HTML     string
}

// New starts a server.
func New(o Options) (*Server, error) {
	web := httptest.NewTLSServer(nil) // for its certificate
	defer web.Close()
	s := &Server{options: o, fail: map[string][]error{}, to: map[string]func() error{}, pair: web.TLS.Certificates[0],
		CA: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: web.Certificate().Raw})}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	at := l.Addr().(*net.TCPAddr)
	s.Host, s.Port = at.IP.String(), at.Port
	s.server = smtp.NewServer(s)
	s.server.Domain, s.server.ErrorLog = "mail.example", log.New(io.Discard, "", 0)
	s.server.ReadTimeout, s.server.WriteTimeout = time.Minute, time.Minute
	config := &tls.Config{Certificates: []tls.Certificate{s.pair}}
	switch {
	case o.Implicit:
		l = tls.NewListener(l, config)
	case o.Plain:
		s.server.AllowInsecureAuth = true
	default:
		s.server.TLSConfig = config
	}
	go func() { _ = s.server.Serve(l) }()
	return s, nil
}

// Close stops it.
func (s *Server) Close() { _ = s.server.Close() }

// FailNext makes the next of a part of a mail fail: auth, mail, rcpt or data.
func (s *Server) FailNext(part string, code int, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail[part] = append(s.fail[part], fault(code, text))
}

func fault(code int, text string) error {
	return &smtp.SMTPError{Code: code, EnhancedCode: smtp.EnhancedCode{code / 100, 7, 30}, Message: text}
}

// RefuseTo refuses an addressee until Take is called.
func (s *Server) RefuseTo(address string, code int, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.to[address] = func() error { return fault(code, text) }
}

// HangAt leaves who names an addressee without an answer until they hang up, until Take is called; arrived tells of each.
func (s *Server) HangAt(address string) (arrived <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	came := make(chan struct{}, 100)
	s.to[address] = func() error {
		came <- struct{}{}
		return errHang
	}
	return came
}

// Take takes mail for an addressee again.
func (s *Server) Take(address string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.to, address)
}

var errHang = errors.New("no answer")

// CutNext makes the server take the next mail and end the connection in place of saying so.
func (s *Server) CutNext() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cut++
}

// Mails are those that were taken.
func (s *Server) Mails() []Mail {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Mail(nil), s.mails...)
}

// To are those that somebody got, the oldest first; of one Message-ID only one, as mail programs show it.
func (s *Server) To(address string) (mails []Mail) {
	seen := map[string]bool{}
	for _, m := range s.Mails() {
		if id := m.Header.Get("Message-ID"); m.To == address && !seen[id] {
			seen[id] = true
			mails = append(mails, m)
		}
	}
	return mails
}

var link = regexp.MustCompile(`https?://\S+/vote/\S+`)

// Link is the link to answer by in a mail; empty where there is none.
func (m Mail) Link() string { return link.FindString(m.Plain) }

// NewSession is for the library.
func (s *Server) NewSession(c *smtp.Conn) (smtp.Session, error) {
	return &session{server: s, conn: c}, nil
}

type session struct {
	server   *Server
	conn     *smtp.Conn
	signedIn bool
	from, to string
}

func (s *session) failing(part string) error {
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	faults := s.server.fail[part]
	if len(faults) == 0 {
		return nil
	}
	s.server.fail[part] = faults[1:]
	return faults[0]
}

func (s *session) AuthMechanisms() []string {
	if s.server.options.Token != nil {
		return []string{"XOAUTH2"}
	}
	return []string{sasl.Plain}
}

func (s *session) Auth(way string) (sasl.Server, error) {
	if way == "XOAUTH2" {
		return s, nil
	}
	return sasl.NewPlainServer(func(_, user, password string) error {
		return s.enter(user == s.server.options.User && password == s.server.options.Password)
	}), nil
}

// Next reads the one thing that XOAUTH2 says. A refused token is answered with a challenge first.
func (s *session) Next(said []byte) (challenge []byte, done bool, err error) {
	if said == nil {
		return []byte{}, false, nil
	}
	good := string(said) == fmt.Sprintf("user=%s\x01auth=Bearer %s\x01\x01", s.server.options.User, s.server.options.Token())
	if !good && len(said) > 0 {
		return []byte(`{"status":"401","schemes":"bearer"}`), false, nil
	}
	return nil, true, s.enter(good)
}

func (s *session) enter(good bool) error {
	if err := s.failing("auth"); err != nil {
		return err
	}
	if !good {
		return smtp.ErrAuthFailed
	}
	s.signedIn = true
	return nil
}

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	if s.server.options.User != "" && !s.signedIn {
		return smtp.ErrAuthRequired
	}
	s.from = from
	return s.failing("mail")
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.to = to
	s.server.mu.Lock()
	befalls := s.server.to[to]
	s.server.mu.Unlock()
	if befalls == nil {
		return s.failing("rcpt")
	}
	err := befalls()
	if errors.Is(err, errHang) {
		_, _ = s.conn.Conn().Read(make([]byte, 1)) // until they hang up
	}
	return err
}

func (s *session) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if err := s.failing("data"); err != nil {
		return err
	}
	m, err := read(text)
	if err != nil {
		return &smtp.SMTPError{Code: 554, EnhancedCode: smtp.EnhancedCode{5, 6, 0}, Message: err.Error()}
	}
	m.From, m.To = s.from, s.to
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.server.mails = append(s.server.mails, m)
	if s.server.cut > 0 {
		s.server.cut--
		_ = s.conn.Conn().Close()
	}
	return nil
}

func (s *session) Reset()        { s.from, s.to = "", "" }
func (s *session) Logout() error { return nil }

// read refuses what is no mail as RFC 5322 and MIME have it.
func read(text []byte) (m Mail, err error) {
	for line := range bytes.SplitSeq(text, []byte("\r\n")) {
		if len(line) > 998 || bytes.ContainsAny(line, "\r\n") {
			return m, errors.New("a line is too long, or ends otherwise")
		}
	}
	m.Text = string(text)
	parsed, err := mail.ReadMessage(bytes.NewReader(text))
	if err != nil {
		return m, err
	}
	m.Header = parsed.Header
	for _, name := range []string{"From", "To", "Subject", "Date", "Message-Id", "Content-Type", "Mime-Version"} {
		if len(m.Header[name]) != 1 {
			return m, fmt.Errorf("%d headers %s", len(m.Header[name]), name)
		}
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		return m, fmt.Errorf("the mail is %s", kind)
	}
	parts := multipart.NewReader(parsed.Body, params["boundary"])
	for {
		part, err := parts.NextPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			return m, err
		}
		body, err := io.ReadAll(part)
		if err != nil {
			return m, err
		}
		switch kind, _, _ := strings.Cut(part.Header.Get("Content-Type"), ";"); kind {
		case "text/plain":
			m.Plain = strings.ReplaceAll(string(body), "\r\n", "\n")
		case "text/html":
			m.HTML = strings.ReplaceAll(string(body), "\r\n", "\n")
		}
	}
	if m.Plain == "" || m.HTML == "" {
		return m, errors.New("a part is missing")
	}
	return m, nil
}

// Subject is read as people see it.
func (m Mail) Subject() string {
	text, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if err != nil {
		return err.Error()
	}
	return text
}
