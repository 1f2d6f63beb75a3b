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
	"io"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"
)

// clientAuthority makes an authority of client certificates, as PEM, and signs one for a name.
func clientAuthority(t *testing.T, name string) (authority []byte, client tls.Certificate) {
	t.Helper()
	sign := func(template, parent *x509.Certificate, by any) (*x509.Certificate, *ecdsa.PrivateKey) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		must(t, err)
		template.SerialNumber, template.NotBefore, template.NotAfter = big.NewInt(time.Now().UnixNano()), time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
		if by == nil {
			parent, by = template, key
		}
		der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), by)
		must(t, err)
		cert, err := x509.ParseCertificate(der)
		must(t, err)
		return cert, key
	}
	root, rootKey := sign(&x509.Certificate{Subject: pkix.Name{CommonName: "authority of " + name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, nil, nil)
	leaf, leafKey := sign(&x509.Certificate{Subject: pkix.Name{CommonName: name}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, KeyUsage: x509.KeyUsageDigitalSignature}, root, rootKey)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Raw}), tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: leafKey}
}

// mutual sends an event with a client certificate, over a connection of its own.
func (s *serving) mutual(id string, certificates ...tls.Certificate) (int, error) {
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, Certificates: certificates}, ForceAttemptHTTP2: true} // who the server is, is not asked here
	defer transport.CloseIdleConnections()
	body := fmt.Sprintf(`{"EventType":"URM_Native_Ticket_Created","RequestId":%q,"TenantId":"t-100","User":"CORP\\ana"}`, id)
	resp, err := (&http.Client{Transport: transport}).Post("https://"+s.address+"/in/epm", "application/json", strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

func TestClientAuthoritiesAreReadAgain(t *testing.T) {
	t.Parallel()
	p := newProgram(t)
	p.starterFolder()
	p.write("docs/connections.yaml", strings.Replace(p.read("docs/connections.yaml"),
		"verify: {basic: {user: epm, passwords: [{value: topsecret-door}]}}", "verify: {certificate: {subjects: [CN=tool]}}", 1))
	p.fine("migrate")
	p.fine("apply", "-y", "-f", "docs")
	cert, key := certificate(t, "bridge")
	first, tool := clientAuthority(t, "tool")
	second, renewed := clientAuthority(t, "tool")
	p.write("cert.pem", string(cert))
	p.write("key.pem", string(key))
	p.write("ca.pem", string(first))
	s := p.serve("--tls-cert", "cert.pem", "--tls-key", "key.pem", "--client-ca", "ca.pem")
	if status, err := s.mutual("r-1", tool); status != http.StatusOK || err != nil {
		t.Errorf("the tool: got %d, %v", status, err)
	}
	if status, err := s.mutual("r-2"); status != http.StatusUnauthorized || err != nil {
		t.Errorf("nobody: got %d, %v", status, err)
	}
	if status, err := s.mutual("r-3", renewed); err == nil {
		t.Errorf("the authority of a stranger: got %d", status)
	}

	replace(t, p.dir+"/ca.pem", append(first, second...))
	must(t, eventually(t.Context(), func() error {
		if status, err := s.mutual("r-4", renewed); status != http.StatusOK {
			return fmt.Errorf("after the authority was added: %d, %w", status, err)
		}
		return nil
	}))
	if status, err := s.mutual("r-5", tool); status != http.StatusOK || err != nil {
		t.Errorf("both at once: got %d, %v", status, err)
	}

	replace(t, p.dir+"/ca.pem", []byte("half of it"))
	if status, err := s.mutual("r-6", renewed); status != http.StatusOK || err != nil {
		t.Errorf("a file that was half written: got %d, %v", status, err)
	}
	replace(t, p.dir+"/ca.pem", second)
	must(t, eventually(t.Context(), func() error {
		if status, err := s.mutual("r-7", tool); err == nil {
			return fmt.Errorf("after the authority was removed: %d", status)
		}
		return nil
	}))
	s.stop()
}

func TestClientAuthoritiesThatCannotBeRead(t *testing.T) {
	t.Parallel()
	p := newProgram(t)
	cert, key := certificate(t, "bridge")
	p.write("cert.pem", string(cert))
	p.write("key.pem", string(key))
	p.write("ca.pem", "nothing of use")
	for want, args := range map[string][]string{
		"drawbridge: --client-ca needs --tls-cert and --tls-key: client certificates are a part of TLS\n": {"--client-ca", "ca.pem"},
		"drawbridge: read client CA: ca.pem holds no certificate\n":                                       {"--client-ca", "ca.pem", "--tls-cert", "cert.pem", "--tls-key", "key.pem"},
		"drawbridge: read client CA: open missing.pem: no such file or directory\n":                       {"--client-ca", "missing.pem", "--tls-cert", "cert.pem", "--tls-key", "key.pem"},
	} {
		if r := p.run(append([]string{"serve", "--listen", "127.0.0.1:0"}, args...)...); r.code != 1 || r.out != "" || r.err != want {
			t.Errorf("exit %d, %s%swant %s", r.code, r.out, r.err, want)
		}
	}
}
