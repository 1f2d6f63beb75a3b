package gateway

import "testing"

func TestWhatAPageShowsOfARequest(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name         string
		data         map[string]any
		host, length string
	}{
		{"an application at EPM", map[string]any{"Hostname": "PC-7", "ComputerId": "7"}, "PC-7", ""},
		{"rights at EPM, whose unit is not documented", map[string]any{"ComputerId": "PC-9", "DurationRequested": 7200.0}, "PC-9", "7200"},
		{"access at Apono", map[string]any{"access_duration_in_seconds": 5400.0}, "", "1h30m"},
		{"more than a length can be", map[string]any{"access_duration_in_seconds": 1e300}, "", ""},
		{"something else", map[string]any{"host": []any{"a"}, "resource": "db\n\u202e1", "duration": "2 hours"}, "db 1", "2 hours"},
		{"nothing", nil, "", ""},
	} {
		if h, l := host(test.data), length(test.data); h != test.host || l != test.length {
			t.Errorf("%s: %q for %q, want %q for %q", test.name, h, l, test.host, test.length)
		}
	}
}
