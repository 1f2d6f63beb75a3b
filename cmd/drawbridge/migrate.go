package main

import "fmt"

type migrateCommand struct {
	databaseSettings
}

func (c *migrateCommand) Run(s *surroundings) error {
	db, err := c.create(s.ctx, c.logger(s.stderr))
	if err != nil {
		return err
	}
	defer db.Close()
	if err := db.Migrate(s.ctx); err != nil {
		return err
	}
	_, err = fmt.Fprintln(s.stdout, "The schema is up to date.")
	return err
}
