// Package flush ends what a door keeps of an old value, by a command or a web
// hook of the operator. It is told names and no value.
package flush

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"rollcall/internal/door"
)

// Longest is how long one may take.
const Longest = time.Minute

// Folder is where commands lie that a worker runs for a campaign file: whoever
// may write such a file chooses among them, and brings none along.
// ROLLCALL_FLUSH_DIR names another one.
const Folder = "/etc/rollcall/flush.d"

// Names is what it is told.
type Names struct {
	Door, Login, Device, Campaign string
}

// Run flushes one door for one login. said is for the record: "exit code 0",
// "answered 204". ok: it did what it is for, as far as that shows.
func Run(ctx context.Context, s door.Settings, n Names) (said string, ok bool) {
	ctx, cancel := context.WithTimeout(ctx, Longest)
	defer cancel()
	if s.Flush.URL != "" {
		return post(ctx, s, n)
	}
	return command(ctx, s.Flush.Command, n)
}

func command(ctx context.Context, argv []string, n Names) (said string, ok bool) {
	program, why := allowed(argv[0])
	if why != "" {
		return "was not run: " + why, false
	}
	args := make([]string, 0, len(argv))
	for _, a := range argv[1:] {
		if a == "{login}" && strings.HasPrefix(n.Login, "-") {
			return "was not run: the login's name begins with a hyphen, and would be taken for an option", false
		}
		args = append(args, strings.ReplaceAll(a, "{login}", n.Login))
	}
	c := exec.CommandContext(ctx, program, args...)
	// Nothing of the worker's own environment: its login to Vault is there.
	c.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "ROLLCALL_DOOR=" + n.Door, "ROLLCALL_LOGIN=" + n.Login, "ROLLCALL_DEVICE=" + n.Device, "ROLLCALL_CAMPAIGN=" + n.Campaign}
	c.Dir = "/"
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
	c.WaitDelay = 2 * time.Second
	err := c.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return "exit code 0", true
	case ctx.Err() != nil:
		return fmt.Sprintf("was ended: it took longer than %s", Longest), false
	case errors.As(err, &exit) && exit.ExitCode() >= 0:
		return fmt.Sprintf("exit code %d", exit.ExitCode()), false
	}
	return "could not be run", false
}

// allowed is the program that a campaign file means.
func allowed(program string) (path, why string) {
	folder := os.Getenv("ROLLCALL_FLUSH_DIR")
	if folder == "" {
		folder = Folder
	}
	if filepath.Dir(program) != filepath.Clean(folder) {
		return "", "a worker runs what lies in " + Folder + " (or ROLLCALL_FLUSH_DIR) and nothing else"
	}
	for _, at := range []string{folder, program} {
		info, err := os.Stat(at)
		if err != nil {
			return "", "it is not there"
		}
		owner, known := info.Sys().(*syscall.Stat_t)
		if info.Mode().Perm()&0o022 != 0 || !known || owner.Uid != 0 && int(owner.Uid) != os.Geteuid() {
			return "", "somebody else than root or the worker's own user may change it, or its folder"
		}
	}
	return program, ""
}

func post(ctx context.Context, s door.Settings, n Names) (said string, ok bool) {
	body, err := json.Marshal(map[string]string{"door": n.Door, "login": n.Login, "device": n.Device, "campaign": n.Campaign})
	if err != nil {
		return "could not be sent", false
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.Flush.URL, bytes.NewReader(body))
	if err != nil {
		return "could not be sent", false
	}
	req.Header.Set("Content-Type", "application/json")
	roots := (*x509.CertPool)(nil)
	if s.CA != "" {
		if roots, err = x509.SystemCertPool(); err != nil {
			roots = x509.NewCertPool()
		}
		roots.AppendCertsFromPEM([]byte(s.CA))
	}
	client := &http.Client{
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	got, err := client.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return fmt.Sprintf("gave no answer within %s", Longest), false
		}
		return "gave no answer", false
	}
	defer got.Body.Close()
	_, _ = io.CopyN(io.Discard, got.Body, 1<<16)
	return fmt.Sprintf("answered %d", got.StatusCode), got.StatusCode/100 == 2
}
