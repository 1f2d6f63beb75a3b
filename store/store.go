// Package store keeps everything Drawbridge knows: events, cases, links, deliveries and their attempts, votes and
// decisions, documents, leases and the record. Queries are one SQL text for two engines, SQLite and PostgreSQL; what
// differs is in dialect.go.
//
// Reads are methods of Queries, which both a Store and a Tx have. Everything that writes is a method of Tx and
// happens inside InTx, so that several writes are one. Each file holds one topic: its type, its writes, its reads.
//
// Times are time.Time here and milliseconds in the database; the zero time is 0 there. Ids are made by the program
// (NewID) and sort by the time they were made.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/drawbridge-itsm/drawbridge/migrations"
)

var (
	// ErrNotFound is what a read of one row answers when there is none.
	ErrNotFound = errors.New("not found")
	// ErrConflict is what a write answers when the database is not in the state it needs, or already holds what may
	// exist once. Nothing of that write has happened.
	ErrConflict = errors.New("conflict")
)

// Options is what a Store needs of its surroundings; the zero value will do.
type Options struct {
	Log    *slog.Logger
	Now    func() time.Time     // the clock on SQLite; time.Now when nil
	Offset func() time.Duration // added to the database's clock; nil is none
	Conns  int                  // most connections to PostgreSQL; 0 is 16
}

// Store is an open database. It is safe for use by many goroutines.
type Store struct {
	Queries // reads outside of a transaction

	engine  dialect
	path    string  // of the SQLite file
	dsn     string  // of PostgreSQL
	write   *sql.DB // one connection on SQLite
	read    *sql.DB // the same as write on PostgreSQL
	log     *slog.Logger
	clock   func() time.Time
	offset  func() time.Duration
	signals signals
	notify  *notifier // nil on SQLite
	present presence
	work    background
}

// Tx is one transaction. It is valid inside the function given to InTx, for one goroutine.
type Tx struct {
	Queries // reads inside the transaction

	store *Store
	wakes map[string]bool
}

// NewID makes an id. Ids sort by the time they were made.
func NewID() string {
	return uuid.Must(uuid.NewV7()).String()
}

// Open opens the database named by dsn, `sqlite:PATH` or `postgres://...`. The SQLite file is made when missing; the
// schema is not (Migrate).
func Open(ctx context.Context, dsn string, o Options) (*Store, error) {
	s := &Store{log: o.Log, clock: o.Now, offset: o.Offset}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.clock == nil {
		s.clock = time.Now
	}
	if s.offset == nil {
		s.offset = func() time.Duration { return 0 }
	}
	if o.Conns <= 0 {
		o.Conns = 16
	}
	if err := s.connect(dsn, o.Conns); err != nil {
		return nil, err
	}
	s.Queries = Queries{db: s.read, engine: s.engine}
	if err := s.write.PingContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open database: %w", err), s.closePools())
	}
	s.work.ctx, s.work.stop = context.WithCancel(context.WithoutCancel(ctx))
	if s.engine.name == migrations.Postgres {
		s.notify = newNotifier(s.write, s.log)
		s.work.start(ctx, func(context.Context) { s.notify.run(s.work.ctx) })
	}
	return s, nil
}

// Close ends what the store runs in the background and closes the database.
func (s *Store) Close() error {
	s.work.stop()
	s.work.running.Wait()
	return s.closePools()
}

func (s *Store) closePools() error {
	err := s.write.Close()
	if s.read != s.write {
		err = errors.Join(err, s.read.Close())
	}
	if err != nil {
		return fmt.Errorf("close database: %w", err)
	}
	return nil
}

// background is what runs beside the callers until the store is closed.
type background struct {
	ctx     context.Context
	stop    context.CancelFunc
	running sync.WaitGroup
}

// start runs f until it returns; its context ends with ctx and with the store.
func (b *background) start(ctx context.Context, f func(context.Context)) {
	b.running.Go(func() {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(b.ctx, cancel)()
		f(ctx)
	})
}

// Engine names the database engine: "sqlite" or "postgres".
func (s *Store) Engine() string { return s.engine.name }

// DB is the pool that writes.
func (s *Store) DB() *sql.DB { return s.write }

// Migrate brings the schema up to date. Programs that start together may all call it.
func (s *Store) Migrate(ctx context.Context) error {
	if s.engine.name == migrations.SQLite {
		release, err := s.alone(ctx)
		if err != nil {
			return err
		}
		defer release()
	}
	return migrations.Up(ctx, s.write, s.engine.name)
}

// CheckSchema answers an error when the program must not work on this schema; see migrations.Check.
func (s *Store) CheckSchema(ctx context.Context) error {
	return migrations.Check(ctx, s.write, s.engine.name)
}

// Now is the time all replicas agree on: the database's on PostgreSQL, Options.Now on SQLite.
func (s *Store) Now(ctx context.Context) (time.Time, error) {
	return s.now(ctx, s.Queries)
}

func (s *Store) now(ctx context.Context, q Queries) (time.Time, error) {
	now := s.clock()
	if s.engine.clock != "" {
		if err := q.db.QueryRowContext(ctx, s.engine.clock).Scan((*stamp)(&now)); err != nil {
			return time.Time{}, fmt.Errorf("read database time: %w", err)
		}
	}
	return now.Add(s.offset()), nil
}

// tries is how often InTx runs a transaction the engine gave up in favour of another one.
const tries = 5

// InTx runs f in one transaction and commits it when f answers nil. When the engine gave the transaction up for the
// sake of another one (deadlock, serialization, busy), f runs again from the start: it must have no effect besides
// those of its Tx. Wake-ups go out after the commit.
func (s *Store) InTx(ctx context.Context, f func(*Tx) error) error {
	for n := 1; ; n++ {
		err := s.once(ctx, f)
		if err == nil || n == tries || !s.engine.again(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Duration(n*n) * 2 * time.Millisecond):
		}
	}
}

// AtOnce lets f read everything as it stood at one moment, whatever others commit meanwhile.
func (s *Store) AtOnce(ctx context.Context, f func(Queries) error) error {
	sqltx, err := s.read.BeginTx(ctx, s.engine.snapshot)
	if err != nil {
		return fmt.Errorf("begin reading: %w", err)
	}
	defer sqltx.Rollback() // it wrote nothing
	return f(Queries{db: sqltx, engine: s.engine})
}

func (s *Store) once(ctx context.Context, f func(*Tx) error) error {
	sqltx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin transaction: %w", err)
	}
	defer sqltx.Rollback() // also when f panics; without effect after the commit
	t := &Tx{Queries: Queries{db: sqltx, engine: s.engine}, store: s}
	if err := f(t); err != nil {
		return err
	}
	if err := sqltx.Commit(); err != nil {
		return fmt.Errorf("commit transaction: %w", err)
	}
	s.wake(t.wakes)
	return nil
}
