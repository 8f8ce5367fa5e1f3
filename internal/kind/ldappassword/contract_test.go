package ldappassword

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/kind/kindtest"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
)

// The strictest policy that a binder with manage must not notice.
var strict = lab.SlapdPolicy{History: 5, MinAge: time.Hour, SafeModify: true, MinLength: 12, MaxFailure: 3}

func TestContract(t *testing.T) {
	for name, change := range map[string]func(*config.Directory, *world){
		"exop over LDAPS": func(*config.Directory, *world) {},
		"replace over StartTLS": func(d *config.Directory, w *world) {
			d.Set, d.StartTLS = "replace", true
			d.Servers = []string{w.provider.LDAP(), w.replica.LDAP()}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, strict, true)
			d := w.binder()
			change(&d, w)
			kindtest.Run(t, kindtest.Fixture{
				Authority: w.open(t, d),
				New:       w.credential,
				Delete:    func(t *testing.T, c credential.Credential) { w.delete(t, c.Name) },
				States: map[protocol.Reply]func(*testing.T, credential.Credential){
					protocol.Locked: func(t *testing.T, c credential.Credential) {
						w.put(t, c.Name, "pwdAccountLockedTime", "000001010000Z")
					},
					protocol.Disabled: func(t *testing.T, c credential.Credential) {
						w.put(t, c.Name, "pwdStartTime", "20990101000000Z")
					},
					protocol.Expired: func(t *testing.T, c credential.Credential) {
						w.put(t, c.Name, "pwdEndTime", "20200101000000Z")
					},
				},
				Interrupt: func(t *testing.T) func(*testing.T) {
					w.provider.Process().Kill()
					return func(t *testing.T) {
						ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
						defer cancel()
						require.NoError(t, w.provider.Restart(ctx))
					}
				},
			})
		})
	}
}
