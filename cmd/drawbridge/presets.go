package main

import (
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/builtin"
	"github.com/drawbridge-itsm/drawbridge/connectors/preset"
)

// presetSettings say where presets of an operator's own are.
type presetSettings struct {
	Presets string `env:"DRAWBRIDGE_PRESETS" placeholder:"DIR" help:"Directory of presets, besides those of the program or in their place."`
}

// vendors returns the connectors there are: the program's own and the presets of the directory.
func (p presetSettings) vendors() (map[string]func() connectors.Config, error) {
	all := builtin.Vendors()
	if p.Presets == "" {
		return all, nil
	}
	if _, err := os.ReadDir(p.Presets); err != nil {
		return nil, fmt.Errorf("read presets: %w", err)
	}
	found, err := preset.VendorsIn(os.DirFS(p.Presets))
	if err != nil {
		return nil, fmt.Errorf("presets in %s:\n%w", p.Presets, err)
	}
	shipped := preset.Vendors()
	for _, name := range slices.Sorted(maps.Keys(found)) {
		if all[name] != nil && shipped[name] == nil {
			return nil, fmt.Errorf("%s/%s.yaml: the name is that of a connector which is no preset", p.Presets, name)
		}
	}
	maps.Copy(all, found)
	return all, nil
}
