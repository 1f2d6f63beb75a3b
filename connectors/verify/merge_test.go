package verify_test

import (
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/verify"
	"github.com/google/go-cmp/cmp"
)

func hashed(values ...string) []connectors.Hashed {
	var list []connectors.Hashed
	for _, v := range values {
		list = append(list, connectors.HashedValue(v))
	}
	return list
}

func TestMerge(t *testing.T) {
	t.Parallel()
	jira := connectors.Verification{HMAC: &connectors.HMACCheck{Header: "X-Hub-Signature", Prefix: "sha256="}}
	full := connectors.Verification{HMAC: &connectors.HMACCheck{
		Header: "X-Vendor", Prefix: "v0=", Algorithm: "sha512", Encoding: "base64", Timestamp: "X-Vendor-Time",
		Lead: "v0:", Separator: ":", List: ",", Window: 15 * time.Minute,
	}}
	tests := []struct {
		name            string
		defaults, given connectors.Verification
		want            connectors.Verification
		wantErr         []string
	}{
		{
			name: "secrets over the vendor's scheme", defaults: full,
			given: connectors.Verification{HMAC: &connectors.HMACCheck{Secrets: secrets("k")}},
			want: connectors.Verification{HMAC: &connectors.HMACCheck{
				Header: "X-Vendor", Prefix: "v0=", Algorithm: "sha512", Encoding: "base64", Timestamp: "X-Vendor-Time",
				Lead: "v0:", Separator: ":", List: ",", Window: 15 * time.Minute, Secrets: secrets("k"),
			}},
		},
		{
			name: "what is given wins", defaults: full,
			given: connectors.Verification{HMAC: &connectors.HMACCheck{
				Header: "X-Ours", Prefix: "p=", Algorithm: "sha1", Encoding: "hex", Timestamp: "X-Time", Lead: "l", Separator: ".",
				List: " ", Window: time.Minute, Secrets: secrets("k"),
			}},
			want: connectors.Verification{HMAC: &connectors.HMACCheck{
				Header: "X-Ours", Prefix: "p=", Algorithm: "sha1", Encoding: "hex", Timestamp: "X-Time", Lead: "l", Separator: ".",
				List: " ", Window: time.Minute, Secrets: secrets("k"),
			}},
		},
		{
			name: "another scheme takes nothing from the vendor's", defaults: jira,
			given: connectors.Verification{Header: &connectors.HeaderCheck{Name: "X-Key", Values: secrets("k")}},
			want:  connectors.Verification{Header: &connectors.HeaderCheck{Name: "X-Key", Values: secrets("k")}},
		},
		{
			name:     "nothing given, and defaults that are whole",
			defaults: connectors.Verification{Basic: &connectors.BasicCheck{User: "u", Passwords: secrets("p")}},
			want:     connectors.Verification{Basic: &connectors.BasicCheck{User: "u", Passwords: secrets("p")}},
		},
		{
			name:     "the user over the vendor's",
			defaults: connectors.Verification{Basic: &connectors.BasicCheck{User: "vendor"}},
			given:    connectors.Verification{Basic: &connectors.BasicCheck{User: "ours", Passwords: secrets("p", "q")}},
			want:     connectors.Verification{Basic: &connectors.BasicCheck{User: "ours", Passwords: secrets("p", "q")}},
		},
		{name: "none, on purpose", defaults: jira, given: connectors.Verification{None: true}, want: connectors.Verification{None: true}},
		{name: "nothing at all", wantErr: []string{"nothing is configured", "basic, bearer, header, token, hmac, standard_webhooks, jwt, oauth, certificate and issuer"}},
		{name: "defaults without secrets", defaults: jira, wantErr: []string{"nothing is configured", "verification.hmac.secrets"}},
		{name: "none by default", defaults: connectors.Verification{None: true}, wantErr: []string{"nothing is configured"}},
		{
			name: "two schemes", wantErr: []string{"basic and bearer are given"},
			given: connectors.Verification{Basic: &connectors.BasicCheck{}, Bearer: &connectors.BearerCheck{}},
		},
		{
			name: "none and a scheme", wantErr: []string{"none and token are given"},
			given: connectors.Verification{None: true, Token: &connectors.TokenCheck{Tokens: secrets("t")}},
		},
		{
			name: "every fault of an hmac at once",
			given: connectors.Verification{HMAC: &connectors.HMACCheck{
				Algorithm: "md5", Encoding: "rot13", Separator: ".", Window: -time.Second,
			}},
			wantErr: []string{"hmac.header is empty", "hmac.algorithm is", "hmac.encoding is", "hmac.timestamp_header is empty", "hmac.window is negative", "hmac.secrets is empty"},
		},
		{
			name: "basic without a user", given: connectors.Verification{Basic: &connectors.BasicCheck{Passwords: secrets("p")}},
			wantErr: []string{"verification.basic.user is empty"},
		},
		{
			name: "header without a name", given: connectors.Verification{Header: &connectors.HeaderCheck{Values: secrets("p")}},
			wantErr: []string{"verification.header.name is empty"},
		},
		{
			name: "three secrets", given: connectors.Verification{Bearer: &connectors.BearerCheck{Tokens: secrets("a", "b", "c")}},
			wantErr: []string{"verification.bearer.tokens holds 3 secrets"},
		},
		{
			name: "a secret that was left out", given: connectors.Verification{Token: &connectors.TokenCheck{Tokens: make([]connectors.Secret, 1)}},
			wantErr: []string{"verification.token.tokens[0] is empty"},
		},
		{
			name:     "oauth over a vendor's other scheme",
			defaults: jira, given: connectors.Verification{OAuth: &connectors.OAuthCheck{ClientID: "epm", User: "u", Passwords: hashed("p")}},
			want: connectors.Verification{OAuth: &connectors.OAuthCheck{ClientID: "epm", User: "u", Passwords: hashed("p")}},
		},
		{
			name: "oauth whose secrets are made later", given: connectors.Verification{OAuth: &connectors.OAuthCheck{ClientID: "epm"}},
			want: connectors.Verification{OAuth: &connectors.OAuthCheck{ClientID: "epm"}},
		},
		{
			name: "every fault of oauth at once",
			given: connectors.Verification{OAuth: &connectors.OAuthCheck{
				ClientID: "e p:m", Passwords: append(hashed("a", "b"), connectors.HashedArgon2id("nonsense")), ClientSecrets: make([]connectors.Hashed, 1),
			}},
			wantErr: []string{"oauth.client_id is up to", "oauth.user and oauth.passwords go together", "oauth.passwords holds 3", "oauth.passwords[2]: argon2id is a hash as in", "oauth.client_secrets[0] is empty"},
		},
		{
			name:    "a certificate of anybody",
			given:   connectors.Verification{Certificate: &connectors.CertificateCheck{}},
			wantErr: []string{"certificate has none of subjects, sans and fingerprints"},
		},
		{
			name:    "every fault of a certificate at once",
			given:   connectors.Verification{Certificate: &connectors.CertificateCheck{Fingerprints: []string{"abcd"}, Subjects: []string{""}, SANs: []string{""}, Header: "a b"}},
			wantErr: []string{"certificate.fingerprints[0] is no SHA-256", "certificate.subjects holds an empty one", "certificate.sans holds an empty one", "certificate.header is no name"},
		},
		{
			name:    "every fault of an issuer at once",
			given:   connectors.Verification{Issuer: &connectors.IssuerCheck{Skew: time.Hour}},
			wantErr: []string{"issuer.url is empty", "issuer.audience is empty", "issuer.subject is empty, and there are no claims", "issuer.skew is at most 10m"},
		},
		{
			name:    "an issuer in plain text",
			given:   connectors.Verification{Issuer: &connectors.IssuerCheck{URL: "http://login.example.test", Audience: "a", Claims: map[string]string{"azp": ""}}},
			wantErr: []string{"issuer.url is http", "issuer.claims holds an empty one"},
		},
		{
			name:    "an issuer that is no address",
			given:   connectors.Verification{Issuer: &connectors.IssuerCheck{URL: "https://u:p@login.example.test/?x=y", Audience: "a", Subject: "s"}},
			wantErr: []string{"issuer.url is no https address"},
		},
		{
			name: "a negative window", given: connectors.Verification{StandardWebhooks: &connectors.StandardWebhooks{Window: -1, Secrets: secrets("a")}},
			wantErr: []string{"standard_webhooks.window is negative"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := verify.Merge(tt.defaults, tt.given)
			if tt.wantErr == nil && err != nil {
				t.Fatal(err)
			}
			if tt.wantErr != nil && err == nil {
				t.Fatal("got no error")
			}
			for _, want := range tt.wantErr {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %q, want it to say %q", err, want)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("merged (-want +got):\n%s", diff)
			}
		})
	}
}
