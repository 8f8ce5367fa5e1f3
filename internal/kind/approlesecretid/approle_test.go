package approlesecretid

import (
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/kind/kindtest"
	"rollcall/internal/protocol"
)

func TestContract(t *testing.T) {
	kindtest.Run(t, kindtest.Fixture{
		Authority: New(worker, "vault"),
		New: func(t *testing.T) (credential.Credential, credential.Secret) {
			return newRole(t, nil)
		},
		Delete: func(t *testing.T, c credential.Credential) {
			_, err := server.Client().Logical().DeleteWithContext(t.Context(), "auth/approle/role/"+c.Name)
			require.NoError(t, err)
		},
		States: map[protocol.Reply]func(*testing.T, credential.Credential){
			protocol.RoleLocked: func(t *testing.T, c credential.Credential) {
				for range 6 {
					_, err := tryLogin(t, c, credential.NewSecret("guess"))
					require.Error(t, err)
				}
			},
		},
		Interrupt: func(t *testing.T) func(*testing.T) {
			require.NoError(t, server.Seal(t.Context()))
			return func(t *testing.T) { require.NoError(t, server.Unseal(t.Context())) }
		},
	})
}

func TestAfterRetireTheOldSecretIDAndItsTokensAreDeadAndTheNewOnesLive(t *testing.T) {
	au := New(worker, "vault")
	c, old := newRole(t, nil)
	bystander, bystanderValue := newRole(t, nil)
	other := login(t, bystander, bystanderValue)
	stolen := []string{login(t, c, old), login(t, c, old)}

	a, next := set(t, au, c, old)
	consumer := login(t, c, next)
	_, findings, err := au.Retire(t.Context(), a, next)
	require.NoError(t, err)
	require.Equal(t, []credential.Finding{{Code: credential.FindingTokensRevoked, Detail: "2 live tokens of the old secret-ids were revoked"}}, findings)

	_, err = tryLogin(t, c, old)
	require.Error(t, err)
	for _, token := range stolen {
		require.False(t, alive(t, token))
	}
	require.True(t, alive(t, consumer))
	require.True(t, alive(t, other), "another role's token")

	_, findings, err = au.Retire(t.Context(), a, next)
	require.NoError(t, err)
	require.Empty(t, findings)
	require.True(t, alive(t, consumer))
}

func TestASecondRotationRevokesTokensOfTheFirstOnesSecretID(t *testing.T) {
	au := New(worker, "vault")
	c, old := newRole(t, nil)
	a, first := set(t, au, c, old)
	_, _, err := au.Retire(t.Context(), a, first)
	require.NoError(t, err)
	stolen := login(t, c, first)
	a, second := set(t, au, c, first)
	_, _, err = au.Retire(t.Context(), a, second)
	require.NoError(t, err)
	require.False(t, alive(t, stolen), "ours too, and stolen all the same")
}

func TestSecretIDsBesidesTheOldOneAreDestroyedAndReported(t *testing.T) {
	au := New(worker, "vault")
	c, old := newRole(t, nil)
	extra := []credential.Secret{newSecretID(t, c), newSecretID(t, c)}
	a, next := set(t, au, c, old)
	_, findings, err := au.Retire(t.Context(), a, next)
	require.NoError(t, err)
	require.Len(t, findings, 1)
	require.Equal(t, credential.FindingExtraSecretIDs, findings[0].Code)
	require.Contains(t, findings[0].Detail, "2 more")
	for _, v := range append(extra, old) {
		got, err := au.Try(t.Context(), "vault", a, v)
		require.NoError(t, err)
		require.Equal(t, protocol.Refused, got)
		got, err = au.Try(t.Context(), "vault", a, next)
		require.NoError(t, err)
		require.Equal(t, protocol.Accepted, got)
	}
}

