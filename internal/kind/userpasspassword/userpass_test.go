package userpasspassword

import (
	"context"
	"strings"
	"sync"
	"testing"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/kind/kindtest"
	"rollcall/internal/protocol"
	"rollcall/internal/vault"
)

func TestContract(t *testing.T) {
	kindtest.Run(t, kindtest.Fixture{
		Authority: authority(),
		New: func(t *testing.T) (credential.Credential, credential.Secret) {
			return newUser(t, nil)
		},
		Delete: func(t *testing.T, c credential.Credential) {
			_, err := server.Client().Logical().DeleteWithContext(t.Context(), "auth/userpass/users/"+c.Name)
			require.NoError(t, err)
		},
		States: map[protocol.Reply]func(*testing.T, credential.Credential){
			protocol.LoginLocked: lock,
			protocol.Disabled: func(t *testing.T, c credential.Credential) {
				login(t, c.Name, credential.NewSecret("stolen-"+c.Name))
				disable(t, c, true)
			},
		},
		Interrupt: func(t *testing.T) func(*testing.T) {
			require.NoError(t, server.Seal(t.Context()))
			return func(t *testing.T) { require.NoError(t, server.Unseal(t.Context())) }
		},
	})
}

func lock(t *testing.T, c credential.Credential) {
	for range 6 {
		_, err := tryLogin(t, c.Name, credential.NewSecret("guess"))
		require.Error(t, err)
	}
}

func mountAccessor(t *testing.T) string {
	t.Helper()
	got, err := server.Client().Logical().ReadWithContext(t.Context(), "sys/internal/ui/mounts/auth/userpass")
	require.NoError(t, err)
	return got.Data["accessor"].(string)
}

func entityOf(t *testing.T, c credential.Credential) string {
	t.Helper()
	got := admin(t, "identity/lookup/entity", map[string]any{"alias_name": c.Name, "alias_mount_accessor": mountAccessor(t)})
	return got.Data["id"].(string)
}

func disable(t *testing.T, c credential.Credential, off bool) {
	t.Helper()
	admin(t, "identity/entity/id/"+entityOf(t, c), map[string]any{"disabled": off})
}

// The look that comes after a proof, and the names in Vault, are in lower case.
func TestAPasswordForAnotherSpellingOfTheNameChangesNothing(t *testing.T) {
	t.Parallel()
	c, old := newUser(t, nil)
	shouted := strings.ToUpper(c.Name)
	admin(t, "auth/userpass/users/"+shouted+"/password", map[string]any{"password": "another"})
	login(t, c.Name, old) // Vault 1.21: 204, and nothing came of it
	login(t, shouted, old)
	_, err := tryLogin(t, shouted, credential.NewSecret("another"))
	require.Error(t, err)

	c.Subject = "userpass/" + shouted
	au := authority()
	a, next := set(t, au, c, old)
	login(t, c.Name, next)
	_, _, err = au.Retire(t.Context(), a, next)
	require.NoError(t, err)
}

func TestWhatTheOldPasswordMintedDiesInEverySpellingWithItsChildren(t *testing.T) {
	t.Parallel()
	require.NoError(t, server.Client().Sys().PutPolicy("children", `path "auth/token/create" { capabilities = ["update"] }`))
	c, old := newUser(t, map[string]any{"token_policies": "children", "token_ttl": "1h"})
	bystander, bystanderValue := newUser(t, nil)
	other := login(t, bystander.Name, bystanderValue)
	stolen := []*vaultapi.Client{login(t, c.Name, old), login(t, strings.ToUpper(c.Name), old)}
	made, err := stolen[1].Logical().WriteWithContext(t.Context(), "auth/token/create", nil)
	require.NoError(t, err)
	child := server.Client()
	child.SetToken(made.Auth.ClientToken)
	before, err := server.Client().Logical().ReadWithContext(t.Context(), "auth/userpass/users/"+c.Name)
	require.NoError(t, err)

	au := authority()
	a, next := set(t, au, c, old)
	_, findings, err := au.Retire(t.Context(), a, next)
	require.NoError(t, err)
	require.Len(t, findings, 1)
	require.Equal(t, credential.FindingTokensRevoked, findings[0].Code)
	require.Contains(t, findings[0].Detail, "2 live tokens")
	for _, token := range append(stolen, child) {
		require.False(t, alive(t, token))
	}
	require.True(t, alive(t, other), "another user's token")
	after, err := server.Client().Logical().ReadWithContext(t.Context(), "auth/userpass/users/"+c.Name)
	require.NoError(t, err)
	require.Equal(t, before.Data, after.Data, "nothing but the password was changed")

	consumer := login(t, c.Name, next)
	_, again, err := au.Retire(t.Context(), a, next)
	require.NoError(t, err)
	require.Equal(t, findings, again, "what was found stays found")
	require.True(t, alive(t, consumer), "this process knows that it has retired it")
}

