// Package hook runs what an operator wants done besides a campaign: a command
// of this machine, or a web hook. Whoever may write a campaign file chooses
// among the programs of one folder and brings none along; what is run is told
// names and no value, and gets nothing of the worker's own environment.
package hook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// Longest is how long one may take.
const Longest = time.Minute

// Folder is where the programs of one purpose lie.
type Folder struct {
	Path string
	// Env names another one, on the machine that runs them.
	Env string
}

// Command is one program with its arguments. No shell reads them.
type Command struct {
	Folder Folder
	Argv   []string
	Env    []string // besides PATH
	Stdin  []byte
}

// Run waits for its end. said is for the record: "exit code 0". ok: it did what
// it is for, as far as that shows.
func (c Command) Run(ctx context.Context) (said string, ok bool) {
	ctx, cancel := context.WithTimeout(ctx, Longest)
	defer cancel()
	program, why := c.Folder.Allowed(c.Argv[0])
	if why != "" {
		return "was not run: " + why, false
	}
	x := exec.CommandContext(ctx, program, c.Argv[1:]...)
	// Nothing of the worker's own environment: its login to Vault is there.
	x.Env = append([]string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}, c.Env...)
	x.Dir = "/"
	if c.Stdin != nil {
		x.Stdin = bytes.NewReader(c.Stdin)
	}
	x.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	x.Cancel = func() error { return syscall.Kill(-x.Process.Pid, syscall.SIGKILL) }
	x.WaitDelay = 2 * time.Second
	err := x.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return "exit code 0", true
	case ctx.Err() != nil:
		return fmt.Sprintf("was ended: it took longer than %s", Longest), false
	case errors.As(err, &exit) && exit.ExitCode() >= 0:
		return fmt.Sprintf("exit code %d", exit.ExitCode()), false
	case errors.Is(err, exec.ErrWaitDelay):
		return "exit code 0", true // a child that it left keeps its input open
	}
	return "could not be run", false
}

// Allowed is the program that a campaign file means; why it is not run where
// that is not empty.
func (f Folder) Allowed(program string) (path, why string) {
	folder := os.Getenv(f.Env)
	if folder == "" {
		folder = f.Path
	}
	if filepath.Dir(program) != filepath.Clean(folder) {
		return "", fmt.Sprintf("a worker runs what lies in %s (or %s) and nothing else", f.Path, f.Env)
	}
	for _, at := range []string{folder, program} {
		info, err := os.Stat(at)
		if err != nil {
			return "", "it is not there"
		}
		owner, known := info.Sys().(*syscall.Stat_t)
		if at == program && (!info.Mode().IsRegular() || info.Mode().Perm()&0o111 == 0) {
			return "", "it is no program that may be run (chmod +x)"
		}
		if info.Mode().Perm()&0o022 != 0 || !known || owner.Uid != 0 && int(owner.Uid) != os.Geteuid() {
			return "", "somebody else than root or the worker's own user may change it, or its folder"
		}
	}
	return program, ""
}
