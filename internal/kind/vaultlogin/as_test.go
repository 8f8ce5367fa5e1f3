package vaultlogin

import (
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/kind"
	"rollcall/internal/kind/adpassword"
	"rollcall/internal/kind/ldappassword"
	"rollcall/internal/kind/userpassword"
)

// What a directory can do besides decides what is called dead: it must not get
// lost because its passwords may open Vault too.
func TestWhatAnAuthorityCanDoBesidesIsFoundThroughTheOneAroundIt(t *testing.T) {
	for name, inner := range map[string]kind.Authority{
		"ldap-password": ldappassword.New(nil, config.PasswordPolicy{}, nil),
		"ad-password":   adpassword.New(nil, config.PasswordPolicy{}, nil),
		"user-password": userpassword.New(nil, config.PasswordPolicy{}, nil),
	} {
		around := Around(inner, nil, "vault")
		same[kind.Named](t, name, inner, around)
		same[kind.Keeper](t, name, inner, around)
		same[kind.Teller](t, name, inner, around)
		same[kind.Seer](t, name, inner, around)
		same[kind.Again](t, name, inner, around)
		same[kind.Brief](t, name, inner, around)

		many, ok := kind.As[kind.Many](around)
		require.True(t, ok, name)
		require.Equal(t, kind.Many(around), many, "it adds the logins")
		_, ok = kind.As[kind.Login](around)
		require.True(t, ok, name)
	}
}

func same[T any](t *testing.T, name string, inner, around kind.Authority) {
	t.Helper()
	own, has := inner.(T)
	found, is := kind.As[T](around)
	require.Equal(t, has, is, "%s: %T", name, (*T)(nil))
	require.Equal(t, own, found, "%s: %T", name, (*T)(nil))
}
