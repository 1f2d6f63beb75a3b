package verify_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/verify"
)

func mac(t testing.TB, key, text string) []byte {
	t.Helper()
	m := hmac.New(sha256.New, []byte(key))
	m.Write([]byte(text))
	return m.Sum(nil)
}

func hexMAC(t testing.TB, key, text string) string { return hex.EncodeToString(mac(t, key, text)) }

func base64MAC(t testing.TB, key, text string) string {
	return base64.StdEncoding.EncodeToString(mac(t, key, text))
}

func unix(at time.Time) string { return strconv.FormatInt(at.Unix(), 10) }

// vector is a signed request with the signature its vendor computed.
type vector struct {
	name  string
	given connectors.Verification
	clock time.Time
	body  string
	pairs []string
}

// The first three are the published examples of Atlassian, GitHub and standardwebhooks.com; the others were computed
// outside this program.
func vectors() []vector {
	everybody := secrets("It's a Secret to Everybody")
	plain := secrets("test-key-not-secret")
	const body = `{"n":1,"t":"é"}`
	at := time.Unix(1700000000, 0)
	return []vector{
		{
			"atlassian",
			connectors.Verification{HMAC: &connectors.HMACCheck{Header: "X-Hub-Signature", Prefix: "sha256=", Secrets: everybody}},
			now, "Hello World!",
			[]string{"X-Hub-Signature", "sha256=a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9"},
		},
		{
			"github",
			connectors.Verification{HMAC: &connectors.HMACCheck{Header: "X-Hub-Signature-256", Prefix: "sha256=", Secrets: everybody}},
			now, "Hello, World!",
			[]string{"X-Hub-Signature-256", "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"},
		},
		{
			"standard webhooks, published",
			connectors.Verification{StandardWebhooks: &connectors.StandardWebhooks{Secrets: secrets("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")}},
			time.Unix(1614265330, 0), `{"test": 2432232314}`,
			[]string{
				"webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek", "webhook-timestamp", "1614265330",
				"webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
			},
		},
		{
			"standard webhooks",
			connectors.Verification{StandardWebhooks: &connectors.StandardWebhooks{Secrets: secrets("whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")}},
			at, body,
			[]string{
				"webhook-id", "msg_1", "webhook-timestamp", "1700000000",
				"webhook-signature", "v1,6+M8sVePZMK/c0enEgK1//2Rsi1dU6F/kchOqvgNCtI=",
			},
		},
		{
			"pagerduty",
			connectors.Verification{HMAC: &connectors.HMACCheck{Header: "X-PagerDuty-Signature", Prefix: "v1=", List: ",", Secrets: plain}},
			at, body,
			[]string{"X-PagerDuty-Signature", "v1=afe41109e242c1e9aebca7dd8f4f06040ef05f43b934da326c4dd0ed254e7cea"},
		},
		{
			"slack",
			connectors.Verification{HMAC: &connectors.HMACCheck{
				Header: "X-Slack-Signature", Prefix: "v0=", Timestamp: "X-Slack-Request-Timestamp", Lead: "v0:", Separator: ":", Secrets: plain,
			}},
			at, body,
			[]string{
				"X-Slack-Signature", "v0=c63564ea10f2de0f41f1eb16ea3c8c0aff06ce3892338c0297d0962b7a3ed5cb",
				"X-Slack-Request-Timestamp", "1700000000",
			},
		},
		{
			"grafana incident",
			connectors.Verification{HMAC: &connectors.HMACCheck{
				Header: "Gi-Signature", Prefix: "v1=", List: ",", TimestampPart: "t=", Signed: "{body_sha256}:{timestamp}:v1", Secrets: plain,
			}},
			at, body,
			[]string{"Gi-Signature", "t=1700000000,v1=981a9bb1ac0c277c2f2525acd4696f1fef45671efc9335bd4b0e752df536c9fe"},
		},
	}
}

func TestVerifySignatures(t *testing.T) {
	t.Parallel()
	for _, tt := range vectors() {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			v := mustNew(t, tt.given, tt.clock)
			if err := v.Verify(request(tt.body, tt.pairs...), ""); err != nil {
				t.Fatalf("the vendor's own example: %v", err)
			}
			for i := range len(tt.body) {
				for change := 1; change < 256; change++ {
					changed := []byte(tt.body)
					changed[i] ^= byte(change)
					if err := v.Verify(request(string(changed), tt.pairs...), ""); !errors.Is(err, connectors.ErrForged) {
						t.Fatalf("body byte %d changed by %#x: got %v", i, change, err)
					}
				}
			}
			if err := v.Verify(request(tt.body+" ", tt.pairs...), ""); !errors.Is(err, connectors.ErrForged) {
				t.Errorf("a byte more: got %v", err)
			}
			for h := 1; h < len(tt.pairs); h += 2 {
				for i := range len(tt.pairs[h]) {
					for change := 1; change < 256; change++ {
						pairs := append([]string(nil), tt.pairs...)
						changed := []byte(pairs[h])
						changed[i] ^= byte(change)
						pairs[h] = string(changed)
						if change == 0x20 && tt.given.HMAC != nil {
							continue // hex digits are good in either case
						}
						if err := v.Verify(request(tt.body, pairs...), ""); !errors.Is(err, connectors.ErrForged) {
							t.Fatalf("header %s byte %d changed by %#x: got %v", pairs[h-1], i, change, err)
						}
					}
				}
				missing := request(tt.body, tt.pairs...)
				missing.Header.Del(tt.pairs[h-1])
				wantForged(t, v.Verify(missing, ""), "header "+http.CanonicalHeaderKey(tt.pairs[h-1])+" is missing")
				twice := request(tt.body, append(tt.pairs, tt.pairs[h-1], tt.pairs[h])...)
				wantForged(t, v.Verify(twice, ""), "more than once")
			}
		})
	}
}

