package syslog

import (
	"errors"
	"fmt"
	"net"
	"regexp"
	"strconv"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Config is what an operator writes for one receiver. A client certificate and further authorities are in outbound.
type Config struct {
	Host string `yaml:"host"`
	Port int    `yaml:"port"` // default 6514 (RFC 5425)

	// Facility is 0 to 23; default 13, log audit.
	Facility int    `yaml:"facility"`
	Hostname string `yaml:"hostname"` // what messages say they come from; default drawbridge
	AppName  string `yaml:"app_name"` // default drawbridge
	// Enterprise is the private enterprise number behind the @ of our structured data; the default is the number that
	// is set aside for examples.
	Enterprise int `yaml:"enterprise"`
	// MaxBytes of one message. Every receiver takes 2048 and should take 8192 (RFC 5425 section 4.3.1), the default.
	MaxBytes int `yaml:"max_bytes"`
}

// New returns a Config with every default filled in.
func New() connectors.Config {
	return &Config{Port: 6514, Facility: 13, Hostname: "drawbridge", AppName: "drawbridge", Enterprise: 32473, MaxBytes: 8192}
}

// Example is the least an operator writes.
func (c *Config) Example() string { return "host: syslog.example.com\n" }

var (
	hostName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.:-]{0,251}[A-Za-z0-9])?$`)
	printing = regexp.MustCompile(`^[!-~]+$`)
)

// Open checks the settings, reporting every fault at once, and makes no call.
func (c *Config) Open(env connectors.Env) (connectors.Connector, error) {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf("settings."+format, args...)) }
	if !hostName.MatchString(c.Host) {
		fault("host: the name or address of the receiver, without scheme and port")
	}
	if c.Port < 1 || c.Port > 65535 {
		fault("port: from 1 to 65535")
	}
	if c.Facility < 0 || c.Facility > 23 {
		fault("facility: from 0 to 23")
	}
	if !printing.MatchString(c.Hostname) || len(c.Hostname) > 255 {
		fault("hostname: at most 255 printable characters without spaces")
	}
	if !printing.MatchString(c.AppName) || len(c.AppName) > 48 {
		fault("app_name: at most 48 printable characters without spaces")
	}
	if c.Enterprise < 1 {
		fault("enterprise: a private enterprise number")
	}
	if c.MaxBytes < 1024 || c.MaxBytes > 1<<20 {
		fault("max_bytes: from 1024 to 1048576")
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return &sink{config: *c, env: env}, nil
}

func (c *Config) address() string { return net.JoinHostPort(c.Host, strconv.Itoa(c.Port)) }
