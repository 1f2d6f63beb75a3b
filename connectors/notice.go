package connectors

import (
	"bytes"
	"encoding/json"
	"io"
	"mime"
)

// Headers that desk scripts sign with.
const (
	NoticeSignatureHeader = "X-Drawbridge-Signature"
	NoticeTimeHeader      = "X-Drawbridge-Timestamp"
)

// MaxNotice is more bytes than a desk script ever sends.
const MaxNotice = 64 << 10

// SignedNotice is how desk scripts sign: time and body, so that a notice cannot be sent again later. The encoding is the
// one that the desk's own functions give, hex or base64.
func SignedNotice(encoding string) Verification {
	return Verification{HMAC: &HMACCheck{
		Header: NoticeSignatureHeader, Prefix: "sha256=", Algorithm: "sha256", Encoding: encoding, Timestamp: NoticeTimeHeader, Separator: ".",
	}}
}

// ReadNotice reads what a desk script sends: one JSON object, into notice. What it refuses it refuses as *WrongType or
// *Malformed; fields are those the sender is told of, as in "ticket and transaction".
func ReadNotice(r Request, notice any, fields string) error {
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/json" {
		return &WrongType{Advice: "send application/json, as the desk script does"}
	}
	if len(r.Body) > MaxNotice {
		return &Malformed{Reason: "the body is larger than any notice of the desk script"}
	}
	decoder := json.NewDecoder(bytes.NewReader(r.Body))
	if err := decoder.Decode(notice); err != nil {
		return &Malformed{Reason: "the body is no JSON object with " + fields}
	}
	if _, err := decoder.Token(); err != io.EOF {
		return &Malformed{Reason: "the body goes on after the JSON object"}
	}
	return nil
}

// MaxWebhook is more bytes than vendors' own webhooks have.
const MaxWebhook = 256 << 10

// ReadWebhook reads what a vendor sends by itself about its tickets: one JSON object, into notice. What it refuses it
// refuses as *WrongType or *Malformed.
func ReadWebhook(r Request, notice any) error {
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/json" {
		return &WrongType{Advice: "choose JSON as the webhook's format"}
	}
	if len(r.Body) > MaxWebhook {
		return &Malformed{Reason: "the body is larger than any webhook"}
	}
	if _, err := ReadObject(r.Body); err != nil {
		return err
	}
	if err := json.Unmarshal(bytes.TrimPrefix(r.Body, []byte("\ufeff")), notice); err != nil {
		return &Malformed{Reason: "a field has a type that is not sent"}
	}
	return nil
}
