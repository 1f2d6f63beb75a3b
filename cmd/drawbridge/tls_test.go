package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// certificate makes a certificate for 127.0.0.1 that signs itself, as PEM.
func certificate(t *testing.T, name string) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{"bridge.test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	must(t, err)
	private8, err := x509.MarshalPKCS8PrivateKey(private)
	must(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private8})
}

// replace puts a file in the place of another, as programs that renew certificates do.
func replace(t *testing.T, path string, text []byte) {
	t.Helper()
	must(t, os.WriteFile(path+".new", text, 0o600))
	must(t, os.Rename(path+".new", path))
}

// presented is the name in the certificate a server shows, and the protocol it agrees on.
func presented(address string, offer ...string) (name, protocol string, err error) {
	conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, NextProtos: offer}) // whom we talk to is what is asked here
	if err != nil {
		return "", "", err
	}
	defer conn.Close()
	state := conn.ConnectionState()
	return state.PeerCertificates[0].Subject.CommonName, state.NegotiatedProtocol, nil
}

func TestCertificateIsRenewedWithoutARestart(t *testing.T) {
	t.Parallel()
	p := newProgram(t)
	certFile, keyFile := filepath.Join(p.dir, "cert.pem"), filepath.Join(p.dir, "key.pem")
	cert, key := certificate(t, "first")
	replace(t, certFile, cert)
	replace(t, keyFile, key)
	s := p.serve("--tls-cert", certFile, "--tls-key", keyFile)
	name, protocol, err := presented(s.address, "h2", "http/1.1")
	if err != nil || name != "first" || protocol != "h2" {
		t.Fatalf("got %s, %s, %v", name, protocol, err)
	}

	// A client that checks the certificate, over HTTP/2.
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(cert)
	client := &http.Client{Transport: &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "bridge.test"}}}
	resp, err := client.Get("https://" + s.address + "/readyz")
	must(t, err)
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK || resp.ProtoMajor != 2 {
		t.Errorf("got %s %s", resp.Proto, resp.Status)
	}

	// Half of the renewal: the old certificate is shown until its key has arrived too.
	cert, key = certificate(t, "second")
	replace(t, certFile, cert)
	if name, _, err := presented(s.address); err != nil || name != "first" {
		t.Errorf("between the two files: got %s, %v", name, err)
	}
	replace(t, keyFile, key)
	must(t, eventually(t.Context(), func() error {
		name, _, err := presented(s.address)
		if err == nil && name != "second" {
			err = fmt.Errorf("it still shows %s", name)
		}
		return err
	}))

	// A certificate that went missing is no reason to stop.
	must(t, os.Remove(certFile))
	if name, _, err := presented(s.address); err != nil || name != "second" {
		t.Errorf("without the file: got %s, %v", name, err)
	}
	s.stop()
}

func TestOldTLSAndPlainTextAreRefused(t *testing.T) {
	t.Parallel()
	p := newProgram(t)
	cert, key := certificate(t, "bridge")
	p.write("cert.pem", string(cert))
	p.write("key.pem", string(key))
	s := p.serve("--tls-cert", "cert.pem", "--tls-key", "key.pem")
	if _, err := tls.Dial("tcp", s.address, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS11}); err == nil {
		t.Error("TLS 1.1 is spoken")
	}
	resp, err := http.Get("http://" + s.address + "/healthz")
	if err == nil {
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusBadRequest {
			t.Errorf("plain text is answered %s", resp.Status)
		}
	}
	s.stop()
}

func TestKeyThatDoesNotFitItsCertificate(t *testing.T) {
	t.Parallel()
	p := newProgram(t)
	cert, _ := certificate(t, "one")
	_, key := certificate(t, "other")
	p.write("cert.pem", string(cert))
	p.write("key.pem", string(key))
	r := p.run("serve", "--listen", "127.0.0.1:0", "--tls-cert", "cert.pem", "--tls-key", "key.pem")
	if r.code != 1 || r.out != "" || r.err != "drawbridge: read TLS certificate: tls: private key does not match public key\n" {
		t.Errorf("exit %d, %s%s", r.code, r.out, r.err)
	}
}
