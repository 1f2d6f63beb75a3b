package connectors

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"code.dny.dev/ssrf"
)

// Outbound is how a connection reaches its vendor.
type Outbound struct {
	Timeout       time.Duration     `yaml:"timeout"`        // of one call, its answer included; default 20s
	Headers       map[string]Secret `yaml:"headers"`        // added to every call
	Proxy         string            `yaml:"proxy"`          // URL of a proxy: http, https or socks5; without credentials
	ProxyUser     string            `yaml:"proxy_user"`     //
	ProxyPassword Secret            `yaml:"proxy_password"` //
	CA            string            `yaml:"ca"`             // PEM file with further certificate authorities
	Cert          string            `yaml:"cert"`           // PEM files of a client certificate, read again when it is asked for
	Key           string            `yaml:"key"`            //
	AllowHosts    []string          `yaml:"allow_hosts"`    // hosts that may resolve to private or loopback addresses
	MaxResponse   int64             `yaml:"max_response"`   // bytes, unpacked; default 8 MiB
}

const (
	defaultTimeout     = 20 * time.Second
	defaultMaxResponse = 8 << 20
	connectTimeout     = 5 * time.Second
)

// Validate reports every fault of o at once, each with its path. It reads the files o names and makes no call.
func (o Outbound) Validate() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf("outbound."+format, args...)) }
	if o.Timeout < 0 {
		fault("timeout is negative")
	}
	if o.MaxResponse < 0 {
		fault("max_response is negative")
	}
	for _, name := range slices.Sorted(maps.Keys(o.Headers)) {
		switch {
		case !validHeaderName(name):
			fault("headers: %q is no name of a header", name)
		case slices.Contains(ownHeaders, http.CanonicalHeaderKey(name)):
			fault("headers: %s is set by the exchange itself", name)
		case o.Headers[name].IsZero():
			fault("headers: %s has no secret", name)
		}
	}
	if _, err := o.proxy(); err != nil {
		faults = append(faults, err)
	}
	if _, err := o.authorities(); err != nil {
		faults = append(faults, err)
	}
	if _, err := o.certificate(); err != nil {
		faults = append(faults, err)
	}
	for _, host := range o.AllowHosts {
		if host == "" || strings.ContainsAny(host, "/ @*") || (strings.Contains(host, ":") && !isAddress(host)) {
			fault("allow_hosts: %q is no name of a host; write it without scheme, port and path", host)
		}
	}
	return errors.Join(faults...)
}

// ownHeaders describe the exchange, not the vendor. Accept-Encoding is among them because the limit on answers counts
// unpacked bytes, which needs the transport to unpack them.
var ownHeaders = []string{
	"Accept-Encoding", "Connection", "Content-Encoding", "Content-Length", "Expect", "Host", "Keep-Alive",
	"Proxy-Authorization", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
}

// proxy returns the proxy's URL, nil without one.
func (o Outbound) proxy() (*url.URL, error) {
	if o.Proxy == "" {
		if o.ProxyUser != "" || !o.ProxyPassword.IsZero() {
			return nil, errors.New("outbound.proxy is missing, but proxy_user or proxy_password is set")
		}
		return nil, nil
	}
	u, err := url.Parse(o.Proxy)
	if err != nil || u.Hostname() == "" || !slices.Contains([]string{"http", "https", "socks5"}, u.Scheme) {
		return nil, errors.New("outbound.proxy is not an http, https or socks5 URL")
	}
	if u.User != nil {
		return nil, errors.New("outbound.proxy holds credentials; they belong into proxy_user and proxy_password")
	}
	return u, nil
}

