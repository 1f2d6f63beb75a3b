package gateway

import (
	"context"
	"fmt"
	"log/slog"
	"slices"

	"github.com/goccy/go-yaml/parser"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// VendorView is what a vendor's connector can do, with the settings its example has.
type VendorView struct {
	Name       string              `json:"name"`
	Can        []string            `json:"can"`
	Kinds      []string            `json:"kinds,omitempty"` // of events it sends
	Unverified []string            `json:"unverified,omitempty"`
	Notices    []string            `json:"notices,omitempty"` // what an operator should know before
	Example    string              `json:"example"`
	Samples    []connectors.Sample `json:"-"`
}

// ListVendors tells what the connectors there are can do, by name. Nobody is called.
func (o Offline) ListVendors(ctx context.Context) ([]VendorView, error) {
	views := make([]VendorView, 0, len(o.Vendors))
	for _, name := range sortedKeys(o.Vendors) {
		v, err := o.vendor(ctx, name)
		if err != nil {
			return nil, fmt.Errorf("open the example of %s: %w", name, err)
		}
		views = append(views, v)
	}
	return views, nil
}

func (o Offline) vendor(ctx context.Context, name string) (VendorView, error) {
	config := o.Vendors[name]()
	v := VendorView{Name: name, Can: []string{}, Example: connectors.Example(config)}
	file, err := parser.ParseBytes([]byte(v.Example), 0)
	if err != nil {
		return v, err
	}
	for _, d := range file.Docs {
		if d.Body != nil {
			if err := decode(ctx, d.Body, config); err != nil {
				return v, err
			}
		}
	}
	client, err := connectors.NewClient(connectors.Outbound{}, o.Vault, o.Now)
	if err != nil {
		return v, err
	}
	c, err := config.Open(connectors.Env{Name: name, Client: client, Log: slog.New(slog.DiscardHandler), Now: o.Now})
	if err != nil {
		return v, err
	}
	for _, t := range connectors.Emits(c) {
		v.Kinds = append(v.Kinds, t.Kind)
	}
	v.Can = append(v.Can, connectors.Capabilities(c)...)
	v.Unverified, v.Notices, v.Samples = connectors.Unverified(c), connectors.Notices(c), connectors.Samples(c)
	if text := connectors.Ends(config); text != "" && !slices.Contains(v.Notices, text) {
		v.Notices = append([]string{text}, v.Notices...)
	}
	return v, nil
}
