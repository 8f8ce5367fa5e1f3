package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// ErrNotRunning means that no Temporal is configured and no local engine runs.
var ErrNotRunning = errors.New("no Temporal is configured (TEMPORAL_ADDRESS) and no local engine runs; `rollcall run` starts one")

type local struct {
	address string
	started bool
	device  string          // of the run that started it, if it is another process and says so
	gone    <-chan struct{} // closed when an engine that we started has ended
	stop    func() error
}

// binary is looked for beside this executable, then on PATH.
const binary = "rollcall-engine"

// startTimeout bounds the wait for a local engine. A busy machine with a large
// database needs seconds.
const startTimeout = 60 * time.Second

// Left reports whether a local engine has run in a state directory: what was
// on it is there.
func Left(stateDir string) bool {
	_, err := os.Stat(filepath.Join(stateDir, "engine", "temporal.db"))
	return err == nil
}

// findOrStart decides by a lock which process owns the engine of a state
// directory: the kernel frees it the moment its owner dies, while an engine
// whose owner was killed still answers for a while as it shuts down. Who gets
// the lock starts an engine; who does not joins the owner's.
func findOrStart(ctx context.Context, o Options) (*local, error) {
	dir := filepath.Join(o.StateDir, "engine")
	if !o.MayStart {
		if addr, ok := running(dir); ok {
			return joined(dir, addr), nil
		}
		return nil, ErrNotRunning
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("the engine's folder: %w; name another with --state-dir, or set TEMPORAL_ADDRESS", err)
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	starting, again := func() {}, 0
	if o.Starting != nil {
		starting = sync.OnceFunc(o.Starting)
	}
	for {
		lock, err := lockDir(dir)
		if err != nil {
			return nil, err
		}
		if lock != nil {
			starting()
			l, err := startAs(ctx, dir, o.Device, lock)
			if err == nil {
				end := l.stop
				l.stop = func() error { return errors.Join(end(), lock.Close()) }
				return l, nil
			}
			_ = lock.Close()
			if errors.Is(err, errAgain) {
				again++
			}
			if !errors.Is(err, errOthers) && !errors.Is(err, errAgain) || again == maxAgain {
				return nil, err
			}
		} else if addr, ok := running(dir); ok {
			return joined(dir, addr), nil
		}
		// The owner's engine is coming up, or one without owner is going down.
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return nil, fmt.Errorf("the engine in %s did not come up within %s; its log is %s", dir, startTimeout, filepath.Join(dir, "engine.log"))
		}
	}
}

var (
	// errOthers: an engine that is not ours holds the database.
	errOthers = errors.New("another engine holds the database")
	// errAgain: the engine ended for what may be over the next time.
	errAgain = errors.New("the engine was started again and again in vain")
)

// maxAgain is how often an engine is started that ended so.
const maxAgain = 5

// passes are words of an engine that ended for what may be over the next time:
// somebody took a port that it had chosen, before it did, and it chooses
// another one; or the machine stood still while it came up, and one part of it
// took another one for silent.
var passes = []string{"address already in use", "failed reaching server: context deadline exceeded"}

// startAs starts an engine and leaves word for which device.
func startAs(ctx context.Context, dir, device string, lock *os.File) (*local, error) {
	err := lock.Truncate(0)
	if err == nil {
		_, err = lock.WriteAt([]byte(device), 0)
	}
	if err != nil {
		return nil, fmt.Errorf("writing to %s: %w", lock.Name(), err)
	}
	return start(ctx, dir)
}

// joined is an engine of another process, which may say for which device it
// runs.
func joined(dir, addr string) *local {
	device, _ := os.ReadFile(filepath.Join(dir, ownerLock))
	return &local{address: addr, device: string(device), stop: func() error { return nil }}
}

const ownerLock = "owner.lock"

// lockDir takes the lock of dir, or returns nil if another process has it.
func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, ownerLock), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("the engine's folder: %w; name another with --state-dir, or set TEMPORAL_ADDRESS", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return f, nil
	}
	_ = f.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, nil
	}
	return nil, fmt.Errorf("locking %s: %w", f.Name(), err)
}

