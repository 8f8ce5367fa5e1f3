package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

// child is a process that the demo started. It is in a process group of its
// own, so that Ctrl-C at the terminal reaches the demo alone, which then ends
// its children in order; and it is killed if the demo dies first.
type child struct {
	cmd    *exec.Cmd
	exited chan struct{} // closed once it is reaped
}

func start(cmd *exec.Cmd) (*child, error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	c := &child{cmd: cmd, exited: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		// Linux sends Pdeathsig when the starting thread ends (prctl(2)), and
		// Go ends threads as it likes: hold this one.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
			close(c.exited)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("starting %s: %w", filepath.Base(cmd.Path), err)
	}
	return c, nil
}

// wait waits for its end and returns its exit code. If ctx ends first it is
// killed.
func (c *child) wait(ctx context.Context) (int, error) {
	select {
	case <-c.exited:
		return c.cmd.ProcessState.ExitCode(), nil
	case <-ctx.Done():
		c.kill()
		return -1, ctx.Err()
	}
}

// kill ends it at once.
func (c *child) kill() {
	_ = c.cmd.Process.Kill()
	<-c.exited
}

// end asks it to end and kills it if it takes too long.
func (c *child) end(within time.Duration) {
	_ = c.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-c.exited:
	case <-time.After(within):
		c.kill()
	}
}

// engineStop is more than the 3 s that a Temporal server takes to stop, and
// more than it takes on a busy machine.
const engineStop = time.Minute

// awaitEngine waits until no engine works in dir. An engine belongs to the
// `rollcall run` that started it and ends with it, a moment later; it holds a
// lock for as long as it lives.
func awaitEngine(dir string) error {
	lock, err := os.Open(filepath.Join(dir, "engine.lock"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer lock.Close()
	for deadline := time.Now().Add(engineStop); ; time.Sleep(20 * time.Millisecond) {
		err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the engine in %s has not stopped within %s: %w", dir, engineStop, err)
		}
	}
}
