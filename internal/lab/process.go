package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Process is a server this process started. Its methods may be called from any
// goroutine.
type Process struct {
	name   string
	cmd    *exec.Cmd
	exited chan struct{} // closed once the child is reaped
}

// startProcess runs name with args in dir, appends its output to logFile, and
// returns once ready answers nil. ready is called again every 20 ms until it
// does, ctx ends, or the child exits; in the last two cases the child is gone
// and the error carries the end of the log. The child outlives ctx: end it with
// Stop or Kill. It is killed if this process dies first, even from SIGKILL.
func startProcess(ctx context.Context, dir, logFile string, ready func(ctx context.Context) error, name string, args ...string) (*Process, error) {
	return startProcessEnv(ctx, dir, logFile, nil, ready, name, args...)
}

// startProcessEnv is startProcess with env added to this process's environment,
// which is handed on without its logins.
func startProcessEnv(ctx context.Context, dir, logFile string, env []string, ready func(ctx context.Context) error, name string, args ...string) (*Process, error) {
	log, err := os.OpenFile(logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lab: open the log of %s: %w", filepath.Base(name), err)
	}
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, log, log
	cmd.Env = append(withoutLogins(os.Environ()), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	p := &Process{name: filepath.Base(name), cmd: cmd, exited: make(chan struct{})}

	started := make(chan error, 1)
	go func() {
		// Linux sends Pdeathsig when the starting *thread* ends (prctl(2)), and
		// Go ends threads as it likes: hold this one for as long as the child
		// lives.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer log.Close()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		_ = cmd.Wait()
		close(p.exited)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("lab: start %s: %w", p.name, err)
	}
	if err := p.awaitReady(ctx, ready); err != nil {
		p.Kill()
		return nil, fmt.Errorf("lab: %s (pid %d) did not come up: %w\n%s", p.name, p.Pid(), err, tail(logFile, 2000))
	}
	return p, nil
}

// withoutLogins: the user's own Vault and Temporal are none of the lab's
// business.
func withoutLogins(env []string) []string {
	return slices.DeleteFunc(env, func(v string) bool {
		return strings.HasPrefix(v, "VAULT_") || strings.HasPrefix(v, "TEMPORAL_") || strings.HasPrefix(v, "ROLLCALL_")
	})
}

func (p *Process) awaitReady(ctx context.Context, ready func(ctx context.Context) error) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.exited:
			return errors.Join(fmt.Errorf("it exited: %s", p.cmd.ProcessState), err)
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-tick.C:
		}
	}
}

// Pid is the child's process id.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Exited is closed when the child is gone.
func (p *Process) Exited() <-chan struct{} { return p.exited }

func (p *Process) gone() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

// stopTimeout is how long a child may take to end when it is asked to. A
// domain controller that waits for another one's answer does so for a minute.
const stopTimeout = 3 * time.Minute

// patience is how long a server is waited for that is there and does not
// answer, when it is looked whether it is up and when an administrator asks it
// for something. On a machine that is busy with other tests a pause of seconds
// is nothing; where nobody listens the answer comes at once.
const patience = time.Minute

// Stop asks the child to end (SIGTERM) and waits for it; when ctx ends first,
// or after three minutes, it is killed, and the error says so. A child already
// gone is not an error.
func (p *Process) Stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	p.signal(syscall.SIGCONT)
	p.signal(syscall.SIGTERM)
	select {
	case <-p.exited:
		return nil
	case <-ctx.Done():
		if p.gone() {
			return nil
		}
		p.Kill()
		return fmt.Errorf("lab: %s (pid %d) ignored SIGTERM and was killed: %w", p.name, p.Pid(), ctx.Err())
	}
}

// Kill ends the child at once (SIGKILL), as a crash would, and waits until it
// is reaped.
func (p *Process) Kill() {
	p.signal(syscall.SIGKILL)
	<-p.exited
}

// Pause freezes the child (SIGSTOP): its sockets stay open and nothing answers.
func (p *Process) Pause() {
	p.signal(syscall.SIGSTOP)
	for range 30_000 { // a thread that runs on another processor stops a while later
		if p.stopped() {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// stopped reports whether no thread of the child runs (proc(5), state T).
func (p *Process) stopped() bool {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", p.cmd.Process.Pid))
	for _, file := range threads {
		b, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		_, rest, _ := strings.Cut(string(b), ") ")
		if !strings.HasPrefix(rest, "T") {
			return false
		}
	}
	return true
}

// Resume lets a paused child go on (SIGCONT).
func (p *Process) Resume() { p.signal(syscall.SIGCONT) }

// signal ignores failure on purpose: the one that can happen is that the child
// is gone already, and every caller then waits on exited.
func (p *Process) signal(s syscall.Signal) { _ = p.cmd.Process.Signal(s) }

// tail returns the last n bytes of a file, for an error message.
func tail(path string, n int) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	if len(b) > n {
		b = b[len(b)-n:]
	}
	return string(b)
}