// A login whose password Vault is comparing when another one is set succeeds,
// and gives a token.
func TestALoginThatWasOnItsWayLeavesNoToken(t *testing.T) {
	t.Parallel()
	// At cost 12, four times the work that Vault's own hashes take.
	const slow = "$2a$12$jJXxuNa4GfPyH0Rwv0Rui.uCd.UvQ3qUdKfxcvdIwuA6g3XDdM9iq"
	c, _ := newUser(t, nil)
	old := credential.NewSecret("slow")
	admin(t, "auth/userpass/users/"+c.Name+"/password", map[string]any{"password_hash": slow})
	au := authority()
	a := account(t, au, c)
	got, err := au.Try(t.Context(), "vault", a, old)
	require.NoError(t, err)
	require.Equal(t, protocol.Accepted, got)
	next, err := au.Generate(t.Context(), c)
	require.NoError(t, err)

	var wg sync.WaitGroup
	thieves := make(chan *vaultapi.Client, 8)
	begun := make(chan struct{}, 8)
	for range 2 {
		wg.Go(func() {
			begun <- struct{}{}
			if thief, err := tryLogin(t, c.Name, old); err == nil {
				thieves <- thief
			}
		})
	}
	for range 2 {
		<-begun
	}
	require.NoError(t, au.Set(t.Context(), a, next, old)) // it asks four things first
	_, _, err = au.Retire(t.Context(), a, next)
	require.NoError(t, err)
	wg.Wait()
	close(thieves)
	in := 0
	for thief := range thieves {
		in++
		require.False(t, alive(t, thief))
	}
	require.Positive(t, in, "the test tries nothing if no login came through")
}

func TestALockIsSaidWhateverIsOfferedAndANewPasswordDoesNotLiftIt(t *testing.T) {
	t.Parallel()
	au := authority()
	c, old := newUser(t, nil)
	a := account(t, au, c)
	lock(t, c)
	for _, v := range []credential.Secret{old, credential.NewSecret("guess")} {
		got, err := au.Offer(t.Context(), "vault", a, v)
		require.NoError(t, err)
		require.Equal(t, protocol.LoginLocked, got)
	}
	require.Contains(t, protocol.StopFor(protocol.LoginLocked, "vault").Detail, "sys/locked-users/ACCESSOR-OF-THE-MOUNT/unlock/NAME")
	admin(t, "auth/userpass/users/"+c.Name+"/password", map[string]any{"password": "other"})
	require.Equal(t, protocol.LoginLocked, account(t, au, c).State)
	admin(t, "sys/locked-users/"+mountAccessor(t)+"/unlock/"+c.Name, nil)
	require.Equal(t, protocol.Accepted, account(t, au, c).State)
}

func TestAThresholdThatTheMountShowsIsSeen(t *testing.T) {
	t.Parallel()
	admin(t, "sys/auth/tight", map[string]any{"type": "userpass", "config": map[string]any{}})
	admin(t, "sys/auth/tight/tune", map[string]any{"user_lockout_config": map[string]any{"lockout_threshold": "2"}})
	admin(t, "auth/tight/users/u", map[string]any{"password": "x"})
	a := account(t, New(server.Client(), "vault", config.PasswordPolicy{}, nil), credential.Credential{Subject: "tight/u"})
	require.Equal(t, 2, a.Locks)
	c, _ := newUser(t, nil)
	require.Equal(t, 4, account(t, authority(), c).Locks, "five where nobody set it, of which one is left to others")
}

