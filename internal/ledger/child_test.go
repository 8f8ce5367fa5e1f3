package ledger

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"golang.org/x/mod/sumdb/note"
)

// The test binary started again with this variable plays another process.
const roleVariable = "LEDGER_TEST_ROLE"

func TestMain(m *testing.M) {
	switch role := os.Getenv(roleVariable); role {
	case "":
		os.Exit(m.Run())
	case "append":
		exit(appendForever())
	case "full":
		exit(appendWithoutRoom())
	default:
		exit(fmt.Errorf("no role %q", role))
	}
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func (f *fixture) child(t *testing.T, role string, more ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), roleVariable+"="+role, "DIR="+f.dir, "SKEY="+f.skey, "VKEY="+f.vkey, "ANCHOR="+f.anchorFile())
	cmd.Env = append(cmd.Env, more...)
	cmd.Stderr = os.Stderr
	return cmd
}

func (f *fixture) anchorFile() string { return filepath.Join(filepath.Dir(f.dir), "anchored") }

func openInChild() (*Log, error) {
	s, err := note.NewSigner(os.Getenv("SKEY"))
	if err != nil {
		return nil, err
	}
	folder, name := filepath.Split(os.Getenv("ANCHOR"))
	return Open(context.Background(), os.Getenv("DIR"), campaign, s, os.Getenv("VKEY"), func(_ context.Context, cp []byte) error {
		return replaceFile(folder, name, cp)
	})
}

// appendForever appends from entry FROM on and prints the number of each entry
// once it is acknowledged, until it is killed.
func appendForever() error {
	l, err := openInChild()
	if err != nil {
		return err
	}
	from, err := strconv.Atoi(os.Getenv("FROM"))
	if err != nil {
		return err
	}
	out := bufio.NewWriter(os.Stdout)
	for n := from; ; {
		size := 1 + n%97
		if _, err := l.Append(context.Background(), listedFrom(n, size)); err != nil {
			return err
		}
		n += size
		fmt.Fprintln(out, n)
		if err := out.Flush(); err != nil {
			return err
		}
	}
}

// appendWithoutRoom lowers the size that a file may have until entries no
// longer fit, which the kernel reports where a full disk would report ENOSPC,
// then raises it again. It works with and without root.
func appendWithoutRoom() error {
	signal.Ignore(syscall.SIGXFSZ)
	l, err := openInChild()
	if err != nil {
		return err
	}
	ctx := context.Background()
	if _, err := l.Append(ctx, listedFrom(0, 10)); err != nil {
		return err
	}
	var room syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &room); err != nil {
		return err
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 4096, Max: room.Max}); err != nil {
		return err
	}
	_, err = l.Append(ctx, listedFrom(10, 100))
	if !errors.Is(err, ErrFull) {
		return fmt.Errorf("want ErrFull, got %w", err)
	}
	fmt.Println(err)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &room); err != nil {
		return err
	}
	at, err := l.Append(ctx, listedFrom(5, 105))
	if err != nil {
		return err
	}
	if at[0] != 5 || at[104] != 109 {
		return fmt.Errorf("after room was made: %v", at)
	}
	return l.Close(ctx)
}
