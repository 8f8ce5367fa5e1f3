package ldapbind

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/door/doortest"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
)

// 389 Directory Server has codes of its own for locked and inactivated
// accounts.
func TestWhatA389DirectoryServersAnswersMean(t *testing.T) {
	t.Parallel()
	ca, err := lab.NewCA()
	require.NoError(t, err)
	s := doortest.Start(t, lab.StartDS389, lab.DS389Options{Dir: filepath.Join(t.TempDir(), fmt.Sprintf("lab-%d-%s", os.Getpid(), rand.Text()[:6])), CA: ca,
		Accounts: lab.SeedAccounts("svc-", 6), Policy: lab.DS389Policy{MaxFailure: 3, MaxAge: 30 * 24 * time.Hour, MustChange: true}})
	admin, err := s.AdminConn(t.Context())
	require.NoError(t, err)
	defer admin.Close()
	change := func(uid, attribute string, values ...string) {
		m := ldap.NewModifyRequest(s.AccountDN(uid), nil)
		m.Replace(attribute, values)
		require.NoError(t, admin.Modify(m))
	}
	right := func(uid string) credential.Secret { return credential.NewSecret(s.SeededPassword(uid)) }
	for _, uid := range []string{"svc-0001", "svc-0002", "svc-0003", "svc-0004", "svc-0006"} {
		change(uid, "passwordExpirationTime", time.Now().Add(24*time.Hour).UTC().Format("20060102150405Z"))
	}
	change("svc-0003", "passwordExpirationTime", "20200101000000Z")
	change("svc-0002", "nsAccountLock", "true")
	reset := credential.NewSecret("reset-" + s.SeededPassword("svc-0005"))
	change("svc-0005", "userPassword", reset.Reveal())

	at := door.Settings{Type: "ldaps", Address: strings.TrimPrefix(s.LDAPS(), "ldaps://"), TLS: door.Implicit, CA: string(ca.PEM), Timeout: 30 * time.Second}
	ask := func(uid string, value credential.Secret) protocol.Reply {
		t.Helper()
		return doortest.Ask(t, Open(at), s.AccountDN(uid), value)
	}
	require.Equal(t, protocol.Accepted, ask("svc-0001", right("svc-0001")))
	require.Equal(t, protocol.Refused, ask("svc-0001", wrong))
	require.Equal(t, protocol.Accepted, ask("svc-0001", right("svc-0001")))
	require.Equal(t, protocol.Disabled, ask("svc-0002", right("svc-0002")), "inactivated: 53")
	require.Equal(t, protocol.Disabled, ask("svc-0002", wrong), "inactivated: 53")
	require.Equal(t, protocol.PasswordExpired, ask("svc-0003", right("svc-0003")), "the value was right")
	require.Equal(t, protocol.Refused, ask("svc-0003", wrong))
	require.Equal(t, protocol.MustChange, ask("svc-0005", reset), "the value was right")
	for range 3 {
		require.Equal(t, protocol.Refused, ask("svc-0004", wrong))
	}
	require.Equal(t, protocol.Locked, ask("svc-0004", right("svc-0004")), "locked: 19")
	require.Equal(t, protocol.Locked, ask("svc-0004", wrong), "locked: 19")
	require.Equal(t, protocol.Refused, ask("nobody", wrong), "the same as wrong")
	change("svc-0006", "userPassword")
	require.Equal(t, protocol.Refused, ask("svc-0006", right("svc-0006")), "no password is the same as wrong")
	software, err := Open(at).Software(t.Context())
	require.NoError(t, err)
	require.Contains(t, software, "389")
}
