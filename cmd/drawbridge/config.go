package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"github.com/alecthomas/kong"
	"github.com/goccy/go-yaml"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/gateway/audit"
	"github.com/drawbridge-itsm/drawbridge/gateway/signin"
	"github.com/drawbridge-itsm/drawbridge/mapping"
	"github.com/drawbridge-itsm/drawbridge/store"
)

// Database settings are shared by every command that opens the database. Each setting is a flag, an environment
// variable or a line of the configuration file, in this order of precedence.
type databaseSettings struct {
	Config    configFile `name:"config" env:"DRAWBRIDGE_CONFIG" placeholder:"FILE" help:"YAML file with settings, named as the flags are."`
	Database  string     `env:"DRAWBRIDGE_DATABASE" default:"sqlite:drawbridge.db" help:"sqlite:PATH or postgres://USER@HOST/NAME."`
	Secrets   string     `env:"DRAWBRIDGE_SECRETS" placeholder:"DIR" help:"Directory for secrets given as {file: NAME}."`
	KeyFile   string     `env:"DRAWBRIDGE_KEY_FILE" placeholder:"FILE" help:"Keys that seal secrets given as {value: ...}; beside an SQLite database it is made when missing."`
	RecordKey string     `env:"DRAWBRIDGE_RECORD_KEY" placeholder:"BASE64" help:"Public key the record must be signed with, as audit key prints it; beside an SQLite database it is noted."`
	presetSettings
	LogLevel string `env:"DRAWBRIDGE_LOG_LEVEL" default:"info" enum:"debug,info,warn,error" help:"debug, info, warn or error."`
}

// serverSettings are what only a server needs.
type serverSettings struct {
	Listen       string         `env:"DRAWBRIDGE_LISTEN" default:"127.0.0.1:8480" help:"Address to listen on."`
	TLSCert      string         `env:"DRAWBRIDGE_TLS_CERT" placeholder:"FILE" help:"PEM certificate chain; read again when it changes."`
	TLSKey       string         `env:"DRAWBRIDGE_TLS_KEY" placeholder:"FILE" help:"PEM private key."`
	ClientCA     string         `env:"DRAWBRIDGE_CLIENT_CA" placeholder:"FILE" help:"PEM authorities of client certificates; read again when it changes."`
	TrustedProxy []netip.Prefix `env:"DRAWBRIDGE_TRUSTED_PROXY" placeholder:"CIDR" help:"Networks of proxies whose X-Forwarded-For and client certificates are believed."`
	peopleSettings
}

// peopleSettings say where people reach the server, and where they sign in.
type peopleSettings struct {
	BaseURL string `env:"DRAWBRIDGE_BASE_URL" placeholder:"URL" help:"How people and vendors reach this server: https://HOST, without a path."`

	OIDCIssuer       string `name:"oidc-issuer" env:"DRAWBRIDGE_OIDC_ISSUER" placeholder:"URL" help:"Identity provider where people sign in who answer by a link."`
	OIDCClientID     string `name:"oidc-client-id" env:"DRAWBRIDGE_OIDC_CLIENT_ID" placeholder:"ID" help:"This server's client there; its redirect address is the base URL followed by /auth/callback."`
	OIDCClientSecret string `name:"oidc-client-secret" env:"DRAWBRIDGE_OIDC_CLIENT_SECRET" placeholder:"SECRET" help:"That client's secret, or file:NAME for a file of --secrets."`
	OIDCAnyMail      bool   `name:"oidc-any-mail" env:"DRAWBRIDGE_OIDC_ANY_MAIL" help:"Believe mail addresses of which the provider does not say that they are verified."`
}

// baseFault tells why links cannot be made below the base URL. Plain http is left for networks of one's own, where nobody
// signs in.
func (s peopleSettings) baseFault() error {
	if s.BaseURL == "" {
		return nil
	}
	address := strings.TrimSuffix(s.BaseURL, "/")
	if rest, ok := strings.CutPrefix(address, "http://"); ok {
		address = "https://" + rest
	}
	if text := connectors.SiteFault(address); text != "" {
		return fmt.Errorf("--base-url %s: it is http or https and a host, as in https://bridge.example.com", text)
	}
	return nil
}

