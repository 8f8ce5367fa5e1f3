package doortest

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/lab"
)

// Wrong is the value of no account.
var Wrong = credential.NewSecret("not-the-value-of-anybody")

// Start starts a server of the lab and ends it with the test. A test that fails
// shows the server's log.
func Start[O any, S interface {
	Stop(ctx context.Context) error
}](t *testing.T, start func(context.Context, O) (S, error), o O) S {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	server, err := start(ctx, o)
	require.NoError(t, err)
	Stop(t, server.Stop)
	if logs, has := any(server).(interface{ LogFile() string }); has {
		t.Cleanup(func() {
			if text, _ := os.ReadFile(logs.LogFile()); t.Failed() {
				t.Logf("%s", text)
			}
		})
	}
	return server
}

// Stop ends a server with the test.
func Stop(t *testing.T, end func(context.Context) error) {
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
		defer cancel()
		require.NoError(t, end(ctx))
	})
}

// Office is a directory, as it stands behind many doors.
type Office struct {
	T         *testing.T
	CA        *lab.CA
	Directory *lab.Slapd
}

// NewOffice starts one. Without accounts in o it has svc-0001 to svc-0004, of
// which the second is locked and the third must change its password.
func NewOffice(t *testing.T, o lab.SlapdOptions) Office {
	t.Helper()
	ca, err := lab.NewCA()
	require.NoError(t, err)
	o.Dir, o.CA = t.TempDir(), ca
	if o.Accounts == nil {
		o.Accounts = lab.SeedAccounts("svc-", 4)
		o.Accounts[1].Attrs = map[string][]string{"pwdAccountLockedTime": {"000001010000Z"}}
		o.Accounts[2].Attrs = map[string][]string{"pwdReset": {"TRUE"}}
		o.Policy = lab.SlapdPolicy{MaxFailure: 100, MustChange: true}
	}
	return Office{T: t, CA: ca, Directory: Start(t, lab.StartSlapd, o)}
}

// Right is the value of an account of the directory.
func (o Office) Right(uid string) credential.Secret {
	return credential.NewSecret(o.Directory.SeededPassword(uid))
}

// Change sets an attribute of an account.
func (o Office) Change(uid, attribute string, values ...string) {
	o.T.Helper()
	c, err := o.Directory.AdminConn(o.T.Context())
	require.NoError(o.T, err)
	defer c.Close()
	m := ldap.NewModifyRequest(o.Directory.AccountDN(uid), nil)
	m.Replace(attribute, values)
	require.NoError(o.T, c.Modify(m))
}

// Expire gives an account a policy by which its password is too old.
func (o Office) Expire(uid string) {
	o.T.Helper()
	c, err := o.Directory.AdminConn(o.T.Context())
	require.NoError(o.T, err)
	defer c.Close()
	dn := "cn=short,ou=policies," + o.Directory.BaseDN()
	add := ldap.NewAddRequest(dn, nil)
	for name, values := range map[string][]string{"objectClass": {"device", "pwdPolicy"}, "cn": {"short"}, "pwdAttribute": {"userPassword"}, "pwdMaxAge": {"1"}} {
		add.Attribute(name, values)
	}
	require.NoError(o.T, c.Add(add))
	o.Change(uid, "pwdPolicySubentry", dn)
	require.Eventually(o.T, func() bool {
		conn, err := ldap.DialURL(o.Directory.LDAP())
		if err != nil {
			return false
		}
		defer conn.Close()
		return conn.Bind(o.Directory.AccountDN(uid), o.Directory.SeededPassword(uid)) != nil
	}, time.Minute, 50*time.Millisecond, "it is a second old")
}
