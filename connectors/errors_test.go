package connectors_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

func TestErrorText(t *testing.T) {
	t.Parallel()
	inner := &connectors.Error{Kind: connectors.Permanent, Status: 404, Err: errors.New("find issue: gone")}
	tests := []struct {
		name string
		err  error
		want string
	}{
		{"without a status", &connectors.Error{Err: errors.New("find issue: no answer")}, "find issue: no answer"},
		{"with a status", inner, "find issue: gone (HTTP 404)"},
		{"around another, the status once", &connectors.Error{Status: 404, Err: fmt.Errorf("create: %w", inner)}, "create: find issue: gone (HTTP 404)"},
		{"around another status", &connectors.Error{Status: 500, Err: fmt.Errorf("create: %w", inner)}, "create: find issue: gone (HTTP 404) (HTTP 500)"},
		{"without a cause", &connectors.Error{Kind: connectors.Throttled}, "throttled failure"},
		{"that the vendor was not asked about", connectors.Permanently("field %s is missing", "summary"), "field summary is missing"},
	}
	for _, tt := range tests {
		if got := tt.err.Error(); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestAsError(t *testing.T) {
	t.Parallel()
	if connectors.AsError(nil) != nil {
		t.Error("nothing became an error")
	}
	own := &connectors.Error{Kind: connectors.Throttled, Sent: true, Status: 429, RetryAfter: time.Second, Err: errors.New("too many")}
	if connectors.AsError(own) != own {
		t.Error("an *Error became another")
	}
	wrapped := fmt.Errorf("watch page 2: %w", own)
	got := connectors.AsError(wrapped)
	if got.Kind != own.Kind || !got.Sent || got.Status != 429 || got.RetryAfter != time.Second || got.Error() != wrapped.Error() || !errors.Is(got, own) {
		t.Errorf("got %+v", got)
	}
	other := errors.New("other")
	if got := connectors.AsError(other); got.Kind != connectors.Temporary || !got.Sent || !errors.Is(got, other) {
		t.Errorf("got %+v", got)
	}
}

func TestKindString(t *testing.T) {
	t.Parallel()
	for kind, want := range map[connectors.Kind]string{
		connectors.Temporary: "temporary", connectors.Throttled: "throttled", connectors.Permanent: "permanent", connectors.Unwell: "unwell",
	} {
		if got := kind.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestWhatFailsAloneDoesNotSpeakForTheNextCall(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		err  connectors.Error
		want bool
	}{
		{"refused", connectors.Error{Kind: connectors.Permanent, Status: 403}, true},
		{"answered with an error inside", connectors.Error{Kind: connectors.Temporary, Status: 500}, true},
		{"no answer", connectors.Error{Kind: connectors.Temporary}, false},
		{"told to wait", connectors.Error{Kind: connectors.Throttled, Status: 503}, false},
		{"turned away", connectors.Error{Kind: connectors.Unwell, Status: 401}, false},
	} {
		if got := tt.err.Alone(); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
}