// A wrong address is told from a wrong password only by the right one.
func TestAUserBoundToOtherAddressesIsLeftAsItIs(t *testing.T) {
	t.Parallel()
	au := authority()
	c, old := newUser(t, map[string]any{"token_bound_cidrs": "192.0.2.0/24"})
	a := account(t, au, c)
	_, err := au.Try(t.Context(), "vault", a, old)
	requireStop(t, err, protocol.ReasonRights)
	require.Contains(t, err.Error(), "token_bound_cidrs")
	got, err := au.Try(t.Context(), "vault", a, credential.NewSecret("wrong"))
	require.NoError(t, err)
	require.Equal(t, protocol.Refused, got)
	requireStop(t, au.Set(t.Context(), a, credential.NewSecret("new"), old), protocol.ReasonRights)
	admin(t, "auth/userpass/users/"+c.Name, map[string]any{"token_bound_cidrs": "127.0.0.0/8"})
	login(t, c.Name, old)

	// Bound to this machine's address, it is rotated if a value logs in from
	// here.
	a = account(t, au, c)
	requireStop(t, au.Set(t.Context(), a, credential.NewSecret("new"), old), protocol.ReasonRights)
	got, err = au.Try(t.Context(), "vault", a, old)
	require.NoError(t, err)
	require.Equal(t, protocol.Accepted, got)
	_, next := set(t, au, c, old)
	login(t, c.Name, next)
}

func requireStop(t *testing.T, err error, want protocol.Reason) {
	t.Helper()
	var stop *protocol.Stop
	require.ErrorAs(t, err, &stop)
	require.Equal(t, want, stop.Reason)
	require.NotContains(t, err.Error(), "esg-")
}

func TestATryLeavesNoTokenBehind(t *testing.T) {
	au := authority()
	for name, settings := range map[string]map[string]any{
		"plain":                  nil,
		"one use":                {"token_num_uses": 1},
		"may not look itself up": {"token_no_default_policy": true},
	} {
		t.Run(name, func(t *testing.T) {
			c, old := newUser(t, settings)
			a, before := account(t, au, c), tokens(t)
			for _, offer := range []func(context.Context, string, kind.Account, credential.Secret) (protocol.Reply, error){au.Try, au.Offer} {
				got, err := offer(t.Context(), "vault", a, old)
				require.NoError(t, err)
				require.Equal(t, protocol.Accepted, got)
			}
			leavesNone(t, before)
		})
	}
}

func secondFactor(t *testing.T, c credential.Credential) {
	t.Helper()
	method := admin(t, "identity/mfa/method/totp", map[string]any{"issuer": "x", "period": 30, "key_size": 30, "algorithm": "SHA256", "digits": 6})
	admin(t, "identity/mfa/login-enforcement/"+c.Name, map[string]any{"mfa_method_ids": []any{method.Data["method_id"]}, "identity_entity_ids": []string{entityOf(t, c)}})
}