// authorities returns the system's certificate authorities with ours added, nil for the system's alone.
func (o Outbound) authorities() (*x509.CertPool, error) {
	if o.CA == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(o.CA)
	if err != nil {
		return nil, fmt.Errorf("outbound.ca: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("outbound.ca: %s holds no certificate", o.CA)
	}
	return pool, nil
}

// certificate reads the client certificate, nil without one.
func (o Outbound) certificate() (*tls.Certificate, error) {
	if o.Cert == "" && o.Key == "" {
		return nil, nil
	}
	if o.Cert == "" || o.Key == "" {
		return nil, errors.New("outbound.cert and outbound.key belong together")
	}
	cert, err := tls.LoadX509KeyPair(o.Cert, o.Key)
	if err != nil {
		return nil, fmt.Errorf("outbound.cert: %w", err)
	}
	return &cert, nil
}

// newTransport builds the transport of a validated o. Addresses are checked as they are dialled, after the look-up.
func newTransport(o Outbound, vault *Vault, reach *reach) (*http.Transport, error) {
	pool, err := o.authorities()
	if err != nil {
		return nil, err
	}
	proxy, err := o.proxy()
	if err != nil {
		return nil, err
	}
	t := &http.Transport{
		DialContext:            reach.dial,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool},
		TLSHandshakeTimeout:    connectTimeout,
		MaxIdleConnsPerHost:    32,
		IdleConnTimeout:        60 * time.Second,
		ForceAttemptHTTP2:      true,
		MaxResponseHeaderBytes: 64 << 10,
	}
	if o.Cert != "" {
		t.TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return o.certificate()
		}
	}
	if proxy != nil {
		t.Proxy = func(*http.Request) (*url.URL, error) {
			if o.ProxyUser == "" {
				return proxy, nil
			}
			password, err := vault.Reveal(o.ProxyPassword)
			if err != nil {
				return nil, fmt.Errorf("outbound.proxy_password: %w", err)
			}
			known := *proxy
			known.User = url.UserPassword(o.ProxyUser, password)
			return &known, nil
		}
		// In place of the transport's own error, which is the proxy's text.
		t.OnProxyConnectResponse = func(_ context.Context, _ *url.URL, _ *http.Request, resp *http.Response) error {
			if resp.StatusCode != http.StatusOK {
				return fmt.Errorf("the proxy refused the connection (HTTP %d)", resp.StatusCode)
			}
			return nil
		}
	}
	return t, nil
}

// reach decides which addresses may be connected to.
type reach struct {
	allowed map[string]bool // hosts, as hostName writes them
	proxy   string          // the proxy's host; empty: none
	lookup  func(ctx context.Context, network, host string) ([]netip.Addr, error)
}

func newReach(o Outbound) (*reach, error) {
	r := &reach{allowed: map[string]bool{}, lookup: net.DefaultResolver.LookupNetIP}
	for _, host := range o.AllowHosts {
		r.allowed[hostName(host)] = true
	}
	proxy, err := o.proxy()
	if proxy != nil {
		r.proxy = hostName(proxy.Hostname())
	}
	return r, err
}

var (
	publicOnly = ssrf.New(ssrf.WithAnyPort())
	// withPrivate still refuses link-local addresses, where clouds keep their metadata: an allowed name that comes to
	// point there was not meant.
	withPrivate = ssrf.New(ssrf.WithAnyPort(),
		ssrf.WithAllowedV4Prefixes(prefixes("10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")...),
		ssrf.WithAllowedV6Prefixes(prefixes("::1/128", "fc00::/7")...))
)

func prefixes(texts ...string) []netip.Prefix {
	var list []netip.Prefix
	for _, text := range texts {
		list = append(list, netip.MustParsePrefix(text))
	}
	return list
}

// dial connects to addr where its host may be reached.
func (r *reach) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	d := &net.Dialer{Timeout: connectTimeout, Control: r.control(hostName(host))}
	return d.DialContext(ctx, network, addr)
}

func (r *reach) control(host string) func(network, address string, c syscall.RawConn) error {
	switch {
	case host == r.proxy, r.allowed[host] && isAddress(host):
		return nil // named by the operator, to the letter
	case r.allowed[host]:
		return withPrivate.Safe
	default:
		return publicOnly.Safe
	}
}

// checkBehindProxy refuses a private target before a proxy is asked for it. The proxy looks the name up again and has
// the last word; what it may reach inside its own network is its own matter.
func (r *reach) checkBehindProxy(ctx context.Context, host string) error {
	host = hostName(host)
	if r.proxy == "" || r.allowed[host] {
		return nil
	}
	addrs, err := []netip.Addr(nil), error(nil)
	if addr, bad := netip.ParseAddr(host); bad == nil {
		addrs = []netip.Addr{addr}
	} else if addrs, err = r.lookup(ctx, "ip", host); err != nil || len(addrs) == 0 {
		if ctx.Err() != nil {
			return plain(ctx.Err(), false)
		}
		return errors.New("the host cannot be looked up here, which is done before the proxy is asked; name it in outbound.allow_hosts if only the proxy knows it")
	}
	for _, addr := range addrs {
		if err := publicOnly.SafeAddr(addr.Unmap()); err != nil {
			return errPrivate
		}
	}
	return nil
}

var errPrivate = errors.New("the host resolves to a private address; name it in outbound.allow_hosts if that is meant")

// hostName writes a host in the one way hosts are compared.
func hostName(host string) string {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	return strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
}

func isAddress(host string) bool {
	_, err := netip.ParseAddr(hostName(host))
	return err == nil
}
