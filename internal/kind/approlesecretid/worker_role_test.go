package approlesecretid

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
)

// otherLogin is a process that is not logged in by the workers' role.
type otherLogin struct{}

func (otherLogin) Role() string                                             { return "" }
func (otherLogin) Replaceable() error                                       { return nil }
func (otherLogin) Adopt(context.Context, credential.Secret) error           { return nil }
func (otherLogin) Offered(context.Context, credential.Secret) time.Duration { return 0 }

// It could not move over, and would take the secret-id and the tokens from the
// workers.
func TestTheWorkersRoleIsNotRotatedByWhoeverIsLoggedInOtherwise(t *testing.T) {
	const name = "rollcall-worker"
	admin(t, "auth/approle/role/"+name, map[string]any{})
	c := credential.Credential{ID: "vault/approle/" + name, Kind: credential.AppRoleSecretID, Authority: credential.VaultAuthority, Subject: "approle/" + name, Name: name}
	au := New(server.Client(), "vault").WithLogin(otherLogin{})
	old := newSecretID(t, c)
	worker := login(t, c, old)
	a := account(t, au, c)
	var stop *protocol.Stop
	require.ErrorAs(t, au.Set(t.Context(), a, credential.NewSecret("new"), old), &stop)
	require.Equal(t, protocol.ReasonSelf, stop.Reason)
	_, _, err := au.Retire(t.Context(), a, credential.NewSecret("new"))
	require.ErrorAs(t, err, &stop)
	require.Equal(t, protocol.ReasonSelf, stop.Reason)
	require.True(t, alive(t, worker))
}