func TestVerifyRefusesAStaleTimestamp(t *testing.T) {
	t.Parallel()
	for _, tt := range vectors() {
		if tt.given.StandardWebhooks == nil && tt.given.HMAC.Timestamp == "" && tt.given.HMAC.TimestampPart == "" {
			continue
		}
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := request(tt.body, tt.pairs...)
			for _, off := range []time.Duration{-5 * time.Minute, 5 * time.Minute} {
				if err := mustNew(t, tt.given, tt.clock.Add(off)).Verify(r, ""); err != nil {
					t.Errorf("%s off: %v", off, err)
				}
			}
			for _, off := range []time.Duration{-5*time.Minute - time.Second, 5*time.Minute + time.Second, 90 * 24 * time.Hour} {
				wantForged(t, mustNew(t, tt.given, tt.clock.Add(off)).Verify(r, ""), "too far off")
			}
		})
	}
}

func TestVerifyHMAC(t *testing.T) {
	t.Parallel()
	const body = `{"a":1}`
	stamp := now.Format(time.RFC3339)
	tests := []struct {
		name    string
		check   connectors.HMACCheck
		headers []string
		want    string
	}{
		{"base64", connectors.HMACCheck{Encoding: "base64"}, []string{"X-Sig", base64MAC(t, "k1", body)}, ""},
		{"second of a rotation", connectors.HMACCheck{}, []string{"X-Sig", hexMAC(t, "k2", body)}, ""},
		{"upper case", connectors.HMACCheck{}, []string{"X-Sig", strings.ToUpper(hexMAC(t, "k1", body))}, ""},
		{"other key", connectors.HMACCheck{}, []string{"X-Sig", hexMAC(t, "k3", body)}, "the signature in header X-Sig is wrong"},
		{"empty key", connectors.HMACCheck{}, []string{"X-Sig", hexMAC(t, "", body)}, "the signature in header X-Sig is wrong"},
		{"cut short", connectors.HMACCheck{}, []string{"X-Sig", hexMAC(t, "k1", body)[:32]}, "the signature in header X-Sig is wrong"},
		{"not hex", connectors.HMACCheck{}, []string{"X-Sig", "sesame"}, "is not a signature"},
		{"no prefix", connectors.HMACCheck{Prefix: "sha256="}, []string{"X-Sig", hexMAC(t, "k1", body)}, "lacks its prefix"},
		{"other method", connectors.HMACCheck{Prefix: "sha256="}, []string{"X-Sig", "sha1=" + hexMAC(t, "k1", body)}, "names another method"},
		{"prefix alone", connectors.HMACCheck{Prefix: "sha256="}, []string{"X-Sig", "sha256="}, "is not a signature"},
		{"other algorithm", connectors.HMACCheck{Algorithm: "sha512"}, []string{"X-Sig", hexMAC(t, "k1", body)}, "the signature in header X-Sig is wrong"},
		{"one of a list", connectors.HMACCheck{Prefix: "v1=", List: ","}, []string{"X-Sig", "v2=zz, v1=00,v1=" + hexMAC(t, "k2", body)}, ""},
		{"none of a list", connectors.HMACCheck{Prefix: "v1=", List: ","}, []string{"X-Sig", "v2=zz,v1=00"}, "the signature in header X-Sig is wrong"},
		{"a list where one is wanted", connectors.HMACCheck{Prefix: "v1="}, []string{"X-Sig", "v1=00,v1=" + hexMAC(t, "k1", body)}, "is not a signature"},
		{
			"RFC 3339 and no separator", connectors.HMACCheck{Encoding: "base64", Timestamp: "X-Time"},
			[]string{"X-Sig", base64MAC(t, "k1", stamp+body), "X-Time", stamp}, "",
		},
		{
			"no time", connectors.HMACCheck{Timestamp: "X-Time"},
			[]string{"X-Sig", hexMAC(t, "k1", "yesterday"+body), "X-Time", "yesterday"}, "header X-Time is not a time",
		},
		{
			"a wider window", connectors.HMACCheck{Timestamp: "X-Time", Window: time.Hour},
			[]string{"X-Sig", hexMAC(t, "k1", unix(now.Add(-time.Hour))+body), "X-Time", unix(now.Add(-time.Hour))}, "",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.check.Header, tt.check.Secrets = "X-Sig", secrets("k1", "k2")
			err := mustNew(t, connectors.Verification{HMAC: &tt.check}, now).Verify(request(body, tt.headers...), "")
			if tt.want == "" {
				if err != nil {
					t.Fatalf("got %v, want it taken", err)
				}
				return
			}
			wantForged(t, err, tt.want, "sesame", "yesterday", tt.headers[1])
		})
	}
}

