package mapping

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// numbers is a list an attacker may put into an event.
func numbers(n int) []any {
	out := make([]any, n)
	for i := range out {
		out[i] = float64(i)
	}
	return out
}

func attackEvent() map[string]any {
	return map[string]any{"event": map[string]any{
		"list": numbers(2000), "long": numbers(200_000),
		"text": strings.Repeat("a", 1<<20), "quoted": strings.Repeat(`"`, 30_000),
		"secret": "hunter2", "dollar": "$",
	}}
}

// mustStop runs an attack and fails unless it is refused, soon, in words that show nothing of the event.
func mustStop(t *testing.T, text string) string {
	t.Helper()
	start := time.Now()
	got, err := evaluate(t, t.Context(), text, attackEvent())
	if err == nil {
		t.Fatalf("got %.80v, want an error", got)
	}
	// Work is what is limited; the time is for slow machines.
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("took %s", took)
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the error shows the event: %v", err)
	}
	return err.Error()
}

func TestLoopsAreStopped(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`all(event.list, {let a = #; all(event.list, a >= 0 or # >= 0)})`,
		`count(event.long, {let a = #; count(event.long, # == a)})`,
		`sum(map(event.list, sum(event.list) + sum(event.list)))`,
		`all(1..90000, all(1..90000, true))`,
		`all(event.list, {let x = sort(event.long); true})`,
		`all(event.list, event.long == event.long)`,
		`all(event.list, "x" not in event.long)`,
		`all(event.list, max(event.long) > 0)`,
		`all(event.list, len(uniq(event.long)) > 0)`,
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			mustStop(t, text)
		})
	}
}

func TestDeepLoopsAreRefused(t *testing.T) {
	t.Parallel()
	got := mustStop(t, `all(event.list, all(event.list, all(event.list, true)))`)
	if !strings.Contains(got, "loops stand more than 2 deep") {
		t.Errorf("got %q", got)
	}
}

func TestEvaluationEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := evaluate(t, ctx, `1 + 1`, nil)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
}

func TestTextsCannotGrow(t *testing.T) {
	t.Parallel()
	doubling := "let a0 = \"aaaaaaaa\"; "
	for i := range 30 {
		doubling += fmt.Sprintf("let a%d = a%d + a%d; ", i+1, i, i)
	}
	for name, text := range map[string]string{
		"typed":     doubling + "a30",
		"any":       strings.ReplaceAll(doubling, `"aaaaaaaa"`, `(event.missing ?? "aaaaaaaa")`) + "len(a30)",
		"upper":     `len(upper(event.text))`,
		"replace":   `let s = truncate(event.text, 60000); len(replace(s, "", s))`,
		"join":      `let s = truncate(event.text, 60000); len(join(split(s, ""), s))`,
		"many":      `let s = truncate(event.text, 60000); len(map(1..5000, s + "b"))`,
		"split":     `len(map(1..5000, split(event.text, "")))`,
		"json":      `let s = truncate(event.text, 60000); len(toJSON(map(1..5000, s)))`,
		"string":    `let s = truncate(event.text, 60000); len(string(map(1..5000, s)))`,
		"escapes":   `toJSON(toJSON(toJSON(event.quoted)))`,
		"fromJSON":  `len(map(1..5000, fromJSON("[[],[],[],[],[],[],[],[],[],[],[],[],[],[]]")))`,
		"result":    `[truncate(event.text, 60000), truncate(event.text, 60000)]`,
		"markdown":  `code(event.text)`,
		"quotation": `quote(event.text)`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mustStop(t, text)
		})
	}
}

func TestListsCannotGrow(t *testing.T) {
	t.Parallel()
	doubling := "let a0 = [1, 2]; "
	for i := range 40 {
		doubling += fmt.Sprintf("let a%d = [a%d, a%d]; ", i+1, i, i)
	}
	for name, text := range map[string]string{
		"range":    `1..9000000000000`,
		"nested":   `map(1..1000, 1..1000)`,
		"flatten":  `len(flatten(map(1..1000, event.long)))`,
		"concat":   `len(concat(` + strings.Repeat("event.long, ", 100) + `[1]))`,
		"doubling": strings.TrimSuffix(doubling, " ") + ` a40`,
		"compared": doubling + strings.ReplaceAll(doubling, "a", "b") + ` a40 == b40`,
		"written":  doubling + ` toJSON(a40)`,
		"reversed": `len(map(1..1000, reverse(event.long)))`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mustStop(t, text)
		})
	}
}

