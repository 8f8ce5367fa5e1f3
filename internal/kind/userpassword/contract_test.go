package userpassword

import (
	"testing"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/kind/kindtest"
	"rollcall/internal/protocol"
)

func TestContract(t *testing.T) {
	kindtest.Run(t, kindtest.Fixture{
		Authority: authority(t),
		New:       person,
		Delete: func(t *testing.T, c credential.Credential) {
			require.NoError(t, admin(t).Del(ldap.NewDelRequest(c.Name, nil)))
		},
		States: map[protocol.Reply]func(*testing.T, credential.Credential){
			protocol.Locked:   func(t *testing.T, c credential.Credential) { lock(t, c.Name) },
			protocol.Disabled: func(t *testing.T, c credential.Credential) { flag(t, c.Name, 0x2) },
			protocol.Expired:  func(t *testing.T, c credential.Credential) { put(t, c.Name, "accountExpires", "132000000000000000") }, // in 2019
		},
		Interrupt: func(t *testing.T) func(*testing.T) {
			dc(t).Process().Kill()
			return func(t *testing.T) { require.NoError(t, dc(t).Restart(t.Context())) }
		},
	})
}
