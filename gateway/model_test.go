package gateway

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

// TestModel plays random scripts against the production plan, retry and judge in memory, and checks the promises after
// each. DRAWBRIDGE_SEED plays one seed again; DRAWBRIDGE_SEEDS sets how many are played.
func TestModel(t *testing.T) {
	t.Parallel()
	lib, err := newModelLibrary()
	if err != nil {
		t.Fatal(err)
	}
	once := func(s script, tracing bool) *simWorld {
		w := newSimWorld(s.shape, "", simStart)
		w.tracing = tracing
		_ = play(s, w, newMemory(w, lib)) // the world keeps it
		return w
	}
	seeds := 100_000
	if testing.Short() {
		seeds = 5_000
	}
	search(t, seeds, func(*testing.T) player { return once })
}

// TestModelOnStore plays the same scripts against the production bridge on a real store.
func TestModelOnStore(t *testing.T) {
	t.Parallel()
	seeds := 2_000
	if testing.Short() {
		seeds = 100
	}
	search(t, seeds, onStore(storetest.SQLite))
}

// TestSoakModelOnStore is TestModelOnStore at length, on both engines.
func TestSoakModelOnStore(t *testing.T) {
	if os.Getenv("DRAWBRIDGE_SOAK") == "" {
		t.Skip("skipped: soak: set DRAWBRIDGE_SOAK")
	}
	t.Run(storetest.SQLite, func(t *testing.T) { search(t, 100_000, onStore(storetest.SQLite)) })
	t.Run(storetest.Postgres, func(t *testing.T) {
		storetest.Need(t)
		search(t, 10_000, onStore(storetest.Postgres))
	})
}

// onStore plays on a database that scripts use one after the other.
func onStore(engine string) func(t *testing.T) player {
	return func(t *testing.T) player { return openShard(t, engine).play }
}

// player plays one script in a world of its own.
type player func(s script, tracing bool) *simWorld

// search plays seeds, some at a time, and reports the first that fails, shrunk.
func search(t *testing.T, seeds int, open func(t *testing.T) player) {
	t.Helper()
	first := uint64(1)
	if text := os.Getenv("DRAWBRIDGE_SEED"); text != "" {
		seed, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		first, seeds = seed, 1
	}
	if text := os.Getenv("DRAWBRIDGE_SEEDS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		seeds = n
	}
	t.Logf("seeds %d to %d", first, first+uint64(seeds)-1)
	var next atomic.Uint64
	next.Store(first)
	end := first + uint64(seeds)
	var failed atomic.Bool
	t.Run("shards", func(t *testing.T) {
		for shard := range runtime.GOMAXPROCS(0) {
			t.Run(strconv.Itoa(shard), func(t *testing.T) {
				t.Parallel()
				play := open(t)
				for seed := next.Add(1) - 1; seed < end && !failed.Load(); seed = next.Add(1) - 1 {
					if w := play(draw(seed), false); w.fault != nil && failed.CompareAndSwap(false, true) {
						t.Error(explain(seed, w.fault, play))
					}
				}
			})
		}
	})
}

// explain shrinks the script of a seed and tells what happens in what is left.
func explain(seed uint64, fault error, play player) error {
	s := shrink(draw(seed), func(try script) bool { return play(try, false).fault != nil })
	w := play(s, true)
	if w.fault == nil {
		return fmt.Errorf("seed %d: %w (it does not fail when played again)", seed, fault)
	}
	return errors.New(fmt.Sprintf("seed %d: %v\nshrunk to %d steps, which fail so: %v\n%+v policy %s\n", seed, fault, len(s.ops), w.fault, s.shape, simPolicies[s.shape.Policy].name) +
		strings.Join(w.trace, "\n"))
}