func TestHugeSourcesAreRefusedBeforeParsing(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"brackets":   strings.Repeat("(", 5_000_000),
		"lists":      strings.Repeat("[", 5_000_000),
		"signs":      strings.Repeat("-", 5_000_000) + "1",
		"nodes":      "1" + strings.Repeat("+1", 1500),
		"within 4 K": strings.Repeat("(", 4000),
		"not":        strings.Repeat("not ", 1000) + "true",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mustStop(t, text)
		})
	}
}

func TestPatternsAreWrittenOutAndCheap(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`event.text matches event.secret`,
		`event.text matches "a" + event.secret`,
		`event.text matches "(a{100}){100}"`,
		`event.text matches "((a{30}){30}){30}"`,
		`event.text matches "("`,
		`event.text matches "a"`, // the text is too long
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			mustStop(t, text)
		})
	}
}

func TestNothingUnrepeatableIsReachable(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`now()`, `date("2026-01-05", "2006-01-02", "Local")`, `timezone("Local")`, `now().Unix()`,
		`toPairs(event)`, `groupBy(event.list, #)`, `reduce(event.list, #acc + #)`, `repeat("a", 10)`, `toBase64("a")`,
		`event.text.String()`, `$env`, `$env["__meter"]`, `$env.__meter`, `__meter`, `__turn(1)`, `let __meter = 1; 1`,
		`let table = 1; 1`, `let f = upper; f("a")`, `(upper)("a")`, `event.f()`, `b"abc"`, `code("a").text`, `upper(code("a"))`,
		`code("a") + "b"`, `get(event, "secret")`, `event.secret | len2()`,
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			mustStop(t, text)
		})
	}
}

func TestTablesAreConstants(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`table(event.secret)`:            "must be written out",
		`table("pri" + "ority", "high")`: "must be written out",
		`table("missing")`:               "there is no table missing",
		`table("priority")`:              "needs a key",
		`table("trusted", "a")`:          "has no keys",
		`table()`:                        "not enough arguments",
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			if got := mustStop(t, text); !strings.Contains(got, want) {
				t.Errorf("got %q, want %q in it", got, want)
			}
		})
	}
}

func TestRunErrorsShowNoValues(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`int(event.secret)`, `float(event.secret)`, `fromJSON(event.secret)`, `seconds(event.secret)`, `date(event.secret)`,
		`event.list[event.secret]`, `event.secret.x`, `event.secret < 1`, `event.secret - 1`, `1 % 0`, `1 / 0`, `-1 / 0`, `0 / 0`, `10 ** 400`,
		`event.secret ? 1 : 2`, `not event.secret`, `filter(event.list, event.secret)`, `{(event.list): 1}`, `sort([1, "a"])`,
		`sum(["a"])`, `event.secret[event.secret:]`, `"a" in event.secret`, `event.list contains "a"`, `1..event.secret`, `max(event.secret)`, `map(event.secret, #)`,
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			mustStop(t, text)
		})
	}
}

func TestSameEventGivesSameResult(t *testing.T) {
	t.Parallel()
	event := map[string]any{"m": map[string]any{}}
	for i := range 50 {
		event["m"].(map[string]any)[fmt.Sprint(i)] = float64(i)
	}
	const text = `[keys(event.m), values(event.m), toJSON(event.m), string(event.m)]`
	first, err := evaluate(t, t.Context(), text, map[string]any{"event": event})
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		again, err := evaluate(t, t.Context(), text, map[string]any{"event": event})
		if err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(again) != fmt.Sprint(first) {
			t.Fatal("the same event gave another result")
		}
	}
}
