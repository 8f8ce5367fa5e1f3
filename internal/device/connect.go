package device

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// connect tries a TCP connection and hangs up. Silence is
// os.ErrDeadlineExceeded, and what the kernel says: a process that did not run
// for a while, on a machine that was busy or asleep, would take an answer that
// it has not seen yet for none. So the time runs once the kernel has sent its
// SYN, and at its end the kernel is asked whether an answer came meanwhile.
func connect(ctx context.Context, address string, port int) error {
	to, version, err := sockaddr(address, port)
	if err != nil {
		return err
	}
	fd, err := socket(version)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	// No state is left of it, here or there.
	_ = unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	err = unix.Connect(fd, to)
	f := os.NewFile(uintptr(fd), address)
	defer f.Close()
	if err != nil && !errors.Is(err, unix.EINPROGRESS) && !errors.Is(err, unix.EINTR) {
		return os.NewSyscallError("connect", err)
	}
	sent()
	if err := f.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { _ = f.SetWriteDeadline(time.Unix(1, 0)) })()
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var said error
	waited := raw.Write(func(fd uintptr) (answered bool) {
		answered, said = reply(int(fd))
		return answered
	})
	if waited == nil {
		return said
	}
	var answered bool
	if err := raw.Control(func(fd uintptr) { answered, said = reply(int(fd)) }); err != nil {
		return err
	}
	if answered {
		return said
	}
	return waited
}

// sent is called when a SYN is on its way; tests hold it up.
var sent = func() {}

// reply is what the kernel knows of a connection by now; nil: it is up.
func reply(fd int) (answered bool, err error) {
	is := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
	if n, err := unix.Poll(is, 0); n == 0 || err != nil {
		return false, nil
	}
	code, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
	switch {
	case err != nil:
		return true, os.NewSyscallError("getsockopt", err)
	case code != 0:
		return true, os.NewSyscallError("connect", unix.Errno(code))
	}
	return true, nil
}

// socket makes one that waits for nothing, and is no child's.
func socket(version int) (int, error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fd, err := unix.Socket(version, unix.SOCK_STREAM, 0)
	if err != nil {
		return 0, err
	}
	unix.CloseOnExec(fd)
	if err := unix.SetNonblock(fd, true); err != nil {
		_ = unix.Close(fd)
		return 0, err
	}
	return fd, nil
}

// sockaddr is a place for the kernel.
func sockaddr(address string, port int) (unix.Sockaddr, int, error) {
	at, err := netip.ParseAddr(address)
	if err != nil {
		return nil, 0, err
	}
	if at = at.Unmap(); at.Is4() {
		return &unix.SockaddrInet4{Port: port, Addr: at.As4()}, unix.AF_INET, nil
	}
	to := &unix.SockaddrInet6{Port: port, Addr: at.As16()}
	if zone := at.Zone(); zone != "" {
		if n, err := strconv.ParseUint(zone, 10, 32); err == nil {
			to.ZoneId = uint32(n)
		} else if i, err := net.InterfaceByName(zone); err == nil {
			to.ZoneId = uint32(i.Index)
		} else {
			return nil, 0, err
		}
	}
	return to, unix.AF_INET6, nil
}
