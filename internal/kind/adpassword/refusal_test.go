package adpassword

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/directory"
	"rollcall/internal/protocol"
)

func requireStop(t *testing.T, err error, r protocol.Reason, words ...string) {
	t.Helper()
	var stop *protocol.Stop
	require.ErrorAs(t, err, &stop, fmt.Sprint(err))
	require.Equal(t, r, stop.Reason)
	for _, w := range words {
		require.Contains(t, stop.Detail, w)
	}
	require.NotContains(t, stop.Detail, "CN=svc", "details travel through Temporal")
}

func TestAnIdentityWithoutTheRightIsToldHowToGrantIt(t *testing.T) {
	d := conf(dc(t))
	d.Bind.DN = dc(t).ReaderDN
	a := open(t, d, dc(t).ReaderPassword)
	c, inForce := account(t)
	requireStop(t, a.Set(t.Context(), show(t, a, c), fresh(t, a), inForce), protocol.ReasonRights, "Reset Password", "dsacls")
	require.True(t, logsIn(t, c.Name, inForce))
}

func TestAnAccountOfAProtectedGroupIsSaidToBeOne(t *testing.T) {
	a := authority(t)
	c := named(t, dc(t).AdminDN)
	requireStop(t, a.Set(t.Context(), show(t, a, c), fresh(t, a), credential.Secret{}), protocol.ReasonRights, "AdminSDHolder")
}

func TestTheDomainsPolicyIsNamedWhenItRefuses(t *testing.T) {
	a := authority(t)
	for name, value := range map[string]string{"too short": "aB1-", "not complex": "aaaaaaaaaaaaaaaaaaaaaaaaaaaa"} {
		t.Run(name, func(t *testing.T) {
			c, inForce := account(t)
			requireStop(t, a.Set(t.Context(), show(t, a, c), credential.NewSecret(value), inForce), protocol.ReasonPolicy, "minPwdLength", "password.length")
			require.True(t, logsIn(t, c.Name, inForce))
		})
	}
}

// The password before is in the history of 24, and a day too young to be
// changed.
func TestAResetIsBoundByNeitherHistoryNorAge(t *testing.T) {
	a := authority(t)
	c, inForce := account(t)
	acc := show(t, a, c)
	require.NoError(t, a.Set(t.Context(), acc, fresh(t, a), inForce))
	require.NoError(t, a.Set(t.Context(), acc, inForce, credential.Secret{}))
	require.True(t, logsIn(t, c.Name, inForce))
}

func TestOwnIdentityIsNotTouched(t *testing.T) {
	a := authority(t)
	c := named(t, dc(t).BinderDN)
	_, err := a.Account(t.Context(), a.Servers()[0], c)
	requireStop(t, err, protocol.ReasonSelf, "bind.dn")
}

func TestWrongBindPasswordIsOfferedOnceAndLocksNobody(t *testing.T) {
	c, _ := account(t)
	victim, _ := account(t)
	d := conf(dc(t))
	d.Bind.DN = victim.Name
	wrong := credential.NewSecret("not-the-password-of-this-one")
	client, err := directory.Open("ad", d, func(context.Context) (credential.Secret, error) { return wrong, nil })
	require.NoError(t, err)
	a := New(client, config.PasswordPolicy{}, nil)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	for range 5 {
		_, err := a.Account(t.Context(), a.Servers()[0], c)
		require.ErrorContains(t, err, "kv/rollcall/bind#password")
		require.NotContains(t, err.Error(), wrong.Reveal())
	}
	require.Equal(t, "1", attr(t, victim.Name, "badPwdCount"))
}

func TestABindIdentityInTroubleIsSaidToBe(t *testing.T) {
	c, inForce := account(t)
	disable(t, c.Name)
	d := conf(dc(t))
	d.Bind.DN = c.Name
	a := open(t, d, inForce.Reveal())
	_, err := a.Account(t.Context(), a.Servers()[0], c)
	require.ErrorContains(t, err, "the identity is disabled")
}

func TestClearTextIsRefusedBeforeAnythingIsSent(t *testing.T) {
	d := conf(dc(t))
	d.Servers, d.Insecure = []string{dc(t).LDAP()}, true
	_, err := directory.Open("ad", d, nil)
	require.ErrorContains(t, err, "only over TLS")
}
