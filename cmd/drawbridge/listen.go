package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"
)

// checkTLS looks for settings that do not go together.
func (s serverSettings) checkTLS() error {
	if (s.TLSCert == "") != (s.TLSKey == "") {
		return errors.New("--tls-cert and --tls-key go together; one of them is missing")
	}
	if s.ClientCA != "" && s.TLSCert == "" {
		return errors.New("--client-ca needs --tls-cert and --tls-key: client certificates are a part of TLS")
	}
	return nil
}

// listen takes the port, with TLS where there is a certificate. With a client CA it also asks for client certificates;
// who has none is let in all the same, since people come by the same door, and connections look at the certificate
// themselves.
func (s serverSettings) listen() (net.Listener, error) {
	config, err := s.tls()
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", s.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	if config != nil {
		listener = tls.NewListener(listener, config)
	}
	return listener, nil
}

// tls returns what the settings say about TLS, nil where there is none. Files are read once, so that faults show at the
// start.
func (s serverSettings) tls() (*tls.Config, error) {
	if s.TLSCert == "" {
		return nil, nil
	}
	certificate := &reloadingCertificate{cert: s.TLSCert, key: s.TLSKey}
	if _, err := certificate.current(nil); err != nil {
		return nil, err
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: certificate.current, NextProtos: []string{"h2", "http/1.1"}}
	if s.ClientCA == "" {
		return config, nil
	}
	authorities := &reloadingPool{file: s.ClientCA}
	if _, err := authorities.current(); err != nil {
		return nil, err
	}
	// A session resumed would bring back a client whose authority is gone by now.
	config.SessionTicketsDisabled = true
	config.ClientAuth = tls.VerifyClientCertIfGiven
	fixed := config.Clone()
	config.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		pool, err := authorities.current()
		if err != nil {
			return nil, err
		}
		current := fixed.Clone()
		current.ClientCAs = pool
		return current, nil
	}
	return config, nil
}

// fileWatch tells when a file has changed. It looks once a second at most.
type fileWatch struct {
	looked  time.Time
	changed time.Time
}

// due tells whether the file has to be read, and how it was then.
func (w *fileWatch) due(name string) (due bool, at time.Time) {
	if time.Since(w.looked) < time.Second {
		return false, w.changed
	}
	info, err := os.Stat(name)
	if err != nil {
		return true, time.Time{} // reading it says what is wrong
	}
	if info.ModTime().Equal(w.changed) {
		w.looked = time.Now()
		return false, w.changed
	}
	return true, info.ModTime()
}

func (w *fileWatch) read(at time.Time) { w.looked, w.changed = time.Now(), at }

// reloadingCertificate reads a certificate again when its file has changed, so that renewing it needs no restart.
type reloadingCertificate struct {
	cert, key string

	mu     sync.Mutex
	watch  fileWatch
	loaded *tls.Certificate
}

func (r *reloadingCertificate) current(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	due, at := r.watch.due(r.cert)
	if !due && r.loaded != nil {
		return r.loaded, nil
	}
	pair, err := tls.LoadX509KeyPair(r.cert, r.key)
	if err != nil {
		if r.loaded != nil {
			return r.loaded, nil // half-written; the next handshake looks again
		}
		return nil, fmt.Errorf("read TLS certificate: %w", err)
	}
	r.loaded = &pair
	r.watch.read(at)
	return r.loaded, nil
}

// reloadingPool reads the authorities of client certificates again when their file has changed. Connections that are
// open stay so.
type reloadingPool struct {
	file string

	mu     sync.Mutex
	watch  fileWatch
	loaded *x509.CertPool
}

func (r *reloadingPool) current() (*x509.CertPool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	due, at := r.watch.due(r.file)
	if !due && r.loaded != nil {
		return r.loaded, nil
	}
	text, err := os.ReadFile(r.file)
	pool := x509.NewCertPool()
	switch {
	case err == nil && pool.AppendCertsFromPEM(text):
		r.loaded = pool
		r.watch.read(at)
	case r.loaded != nil: // half-written; the next handshake looks again
	case err != nil:
		return nil, fmt.Errorf("read client CA: %w", err)
	default:
		return nil, fmt.Errorf("read client CA: %s holds no certificate", r.file)
	}
	return r.loaded, nil
}
