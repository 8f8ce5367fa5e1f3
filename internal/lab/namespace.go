package lab

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// namespace is a network namespace (network_namespaces(7)) with a loopback of its
// own, for servers whose ports cannot be chosen. It has no name in the file
// system: it ends with the last process that uses it, so a killed test leaves
// nothing behind.
type namespace struct{ file *os.File }

// newNamespace needs root (CAP_SYS_ADMIN).
func newNamespace() (*namespace, error) {
	n := &namespace{}
	err := elsewhere(func() (err error) {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("lab: make a network namespace: %w (it needs root)", err)
		}
		// A child is forked from this thread and so begins in its namespace.
		if out, err := exec.Command("ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
			return fmt.Errorf("lab: bring the loopback up: %w\n%s", err, out)
		}
		if n.file, err = os.Open("/proc/thread-self/ns/net"); err != nil {
			return fmt.Errorf("lab: open the network namespace: %w", err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return n, nil
}

// elsewhere runs f on a thread of its own that ends with it, whatever f does to
// that thread.
func elsewhere(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the runtime ends the thread
		done <- f()
	}()
	return <-done
}

// inside is the command that runs program in the namespace, under its own pid,
// with the folder dir at mountPoint (mount_namespaces(7)): a short name, as
// Unix sockets need it (unix(7): 108 bytes).
func (n *namespace) inside(dir, program string, args ...string) (string, []string) {
	return "nsenter", append([]string{"--net=" + n.path(), "--", "unshare", "--mount", "--",
		"sh", "-c", `mount --bind "$1" ` + mountPoint + ` && shift && exec "$@"`, "sh", dir, program}, args...)
}

// run runs program inside to its end and returns all that it printed. It is killed if
// ctx ends or this process dies first, and Ctrl-C at the terminal does not reach it.
func (n *namespace) run(ctx context.Context, dir, program string, args ...string) ([]byte, error) {
	// Linux sends Pdeathsig when the starting thread ends (prctl(2)): hold this one.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	name, args := n.inside(dir, program, args...)
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	return cmd.CombinedOutput()
}

const mountPoint = "/mnt"

func (n *namespace) path() string { return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), n.file.Fd()) }

// dial connects to addr as seen in the namespace. A socket stays in the namespace
// that it was made in.
func (n *namespace) dial(addr string) (conn net.Conn, err error) {
	err = elsewhere(func() (err error) {
		if err := unix.Setns(int(n.file.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("lab: enter the network namespace: %w", err)
		}
		conn, err = net.Dial("tcp4", addr)
		return err
	})
	return conn, err
}

func (n *namespace) close() { _ = n.file.Close() }
