package storetest

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// DatabaseTime tells how much processor time the server that Durable starts has used; nothing on SQLite, which works
// in the process that uses it. It knows Linux only.
func DatabaseTime(t testing.TB, engine string) time.Duration {
	t.Helper()
	if engine != Postgres || durable.cmd == nil || durable.cmd.Process == nil {
		return 0
	}
	server := durable.cmd.Process.Pid
	total := ProcessTime(t, server)
	stats, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is well formed
	for _, name := range stats {
		if fields, ok := readStat(name); ok && fields[1] == strconv.Itoa(server) {
			total += ticks(fields[11:13])
		}
	}
	return total
}

// ProcessTime tells how much processor time a process has used, and those of its children that have ended.
func ProcessTime(t testing.TB, pid int) time.Duration {
	t.Helper()
	fields, ok := readStat(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if !ok {
		t.Skip("skipped: linux: processor time of other processes")
	}
	return ticks(fields[11:15])
}

// readStat gives what stands behind the name of a process, which may hold anything: its state, its parent and so on.
func readStat(name string) ([]string, bool) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, false // it has ended
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	return fields, len(fields) > 15
}

// ticks are hundredths of a second on every Linux.
func ticks(fields []string) (total time.Duration) {
	for _, field := range fields {
		n, _ := strconv.ParseInt(field, 10, 64) // the kernel writes numbers
		total += time.Duration(n) * 10 * time.Millisecond
	}
	return total
}