// signIn is where people sign in; nil where no identity provider is set up.
func (s peopleSettings) signIn(db *store.Store, vault *connectors.Vault) (*signin.Provider, error) {
	if err := s.baseFault(); err != nil {
		return nil, err
	}
	if s.OIDCIssuer == "" {
		if s.OIDCClientID != "" || s.OIDCClientSecret != "" || s.OIDCAnyMail {
			return nil, errors.New("--oidc-issuer is missing, but other settings of an identity provider are there")
		}
		return nil, nil
	}
	secret := connectors.Secret{}
	if name, ok := strings.CutPrefix(s.OIDCClientSecret, "file:"); ok {
		secret = connectors.SecretFile(name)
	} else if s.OIDCClientSecret != "" {
		secret = connectors.SecretValue(s.OIDCClientSecret)
	}
	return signin.New(signin.Options{
		Issuer: s.OIDCIssuer, ClientID: s.OIDCClientID, Secret: secret, BaseURL: s.BaseURL, AnyMail: s.OIDCAnyMail, Store: db, Vault: vault,
	})
}

// configFile is a kong flag that reads the file it names and offers its lines as values of the flags.
type configFile string

// BeforeResolve reads the file before kong looks for the values of flags that were not given.
func (c configFile) BeforeResolve(k *kong.Kong, parsed *kong.Context, trace *kong.Path) error {
	name := string(parsed.FlagValue(trace.Flag).(configFile))
	if name == "" {
		return nil
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("read configuration: %w", err)
	}
	values, err := readConfig(text)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	parsed.AddResolver(kong.ResolverFunc(func(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
		// Kong asks resolvers also where the environment has a value, and would prefer theirs.
		for _, env := range flag.Envs {
			if _, set := os.LookupEnv(env); set {
				return nil, nil
			}
		}
		return values[flag.Name], nil
	}))
	return nil
}

// fileSettings are the lines a configuration file may have. All are known here, so that a misspelt one is an error
// with its place and not a setting silently ignored.
type fileSettings struct {
	Database     string   `yaml:"database"`
	Secrets      string   `yaml:"secrets"`
	KeyFile      string   `yaml:"key-file"`
	RecordKey    string   `yaml:"record-key"`
	Presets      string   `yaml:"presets"`
	LogLevel     string   `yaml:"log-level"`
	Listen       string   `yaml:"listen"`
	BaseURL      string   `yaml:"base-url"`
	TLSCert      string   `yaml:"tls-cert"`
	TLSKey       string   `yaml:"tls-key"`
	ClientCA     string   `yaml:"client-ca"`
	TrustedProxy []string `yaml:"trusted-proxy"`

	OIDCIssuer       string `yaml:"oidc-issuer"`
	OIDCClientID     string `yaml:"oidc-client-id"`
	OIDCClientSecret string `yaml:"oidc-client-secret"`
	OIDCAnyMail      bool   `yaml:"oidc-any-mail"`
}

func readConfig(text []byte) (map[string]any, error) {
	var f fileSettings
	if err := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict()).Decode(&f); err != nil && !errors.Is(err, io.EOF) {
		return nil, mapping.InWords(err) // shows no line: the database's address may hold a password
	}
	values := map[string]any{}
	v := reflect.ValueOf(f)
	for i := range v.NumField() {
		name := v.Type().Field(i).Tag.Get("yaml")
		switch field := v.Field(i).Interface().(type) {
		case string:
			if field != "" {
				values[name] = field
			}
		case bool:
			if field {
				values[name] = "true"
			}
		case []string:
			if len(field) > 0 {
				values[name] = strings.Join(field, ",")
			}
		}
	}
	return values, nil
}

func (d databaseSettings) logger(w io.Writer) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(d.LogLevel)) // kong has checked it
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level}))
}

// create opens the database and makes the SQLite file where there is none, readable by nobody else.
func (d databaseSettings) create(ctx context.Context, log *slog.Logger) (*store.Store, error) {
	if path, ok := strings.CutPrefix(d.Database, "sqlite:"); ok && path != "" {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return nil, fmt.Errorf("open database: %w", err)
		}
		if err := f.Close(); err != nil {
			return nil, fmt.Errorf("open database: %w", err)
		}
	}
	return store.Open(ctx, d.Database, store.Options{Log: log, Now: time.Now})
}

