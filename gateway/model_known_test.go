package gateway

import (
	"slices"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/store/storetest"
)

// Steps of scripts that are written by hand. Replica 0 does everything; no webhook arrives unless all under way does. The
// first ticket is found as late as its desk says. A script that begins with a failing call has it before the tickets
// are opened.
var (
	opened  = []op{{kind: opAsk}, {kind: opHear, c: 1}, {kind: opPlan}, {kind: opWork}, {kind: opWork, b: 2}}
	arrives = op{kind: opSettled}
	hears   = op{kind: opHear, c: 1}
	plans   = op{kind: opPlan}
)

func somebody(who string) int { return slices.Index(simPeople, who) + len(simPeople) }

func moves(who string, ticket int, status string) op {
	return op{opMove, ticket, somebody(who), slices.Index(simStatuses, status)}
}

func edits(who string, ticket int) op { return op{opEdit, ticket, somebody(who), 0} }

func chooses(who string, ticket, hours int) op { return op{opEdit, ticket, somebody(who), 2 + 3*hours} }

func starts(connection string) op { return op{kind: opStart, b: slices.Index(simConns, connection)} }

func proceeds(n int) op { return op{kind: opProceed, b: n} }

func fails(connection string, f simFault) op {
	return op{kind: opFault, a: slices.Index(simConns, connection), b: int(f) - 1, c: 1}
}

func passes(i int) op { return op{kind: opPass, a: i} }

func tells(kind int) op { return op{kind: opTell, b: kind} }

// TestKnownScripts plays what broke a promise once, or would if one line were missing.
func TestKnownScripts(t *testing.T) {
	t.Parallel()
	lib, err := newModelLibrary()
	if err != nil {
		t.Fatal(err)
	}
	onDisk := openShard(t, storetest.SQLite)
	warning, longer := 1, len(simPauses)-1
	tests := []struct {
		name   string
		policy string
		both   bool
		ops    []op
		want   connectors.Outcome
	}{
		{"approved", "one", false, []op{moves("kim", 0, "Approved")}, connectors.Approved},
		{"edited before the ticket was first read", "one", false, []op{edits("max", 0), moves("kim", 0, "Approved")}, connectors.Pending},
		{"decided on an edited ticket that we then wrote anew", "one", false, []op{arrives, edits("max", 0), moves("kim", 0, "Approved"), tells(warning)}, connectors.Pending},
		{"written anew by us while a reading was under way", "one", false, []op{
			starts(simJira), proceeds(0), tells(warning), hears, plans, starts(simJira), proceeds(1), proceeds(1), proceeds(0), moves("kim", 0, "Approved"),
		}, connectors.Approved},
		{"two on two tickets", "two", true, []op{moves("kim", 0, "Approved"), moves("lee", 1, "Approved")}, connectors.Approved},
		{"two on two tickets, one of which took it back unheard", "two", true, []op{moves("kim", 0, "Approved"), arrives, moves("kim", 0, "Open"), moves("lee", 1, "Approved")}, connectors.Pending},
		{"two on two tickets, one of which was edited unheard", "two", true, []op{moves("kim", 0, "Approved"), arrives, edits("ana", 0), moves("lee", 1, "Approved")}, connectors.Pending},
		{"three on two tickets", "three", true, []op{
			moves("kim", 0, "Approved"), moves("max", 0, "Open"), moves("lee", 0, "Approved"), arrives, moves("dan", 1, "Approved"), arrives,
		}, connectors.Approved},
		{"three, one of whom said no on the other ticket, unheard", "three", true, []op{
			moves("kim", 0, "Approved"), moves("max", 0, "Open"), moves("lee", 0, "Approved"), moves("max", 0, "Open"), moves("kim", 1, "Declined"), moves("dan", 0, "Approved"),
		}, connectors.Pending},
		{"the requester chose the duration", "one", false, []op{chooses("ana", 0, 2), moves("kim", 0, "Approved")}, connectors.Pending},
		{"the requester changed the duration after it was approved", "one", false, []op{chooses("kim", 0, 0), moves("kim", 0, "Approved"), chooses("ana", 0, 2)}, connectors.Approved},
		{"nobody decided in time", "late", false, []op{passes(longer), passes(longer)}, connectors.Denied},
		{"decided in time and read too late", "late", false, []op{moves("kim", 0, "Approved"), passes(longer), passes(longer)}, connectors.Approved},
		{"taken back before it was granted", "back", false, []op{
			moves("kim", 0, "Approved"), fails(simTool, simLost), arrives, moves("kim", 0, "Revoked"), {kind: opWatch}, arrives,
		}, connectors.Approved},
		{"the answer to the create was lost, and the search lags", "one", false, []op{fails(simJira, simLostAnswer)}, connectors.Pending},
		{"the answer to the decision was lost", "one", false, []op{moves("kim", 0, "Approved"), fails(simTool, simLostAnswer), arrives}, connectors.Approved},
	}
	for _, test := range tests {
		s := script{ops: slices.Concat(opened, test.ops), shape: simShape{Both: test.both, Lags: 2,
			Policy: slices.IndexFunc(simPolicies, func(p simPolicy) bool { return p.name == test.policy })}}
		if test.ops[0].kind == opFault {
			s.ops = slices.Concat(opened[:3], test.ops, opened[3:])
		}
		memory := newSimWorld(s.shape, "", simStart)
		memory.tracing = true
		_ = play(s, memory, newMemory(memory, lib)) // the world keeps it
		for machine, w := range map[string]*simWorld{"memory": memory, "store": onDisk.play(s, true)} {
			if w.fault != nil || w.requests[0].state != test.want {
				t.Errorf("%s, on %s: the source says %s, want %s: %v\n%s", test.name, machine, w.requests[0].state, test.want, w.fault, w.trace)
			}
		}
	}
}
