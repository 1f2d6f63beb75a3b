package connectortest

import (
	"strings"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Must ends the test on an error.
func Must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Permanent wants a failure for good that says all of the words.
func Permanent(t testing.TB, err error, words ...string) {
	t.Helper()
	if err == nil || connectors.AsError(err).Kind != connectors.Permanent {
		t.Errorf("got %v, want a permanent failure", err)
		return
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("got %v, want %q in it", err, word)
		}
	}
}

// Refused is Permanent for what left nothing behind at the vendor.
func Refused(t testing.TB, err error, words ...string) {
	t.Helper()
	Permanent(t, err, words...)
	if err != nil && connectors.AsError(err).Sent {
		t.Errorf("got %v, which says that the vendor may have acted", err)
	}
}
