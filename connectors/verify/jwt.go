package verify

import (
	"cmp"
	"net/http"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// jwt checks a token signed with a secret we share with the sender. Times are checked where the token has them.
func (v *Verifier) jwt(c *connectors.JWTCheck, h http.Header) (string, error) {
	text, err := bearerToken(h)
	if err != nil {
		return "", err
	}
	if len(text) > longestToken {
		return "", forged("the bearer token is no JWT")
	}
	token, err := jwt.ParseSigned(text, []jose.SignatureAlgorithm{jose.HS256})
	if err != nil {
		return "", forged("the bearer token is no JWT signed by HS256")
	}
	var claims jwt.Claims
	used, ok := v.pick(c.Secrets, func(secret string) int {
		var found jwt.Claims
		if token.Claims([]byte(secret), &found) != nil {
			return 0
		}
		claims = found
		return 1
	})
	if !ok {
		return "", forged("the token is signed with another secret")
	}
	now, skew := v.env.Now(), cmp.Or(c.Skew, defaultSkew)
	switch {
	case claims.Expiry != nil && now.After(claims.Expiry.Time().Add(skew)):
		return "", forged("the token has expired")
	case future(claims.NotBefore, now, skew), future(claims.IssuedAt, now, skew):
		return "", forged("the token is not valid yet")
	}
	return used, nil
}

func future(at *jwt.NumericDate, now time.Time, skew time.Duration) bool {
	return at != nil && at.Time().After(now.Add(skew))
}