// Vault makes the challenge only after the password was right.
func TestASecondFactorIsNoHindrance(t *testing.T) {
	t.Parallel()
	c, old := newUser(t, nil)
	login(t, c.Name, old)
	secondFactor(t, c)
	au := authority()
	a, next := set(t, au, c, old)
	for value, want := range map[string]protocol.Reply{old.Reveal(): protocol.Refused, next.Reveal(): protocol.Accepted} {
		got, err := au.Try(t.Context(), "vault", a, credential.NewSecret(value))
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	_, findings, err := au.Retire(t.Context(), a, next)
	require.NoError(t, err)
	require.Len(t, findings, 1)
}

func TestBatchTokensAreReportedSinceNothingCanRevokeThem(t *testing.T) {
	t.Parallel()
	au := authority()
	c, old := newUser(t, map[string]any{"token_type": "batch"})
	a, next := set(t, au, c, old)
	got, err := au.Try(t.Context(), "vault", a, next)
	require.NoError(t, err)
	require.Equal(t, protocol.Accepted, got)
	_, findings, err := au.Retire(t.Context(), a, next)
	require.NoError(t, err)
	require.Len(t, findings, 1)
	require.Equal(t, credential.FindingBatchTokens, findings[0].Code)
}

func TestTheLoginThatRollcallWorksWithIsLeftAlone(t *testing.T) {
	t.Parallel()
	require.NoError(t, server.Client().Sys().PutPolicy("makes", `path "auth/token/create" { capabilities = ["update", "sudo"] }
path "auth/userpass/*" { capabilities = ["read", "update"] }
path "identity/lookup/entity" { capabilities = ["update"] }`))
	c, old := newUser(t, map[string]any{"token_policies": "makes"})
	direct := login(t, strings.ToUpper(c.Name), old)
	made, err := direct.Auth().Token().CreateWithContext(t.Context(), &vaultapi.TokenCreateRequest{})
	require.NoError(t, err)
	child := server.Client()
	child.SetToken(made.Auth.ClientToken)
	operator, operators := newUser(t, map[string]any{"token_policies": "rollcall-operator"})
	byEntity, value := newUser(t, nil)
	login(t, byEntity.Name, value)
	admin(t, "identity/entity/id/"+entityOf(t, byEntity), map[string]any{"policies": "rollcall-worker"})
	for name, row := range map[string]struct {
		api *vaultapi.Client
		c   credential.Credential
	}{"logged in as it": {direct, c}, "by a token that one of it made": {child, c}, "somebody who works with Rollcall": {server.Client(), operator}, "by the policies of the entity": {server.Client(), byEntity}} {
		t.Run(name, func(t *testing.T) {
			au := New(row.api, "vault", config.PasswordPolicy{}, nil)
			a := account(t, New(server.Client(), "vault", config.PasswordPolicy{}, nil), row.c)
			requireStop(t, au.Set(t.Context(), a, credential.NewSecret("new"), old), protocol.ReasonSelf)
			_, _, err := au.Retire(t.Context(), a, credential.NewSecret("new"))
			requireStop(t, err, protocol.ReasonSelf)
		})
	}
	require.True(t, alive(t, child))
	login(t, operator.Name, operators)
}

func TestAMissingRightIsAStopThatNamesNobody(t *testing.T) {
	t.Parallel()
	c, old := newUser(t, nil)
	nothing := admin(t, "auth/token/create", map[string]any{"no_default_policy": true, "policies": []string{"nothing"}}).Auth.ClientToken
	for token, want := range map[string]protocol.Reason{nothing: protocol.ReasonRights, "hvs.gone": protocol.ReasonVaultLogin} {
		lesser := server.Client()
		lesser.SetToken(token)
		au := New(lesser, "vault", config.PasswordPolicy{}, nil)
		_, err := au.Account(t.Context(), "vault", c)
		requireStop(t, err, want)
		_, err = au.Try(t.Context(), "vault", kind.Account{Subject: c.Subject}, old)
		requireStop(t, err, want)
	}
}

func TestAVaultThatDoesNotAnswerIsSaidWithoutTheUser(t *testing.T) {
	t.Parallel()
	conf := vaultapi.DefaultConfig()
	conf.Address, conf.MaxRetries = "http://127.0.0.1:1", 0
	api, err := vaultapi.NewClient(conf)
	require.NoError(t, err)
	au := New(api, "vault", config.PasswordPolicy{}, nil)
	acc := kind.Account{Subject: "userpass/esg-01"}
	_, err = au.Account(t.Context(), "vault", credential.Credential{Subject: acc.Subject})
	require.ErrorIs(t, err, vault.ErrNoAnswer)
	require.NotContains(t, err.Error(), "esg-01")
	for _, err := range []error{au.Set(t.Context(), acc, credential.NewSecret("new"), credential.Secret{}), retire(t, au, acc)} {
		require.ErrorIs(t, err, vault.ErrNoAnswer)
		require.NotContains(t, err.Error(), "esg-01")
	}
	got, err := au.Offer(t.Context(), "vault", acc, credential.NewSecret("new"))
	require.NoError(t, err)
	require.Equal(t, protocol.Unreachable, got)
}

func retire(t *testing.T, au *Authority, a kind.Account) error {
	_, _, err := au.Retire(t.Context(), a, credential.NewSecret("new"))
	return err
}

func TestAValueByVaultsPasswordPolicyHasToFit(t *testing.T) {
	t.Parallel()
	made := strings.Repeat("x", longest)
	au := New(worker, "vault", config.PasswordPolicy{VaultPolicy: "corp"}, func(_ context.Context, policy string) (credential.Secret, error) {
		require.Equal(t, "corp", policy)
		return credential.NewSecret(made), nil
	})
	c, old := newUser(t, nil)
	a, next := set(t, au, c, old)
	got, err := au.Try(t.Context(), "vault", a, next)
	require.NoError(t, err)
	require.Equal(t, protocol.Accepted, got)
	made += "x"
	_, err = au.Generate(t.Context(), c)
	requireStop(t, err, protocol.ReasonNoGenerator)
}
