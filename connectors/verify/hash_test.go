package verify_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/verify"
)

// referenceHash is from the tests of Argon2's reference implementation: "password" with the salt "somesalt".
const referenceHash = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"

func TestHashesMatchTheReference(t *testing.T) {
	t.Parallel()
	h := verify.NewHashes(at(now))
	for text, want := range map[string]bool{"password": true, "Password": false, "": false, "password ": false} {
		if got, err := h.Match(t.Context(), text, referenceHash); got != want || err != nil {
			t.Errorf("%q: got %v, %v", text, got, err)
		}
	}
}

func TestHashIsSaltedAndMatches(t *testing.T) {
	t.Parallel()
	one, two := verify.Hash("sesame"), verify.Hash("sesame")
	if one == two || strings.Contains(one, "sesame") {
		t.Fatalf("got %s and %s", one, two)
	}
	h := verify.NewHashes(at(now))
	for _, hash := range []string{one, two} {
		if ok, err := h.Match(t.Context(), "sesame", hash); !ok || err != nil {
			t.Errorf("%s: got %v, %v", hash, ok, err)
		}
	}
}

func TestHashesRefuseWhatIsNoneOrCostsTooMuch(t *testing.T) {
	t.Parallel()
	h := verify.NewHashes(at(now))
	for _, hash := range []string{
		"", "sesame", "$argon2id$", strings.Replace(referenceHash, "argon2id", "argon2i", 1), strings.Replace(referenceHash, "v=19", "v=16", 1),
		strings.Replace(referenceHash, "m=65536", "m=65537", 1), strings.Replace(referenceHash, "t=2", "t=11", 1), strings.Replace(referenceHash, "t=2", "t=0", 1),
		strings.Replace(referenceHash, "p=1", "p=5", 1), strings.Replace(referenceHash, "p=1", "p=300", 1), strings.Replace(referenceHash, "m=65536", "m=-1", 1),
		strings.Replace(referenceHash, "p=1", "p=1,x=2", 1), strings.Replace(referenceHash, "c29tZXNhbHQ", "c29", 1), strings.Replace(referenceHash, "c29tZXNhbHQ", "%%%", 1),
		referenceHash + "$x", referenceHash[:len(referenceHash)-40], " " + referenceHash,
	} {
		if ok, err := h.Match(t.Context(), "password", hash); ok || err == nil {
			t.Errorf("%q: got %v, %v", hash, ok, err)
		}
	}
}

// A hash is remembered for five seconds, and only the good one.
func TestHashesAreNotComputedAgainForAMoment(t *testing.T) {
	t.Parallel()
	var clock atomic.Int64
	h := verify.NewHashes(func() time.Time { return now.Add(time.Duration(clock.Load())) })
	ended, stop := context.WithCancel(t.Context())
	stop()
	hash := verify.Hash("sesame")
	if ok, err := h.Match(t.Context(), "sesame", hash); !ok || err != nil {
		t.Fatal(ok, err)
	}
	// What is not remembered has to be computed, which an ended context is not waited for.
	for what, test := range map[string]struct {
		text, hash string
		later      time.Duration
		remembered bool
	}{
		"the same":             {"sesame", hash, 5*time.Second - 1, true},
		"five seconds later":   {"sesame", hash, 5 * time.Second, false},
		"another text":         {"sesam", hash, 0, false},
		"the same text salted": {"sesame", verify.Hash("sesame"), 0, false},
	} {
		clock.Store(int64(test.later))
		ok, err := h.Match(ended, test.text, test.hash)
		if ok != test.remembered || (err == nil) != test.remembered {
			t.Errorf("%s: got %v, %v", what, ok, err)
		}
	}
}

func TestHashesOfManyAtOnce(t *testing.T) {
	t.Parallel()
	h := verify.NewHashes(at(now))
	hash := verify.Hash("sesame")
	var good atomic.Int32
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			if ok, err := h.Match(t.Context(), "sesame", hash); ok && err == nil {
				good.Add(1)
			}
		})
	}
	all.Wait()
	if good.Load() != 100 {
		t.Errorf("%d of 100 were good", good.Load())
	}
}

func TestCredential(t *testing.T) {
	t.Parallel()
	v := newWith(t, connectors.Verification{OAuth: &connectors.OAuthCheck{ClientID: "epm"}}, verify.Env{
		Vault: &connectors.Vault{Getenv: func(name string) string { return map[string]string{"DRAWBRIDGE_SECRET_A": "from-env"}[name] }}, Now: at(now),
	})
	digits := connectors.HashedSHA256("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08") // test
	slow := connectors.HashedArgon2id(verify.Hash("typed"))
	reference := decode(t, "oauth: {client_secrets: [{env: DRAWBRIDGE_SECRET_A}, {env: DRAWBRIDGE_SECRET_UNSET}]}").OAuth.ClientSecrets
	all := append([]connectors.Hashed{digits, slow}, reference...)
	for name, test := range map[string]struct {
		given []string
		want  string
	}{
		"by its SHA-256":      {[]string{"test"}, digits.Mark()},
		"by its slow hash":    {[]string{"typed"}, slow.Mark()},
		"by its reference":    {[]string{"from-env"}, reference[0].Mark()},
		"in a second reading": {[]string{"ty%70ed", "typed"}, slow.Mark()},
		"wrong":               {[]string{"guess"}, ""},
		"the hash itself":     {[]string{slow.Argon2id(), digits.SHA256()}, ""},
		"empty":               {[]string{""}, ""},
		"none":                {nil, ""},
	} {
		used, ok, err := v.Credential(t.Context(), test.given, all)
		if used != test.want || ok != (test.want != "") || err != nil {
			t.Errorf("%s: got %q, %v, %v; want %q", name, used, ok, err, test.want)
		}
	}
	if _, ok, err := v.Credential(t.Context(), []string{"x"}, nil); ok || err != nil {
		t.Errorf("among none: got %v, %v", ok, err)
	}
}
