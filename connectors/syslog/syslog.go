// Package syslog sends records to a syslog receiver: RFC 5424 messages over TLS with octet counting (RFC 5425). What is
// sent is acknowledged by nobody; a success says that the receiver's machine was handed it.
//
// config.go has the settings, message.go writes one message.
package syslog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

type sink struct {
	config Config
	env    connectors.Env
}

var (
	_ connectors.Sender    = (*sink)(nil)
	_ connectors.Batcher   = (*sink)(nil)
	_ connectors.Announcer = (*sink)(nil)
	_ connectors.Exampler  = (*Config)(nil)
)

const (
	mostRecords = 500
	linger      = time.Second
	patience    = 10 * time.Second // to write a batch
	farewell    = 500 * time.Millisecond
)

// Ping opens a connection and closes it.
func (s *sink) Ping(ctx context.Context) error {
	conn, err := s.env.Client.DialTLS(ctx, s.config.address())
	if err != nil {
		return worded(err)
	}
	return conn.Close()
}

// Batch hands over many at once: each batch has a connection of its own.
func (s *sink) Batch() (most int, wait time.Duration) { return mostRecords, linger }

// Notices says what a success is worth.
func (s *sink) Notices() []string {
	return []string{"syslog acknowledges nothing: a success means that the records were handed to the receiver's machine"}
}

// Send writes records in their order. What is lost with a connection that breaks cannot be known, so the whole batch is in
// doubt then and goes out again; event_id tells repetitions.
func (s *sink) Send(ctx context.Context, rs []connectors.Record) ([]connectors.Result, error) {
	results := make([]connectors.Result, len(rs))
	var frames []byte
	for i := range rs {
		message, err := s.config.message(&rs[i])
		if err != nil {
			results[i].Err = connectors.Permanently("send: %w", err)
			continue
		}
		frames = fmt.Appendf(frames, "%d ", len(message))
		frames = append(frames, message...)
	}
	if len(frames) == 0 {
		return results, nil
	}
	conn, err := s.env.Client.DialTLS(ctx, s.config.address())
	if err != nil {
		return nil, worded(err)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if err := write(conn, frames); err != nil {
		return nil, &connectors.Error{Kind: connectors.Temporary, Sent: true, Err: errors.New("send: the connection broke before everything was written")}
	}
	if ctx.Err() != nil {
		return nil, &connectors.Error{Kind: connectors.Temporary, Sent: true, Err: fmt.Errorf("send: the call was stopped: %w", ctx.Err())}
	}
	return results, nil
}

// write sends everything and says goodbye. A receiver that refuses what it was sent, a client certificate for instance,
// is only heard now.
func write(conn net.Conn, frames []byte) error {
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err := conn.Write(frames); err != nil {
		return err
	}
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		if err := half.CloseWrite(); err != nil {
			return err
		}
	}
	if err := conn.SetReadDeadline(time.Now().Add(farewell)); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, conn)
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) { // who says nothing has nothing against it
		return err
	}
	return nil
}

func worded(err error) *connectors.Error {
	e := *connectors.AsError(err)
	e.Err = fmt.Errorf("reach the receiver: %w", e.Err)
	return &e
}
