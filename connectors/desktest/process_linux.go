package desktest

import (
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// owner is the user the desks' packages run them as.
func owner() (uid, gid uint32, ok bool) {
	u, err := user.Lookup("www-data")
	if err != nil {
		return 0, 0, false
	}
	id, err1 := strconv.ParseUint(u.Uid, 10, 32)
	group, err2 := strconv.ParseUint(u.Gid, 10, 32)
	return uint32(id), uint32(group), err1 == nil && err2 == nil
}

func mayRun() bool {
	uid, _, ok := owner()
	return ok && (os.Getuid() == 0 || os.Getuid() == int(uid))
}

// asDesk runs a program as the desk's user, in a group of its own, and has it end with us.
func asDesk() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM, Setpgid: true}
	if uid, gid, ok := owner(); ok && os.Getuid() == 0 {
		attr.Credential = &syscall.Credential{Uid: uid, Gid: gid}
	}
	return attr
}

// give makes a folder and all in it the desk's.
func give(dir string) error {
	uid, gid, ok := owner()
	if !ok || os.Getuid() != 0 {
		return nil
	}
	return filepath.WalkDir(dir, func(name string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(name, int(uid), int(gid))
	})
}

func signalGroup(p *os.Process, kill bool) error {
	if kill {
		return syscall.Kill(-p.Pid, syscall.SIGKILL)
	}
	return syscall.Kill(-p.Pid, syscall.SIGTERM)
}
