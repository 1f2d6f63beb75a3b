package builtin_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/builtin"
)

// BenchmarkNormalise compares reading each sample of each source with json.Unmarshal of the same bytes, by turns.
func BenchmarkNormalise(b *testing.B) {
	for vendor := range builtin.Vendors() {
		c := open(b, vendor)
		receiver, receives := connectors.AsReceiver(c)
		if !receives || len(connectors.Emits(c)) == 0 {
			continue
		}
		for _, s := range connectors.Samples(c) {
			if !json.Valid(s.Body) {
				continue // there is nothing to compare it with
			}
			b.Run(vendor+"/"+s.Name, func(b *testing.B) {
				r := sent(vendor, s)
				var ratios []float64
				for b.Loop() {
					start := time.Now()
					for range 20 {
						if _, err := receiver.Receive(b.Context(), r); err != nil {
							b.Fatal(err)
						}
					}
					between := time.Now()
					for range 20 {
						var v any
						if err := json.Unmarshal(s.Body, &v); err != nil {
							b.Fatal(err)
						}
					}
					ratios = append(ratios, between.Sub(start).Seconds()/time.Since(between).Seconds())
				}
				slices.Sort(ratios)
				b.ReportMetric(ratios[len(ratios)/2], "x-unmarshal")
			})
		}
	}
}
