package mapping

import (
	"context"
	"time"
)

// The limits of one evaluation. Work is counted in units of about one byte or list item handled, so that the same
// event and rule meet the limit on every machine; the time is only the last resort.
const (
	maxSource  = 4 << 10 // bytes of one expression
	maxNodes   = 500     // of its syntax tree
	maxLoops   = 2       // loops inside each other
	maxMemory  = 1e5     // list items made by one expression
	maxText    = 64 << 10
	maxResult  = 64 << 10 // bytes of one field
	maxWork    = 4 << 20
	maxPattern = 500 // steps of a compiled pattern
	maxTime    = 5 * time.Second

	loopWork = 4  // one turn of a loop
	clockGap = 16 // turns between two looks at the clock
)

const (
	errWork   = fault("handles more than an evaluation may handle; make its lists or texts shorter")
	errTime   = fault("takes longer than an evaluation may take")
	errText   = fault("makes a text longer than 64 KiB")
	errMemory = fault("makes lists longer than an evaluation may make")
	errResult = fault("is larger than 64 KiB")
)

// meter watches one evaluation. Every function of ours and every turn of a loop is charged to it.
type meter struct {
	ctx   context.Context
	end   time.Time
	work  int
	turns int
}

func (m *meter) start(ctx context.Context) {
	*m = meter{ctx: ctx, end: time.Now().Add(maxTime)}
}

// spend charges n units.
func (m *meter) spend(n int) error {
	if n > maxWork-m.work {
		m.work = maxWork
		return errWork
	}
	m.work += n
	return nil
}

// text charges a text of n bytes that is about to be made.
func (m *meter) text(n int) error {
	if n > maxText {
		return errText
	}
	return m.spend(n)
}

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
