package connectors

import "testing"

func TestAddressesThatCredentialsGoToAreSafe(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ text, address, site string }{
		{"", "is missing", "is missing"},
		{"https://desk.example.com", "", ""},
		{"https://desk.example.com:8443", "", ""},
		{"https://desk.example.com/desk", "", "holds more than scheme and host"},
		{"http://127.0.0.1:8080", "", ""},
		{"http://[::1]:8080", "", ""},
		{"http://localhost", "", ""},
		{"http://desk.example.com", "must be https", "must be https"},
		{"http://localhost.example.com", "must be https", "must be https"},
		{"http://127.0.0.1.example.com", "must be https", "must be https"},
		{"ftp://localhost", "must be https", "must be https"},
		{"https://", "is not a URL", "is not a URL"},
		{"desk.example.com", "is not a URL", "is not a URL"},
		{"https://a b", "is not a URL", "is not a URL"},
		{"https://user:word@desk.example.com", "holds more than scheme, host and path", "holds more than scheme and host"},
		{"https://desk.example.com?key=1", "holds more than scheme, host and path", "holds more than scheme and host"},
		{"https://desk.example.com?", "holds more than scheme, host and path", "holds more than scheme and host"},
		{"https://desk.example.com#top", "holds more than scheme, host and path", "holds more than scheme and host"},
	} {
		if got := AddressFault(tc.text); got != tc.address {
			t.Errorf("AddressFault(%q) = %q, want %q", tc.text, got, tc.address)
		}
		if got := SiteFault(tc.text); got != tc.site {
			t.Errorf("SiteFault(%q) = %q, want %q", tc.text, got, tc.site)
		}
	}
}
