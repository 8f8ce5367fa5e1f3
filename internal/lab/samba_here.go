package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// Why no domain controller can be started on a machine, for errors.Is.
var (
	ErrNoSamba     = errors.New("lab: Samba is not installed")
	ErrNotRoot     = errors.New("lab: a Samba domain controller needs root, for its network namespace and for what provisioning writes: run this as root (sudo -E)")
	ErrNoNamespace = errors.New("lab: this root may not make a namespace or mount in it")
)

// CanStartSamba returns nil if StartSamba finds what it needs here: root, the
// apt packages that it names, and the right to make a namespace, which root in
// a container may lack (CAP_SYS_ADMIN, capabilities(7)). It starts nothing that
// stays.
func CanStartSamba(ctx context.Context) error {
	if os.Geteuid() != 0 {
		return ErrNotRoot
	}
	for _, file := range []string{sambaBinary, sambaTool, sambaSetup + "/provision.ldif"} {
		if _, err := os.Stat(file); err != nil {
			return fmt.Errorf("%w; run scripts/setup.sh (%w)", ErrNoSamba, err)
		}
	}
	dir, err := os.MkdirTemp("", "rollcall-samba-")
	if err != nil {
		return fmt.Errorf("lab: %w", err)
	}
	defer os.RemoveAll(dir)
	n, err := newNamespace()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNoNamespace, err)
	}
	defer n.close()
	m := &machine{dir: dir, host: "dc1", address: "127.0.0.1", net: n}
	if err := m.furnish([]*machine{m}); err != nil {
		return err
	}
	if out, err := m.run(ctx, "true"); err != nil {
		return fmt.Errorf("%w: %w\n%s", ErrNoNamespace, err, out)
	}
	return nil
}
