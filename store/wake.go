package store

import (
	"context"
	"database/sql"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// Names of wake-ups. A loop polls as well: a wake-up only spares it the wait.
const (
	WakePlan      = "plan"
	WakeDocuments = "documents"
	wakeDeliver   = "deliver:"
)

// WakeDeliver names the wake-up of a connection's deliveries.
func WakeDeliver(connection string) string { return wakeDeliver + connection }

// Wait gives a channel that is closed at the next wake-up of that name. Take it before looking for work, so that
// nothing that comes in between is missed.
func (s *Store) Wait(name string) <-chan struct{} { return s.signals.wait(name) }

// Wake wakes whoever waits for name, here and in other replicas, after the commit.
func (t *Tx) Wake(name string) {
	if t.wakes == nil {
		t.wakes = make(map[string]bool)
	}
	t.wakes[name] = true
}

func (s *Store) wake(names map[string]bool) {
	if len(names) == 0 {
		return
	}
	s.signals.raise(slices.Collect(maps.Keys(names)))
	if s.notify != nil {
		s.notify.add(names)
	}
}

// signals are the wake-ups within this process.
type signals struct {
	mu      sync.Mutex
	waiting map[string]chan struct{}
}

func (s *signals) wait(name string) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.waiting[name]
	if !ok {
		if s.waiting == nil {
			s.waiting = make(map[string]chan struct{})
		}
		c = make(chan struct{})
		s.waiting[name] = c
	}
	return c
}

func (s *signals) raise(names []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range names {
		if c, ok := s.waiting[name]; ok {
			close(c)
			delete(s.waiting, name)
		}
	}
}

const (
	channel  = "drawbridge"
	quiet    = 5 * time.Millisecond // between two notifications of a process
	longest  = 7000                 // bytes of names in one; PostgreSQL takes fewer than 8000
	reattach = time.Second          // after a lost session
)

// notifier passes wake-ups on to other replicas, outside of any transaction: NOTIFY inside one takes a lock that all
// commits of the database then queue for.
type notifier struct {
	id   string // tells our own notifications apart
	db   *sql.DB
	log  *slog.Logger
	poke chan struct{}

	mu    sync.Mutex
	names map[string]bool
}

func newNotifier(db *sql.DB, log *slog.Logger) *notifier {
	return &notifier{id: NewID(), db: db, log: log, poke: make(chan struct{}, 1), names: make(map[string]bool)}
}

func (n *notifier) add(names map[string]bool) {
	n.mu.Lock()
	maps.Copy(n.names, names)
	n.mu.Unlock()
	select {
	case n.poke <- struct{}{}:
	default:
	}
}

func (n *notifier) run(ctx context.Context) {
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-n.poke:
		}
		select {
		case <-ctx.Done():
			return
		case <-pause.C:
		}
		for _, payload := range n.take() {
			if _, err := n.db.ExecContext(ctx, `SELECT pg_notify($1, $2)`, channel, payload); err != nil && ctx.Err() == nil {
				n.log.Warn("wake-up not passed on; others find the work by polling", "error", err)
			}
		}
		pause.Reset(quiet)
	}
}

// take empties the names into payloads: our id and one name a line.
func (n *notifier) take() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var payloads []string
	payload := n.id
	for _, name := range slices.Sorted(maps.Keys(n.names)) {
		if len(payload)+1+len(name) > longest {
			payloads = append(payloads, payload)
			payload = n.id
		}
		payload += "\n" + name
	}
	clear(n.names)
	if payload == n.id {
		return payloads
	}
	return append(payloads, payload)
}

// Listen starts to pass on the wake-ups of other replicas, until ctx ends or the store is closed. It does nothing on
// SQLite. A lost session is opened again; meanwhile polling finds the work.
func (s *Store) Listen(ctx context.Context) {
	if s.notify == nil {
		return
	}
	s.work.start(ctx, func(ctx context.Context) {
		for ctx.Err() == nil {
			if err := s.listen(ctx); err != nil && ctx.Err() == nil {
				s.log.Warn("listening for wake-ups interrupted", "error", err)
			}
			sleep(ctx, reattach)
		}
	})
}

func (s *Store) listen(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, s.dsn)
	if err != nil {
		return wrap("open session", err)
	}
	defer closeSession(ctx, conn)
	if _, err := conn.Exec(ctx, `LISTEN `+channel); err != nil {
		return wrap("listen", err)
	}
	for {
		note, err := conn.WaitForNotification(ctx)
		if err != nil {
			return wrap("wait for wake-up", err)
		}
		names := strings.Split(note.Payload, "\n")
		if names[0] != s.notify.id {
			s.signals.raise(names[1:])
		}
	}
}

// closeSession ends a session in any case, but waits only briefly for the server to agree.
func closeSession(ctx context.Context, conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	conn.Close(ctx) // the session is over either way
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
