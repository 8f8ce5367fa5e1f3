package adpassword

import (
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/kind/kindtest"
	"rollcall/internal/protocol"
)

func TestContract(t *testing.T) {
	for name, change := range map[string]func(*config.Directory){
		"LDAPS":    func(*config.Directory) {},
		"StartTLS": func(d *config.Directory) { d.StartTLS, d.Servers = true, []string{dc(t).LDAP()} },
	} {
		t.Run(name, func(t *testing.T) {
			d := conf(dc(t))
			change(&d)
			kindtest.Run(t, kindtest.Fixture{
				Authority: open(t, d, dc(t).BinderPassword),
				New:       account,
				Delete:    func(t *testing.T, c credential.Credential) { remove(t, c.Name) },
				States: map[protocol.Reply]func(*testing.T, credential.Credential){
					protocol.Locked:   func(t *testing.T, c credential.Credential) { lock(t, c.Name) },
					protocol.Disabled: func(t *testing.T, c credential.Credential) { disable(t, c.Name) },
					protocol.Expired:  func(t *testing.T, c credential.Credential) { expire(t, c.Name) },
				},
				Interrupt: func(t *testing.T) func(*testing.T) {
					dc(t).Process().Kill()
					return func(t *testing.T) { require.NoError(t, dc(t).Restart(t.Context())) }
				},
			})
		})
	}
}