// running reads where the engine of dir says it listens, and checks that it
// does.
func running(dir string) (string, bool) {
	data, err := os.ReadFile(filepath.Join(dir, "engine.json"))
	if err != nil {
		return "", false
	}
	var at struct {
		Address string `json:"address"`
		PID     int    `json:"pid"`
	}
	if json.Unmarshal(data, &at) != nil || at.Address == "" {
		return "", false
	}
	// Somebody else may have the port of an engine that was killed.
	if errors.Is(syscall.Kill(at.PID, 0), syscall.ESRCH) {
		return "", false
	}
	// On loopback nobody's port refuses at once; a machine that is busy takes
	// its time.
	conn, err := net.DialTimeout("tcp", at.Address, 10*time.Second)
	if err != nil {
		return "", false
	}
	_ = conn.Close()
	return at.Address, true
}

// start runs the engine as a child that ends with us: it exits when the pipe
// on its standard input closes, which happens even if we are killed.
func start(ctx context.Context, dir string) (*local, error) {
	path, err := find()
	if err != nil {
		return nil, err
	}
	// An address left by an engine that was killed must not be taken for the
	// new one's.
	if err := os.Remove(filepath.Join(dir, "engine.json")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	cmd := exec.Command(path, "-dir", dir, "-exit-with-stdin")
	cmd.Env = environment()
	// A Ctrl-C at the terminal is for us: the engine must outlive the batch in
	// hand.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	said := &tail{}
	cmd.Stderr = said
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", path, err)
	}
	gone := make(chan struct{})
	go func() {
		_ = cmd.Wait() // how it ended is in its log
		close(gone)
	}()

	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if addr, ok := running(dir); ok {
			return &local{address: addr, started: true, gone: gone, stop: func() error { return stop(cmd, stdin, gone) }}, nil
		}
		select {
		case <-gone:
			if strings.Contains(said.String(), "another engine already runs") {
				return nil, errOthers
			}
			err := fmt.Errorf("%s ended at once (%s): %s; its log is %s", binary, cmd.ProcessState, said, filepath.Join(dir, "engine.log"))
			if slices.ContainsFunc(passes, func(words string) bool { return strings.Contains(said.String(), words) }) {
				err = fmt.Errorf("%w: %w", errAgain, err)
			}
			return nil, err
		case <-ctx.Done():
			_ = stop(cmd, stdin, gone)
			return nil, fmt.Errorf("%s did not start within %s; its log is %s", binary, startTimeout, filepath.Join(dir, "engine.log"))
		case <-tick.C:
		}
	}
}

// environment keeps our logins to Vault and Temporal out of the engine, which
// needs none of them: what it may see of ours is named here.
func environment() []string {
	env := []string{}
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "TZ"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return env
}

func stop(cmd *exec.Cmd, stdin io.Closer, gone <-chan struct{}) error {
	_ = stdin.Close()
	select {
	case <-gone:
	case <-time.After(15 * time.Second):
		_ = cmd.Process.Kill()
		<-gone
	}
	return nil
}

func find() (string, error) {
	self, err := os.Executable()
	if err == nil {
		if path := filepath.Join(filepath.Dir(self), binary); executable(path) {
			return path, nil
		}
	}
	if path, err := exec.LookPath(binary); err == nil {
		return path, nil
	}
	return "", fmt.Errorf("%s is neither beside this program nor on PATH: build it with `make build`, or set TEMPORAL_ADDRESS to use a Temporal server you have", binary)
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.IsDir() && info.Mode()&0o111 != 0
}

// tail keeps the last bytes of what a child said.
type tail struct{ b []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.b = append(t.b, p...)
	if over := len(t.b) - 2048; over > 0 {
		t.b = t.b[over:]
	}
	return len(p), nil
}

func (t *tail) String() string { return string(t.b) }
