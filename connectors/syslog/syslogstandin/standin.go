// Package syslogstandin is a syslog receiver as RFC 5424 and RFC 5425 describe it: TLS, octet counting, and strict with
// what it is sent.
package syslogstandin

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// Message is one message taken.
type Message struct {
	Priority, Time, Host, App, ID string
	Data                          map[string]string // of the structured data
	Text                          string
	Bytes                         int
}

// Receiver listens on loopback until it is closed.
type Receiver struct {
	listener net.Listener
	done     sync.WaitGroup

	mu       sync.Mutex
	messages []Message
	faults   []string
	drop     bool
}

// New starts a receiver with a certificate.
func New(config *tls.Config) (*Receiver, error) {
	listener, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		return nil, err
	}
	r := &Receiver{listener: listener}
	r.done.Go(r.accept)
	return r, nil
}

// Port is where it listens.
func (r *Receiver) Port() int { return r.listener.Addr().(*net.TCPAddr).Port }

// Close stops it and waits for what is under way.
func (r *Receiver) Close() {
	_ = r.listener.Close()
	r.done.Wait()
}

// Drop makes it break every connection before it reads.
func (r *Receiver) Drop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drop = true
}

// Taken returns the messages, and what was wrong with others.
func (r *Receiver) Taken() (messages []Message, faults []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.messages, r.faults
}

func (r *Receiver) accept() {
	for {
		conn, err := r.listener.Accept()
		if err != nil {
			return
		}
		r.done.Go(func() { r.serve(conn) })
	}
}

func (r *Receiver) serve(conn net.Conn) {
	defer conn.Close()
	r.mu.Lock()
	drop := r.drop
	r.mu.Unlock()
	if drop {
		if secured, ok := conn.(*tls.Conn); ok && secured.Handshake() == nil {
			if plain, ok := secured.NetConn().(*net.TCPConn); ok {
				_ = plain.SetLinger(0) // a reset, no farewell
				_ = plain.Close()
			}
		}
		return
	}
	in := bufio.NewReader(conn)
	for {
		message, err := next(in)
		if err == io.EOF {
			return
		}
		r.mu.Lock()
		if err != nil {
			r.faults = append(r.faults, err.Error())
			r.mu.Unlock()
			return
		}
		r.messages = append(r.messages, message)
		r.mu.Unlock()
	}
}

var (
	header = regexp.MustCompile(`^<(\d{1,3})>1 (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:\d\d)) ([!-~]{1,255}) ([!-~]{1,48}) ([!-~]{1,128}) ([!-~]{1,32}) `)
	param  = regexp.MustCompile(`^ ([!#-<>-\\^-~]{1,32})="((?:[^"\\\]]|\\.)*)"`)
	raw    = regexp.MustCompile(`\\(["\\\]])`)
)

func next(in *bufio.Reader) (Message, error) {
	count, err := in.ReadString(' ')
	if err == io.EOF && count == "" {
		return Message{}, io.EOF
	}
	n, bad := strconv.Atoi(strings.TrimSuffix(count, " "))
	if err != nil || bad != nil || n < 1 || count[0] == '0' {
		return Message{}, fmt.Errorf("no count of octets: %q", count)
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(in, body); err != nil {
		return Message{}, fmt.Errorf("fewer octets than counted")
	}
	return parse(string(body))
}

func parse(text string) (Message, error) {
	found := header.FindStringSubmatch(text)
	if found == nil {
		return Message{}, fmt.Errorf("the header is wrong: %q", text)
	}
	m := Message{Priority: found[1], Time: found[2], Host: found[3], App: found[4], ID: found[6], Data: map[string]string{}, Bytes: len(text)}
	rest, ok := strings.CutPrefix(text[len(found[0]):], "[drawbridge@32473")
	for ok {
		pair := param.FindStringSubmatch(rest)
		if pair == nil {
			break
		}
		m.Data[pair[1]], rest = raw.ReplaceAllString(pair[2], "$1"), rest[len(pair[0]):]
	}
	if m.Text, ok = strings.CutPrefix(rest, "] \ufeff"); !ok {
		return Message{}, fmt.Errorf("the structured data is wrong: %q", text)
	}
	return m, nil
}
