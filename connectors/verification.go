package connectors

import "time"

// Verification is how inbound requests of a connection prove where they come from: exactly one scheme. Vendors give
// defaults (the header's name, the prefix), the connection's document gives secrets and whatever differs. The
// package verify carries it out before Receive is called. Every list of secrets holds one, or two during a rotation.
type Verification struct {
	None             bool              `yaml:"none,omitempty"` // accept anybody; only for networks that are closed otherwise
	Basic            *BasicCheck       `yaml:"basic,omitempty"`
	Bearer           *BearerCheck      `yaml:"bearer,omitempty"`
	Header           *HeaderCheck      `yaml:"header,omitempty"`
	Token            *TokenCheck       `yaml:"token,omitempty"`
	HMAC             *HMACCheck        `yaml:"hmac,omitempty"`
	StandardWebhooks *StandardWebhooks `yaml:"standard_webhooks,omitempty"`
	JWT              *JWTCheck         `yaml:"jwt,omitempty"`
	OAuth            *OAuthCheck       `yaml:"oauth,omitempty"`
	Certificate      *CertificateCheck `yaml:"certificate,omitempty"`
	Issuer           *IssuerCheck      `yaml:"issuer,omitempty"`
}

// BasicCheck wants HTTP Basic credentials.
type BasicCheck struct {
	User      string   `yaml:"user"`
	Passwords []Secret `yaml:"passwords"`
}

// BearerCheck wants "Authorization: Bearer TOKEN".
type BearerCheck struct {
	Tokens []Secret `yaml:"tokens"`
}

// HeaderCheck wants a header whose whole text is one of the values.
type HeaderCheck struct {
	Name   string   `yaml:"name"`
	Values []Secret `yaml:"values"`
}

// TokenCheck wants ?token=TOKEN, or the token as the last part of the path, for tools that can only be given a URL.
type TokenCheck struct {
	Tokens []Secret `yaml:"tokens"`
}

// HMACCheck wants a header with a keyed digest of the raw body, or of the timestamp and the body. A header with
// several signatures is good when one of them is.
type HMACCheck struct {
	Header    string `yaml:"header"`
	Prefix    string `yaml:"prefix"`           // before the digest: sha256=
	Algorithm string `yaml:"algorithm"`        // sha256 (default), sha512, sha1
	Encoding  string `yaml:"encoding"`         // hex (default), base64
	Timestamp string `yaml:"timestamp_header"` // unix seconds or RFC 3339; empty: none
	Lead      string `yaml:"lead"`             // before the timestamp in the signed text: v0:
	Separator string `yaml:"separator"`        // between timestamp and body in the signed text
	List      string `yaml:"list"`             // between several signatures in the header; empty: it holds one
	// TimestampPart is what the timestamp stands behind among the parts of the signature's own header (t=), in place of
	// a header of its own. It needs List.
	TimestampPart string `yaml:"timestamp_part"`
	// Signed is the signed text, of {timestamp}, {body} and {body_sha256}, which is its digest in base64; empty: lead,
	// timestamp, separator and body.
	Signed  string        `yaml:"signed"`
	Window  time.Duration `yaml:"window"` // how far the timestamp may be off; default 5m
	Secrets []Secret      `yaml:"secrets"`
}

// StandardWebhooks wants the webhook-id, webhook-timestamp and webhook-signature headers of standardwebhooks.com.
type StandardWebhooks struct {
	Window  time.Duration `yaml:"window"`
	Secrets []Secret      `yaml:"secrets"` // whsec_... or base64
}

// JWTCheck wants a JWT as the bearer token, signed by HS256 with one of the secrets, which have 32 bytes at least. It
// proves who sends and not what: the body is not signed.
type JWTCheck struct {
	Skew    time.Duration `yaml:"skew"` // how far the sender's clock may be off; default 1m
	Secrets []Secret      `yaml:"secrets"`
}

// OAuthCheck wants an access token that our own token endpoint gave to this client: by the client credentials grant
// where there are client secrets, by the password grant where there are passwords. Client secrets made by the program
// are kept beside the document and count as well.
type OAuthCheck struct {
	ClientID      string   `yaml:"client_id"` // names the connection to the token endpoint; default: the connection's name
	ClientSecrets []Hashed `yaml:"client_secrets"`
	User          string   `yaml:"user"` // of the password grant
	Passwords     []Hashed `yaml:"passwords"`
}

// CertificateCheck wants a client certificate, verified by our own listener, or by a trusted proxy that passes it on
// in a header. Of every list that is given one entry must match.
type CertificateCheck struct {
	Subjects     []string `yaml:"subjects"`     // as RFC 2253 writes them: CN=epm,O=Example
	SANs         []string `yaml:"sans"`         // DNS names, addresses, URIs, mail addresses
	Fingerprints []string `yaml:"fingerprints"` // SHA-256 of the certificate, in hex
	Header       string   `yaml:"header"`       // of the proxy; empty: our own listener saw the certificate
}

// IssuerCheck wants a JWT access token of an outside issuer. Its keys are found by OpenID Connect discovery and asked
// for by the connection's outbound rules.
type IssuerCheck struct {
	URL      string            `yaml:"url"`      // exactly as the tokens' iss has it
	Audience string            `yaml:"audience"` // one of the tokens' aud
	Subject  string            `yaml:"subject"`  // the tokens' sub
	Claims   map[string]string `yaml:"claims"`   // further claims and their text; of a list, one entry
	Skew     time.Duration     `yaml:"skew"`     // how far the issuer's clock may be off; default 1m
}
