package connectors

import (
	"errors"
	"regexp"
)

var keyForm = regexp.MustCompile(`^[A-Za-z0-9._-]{1,200}$`)

// KeyFault tells what is wrong with a key of a ticket or a note that has to survive in a desk's fields and searches.
func KeyFault(key string) error {
	if !keyForm.MatchString(key) {
		return errors.New("the key has other characters than letters, digits, '.', '_' and '-', or is longer than 200")
	}
	return nil
}
