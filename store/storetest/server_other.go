//go:build !linux

package storetest

import (
	"os"
	"syscall"
)

func asServer() *syscall.SysProcAttr { return nil }

func giveToServer(string) error { return nil }

func quit(p *os.Process) error {
	if err := p.Signal(os.Interrupt); err != nil {
		return p.Kill()
	}
	return nil
}