func TestVerifyStandardWebhooks(t *testing.T) {
	t.Parallel()
	const body = `{"type":"a.b"}`
	key1, key2 := strings.Repeat("1", 24), strings.Repeat("2", 24)
	encode := func(key string) string { return base64.StdEncoding.EncodeToString([]byte(key)) }
	sign := func(key, id string) string { return "v1," + base64MAC(t, key, id+"."+unix(now)+"."+body) }
	tests := []struct {
		name, id, signature string
		secrets             []connectors.Secret
		want                string
	}{
		{"first of a list", "m1", sign(key1, "m1") + " v1,AAAA", secrets("whsec_" + encode(key1)), ""},
		{"last of a list", "m1", "v1a,AAAA  v1,%% " + sign(key1, "m1"), secrets("whsec_" + encode(key1)), ""},
		{"second of a rotation", "m1", sign(key2, "m1"), secrets("whsec_"+encode(key1), encode(key2)), ""},
		{"a secret that is not base64", "m1", sign("", "m1"), secrets("whsec_%%"), "no signature in header Webhook-Signature is good"},
		{"a secret without a key", "m1", sign("", "m1"), secrets("whsec_"), "no signature in header Webhook-Signature is good"},
		{"asymmetric only", "m1", "v1a," + sign(key1, "m1")[3:], secrets(encode(key1)), "no signature in header Webhook-Signature is good"},
		{"no version", "m1", sign(key1, "m1")[3:], secrets(encode(key1)), "no signature in header Webhook-Signature is good"},
		{"a dot in the id", "m.1", sign(key1, "m.1"), secrets(encode(key1)), "Webhook-Id holds a dot"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			v := mustNew(t, connectors.Verification{StandardWebhooks: &connectors.StandardWebhooks{Secrets: tt.secrets}}, now)
			err := v.Verify(request(body, "webhook-id", tt.id, "webhook-timestamp", unix(now), "webhook-signature", tt.signature), "")
			if tt.want == "" {
				if err != nil {
					t.Fatalf("got %v, want it taken", err)
				}
				return
			}
			wantForged(t, err, tt.want)
		})
	}
}

// Whatever is sent, the verifier answers; and it takes nothing that was not signed with its key.
func FuzzVerify(f *testing.F) {
	for _, v := range vectors() {
		for i := 1; i < len(v.pairs); i += 2 {
			f.Add([]byte(v.body), v.pairs[i], "1700000000", "token="+v.pairs[i])
		}
	}
	all := []connectors.Verification{
		{Basic: &connectors.BasicCheck{User: "u", Passwords: secrets("fuzz-secret")}},
		{Bearer: &connectors.BearerCheck{Tokens: secrets("fuzz-secret")}},
		{Header: &connectors.HeaderCheck{Name: "X-Sig", Values: secrets("fuzz-secret")}},
		{Token: &connectors.TokenCheck{Tokens: secrets("fuzz-secret")}},
		{HMAC: &connectors.HMACCheck{Header: "X-Sig", Timestamp: "X-Time", List: ",", Secrets: secrets("fuzz-secret")}},
		{HMAC: &connectors.HMACCheck{Header: "X-Sig", Prefix: "v1=", Encoding: "base64", Secrets: secrets("fuzz-secret")}},
		{StandardWebhooks: &connectors.StandardWebhooks{Secrets: secrets("whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")}},
	}
	var verifiers []checker
	for _, given := range all {
		verifiers = append(verifiers, mustNew(f, given, time.Unix(1700000001, 0)))
	}
	f.Fuzz(func(t *testing.T, body []byte, text, stamp, query string) {
		if strings.Contains(text+query, "fuzz-secret") {
			t.Skip("the secret itself")
		}
		r := request(string(body), "Authorization", text, "X-Sig", text, "X-Time", stamp,
			"webhook-id", "m1", "webhook-timestamp", stamp, "webhook-signature", text)
		r.URL.RawQuery = query
		for i, v := range verifiers {
			if err := v.Verify(r, ""); !errors.Is(err, connectors.ErrForged) {
				t.Errorf("scheme %d: got %v", i, err)
			}
		}
		if u := verify.Redact(r.URL); u.Query().Has("token") {
			t.Errorf("%q still holds a token after %q was redacted", u.RawQuery, query)
		}
	})
}
