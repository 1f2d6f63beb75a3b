package storetest

import (
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// asServer runs the server as somebody else where we are root, which it refuses, and has it end with us.
func asServer() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Pdeathsig: syscall.SIGQUIT}
	if uid, gid, ok := serverUser(); ok {
		attr.Credential = &syscall.Credential{Uid: uid, Gid: gid}
	}
	return attr
}

func giveToServer(folder string) error {
	uid, gid, ok := serverUser()
	if !ok {
		return nil
	}
	return os.Chown(folder, int(uid), int(gid))
}

func serverUser() (uid, gid uint32, ok bool) {
	if os.Getuid() != 0 {
		return 0, 0, false
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err1 == nil && err2 == nil {
			return uint32(uid), uint32(gid), true
		}
	}
	return 0, 0, false
}

func quit(p *os.Process) error { return p.Signal(syscall.SIGQUIT) }
