//go:build !linux

package desktest

import (
	"os"
	"syscall"
)

func mayRun() bool { return false }

func asDesk() *syscall.SysProcAttr { return nil }

func give(string) error { return nil }

func signalGroup(p *os.Process, _ bool) error { return p.Kill() }
