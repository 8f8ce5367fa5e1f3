package postgrespassword

import (
	"crypto/rand"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
)

// newMD5Role makes a role as an old cluster keeps it.
func newMD5Role(t *testing.T) (credential.Credential, credential.Secret) {
	t.Helper()
	c, _ := newRole(t)
	value := credential.NewSecret(rand.Text())
	exec(t, `GRANT by_md5 TO "`+c.Name+`"`, `SET password_encryption = 'md5'`, `ALTER ROLE "`+c.Name+`" PASSWORD '`+value.Reveal()+`'`)
	require.NoError(t, replica.AwaitReplication(t.Context()))
	return c, value
}

// The new password is stored by SCRAM, which a client of its time may not do.
// It is not stored by md5 again: whoever reads that logs in with it.
func TestARoleStoredByMD5StaysAsItIsUntilAPersonAcceptsThatItBecomesSCRAM(t *testing.T) {
	t.Parallel()
	strong := authorityAs(t, primary.Super, primary.SuperPassword)
	for name, a := range map[string]*Authority{"seen in pg_authid": strong, "told by how the server asks": asAdmin(t)} {
		t.Run(name, func(t *testing.T) {
			c, old := newMD5Role(t)
			reply, err := a.Try(t.Context(), primary.URL(), account(t, a, c), old)
			require.NoError(t, err)
			require.Equal(t, protocol.Accepted, reply)
			acc := account(t, a, c)
			fresh := credential.NewSecret("one-for-clients-that-can-do-SCRAM")
			requireStop(t, a.Set(t.Context(), acc, fresh, credential.Secret{}), protocol.ReasonMD5Stored)
			session(t, primary, c.Name, old)

			acc.Hindered, acc.Accepted = nil, []credential.Problem{credential.MD5Stored} // as rotation does with what a person accepted
			require.NoError(t, a.Set(t.Context(), acc, fresh, credential.Secret{}))
			session(t, primary, c.Name, fresh)
			require.Empty(t, account(t, strong, c).Hindered, "it is stored by SCRAM now")
			acc.Accepted = nil
			require.NoError(t, a.Set(t.Context(), acc, fresh, credential.Secret{}), "and needs no word any more")
		})
	}
	c, _ := newRole(t)
	require.Empty(t, account(t, strong, c).Hindered)
}