func TestASetWhoseReplyWasLostIsToldByTryAndMayBeRepeated(t *testing.T) {
	au := New(worker, "vault")
	c, old := newRole(t, nil)
	a, next := set(t, au, c, old)
	got, err := au.Try(t.Context(), "vault", a, next)
	require.NoError(t, err)
	require.Equal(t, protocol.Accepted, got)
	require.NoError(t, au.Set(t.Context(), a, next, old))
	accessors, err := au.accessors(t.Context(), role{mount: "approle", name: c.Name})
	require.NoError(t, err)
	require.Len(t, accessors, 2, "old and new, set once")
}

func TestRetireLeavesEverythingAloneWithoutTheNewSecretID(t *testing.T) {
	au := New(worker, "vault")
	c, old := newRole(t, nil)
	_, _, err := au.Retire(t.Context(), account(t, au, c), credential.NewSecret("never set"))
	var stop *protocol.Stop
	require.ErrorAs(t, err, &stop)
	require.Equal(t, protocol.ReasonNewRefused, stop.Reason)
	require.True(t, alive(t, login(t, c, old)))
}

func TestTryLeavesNoTokenBehind(t *testing.T) {
	au := New(worker, "vault")
	for name, settings := range map[string]map[string]any{
		"as usual":                   nil,
		"without the default policy": {"token_no_default_policy": true, "token_policies": "none-such"},
		"token of one use":           {"token_num_uses": 1},
		"token of two uses":          {"token_num_uses": 2},
	} {
		t.Run(name, func(t *testing.T) {
			c, old := newRole(t, settings)
			a := account(t, au, c)
			before := tokens(t)
			got, err := au.Try(t.Context(), "vault", a, old)
			require.NoError(t, err)
			require.Equal(t, protocol.Accepted, got)
			// Vault removes a token that has spent its uses in the background.
			leavesNone(t, before)
		})
	}
}

func TestTryCostsNoUseOfALimitedSecretID(t *testing.T) {
	au := New(worker, "vault")
	c, old := newRole(t, map[string]any{"secret_id_num_uses": 1})
	a, next := set(t, au, c, old)
	for range 3 {
		for _, v := range []credential.Secret{old, next} {
			got, err := au.Try(t.Context(), "vault", a, v)
			require.NoError(t, err)
			require.Equal(t, protocol.Accepted, got)
		}
	}
	_, _, err := au.Retire(t.Context(), a, next)
	require.NoError(t, err)
	got, err := au.Try(t.Context(), "vault", a, old)
	require.NoError(t, err)
	require.Equal(t, protocol.Refused, got)
	login(t, c, next)
	_, err = tryLogin(t, c, next)
	require.Error(t, err, "the consumer had exactly the use that the role allows")
}

func TestStatesInWhichNothingCanBeProvedAreStops(t *testing.T) {
	au := New(worker, "vault")
	for _, row := range []struct {
		name     string
		settings map[string]any
		words    string
	}{
		{"secret-ids bound to other addresses", map[string]any{"secret_id_bound_cidrs": "192.0.2.0/24"}, "source addresses"},
		{"tokens bound to other addresses", map[string]any{"token_bound_cidrs": "192.0.2.0/24"}, "source addresses"},
	} {
		t.Run(row.name, func(t *testing.T) {
			c, old := newRole(t, row.settings)
			before := tokens(t)
			_, err := au.Try(t.Context(), "vault", account(t, au, c), old)
			var stop *protocol.Stop
			require.ErrorAs(t, err, &stop)
			require.Equal(t, protocol.ReasonRights, stop.Reason)
			require.Contains(t, stop.Detail, row.words)
			leavesNone(t, before)
		})
	}
}

func TestARoleThatNeedsNoSecretIDIsNotRotated(t *testing.T) {
	au := New(worker, "vault")
	c, _ := newRole(t, nil)
	admin(t, "auth/approle/role/"+c.Name, map[string]any{"bind_secret_id": false, "secret_id_bound_cidrs": "127.0.0.0/8"})
	a := account(t, au, c)
	var stop *protocol.Stop
	require.ErrorAs(t, au.Set(t.Context(), a, credential.NewSecret("x"), credential.Secret{}), &stop)
	require.Equal(t, protocol.ReasonNeedsNone, stop.Reason)
}

