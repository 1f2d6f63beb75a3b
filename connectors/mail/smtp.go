package mail

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/smtp"
	"net/textproto"
	"regexp"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// session is one conversation with the server, signed in.
type session struct {
	*smtp.Client
	conn net.Conn
	over bool // nothing more can be said in it
}

// connect opens a conversation, encrypts it and signs in.
func (c *connector) connect(ctx context.Context) (*session, error) {
	conn, err := c.client.Dial(ctx, c.conf.Host, c.conf.Port)
	if err != nil {
		return nil, connect(err)
	}
	s, err := c.greet(ctx, conn)
	if err != nil {
		_ = conn.Close()
		if ctx.Err() != nil {
			return nil, connectors.Temporarily("connect: the call was stopped: %w", ctx.Err())
		}
		return nil, err
	}
	return s, nil
}

func (c *connector) greet(ctx context.Context, conn net.Conn) (*session, error) {
	if c.conf.TLS == tlsImplicit {
		secure := tls.Client(conn, c.client.TLS(c.conf.Host))
		if err := secure.HandshakeContext(ctx); err != nil {
			return nil, connect(err)
		}
		conn = secure
	}
	client, err := smtp.NewClient(conn, c.conf.Host)
	if err != nil {
		return nil, connect(err)
	}
	_, domain, _ := strings.Cut(c.conf.From, "@")
	if err := client.Hello(domain); err != nil {
		return nil, connect(err)
	}
	if c.conf.TLS == tlsStart {
		if ok, _ := client.Extension("STARTTLS"); !ok {
			return nil, &connectors.Error{Kind: connectors.Unwell, Err: errors.New("connect: the server offers no STARTTLS, and nothing is sent without encryption")}
		}
		if err := client.StartTLS(c.client.TLS(c.conf.Host)); err != nil {
			return nil, connect(err)
		}
	}
	if err := c.signIn(ctx, client); err != nil {
		return nil, err
	}
	return &session{Client: client, conn: conn}, nil
}

// signIn signs in where the settings name somebody.
func (c *connector) signIn(ctx context.Context, client *smtp.Client) error {
	if c.conf.User == "" {
		return nil
	}
	refused := func() {}
	var way smtp.Auth
	if c.conf.OAuth != nil {
		token, drop, err := c.client.AccessToken(ctx)
		if err != nil {
			return err
		}
		way, refused = xoauth2{c.conf.User, token}, drop
	} else {
		password, err := c.client.Reveal(c.conf.Password)
		if err != nil {
			return err
		}
		way = smtp.PlainAuth("", c.conf.User, password, c.conf.Host)
	}
	err := client.Auth(way)
	if err == nil {
		return nil
	}
	refused()
	said, ok := errors.AsType[*textproto.Error](err)
	switch {
	case !ok:
		if _, away := errors.AsType[net.Error](err); away {
			return connect(err)
		}
		return &connectors.Error{Kind: connectors.Unwell, Err: errors.New("sign in: the server does not offer this way to sign in, or the connection ended")}
	case said.Code >= 400 && said.Code < 500:
		return connectors.Temporarily("sign in: the server answered %s", code(said))
	}
	return &connectors.Error{Kind: connectors.Unwell, Err: fmt.Errorf("sign in: the credentials were refused (%s)", code(said))}
}

// xoauth2 is the way to sign in that Gmail and Exchange Online have for access tokens.
type xoauth2 struct{ user, token string }

func (x xoauth2) Start(server *smtp.ServerInfo) (string, []byte, error) {
	if !server.TLS && !connectors.Loopback(server.Name) {
		return "", nil, errors.New("unencrypted connection")
	}
	return "XOAUTH2", []byte("user=" + x.user + "\x01auth=Bearer " + x.token + "\x01\x01"), nil
}

// Next answers what the server says of a token it refuses with nothing, as it wants.
func (x xoauth2) Next(_ []byte, more bool) ([]byte, error) {
	if more {
		return []byte{}, nil
	}
	return nil, nil
}

// enhanced is the part of an answer that says why in numbers (RFC 3463).
var enhanced = regexp.MustCompile(`^[245]\.[0-9]{1,3}\.[0-9]{1,3}\b`)

func code(said *textproto.Error) string {
	return strings.TrimSpace(fmt.Sprint(said.Code, " ", enhanced.FindString(said.Msg)))
}

// connect is what an error means before any mail was begun.
func connect(err error) error {
	if said, ok := errors.AsType[*textproto.Error](err); ok {
		kind := connectors.Temporary
		if said.Code >= 500 {
			kind = connectors.Unwell
		}
		return &connectors.Error{Kind: kind, Err: fmt.Errorf("connect: the server answered %s", code(said))}
	}
	e := *connectors.FromDialogue(err)
	e.Err = fmt.Errorf("connect: %w", e.Err)
	return &e
}

// mail sends one mail, and leaves the conversation fit for the next one where it is not over.
func (s *session) mail(from, to string, text []byte) error {
	fault := s.tell(from, to, text)
	if fault == nil {
		return nil
	}
	s.over = s.over || s.Reset() != nil
	return fault
}

// tell says a mail. The server's words are shown up to the mail's text, which it may repeat, and with it a link.
func (s *session) tell(from, to string, text []byte) *connectors.Error {
	if err := s.Mail(from); err != nil {
		return s.fault("sender", err, true, false)
	}
	if err := s.Rcpt(to); err != nil {
		return s.fault("addressee", err, true, false)
	}
	w, err := s.Data()
	if err != nil {
		return s.fault("mail", err, true, false)
	}
	if _, err := w.Write(text); err != nil {
		return s.fault("mail", err, false, true)
	}
	if err := w.Close(); err != nil {
		return s.fault("mail", err, false, true)
	}
	return nil
}

// fault is what an answer to a part of a mail means. Without an answer to the whole text it may have been taken.
func (s *session) fault(part string, err error, quote, maybe bool) *connectors.Error {
	said, ok := errors.AsType[*textproto.Error](err)
	s.over = !ok || said.Code == 421 // the server hangs up
	if !ok {
		e := *connectors.FromDialogue(err)
		e.Kind, e.Sent, e.Err = connectors.Temporary, maybe, fmt.Errorf("send %s: %w", part, e.Err)
		return &e
	}
	words := code(said)
	if quote {
		words = fmt.Sprint(said.Code, " ", connectors.Clean(said.Msg, 200))
	}
	e := connectors.Temporarily("send %s: the server answered %s", part, words)
	switch {
	case said.Code == 530: // sign in first, or encrypt
		e.Kind = connectors.Unwell
	case said.Code >= 500:
		e.Kind = connectors.Permanent
	}
	return e
}

// rest does nothing, and shows that the server is there.
func (s *session) rest() error {
	if err := s.Noop(); err != nil {
		return connect(err)
	}
	return nil
}

// quit ends the conversation. Every mail was taken by then.
func (s *session) quit() error {
	_ = s.Quit()
	return nil
}

func (s *session) close() { _ = s.conn.Close() }
