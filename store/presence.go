package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/drawbridge-itsm/drawbridge/migrations"
)

// presenceKey is the advisory lock that holder $1 keeps for as long as its session lives.
const presenceKey = `hashtextextended('drawbridge presence ' || CAST($1 AS TEXT), 0)`

// heartbeat is how often a session is asked whether it still lives.
const heartbeat = 2 * time.Second

// presence is what this process shows of itself to others.
type presence struct {
	mu      sync.Mutex
	holders map[string]bool
	lock    *os.File // on SQLite, while uses > 0
	uses    int
}

func (p *presence) set(holder string, is bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.holders == nil {
		p.holders = make(map[string]bool)
	}
	p.holders[holder] = is
}

func (p *presence) is(holder string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.holders[holder]
}

// Presence shows that holder is alive, until ctx ends or the store is closed. It returns once that is so.
//
// On PostgreSQL a session of its own keeps a lock that ends with the process, so that leases acquired from now on
// pass to others at once. A lost session is opened again; leases acquired meanwhile last their full time.
// On SQLite it is a lock file beside the database, and an error when another program has it: one serves at a time.
func (s *Store) Presence(ctx context.Context, holder string) error {
	if s.engine.name == migrations.SQLite {
		release, err := s.alone(ctx)
		if err != nil {
			return err
		}
		s.present.set(holder, true)
		s.work.start(ctx, func(ctx context.Context) {
			<-ctx.Done()
			s.present.set(holder, false)
			release()
		})
		return nil
	}
	conn, err := s.appear(ctx, holder)
	if err != nil {
		return err
	}
	s.work.start(ctx, func(ctx context.Context) {
		for ctx.Err() == nil {
			if err := s.remain(ctx, conn, holder); err != nil && ctx.Err() == nil {
				s.log.Warn("presence interrupted", "holder", holder, "error", err)
			}
			for conn = nil; conn == nil && ctx.Err() == nil; {
				if conn, err = s.appear(ctx, holder); err != nil {
					sleep(ctx, reattach)
				}
			}
		}
		if conn != nil {
			s.present.set(holder, false)
			closeSession(ctx, conn)
		}
	})
	return nil
}

// appear opens a session that keeps the lock of the holder.
func (s *Store) appear(ctx context.Context, holder string) (*pgx.Conn, error) {
	conn, err := pgx.Connect(ctx, s.dsn)
	if err != nil {
		return nil, wrap("open session", err)
	}
	if _, err := conn.Exec(ctx, `SELECT pg_advisory_lock(`+presenceKey+`)`, holder); err != nil {
		closeSession(ctx, conn)
		return nil, wrap("show presence", err)
	}
	s.present.set(holder, true)
	return conn, nil
}

// remain watches over the session until it ends.
func (s *Store) remain(ctx context.Context, conn *pgx.Conn, holder string) error {
	defer closeSession(ctx, conn)
	defer s.present.set(holder, false)
	for {
		sleep(ctx, heartbeat)
		if ctx.Err() != nil {
			return nil
		}
		if err := conn.Ping(ctx); err != nil {
			return wrap("keep session", err)
		}
	}
}

// gone tells whether the Presence of another holder has ended, as far as holder can know. On SQLite one program
// serves at a time: who has a Presence knows that all those of other programs have ended.
func (t *Tx) gone(ctx context.Context, holder, other string) (bool, error) {
	if t.engine.name == migrations.SQLite {
		return t.store.present.is(holder) && !t.store.present.is(other), nil
	}
	return one(ctx, t.Queries, single[bool], `SELECT pg_try_advisory_xact_lock(`+presenceKey+`)`, other)
}

// errOtherServes is what a second program on the same SQLite file is told.
var errOtherServes = errors.New("another drawbridge serves this database")

// patience is how long a lock is waited for that another program may hold only while it migrates.
const patience = 2 * time.Second

// alone takes the lock file beside the SQLite database, or shares the one this store has.
func (s *Store) alone(ctx context.Context) (release func(), err error) {
	p := &s.present
	p.mu.Lock()
	defer p.mu.Unlock()
	for until := time.Now().Add(patience); p.uses == 0; sleep(ctx, 20*time.Millisecond) {
		if p.lock, err = lockFile(s.path + ".lock"); err == nil {
			break
		}
		if !errors.Is(err, errOtherServes) || time.Now().After(until) || ctx.Err() != nil {
			return nil, fmt.Errorf("lock database: %w", err)
		}
	}
	p.uses++
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.uses--; p.uses == 0 {
			p.lock.Close() // which ends the lock
		}
	}, nil
}
