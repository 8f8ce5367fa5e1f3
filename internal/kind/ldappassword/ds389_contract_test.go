package ldappassword

import (
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/kind/kindtest"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
)

// The strictest policy that a password administrator must not notice, save for
// passwordMustChange, which no reset escapes.
var strict389 = lab.DS389Policy{History: 5, MinAge: time.Hour, MaxAge: 24 * time.Hour, MinLength: 40, MaxFailure: 3,
	LockoutDuration: time.Hour, TrackUpdate: true}

func TestContractOn389DirectoryServer(t *testing.T) {
	for name, row := range map[string]struct {
		policy     lab.DS389Policy
		replicated bool
		change     func(*config.Directory, *world389)
	}{
		"replace over LDAPS as password administrator": {strict389, true, func(*config.Directory, *world389) {}},
		"exop over StartTLS without a policy": {lab.DS389Policy{MaxFailure: 3, LockoutDuration: time.Hour}, false, func(d *config.Directory, w *world389) {
			d.Bind.DN = w.supplier.WriterDN
			d.Set, d.StartTLS, d.Servers = "exop", true, []string{w.supplier.LDAP()}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld389(t, row.policy, 60, row.replicated)
			d := w.conf()
			row.change(&d, w)
			kindtest.Run(t, kindtest.Fixture{
				Authority: w.open(t, d),
				New:       w.credential,
				Delete: func(t *testing.T, c credential.Credential) {
					w.change(t, func(conn *ldap.Conn) error { return conn.Del(ldap.NewDelRequest(c.Name, nil)) })
				},
				States: map[protocol.Reply]func(*testing.T, credential.Credential){
					protocol.Locked:   func(t *testing.T, c credential.Credential) { w.lock(t, c.Name) },
					protocol.Disabled: func(t *testing.T, c credential.Credential) { w.put(t, c.Name, "nsAccountLock", "true") },
				},
				Interrupt: func(t *testing.T) func(*testing.T) {
					w.supplier.Process().Kill()
					return func(t *testing.T) { require.NoError(t, w.supplier.Restart(t.Context())) }
				},
			})
		})
	}
}
