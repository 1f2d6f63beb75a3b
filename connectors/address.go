package connectors

import (
	"net/netip"
	"net/url"
	"strings"
)

// AddressFault tells what is wrong with an address that credentials are sent to, to be shown after the setting's name,
// or nothing. It holds a scheme, a host and maybe a path, and is https; plain http is left for loopback, where stand-ins
// live.
func AddressFault(text string) string {
	u, err := url.Parse(text)
	switch {
	case text == "":
		return "is missing"
	case err != nil || u.Host == "":
		return "is not a URL"
	case more(u):
		return "holds more than scheme, host and path"
	case u.Scheme == "https", u.Scheme == "http" && Loopback(u.Hostname()):
		return ""
	default:
		return "must be https"
	}
}

// SiteFault is AddressFault for vendors whose paths are their own: the address ends after the host.
func SiteFault(text string) string {
	if u, err := url.Parse(text); err == nil && u.Host != "" && (more(u) || u.Path != "") {
		return "holds more than scheme and host"
	}
	return AddressFault(text)
}

// more tells whether an address says what belongs to a single call.
func more(u *url.URL) bool {
	return u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != ""
}

// Loopback tells whether a host is this machine by its name or number.
func Loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// Climbs tells whether the path of a URL has a step upwards, or on the spot. Some servers undo escapes before they look
// for steps, so those in a value count too.
func Climbs(u *url.URL) bool {
	plain, err := url.PathUnescape(u.EscapedPath())
	if err != nil {
		return true
	}
	for part := range strings.FieldsFuncSeq(plain, func(r rune) bool { return r == '/' || r == '\\' }) {
		if part == "." || part == ".." {
			return true
		}
	}
	return false
}
