package mapping

import (
	"context"
	"time"
)

// The limits of one evaluation. Work is counted in units of about one byte or list item handled, so that the same
// event and rule meet the limit on every machine; the time is only the last resort.
const (
	maxSource  = 4 << 10  // bytes of one expression
	maxNodes   = 500      // of its syntax tree
	maxLoops   = 2        // loops inside each other
	maxMemory  = 1e5      // list items made by one expression
	maxMatched = 64 << 10 // bytes of a text a pattern is tried on
	maxPattern = 500      // steps of a compiled pattern
	maxTime    = 5 * time.Second

	loopWork = 4  // one turn of a loop
	clockGap = 16 // turns between two looks at the clock
)

// room is how much one evaluation may make and handle.
type room struct {
	result int // bytes of one text, and of one field
	work   int
}

var (
	usual = room{result: 64 << 10, work: 4 << 20}
	// ofRecords is for what is sent to a sink: it may hold all of an event of 1 MiB, more than once or as JSON in a text.
	ofRecords = room{result: 4 << 20, work: 16 << 20}
)

const (
	errWork   = fault("handles more than an evaluation may handle; make its lists or texts shorter")
	errTime   = fault("takes longer than an evaluation may take")
	errMemory = fault("makes lists longer than an evaluation may make")
)

// meter watches one evaluation. Every function of ours and every turn of a loop is charged to it.
type meter struct {
	ctx   context.Context
	end   time.Time
	room  room
	work  int
	turns int
}

func (m *meter) start(ctx context.Context) {
	*m = meter{ctx: ctx, end: time.Now().Add(maxTime), room: usual}
}

// spend charges n units.
func (m *meter) spend(n int) error {
	if n > m.room.work-m.work {
		m.work = m.room.work
		return errWork
	}
	m.work += n
	return nil
}

// text charges a text of n bytes that is about to be made.
func (m *meter) text(n int) error {
	if n > m.room.result {
		return m.tooLong()
	}
	return m.spend(n)
}

func (m *meter) tooLong() error { return faultf("makes a text longer than %d KiB", m.room.result>>10) }

func (m *meter) tooLarge() error { return faultf("is larger than %d KiB", m.room.result>>10) }

// turn charges one turn of a loop, or one expression.
func (m *meter) turn() error {
	if m.turns%clockGap == 0 {
		if err := m.check(); err != nil {
			return err
		}
	}
	m.turns++
	return m.spend(loopWork)
}

// check looks at the context and at the clock.
func (m *meter) check() error {
	if err := m.ctx.Err(); err != nil {
		return err
	}
	if time.Now().After(m.end) {
		return errTime
	}
	return nil
}
