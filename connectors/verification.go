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
	Header    string        `yaml:"header"`
	Prefix    string        `yaml:"prefix"`           // before the digest: sha256=
	Algorithm string        `yaml:"algorithm"`        // sha256 (default), sha512, sha1
	Encoding  string        `yaml:"encoding"`         // hex (default), base64
	Timestamp string        `yaml:"timestamp_header"` // unix seconds or RFC 3339; empty: none
	Lead      string        `yaml:"lead"`             // before the timestamp in the signed text: v0:
	Separator string        `yaml:"separator"`        // between timestamp and body in the signed text
	List      string        `yaml:"list"`             // between several signatures in the header; empty: it holds one
	Window    time.Duration `yaml:"window"`           // how far the timestamp may be off; default 5m
	Secrets   []Secret      `yaml:"secrets"`
}

// StandardWebhooks wants the webhook-id, webhook-timestamp and webhook-signature headers of standardwebhooks.com.
type StandardWebhooks struct {
	Window  time.Duration `yaml:"window"`
	Secrets []Secret      `yaml:"secrets"` // whsec_... or base64
}
