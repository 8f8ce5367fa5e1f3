package lab

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
)

// machine is the computer that a domain controller takes itself to be on: a
// network, a host name and files of its own below /etc, all of which end with
// its processes.
type machine struct {
	dir     string // at mountPoint, as its processes see it
	host    string // dc1
	address string // where other domain controllers reach it; loopback if there are none
	guid    string // as replication calls it, once it is known; see acquaint
	net     *namespace
}

const mountPoint = "/mnt"

// alone reports whether no other domain controller can reach it.
func (m *machine) alone() bool { return m.address == "127.0.0.1" }

// nics are the interfaces that it serves.
func (m *machine) nics() string {
	if m.alone() {
		return "lo"
	}
	return "lo " + link
}

// begin is a shell script that gives the process it becomes, under its own pid,
// what is the machine's: the folder dir at a short name, as Unix sockets need
// it (unix(7): 108 bytes), the host name and files of /etc, and the folder in
// which winbindd is asked, for no smb.conf moves that for those who ask. The
// mounts are in a mount namespace (mount_namespaces(7)) and so seen by nobody
// else.
const begin = `mount --bind "$1" ` + mountPoint + ` && hostname "$2" &&
mount --bind ` + mountPoint + `/machine/hosts /etc/hosts &&
mount --bind ` + mountPoint + `/machine/resolv.conf /etc/resolv.conf &&
mount --bind ` + mountPoint + `/machine/nsswitch.conf /etc/nsswitch.conf &&
mkdir -p /run/samba && mount -t tmpfs samba /run/samba &&
shift 2 && exec "$@"`

// inside is the command that runs program on the machine. Databases are not
// flushed to disk, also where no smb.conf says so yet (tdb's own switch).
func (m *machine) inside(program string, args ...string) (string, []string) {
	return "nsenter", append([]string{"--net=" + m.net.path(), "--", "unshare", "--mount", "--uts", "--", "sh", "-c", begin, "sh",
		m.dir, m.host, "env", "KRB5_CONFIG=" + mountPoint + "/machine/krb5.conf", "TDB_NO_FSYNC=1", program}, args...)
}

// run runs a program on the machine to its end and returns what it said. It is
// killed if ctx ends or this process dies first, and Ctrl-C at the terminal
// does not reach it.
func (m *machine) run(ctx context.Context, program string, args ...string) ([]byte, error) {
	// Linux sends Pdeathsig when the starting thread ends (prctl(2)): hold this
	// one.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	name, args := m.inside(program, args...)
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	out, err := cmd.CombinedOutput()
	if err != nil {
		return out, fmt.Errorf("lab: %s on %s: %w", filepath.Base(program), m.host, err)
	}
	return out, nil
}

// furnish writes the machine's files. all are the machines that know each
// other, this one among them.
//
// They know each other's names from files and ask no DNS. A domain controller
// is a single process here that waits for its resolver, so that one which asked
// itself, or a machine behind a cut cable, would answer nobody for seconds at a
// time.
func (m *machine) furnish(all []*machine) error {
	var hosts, kdcs strings.Builder
	hosts.WriteString("127.0.0.1 localhost\n")
	// It asks itself first for tickets: the other may be behind a cut cable.
	fmt.Fprintf(&kdcs, "\t\tkdc = %s\n", m.address)
	for _, o := range all {
		fmt.Fprintf(&hosts, "%s %s.%s %s", o.address, o.host, strings.ToLower(sambaRealm), o.host)
		if o.guid != "" {
			fmt.Fprintf(&hosts, " %s._msdcs.%s", o.guid, strings.ToLower(sambaRealm))
		}
		hosts.WriteString("\n")
		if o.host != m.host {
			fmt.Fprintf(&kdcs, "\t\tkdc = %s\n", o.address)
		}
	}
	for name, text := range map[string]string{
		"hosts":         hosts.String(),
		"resolv.conf":   "nameserver 127.0.0.2\n", // refuses at once, since nobody listens there
		"nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
		"krb5.conf": "[libdefaults]\n\tdefault_realm = " + sambaRealm + "\n\tdns_lookup_realm = false\n\tdns_lookup_kdc = false\n[realms]\n\t" +
			sambaRealm + " = {\n" + kdcs.String() + "\t}\n",
	} {
		if err := os.MkdirAll(filepath.Join(m.dir, "machine"), 0o755); err != nil {
			return fmt.Errorf("lab: make the folder of %s: %w", m.host, err)
		}
		if err := os.WriteFile(filepath.Join(m.dir, "machine", name), []byte(text), 0o644); err != nil {
			return fmt.Errorf("lab: write %s of %s: %w", name, m.host, err)
		}
	}
	return nil
}
