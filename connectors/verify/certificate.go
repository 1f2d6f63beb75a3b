package verify

import (
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

func certificateFaults(c *connectors.CertificateCheck, wrong func(format string, args ...any)) {
	if len(c.Subjects)+len(c.SANs)+len(c.Fingerprints) == 0 {
		wrong("certificate has none of subjects, sans and fingerprints; each certificate of the authority would do")
	}
	for i, text := range c.Fingerprints {
		if sum, err := hex.DecodeString(plainDigits(text)); err != nil || len(sum) != sha256.Size {
			wrong("certificate.fingerprints[%d] is no SHA-256 in hex", i)
		}
	}
	for path, list := range map[string][]string{"subjects": c.Subjects, "sans": c.SANs} {
		if slices.Contains(list, "") {
			wrong("certificate.%s holds an empty one", path)
		}
	}
	if strings.ContainsAny(c.Header, " :\r\n") {
		wrong("certificate.header is no name of a header")
	}
}

// certificate looks at the certificate the client has proved to have: to our own listener, or to a proxy we trust.
func (v *Verifier) certificate(c *connectors.CertificateCheck, r connectors.Request) error {
	cert := r.Certificate
	if c.Header != "" {
		name := http.CanonicalHeaderKey(c.Header)
		if !r.Proxied {
			return forged("header %s counts only from a trusted proxy", name)
		}
		text, err := only(r.Header, name)
		if err != nil {
			return err
		}
		if cert, err = parseCertificate(text); err != nil {
			return forged("header %s holds no certificate", name)
		}
	}
	if cert == nil {
		return forged("the client shows no certificate of an authority we trust")
	}
	// A connection may outlive what it was opened with.
	if now := v.env.Now(); now.Before(cert.NotBefore) || now.After(cert.NotAfter) {
		return forged("the client's certificate is not valid at this time")
	}
	if !named(c, cert) {
		return forged("the certificate of %q with the fingerprint %s is not among those named", connectors.Clean(subject(cert), 200), fingerprint(cert))
	}
	return nil
}

// named tells whether every list that is given has an entry for cert.
func named(c *connectors.CertificateCheck, cert *x509.Certificate) bool {
	if len(c.Subjects) > 0 && !slices.Contains(c.Subjects, subject(cert)) {
		return false
	}
	if len(c.Fingerprints) > 0 && !slices.ContainsFunc(c.Fingerprints, func(text string) bool { return plainDigits(text) == fingerprint(cert) }) {
		return false
	}
	return len(c.SANs) == 0 || slices.ContainsFunc(c.SANs, func(name string) bool { return carries(cert, name) })
}

// subject is the name of a certificate in the words of RFC 2253, in the certificate's own order.
func subject(cert *x509.Certificate) string {
	var name pkix.RDNSequence
	if rest, err := asn1.Unmarshal(cert.RawSubject, &name); err != nil || len(rest) > 0 {
		return ""
	}
	return name.String()
}

func fingerprint(cert *x509.Certificate) string {
	sum := sha256.Sum256(cert.Raw)
	return hex.EncodeToString(sum[:])
}

// plainDigits is a fingerprint without the colons programs like to print.
func plainDigits(text string) string { return strings.ToLower(strings.ReplaceAll(text, ":", "")) }

// carries tells whether name is one of the certificate's alternative names, to the letter: a certificate for all hosts of
// a domain is not one for this host.
func carries(cert *x509.Certificate, name string) bool {
	for _, dns := range cert.DNSNames {
		if strings.EqualFold(dns, name) {
			return true
		}
	}
	for _, ip := range cert.IPAddresses {
		if ip.String() == name {
			return true
		}
	}
	for _, u := range cert.URIs {
		if u.String() == name {
			return true
		}
	}
	return slices.Contains(cert.EmailAddresses, name)
}

// largestCertificate is more than a header may carry anyway.
const largestCertificate = 32 << 10

// parseCertificate reads the client's certificate as proxies pass it on: as RFC 9440 says, as PEM with its line ends
// lost or escaped, or as bare base64. Of a chain it is the first.
func parseCertificate(text string) (*x509.Certificate, error) {
	if len(text) > largestCertificate {
		return nil, errors.New("the certificate is too long")
	}
	if plain, err := url.PathUnescape(text); err == nil {
		text = plain
	}
	text, _, _ = strings.Cut(strings.TrimSpace(text), "-----END")
	text = strings.TrimPrefix(text, "-----BEGIN CERTIFICATE-----")
	text, _, _ = strings.Cut(text, ",")
	text = strings.Join(strings.Fields(text), "")
	if inner, ok := strings.CutPrefix(text, ":"); ok {
		text = strings.TrimSuffix(inner, ":")
	}
	der, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "="))
	if err != nil {
		return nil, errors.New("the certificate is no base64")
	}
	return x509.ParseCertificate(der)
}
