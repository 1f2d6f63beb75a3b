package verify

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

const defaultWindow = 5 * time.Minute

// hashes are the digests a signature may be keyed with. SHA-1 is there for vendors that know nothing better; keyed, it
// still holds.
var hashes = map[string]func() hash.Hash{"": sha256.New, "sha256": sha256.New, "sha512": sha512.New, "sha1": sha1.New}

// decoders read a signature. Strict: of the texts that some decoders take for the same bytes, one is good.
var decoders = map[string]func(string) ([]byte, error){
	"":       hex.DecodeString,
	"hex":    hex.DecodeString,
	"base64": decodeBase64,
}

func decodeBase64(text string) ([]byte, error) {
	if strings.ContainsAny(text, "\r\n") {
		return nil, base64.CorruptInputError(0)
	}
	return base64.StdEncoding.Strict().DecodeString(text)
}

func (v *Verifier) hmac(c *connectors.HMACCheck, r connectors.Request) (string, error) {
	name := http.CanonicalHeaderKey(c.Header)
	text, err := only(r.Header, name)
	if err != nil {
		return "", err
	}
	given, err := signatures(c, text)
	if err != nil {
		return "", err
	}
	stamp, at, err := stampOf(c, r.Header, text)
	if err != nil {
		return "", err
	}
	signed := signedParts(c, stamp, r.Body)
	used, ok := v.pick(c.Secrets, func(secret string) int {
		return anySigned(hashes[c.Algorithm], []byte(secret), signed, given)
	})
	if !ok {
		return "", forged("the signature in header %s is wrong", name)
	}
	if stamp != "" && !v.recent(at, c.Window) {
		return "", forged("the time in header %s is too far off", stampHeader(c))
	}
	return used, nil
}

// stampHeader is where a scheme has its timestamp.
func stampHeader(c *connectors.HMACCheck) string {
	return http.CanonicalHeaderKey(cmp.Or(c.Timestamp, c.Header))
}

// stampOf reads the timestamp of a request, nothing where the scheme has none. text is the signature's header.
func stampOf(c *connectors.HMACCheck, h http.Header, text string) (stamp string, at time.Time, err error) {
	switch {
	case c.TimestampPart != "":
		for part := range strings.SplitSeq(text, c.List) {
			found, ok := strings.CutPrefix(strings.TrimSpace(part), c.TimestampPart)
			if ok && stamp != "" {
				return "", at, forged("header %s has two times", stampHeader(c)) // which of them is signed is anybody's guess
			}
			if ok {
				stamp = found
			}
		}
	case c.Timestamp != "":
		if stamp, err = only(h, c.Timestamp); err != nil {
			return "", at, err
		}
	default:
		return "", at, nil
	}
	if at, err = parseTime(stamp); err != nil {
		return "", at, forged("header %s is not a time", stampHeader(c))
	}
	return stamp, at, nil
}

// signedParts are what is signed, one behind the other.
func signedParts(c *connectors.HMACCheck, stamp string, body []byte) [][]byte {
	if c.Signed == "" && stamp == "" {
		return [][]byte{body}
	}
	if c.Signed == "" {
		return [][]byte{[]byte(c.Lead + stamp + c.Separator), body}
	}
	digest := sha256.Sum256(body)
	text := strings.NewReplacer("{timestamp}", stamp, "{body_sha256}", base64.StdEncoding.EncodeToString(digest[:])).Replace(c.Signed)
	var parts [][]byte
	for i, piece := range strings.Split(text, "{body}") {
		if i > 0 {
			parts = append(parts, body)
		}
		parts = append(parts, []byte(piece))
	}
	return parts
}

// signatures reads the signatures of a header. Those that are none are left out where there may be several.
func signatures(c *connectors.HMACCheck, text string) ([][]byte, error) {
	parts := []string{text}
	if c.List != "" {
		parts = strings.Split(text, c.List)
	}
	var list [][]byte
	why := "is not a signature"
	for _, part := range parts {
		digits, ok := strings.CutPrefix(strings.TrimSpace(part), c.Prefix)
		if !ok {
			why = "lacks its prefix, or names another method"
			continue
		}
		if b, err := decoders[c.Encoding](digits); err == nil && len(b) > 0 {
			list = append(list, b)
		}
	}
	if len(list) == 0 {
		return nil, forged("the text of header %s %s", http.CanonicalHeaderKey(c.Header), why)
	}
	return list, nil
}

// anySigned tells whether one of the given signatures is that of the signed parts under key.
func anySigned(digest func() hash.Hash, key []byte, signed, given [][]byte) int {
	mac := hmac.New(digest, key)
	for _, part := range signed {
		mac.Write(part)
	}
	want, found := mac.Sum(nil), 0
	for _, g := range given {
		found |= same(g, want)
	}
	return found
}

// standardWebhooks follows the specification at standardwebhooks.com, symmetric signatures (v1) only.
func (v *Verifier) standardWebhooks(c *connectors.StandardWebhooks, r connectors.Request) (string, error) {
	id, err := only(r.Header, "webhook-id")
	if err != nil {
		return "", err
	}
	if strings.Contains(id, ".") {
		return "", forged("header Webhook-Id holds a dot") // the signed text could be cut in another place
	}
	stamp, err := only(r.Header, "webhook-timestamp")
	if err != nil {
		return "", err
	}
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil {
		return "", forged("header Webhook-Timestamp is not a time")
	}
	text, err := only(r.Header, "webhook-signature")
	if err != nil {
		return "", err
	}
	var given [][]byte
	for entry := range strings.SplitSeq(text, " ") {
		if digits, ok := strings.CutPrefix(entry, "v1,"); ok {
			if b, err := decodeBase64(digits); err == nil {
				given = append(given, b)
			}
		}
	}
	signed := [][]byte{[]byte(id + "." + stamp + "."), r.Body}
	used, ok := v.pick(c.Secrets, func(secret string) int {
		key := connectors.WebhookKey(secret)
		if len(key) == 0 {
			return 0
		}
		return anySigned(sha256.New, key, signed, given)
	})
	if !ok {
		return "", forged("no signature in header Webhook-Signature is good")
	}
	if !v.recent(time.Unix(seconds, 0), c.Window) {
		return "", forged("the time in header Webhook-Timestamp is too far off")
	}
	return used, nil
}

// parseTime reads unix seconds or RFC 3339.
func parseTime(text string) (time.Time, error) {
	if seconds, err := strconv.ParseInt(text, 10, 64); err == nil {
		return time.Unix(seconds, 0), nil
	}
	return time.Parse(time.RFC3339, text)
}

func (v *Verifier) recent(at time.Time, window time.Duration) bool {
	if window == 0 {
		window = defaultWindow
	}
	now := v.env.Now()
	return !at.Before(now.Add(-window)) && !at.After(now.Add(window))
}
