package mapping

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// largeEvent is about as large as an event may be, and says the same in two places.
func largeEvent() map[string]any {
	long := strings.Repeat(`a "quoted" line\n`, 60_000)
	return map[string]any{"reason": long, "data": map[string]any{"note": long, "changes": widen(strings.SplitN(long, "l", 100))}}
}

// evalRecord evaluates text as a field of a rule's record, and as one of a sink's own.
func evalRecord(t *testing.T, text string, event map[string]any) [2]error {
	t.Helper()
	record := map[string]any{"event": "${" + text + "}"}
	p, err := Compile(&Rule{Name: "all", On: "apono", When: "true", Send: &Send{At: "logs", Record: record}}, Env{})
	if err != nil {
		t.Fatal(err)
	}
	_, inRule := p.Eval(t.Context(), event)
	s, err := CompileRecord("record", record, Names{"event": {Type: "any"}})
	if err != nil {
		t.Fatal(err)
	}
	_, inSink := s.Eval(t.Context(), map[string]any{"event": event})
	return [2]error{inRule, inSink}
}

func TestARecordMayHoldALargeEvent(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`event.reason`, `event.data`, `event`, `toJSON(event)`, `upper(event.reason)`, `"said: " + event.reason`} {
		for _, err := range evalRecord(t, text, largeEvent()) {
			if err != nil {
				t.Errorf("%s: %v", text, err)
			}
		}
		s, err := CompileSetting("setting", "${"+text+"}", Names{"event": {Type: "any"}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Eval(t.Context(), map[string]any{"event": largeEvent()}); err == nil || !strings.Contains(err.Error(), "64 KiB") {
			t.Errorf("%s outside of records: got %v", text, err)
		}
	}
}

func TestARecordCannotRunAway(t *testing.T) {
	t.Parallel()
	event := largeEvent()
	event["data"] = map[string]any{"list": numbers(20_000), "text": strings.Repeat("x", 1<<20)}
	doubling := `let a0 = 'aaaaaaaa'; `
	for i := range 30 {
		doubling += fmt.Sprintf("let a%d = a%d + a%d; ", i+1, i, i)
	}
	for _, text := range []string{
		doubling + `a30`, `event.data.text + event.data.text + event.data.text + event.data.text + 'x'`, `toJSON(toJSON(toJSON(toJSON(event))))`,
		`replace(event.data.text, 'x', event.data.text)`, `map(event.data.list, event.data.text + 'b')`, `map(1..50000, event.data)`,
		`all(event.data.list, {let a = #; all(event.data.list, a >= 0 or # >= 0)})`, `event.data.text matches 'y'`,
	} {
		start := time.Now()
		for _, err := range evalRecord(t, text, event) {
			if err == nil {
				t.Errorf("%s was not stopped", text)
			}
		}
		if took := time.Since(start); took > 20*time.Second {
			t.Errorf("%s took %s", text, took)
		}
	}
}
