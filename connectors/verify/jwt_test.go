package verify_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/verify"
)

const (
	oldApp = "old-secret-of-an-app-0123456789abcdef"
	newApp = "new-secret-of-an-app-0123456789abcdef"
)

// signed makes a JWT of a header and claims, by RFC 7515 and nothing of the verifier's.
func signed(secret, head, claims string) string {
	text := base64.RawURLEncoding.EncodeToString([]byte(head)) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims))
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func TestVerifyJWT(t *testing.T) {
	t.Parallel()
	const hs256 = `{"alg":"HS256","typ":"JWT"}`
	good := signed(newApp, hs256, `{"iss":"app","iat":1772443800,"exp":1772443980}`) // 09:30:00 to 09:33:00
	body := func(token string) string { return token[:strings.LastIndex(token, ".")] }
	tests := []struct {
		name, token string
		late        time.Duration
		want        string
	}{
		{"second of a rotation", good, 0, ""},
		{"first of a rotation", signed(oldApp, hs256, `{}`), 0, ""},
		{"without times", signed(newApp, hs256, `{"iss":"app"}`), 1000 * time.Hour, ""},
		{"within the skew", good, 239 * time.Second, ""},
		{"too old", good, 241 * time.Second, "has expired"},
		{"of the future", good, -61 * time.Second, "not valid yet"},
		{"not yet", signed(newApp, hs256, `{"nbf":1772443900}`), 0, "not valid yet"},
		{"another secret", signed("another-secret-0123456789abcdef-01234", hs256, `{}`), 0, "another secret"},
		{"unsigned", body(signed(newApp, `{"alg":"none"}`, `{}`)) + ".", 0, "no JWT signed by HS256"},
		{"another algorithm", signed(newApp, `{"alg":"HS512"}`, `{}`), 0, "no JWT signed by HS256"},
		{"other claims under a good signature", body(signed(newApp, hs256, `{"iss":"eve"}`)) + good[strings.LastIndex(good, "."):], 0, "another secret"},
		{"no token", "sesame", 0, "no JWT"},
		{"endless", strings.Repeat("a", 20<<10), 0, "no JWT"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			given := connectors.Verification{JWT: &connectors.JWTCheck{Secrets: secrets(oldApp, newApp)}}
			v := mustNew(t, given, now.Add(tt.late))
			err := v.Verify(request("{}", "Authorization", "Bearer "+tt.token), "")
			if tt.want == "" {
				if err != nil {
					t.Errorf("got %v", err)
				}
				return
			}
			wantForged(t, err, tt.want, newApp, "sesame", "eve")
		})
	}
	if err := mustNew(t, connectors.Verification{JWT: &connectors.JWTCheck{Secrets: secrets(newApp)}}, now).Verify(request("{}"), ""); err == nil {
		t.Error("a request without a token was taken")
	}
}

func TestTheDefaultsOfAVendorCanBeAJWT(t *testing.T) {
	t.Parallel()
	defaults := connectors.Verification{JWT: &connectors.JWTCheck{Secrets: secrets(newApp)}}
	merged, err := verify.Merge(defaults, connectors.Verification{})
	if err != nil || len(merged.JWT.Secrets) != 1 {
		t.Errorf("got %+v, %v", merged.JWT, err)
	}
	_, err = verify.Merge(defaults, connectors.Verification{JWT: &connectors.JWTCheck{Skew: time.Hour, Secrets: secrets("a", "b", "c")}})
	if err == nil || !strings.Contains(err.Error(), "jwt.skew") || !strings.Contains(err.Error(), "jwt.secrets holds 3") {
		t.Errorf("got %v", err)
	}
}
