package builtin_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// authority vouches for every host and for us, and is known to nobody who was not told of it.
type authority struct {
	cert, key string // its PEM files, which are our certificate as well
	own       *x509.Certificate
	private   *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	var a authority
	var err error
	a.private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	a.own = certificate("authority of a test")
	a.own.IsCA, a.own.BasicConstraintsValid = true, true
	a.own.KeyUsage |= x509.KeyUsageCertSign
	der, err := a.sign(a.own)
	must(t, err)
	a.own, err = x509.ParseCertificate(der)
	must(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(a.private)
	must(t, err)
	dir := t.TempDir()
	a.cert, a.key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	must(t, os.WriteFile(a.cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	must(t, os.WriteFile(a.key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600))
	return a
}

func certificate(name string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
}

func (a authority) sign(c *x509.Certificate) ([]byte, error) {
	return x509.CreateCertificate(rand.Reader, c, a.own, &a.private.PublicKey, a.private)
}

// server has a certificate for the host it is asked for, whichever that is, and asks for one of the authority's.
func (a authority) server() *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(a.own)
	return &tls.Config{
		ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool,
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			c := certificate("host of a test")
			if hello.ServerName == "" { // an address is not asked for by name
				c.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
			} else {
				c.DNSNames = []string{hello.ServerName}
			}
			der, err := a.sign(c)
			return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: a.private}, err
		},
	}
}

// everyNameIsKnown lets every name resolve to a public address until the test ends, so that no host has to be named in
// settings for a proxy to be asked for it. It changes the whole process: for tests that do not run beside others.
func everyNameIsKnown(t *testing.T) {
	before := net.DefaultResolver
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go answerNames(ours)
		return theirs, nil
	}}
	t.Cleanup(func() { net.DefaultResolver = before })
}

// answerNames is a name server on a connection, which has messages behind their length (RFC 1035 section 4.2.2).
func answerNames(conn net.Conn) {
	defer conn.Close()
	for {
		var size [2]byte
		if _, err := io.ReadFull(conn, size[:]); err != nil {
			return
		}
		query := make([]byte, binary.BigEndian.Uint16(size[:]))
		if _, err := io.ReadFull(conn, query); err != nil {
			return
		}
		end := 12
		for query[end] != 0 { // labels behind their lengths
			end += int(query[end]) + 1
		}
		end += 5                                                                        // the last length, type and class
		reply := append([]byte{query[0], query[1], 0x81, 0x80, 0, 1}, 0, 0, 0, 0, 0, 0) // an answer with one question
		reply = append(reply, query[12:end]...)
		if query[end-3] == 1 { // type A: the name above has 93.184.216.34 for a minute
			reply[7] = 1
			reply = append(reply, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 93, 184, 216, 34)
		}
		if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(reply))), reply...)); err != nil {
			return
		}
	}
}