func TestTheRoleThatWeAreLoggedInWithIsLeftAlone(t *testing.T) {
	c, value := newRole(t, map[string]any{"token_policies": "rollcall-worker"})
	self := server.Client()
	self.SetToken(login(t, c, value))
	au := New(self, "vault")
	a := account(t, au, c)
	var stop *protocol.Stop
	require.ErrorAs(t, au.Set(t.Context(), a, credential.NewSecret("x"), value), &stop)
	require.Equal(t, protocol.ReasonSelf, stop.Reason)
	_, _, err := au.Retire(t.Context(), a, value)
	require.ErrorAs(t, err, &stop)
	require.Equal(t, protocol.ReasonSelf, stop.Reason)
	require.True(t, alive(t, self.Token()))
}

func TestBatchTokensAreReportedSinceNothingCanRevokeThem(t *testing.T) {
	au := New(worker, "vault")
	c, old := newRole(t, map[string]any{"token_type": "batch"})
	a, next := set(t, au, c, old)
	got, err := au.Try(t.Context(), "vault", a, next)
	require.NoError(t, err)
	require.Equal(t, protocol.Accepted, got)
	_, findings, err := au.Retire(t.Context(), a, next)
	require.NoError(t, err)
	require.Len(t, findings, 1)
	require.Equal(t, credential.FindingBatchTokens, findings[0].Code)
}

// An auth mount may give batch tokens whatever its roles ask for.
func TestBatchTokensOfTheMountAreReportedWhateverTheRoleAsksFor(t *testing.T) {
	admin(t, "sys/auth/forced", map[string]any{"type": "approle", "config": map[string]any{"token_type": "batch"}})
	admin(t, "auth/forced/role/r", map[string]any{"token_type": "service"})
	old := credential.NewSecret("forced-old")
	admin(t, "auth/forced/role/r/custom-secret-id", map[string]any{"secret_id": old.Reveal()})
	c := credential.Credential{ID: "vault/forced/r", Kind: credential.AppRoleSecretID, Authority: "vault", Subject: "forced/r", Name: "forced/r"}
	id, err := server.Client().Logical().Read("auth/forced/role/r/role-id")
	require.NoError(t, err)
	got := admin(t, "auth/forced/login", map[string]any{"role_id": id.Data["role_id"], "secret_id": old.Reveal()})
	require.Empty(t, got.Auth.Accessor, "a batch token has none")
	au := New(server.Client(), "vault")
	a, next := set(t, au, c, old)
	_, findings, err := au.Retire(t.Context(), a, next)
	require.NoError(t, err)
	require.Len(t, findings, 1)
	require.Equal(t, credential.FindingBatchTokens, findings[0].Code)
}

func TestAMissingRightIsAStopThatNamesNoRole(t *testing.T) {
	c, old := newRole(t, nil)
	// Rights are missing where Vault knows the token, and else the login is.
	nothing := admin(t, "auth/token/create", map[string]any{"no_default_policy": true, "policies": []string{"nothing"}}).Auth.ClientToken
	for token, want := range map[string]protocol.Reason{nothing: protocol.ReasonRights, "hvs.gone": protocol.ReasonVaultLogin} {
		lesser := server.Client()
		lesser.SetToken(token)
		au := New(lesser, "vault")
		_, err := au.Account(t.Context(), "vault", c)
		var stop *protocol.Stop
		require.ErrorAs(t, err, &stop)
		require.Equal(t, want, stop.Reason)
		require.NotContains(t, stop.Error(), c.Name)
		stop = nil
		_, err = au.Try(t.Context(), "vault", account(t, New(worker, "vault"), c), old)
		require.ErrorAs(t, err, &stop)
	}
}
