package lab

import (
	"errors"
	"fmt"
	"os"
)

// ErrNoDoors is that of CanStartDoors.
var ErrNoDoors = errors.New("lab: Dovecot or ProFTPD is not installed")

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
