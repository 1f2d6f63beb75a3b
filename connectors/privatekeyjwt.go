package connectors

import (
	"context"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/google/uuid"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// PrivateKeyJWT is the OAuth 2.0 client credentials grant of a client that proves itself by a signed assertion (RFC 7523
// section 2.2) in place of a secret. Tokens are kept and renewed as those of ClientCredentials.
type PrivateKeyJWT struct {
	TokenURL string
	ID       string
	Key      Secret // PEM: PKCS #8, or RSA or EC of its own
	KeyID    string
	Scopes   []string
}

// assertionLife is how long an assertion is good for: the time of one call.
const assertionLife = 5 * time.Minute

func (a PrivateKeyJWT) wrap(c *Client) http.RoundTripper { return &tokenTripper{client: c, grant: a} }

func (a PrivateKeyJWT) fetch(ctx context.Context, c *Client) (*accessToken, error) {
	text, err := c.vault.Reveal(a.Key)
	if err != nil {
		return nil, &Error{Kind: Unwell, Err: fmt.Errorf("private key: %w", err)}
	}
	asked := c.now()
	assertion, err := a.assert([]byte(text), asked)
	if err != nil {
		return nil, &Error{Kind: Unwell, Err: fmt.Errorf("private key: %w", err)}
	}
	config := clientcredentials.Config{
		ClientID: a.ID, TokenURL: a.TokenURL, Scopes: a.Scopes, AuthStyle: oauth2.AuthStyleInParams,
		EndpointParams: url.Values{"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "client_assertion": {assertion}},
	}
	token, err := config.Token(context.WithValue(ctx, oauth2.HTTPClient, c.HTTP()))
	if err != nil {
		return nil, (&tokenTripper{client: c}).fault(err)
	}
	return &accessToken{Token: token, until: renewAt(asked, lifetime(token))}, nil
}

func (a PrivateKeyJWT) assert(text []byte, now time.Time) (string, error) {
	key, algorithm, err := readKey(text)
	if err != nil {
		return "", err
	}
	options := (&jose.SignerOptions{}).WithType("JWT").WithHeader("kid", a.KeyID)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, options)
	if err != nil {
		return "", errors.New("the key cannot sign")
	}
	return jwt.Signed(signer).Claims(jwt.Claims{
		Issuer: a.ID, Subject: a.ID, Audience: jwt.Audience{a.TokenURL}, ID: uuid.NewString(),
		IssuedAt: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(assertionLife)),
	}).Serialize()
}

// readKey says nothing of what it read.
func readKey(text []byte) (key any, algorithm jose.SignatureAlgorithm, err error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, "", errors.New("it is not PEM")
	}
	if key, err = x509.ParsePKCS8PrivateKey(block.Bytes); err != nil {
		if key, err = x509.ParsePKCS1PrivateKey(block.Bytes); err != nil {
			if key, err = x509.ParseECPrivateKey(block.Bytes); err != nil {
				return nil, "", errors.New("it is no private key in PKCS #8, PKCS #1 or SEC 1")
			}
		}
	}
	switch k := key.(type) {
	case *rsa.PrivateKey:
		return k, jose.RS256, nil
	case *ecdsa.PrivateKey:
		if algorithm, ok := curves[k.Curve.Params().BitSize]; ok {
			return k, algorithm, nil
		}
	}
	return nil, "", errors.New("it is neither an RSA key nor one of the curves P-256, P-384 and P-521")
}

var curves = map[int]jose.SignatureAlgorithm{256: jose.ES256, 384: jose.ES384, 521: jose.ES512}
