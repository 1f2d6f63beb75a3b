//go:build unix

package store

import (
	"errors"
	"os"
	"syscall"
)

// lockFile opens a file and locks it for as long as it stays open, or this process lives. The file is left behind:
// removing it would let two programs lock two files of that name.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, errOtherServes
		}
		return nil, err
	}
	return f, nil
}