// open opens a database that is there and has the schema this program works on.
func (d databaseSettings) open(ctx context.Context, log *slog.Logger) (*store.Store, error) {
	if path, ok := strings.CutPrefix(d.Database, "sqlite:"); ok {
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("there is no database %s; --database names another, drawbridge migrate makes this one", path)
		}
	}
	db, err := store.Open(ctx, d.Database, store.Options{Log: log, Now: time.Now})
	if err != nil {
		return nil, err
	}
	if err := db.CheckSchema(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// vault opens the keys. On SQLite the key file stands beside the database and is made when missing; with PostgreSQL
// it must be given, because all replicas need the same.
func (d databaseSettings) vault() (*connectors.Vault, error) {
	signer, err := d.signer()
	if err != nil {
		return nil, err
	}
	v := &connectors.Vault{Dir: d.Secrets, Getenv: os.Getenv, Signer: signer}
	name, make := d.KeyFile, false
	if path, ok := strings.CutPrefix(d.Database, "sqlite:"); ok && name == "" {
		name, make = strings.TrimSuffix(path, filepath.Ext(path))+".key", true
	}
	if name == "" {
		return v, nil
	}
	text, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) && make {
		text, err = newKeyFile(name)
	}
	if err != nil {
		return nil, fmt.Errorf("read key file: %w", err)
	}
	v.Keys, v.Current, err = readKeys(text)
	if err != nil {
		return nil, fmt.Errorf("key file %s: %w", name, err)
	}
	return v, nil
}

// noted is the file beside an SQLite database that holds the public key its record is signed with; empty for another.
func (d databaseSettings) noted() string {
	path, ok := strings.CutPrefix(d.Database, "sqlite:")
	if !ok {
		return ""
	}
	return strings.TrimSuffix(path, filepath.Ext(path)) + ".pub"
}

// signer is the public key that must have signed the record, as far as it is known apart from the database.
func (d databaseSettings) signer() (string, error) {
	text, from := d.RecordKey, "--record-key"
	if text == "" && d.noted() != "" {
		stored, err := os.ReadFile(d.noted())
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return "", fmt.Errorf("read public key of the record: %w", err)
		}
		text, from = strings.TrimSpace(string(stored)), d.noted()
	}
	if text == "" {
		return "", nil
	}
	key, err := audit.ParseKey(text)
	if err != nil {
		return "", fmt.Errorf("%s: %w", from, err)
	}
	return audit.FormatKey(key), nil
}

// noteSigner has the record's signing key made where there is none yet, and its public key noted beside an SQLite
// database, so that nobody can put another key, or none, in its place by changing the database.
func (d databaseSettings) noteSigner(ctx context.Context, db *store.Store, vault *connectors.Vault) error {
	var key ed25519.PrivateKey
	err := db.InTx(ctx, func(tx *store.Tx) (err error) {
		key, err = audit.OpenKey(ctx, tx, vault)
		return err
	})
	switch {
	case errors.Is(err, audit.ErrExchanged) && d.RecordKey == "":
		return fmt.Errorf("%w; where this is meant to be a new database, remove %s", err, d.noted())
	case errors.Is(err, audit.ErrLocked):
		return nil // the sealer says so as long as it lasts
	case err != nil || key == nil || vault.Signer != "" || d.noted() == "":
		return err
	}
	vault.Signer = audit.FormatKey(key.Public().(ed25519.PublicKey))
	if err := os.WriteFile(d.noted(), []byte(vault.Signer+"\n"), 0o644); err != nil {
		return fmt.Errorf("note public key of the record: %w", err)
	}
	return nil
}

// readKeys reads lines of "ID BASE64"; the last one seals, the others only open.
func readKeys(text []byte) (map[string][]byte, string, error) {
	keys, current := map[string][]byte{}, ""
	for i, line := range strings.Split(string(text), "\n") {
		fields := strings.Fields(line)
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		if len(fields) != 2 {
			return nil, "", fmt.Errorf("line %d: an id and 32 bytes as base64 are wanted", i+1)
		}
		key, err := base64.StdEncoding.DecodeString(fields[1])
		if err != nil || len(key) != 32 {
			return nil, "", fmt.Errorf("line %d: the key is not 32 bytes as base64", i+1)
		}
		current = fields[0]
		keys[current] = key
	}
	if current == "" {
		return nil, "", errors.New("it holds no key")
	}
	return keys, current, nil
}

func newKeyFile(name string) ([]byte, error) {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails since Go 1.24
	text := []byte("# Seals the secrets stored in the database. Keep a copy apart from the database's backups.\nk1 " + base64.StdEncoding.EncodeToString(key) + "\n")
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, os.ErrExist) {
		return os.ReadFile(name) // another command was faster
	}
	if err != nil {
		return nil, err
	}
	if _, err := f.Write(text); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return text, f.Close()
}
