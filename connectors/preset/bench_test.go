package preset

import (
	"testing"

	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
)

// BenchmarkFrame makes requests of a thousand records from memory and sends none.
func BenchmarkFrame(b *testing.B) {
	for _, name := range []string{"datadog", "grafana-loki", "logzio", "new-relic", "pagerduty-events", "sentinel", "splunk-hec"} {
		b.Run(name, func(b *testing.B) {
			p := shipped(b, name)
			c, err := open(b, p, settings(b, p, "https://127.0.0.1"))
			connectortest.Must(b, err)
			s, rs := sinkOf(c), records(1000)
			bytes := 0
			for b.Loop() {
				var all []piece
				for i := range rs {
					list, err := s.pieces(b.Context(), i, &rs[i], s.names(&rs[i]))
					connectortest.Must(b, err)
					all = append(all, list...)
				}
				for _, chunk := range s.chunks(b.Context(), all) {
					body, err := s.frame(b.Context(), chunk)
					connectortest.Must(b, err)
					if s.gzip {
						body = packed(body)
					}
					bytes += len(body)
				}
			}
			b.ReportMetric(float64(b.N*len(rs))/b.Elapsed().Seconds(), "records/s")
			b.ReportMetric(0, "ns/op")
		})
	}
}
