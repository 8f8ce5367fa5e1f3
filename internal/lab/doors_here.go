package lab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// ErrNoDoors is that of CanStartDoors and CanStartRelay.
var ErrNoDoors = errors.New("lab: a service in front of the directory is not installed")

// CanStartRelay returns nil if StartSaslauthd and StartPostfix find what they
// need here: root, and the apt packages that they name.
func CanStartRelay() error {
	if os.Geteuid() != 0 {
		return errors.New("lab: a mail relay needs root, for users of its own: run this as root (sudo -E)")
	}
	for _, pattern := range []string{postfixMaster, saslauthdBinary, "/usr/lib/*/sasl2/libplain.so"} {
		if found, _ := filepath.Glob(pattern); len(found) == 0 {
			return fmt.Errorf("%w; run scripts/setup.sh (%s is missing)", ErrNoDoors, pattern)
		}
	}
	return nil
}

// shared is a folder for what users of their own find there: the sockets and
// queues of a server whose parts are different users. Each may enter it, and a
// socket's path below it has room for so many bytes more (107 in all, unix(7)).
func shared(more int) string {
	where := os.TempDir()
	for at := where; len(where) <= 107-more; at = filepath.Dir(at) {
		info, err := os.Stat(at)
		if err != nil || info.Mode().Perm()&0o001 == 0 {
			break
		}
		if at == filepath.Dir(at) {
			return where
		}
	}
	return "/tmp"
}

// CanStartDoors returns nil if StartDovecot and StartProFTPD find what they
// need here: the apt packages that they name.
func CanStartDoors() error {
	for _, file := range []string{
		dovecotBinary, "/usr/lib/dovecot/imap", "/usr/lib/dovecot/pop3", "/usr/lib/dovecot/modules/auth/libauthdb_ldap.so",
		proftpdBinary, "/usr/lib/proftpd/mod_ldap.so", "/usr/lib/proftpd/mod_tls.so",
	} {
		if _, err := os.Stat(file); err != nil {
			return fmt.Errorf("%w; run scripts/setup.sh (%w)", ErrNoDoors, err)
		}
	}
	return nil
}
