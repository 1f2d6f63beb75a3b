package verify_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// clientCertificate makes a certificate with a name of each kind.
func clientCertificate(t testing.TB) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	id, err := url.Parse("spiffe://example.test/epm")
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		Subject:  pkix.Name{CommonName: "epm, the tool", Organization: []string{"Example"}, Country: []string{"DE"}},
		DNSNames: []string{"EPM.example.test", "*.tools.example.test"}, IPAddresses: []net.IP{net.IPv4(192, 0, 2, 7)}, URIs: []*url.URL{id},
		EmailAddresses: []string{"epm@example.test"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

const subjectText = `CN=epm\, the tool,O=Example,C=DE`

func digitsOf(cert *x509.Certificate) string {
	sum := sha256.Sum256(cert.Raw)
	return hex.EncodeToString(sum[:])
}

func TestVerifyCertificate(t *testing.T) {
	t.Parallel()
	cert := clientCertificate(t)
	digits := digitsOf(cert)
	var colons []string
	for i := 0; i < len(digits); i += 2 {
		colons = append(colons, strings.ToUpper(digits[i:i+2]))
	}
	other := strings.Repeat("ab", 32)
	tests := []struct {
		name  string
		check connectors.CertificateCheck
		want  string
	}{
		{"its subject", connectors.CertificateCheck{Subjects: []string{"CN=other", subjectText}}, ""},
		{"a part of its subject", connectors.CertificateCheck{Subjects: []string{`CN=epm\, the tool`}}, "not among those named"},
		{"its fingerprint", connectors.CertificateCheck{Fingerprints: []string{other, digits}}, ""},
		{"its fingerprint as openssl prints it", connectors.CertificateCheck{Fingerprints: []string{strings.Join(colons, ":")}}, ""},
		{"another fingerprint", connectors.CertificateCheck{Fingerprints: []string{other}}, "not among those named"},
		{"its host, in any case", connectors.CertificateCheck{SANs: []string{"epm.example.test"}}, ""},
		{"its address", connectors.CertificateCheck{SANs: []string{"192.0.2.7"}}, ""},
		{"its URI", connectors.CertificateCheck{SANs: []string{"spiffe://example.test/epm"}}, ""},
		{"its mail address", connectors.CertificateCheck{SANs: []string{"epm@example.test"}}, ""},
		{"a host its wildcard stands for", connectors.CertificateCheck{SANs: []string{"x.tools.example.test"}}, "not among those named"},
		{"its subject's name as a host", connectors.CertificateCheck{SANs: []string{"epm, the tool"}}, "not among those named"},
		{"all of them", connectors.CertificateCheck{Subjects: []string{subjectText}, SANs: []string{"192.0.2.7"}, Fingerprints: []string{digits}}, ""},
		{"all but one", connectors.CertificateCheck{Subjects: []string{subjectText}, SANs: []string{"192.0.2.8"}, Fingerprints: []string{digits}}, "not among those named"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := mustNew(t, connectors.Verification{Certificate: &tt.check}, now).Verify(connectors.Request{Certificate: cert}, "")
			if tt.want == "" && err != nil {
				t.Errorf("got %v, want it taken", err)
			}
			if tt.want != "" {
				wantForged(t, err, tt.want)
				if !strings.Contains(err.Error(), digits) {
					t.Errorf("%q does not say which certificate came", err)
				}
			}
		})
	}
	check := connectors.Verification{Certificate: &connectors.CertificateCheck{Fingerprints: []string{digits}}}
	wantForged(t, mustNew(t, check, now).Verify(request("{}", "Client-Cert", rfc9440(cert)), ""), "shows no certificate")
	for _, off := range []time.Duration{-2 * time.Hour, 2 * time.Hour} {
		wantForged(t, mustNew(t, check, now.Add(off)).Verify(connectors.Request{Certificate: cert}, ""), "not valid at this time")
	}
}

func rfc9440(cert *x509.Certificate) string {
	return ":" + base64.StdEncoding.EncodeToString(cert.Raw) + ":"
}

func TestVerifyCertificatePassedOnByAProxy(t *testing.T) {
	t.Parallel()
	cert := clientCertificate(t)
	text := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}))
	plain := base64.StdEncoding.EncodeToString(cert.Raw)
	check := connectors.Verification{Certificate: &connectors.CertificateCheck{Header: "x-client-cert", Fingerprints: []string{digitsOf(cert)}}}
	v := mustNew(t, check, now)
	for name, value := range map[string]string{
		"RFC 9440":                      rfc9440(cert),
		"nginx, escaped":                url.PathEscape(text),
		"escaped as a query":            strings.ReplaceAll(url.QueryEscape(text), "+", "%20"),
		"PEM with its lines joined":     strings.ReplaceAll(strings.TrimSpace(text), "\n", " "),
		"a chain of PEM, escaped":       url.PathEscape(text + text),
		"base64":                        plain,
		"base64 without padding":        strings.TrimRight(plain, "="),
		"a chain with commas, as it is": plain + "," + base64.StdEncoding.EncodeToString([]byte("the authority")),
	} {
		r := request("{}", "X-Client-Cert", value)
		r.Proxied = true
		if err := v.Verify(r, ""); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		r.Proxied = false
		wantForged(t, v.Verify(r, ""), "counts only from a trusted proxy")
		r.Certificate = cert
		wantForged(t, v.Verify(r, ""), "counts only from a trusted proxy")
	}
	for name, test := range map[string]struct {
		headers []string
		want    string
	}{
		"none":       {nil, "is missing"},
		"empty":      {[]string{"X-Client-Cert", ""}, "is missing"},
		"two":        {[]string{"X-Client-Cert", plain, "X-Client-Cert", plain}, "more than once"},
		"nonsense":   {[]string{"X-Client-Cert", "sesame!"}, "holds no certificate"},
		"no DER":     {[]string{"X-Client-Cert", "AAAA"}, "holds no certificate"},
		"cut":        {[]string{"X-Client-Cert", plain[:len(plain)-8]}, "holds no certificate"},
		"an ocean":   {[]string{"X-Client-Cert", strings.Repeat("A", 64<<10)}, "holds no certificate"},
		"one's word": {[]string{"X-Client-Cert", "CN=epm"}, "holds no certificate"},
	} {
		r := request("{}", test.headers...)
		r.Proxied, r.Certificate = true, cert
		t.Run(name, func(t *testing.T) { wantForged(t, v.Verify(r, ""), test.want, "sesame") })
	}
}

func FuzzCertificateHeader(f *testing.F) {
	cert := clientCertificate(f)
	f.Add(rfc9440(cert))
	f.Add(url.PathEscape(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}))))
	f.Add("%2d%2d%2d:,-----END")
	v := mustNew(f, connectors.Verification{Certificate: &connectors.CertificateCheck{Header: "C", Subjects: []string{"CN=nobody has this name"}}}, now)
	f.Fuzz(func(t *testing.T, text string) {
		r := request("", "C", text)
		r.Proxied = true
		if err := v.Verify(r, ""); !errors.Is(err, connectors.ErrForged) || len(fmt.Sprint(err)) > 2000 {
			t.Errorf("got %v", err)
		}
	})
}
