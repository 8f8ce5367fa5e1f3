package inventory

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/vault"
)

// protected is an account of a domain that can reset others.
func protected(name string) Account {
	a := person(name)
	a.Protected = true
	return a
}

// ordered lists what merge makes of found: "wave number, its name, the
// account".
func ordered(t *testing.T, c *config.Campaign, found []Candidate, known accounts, own ownIdentities) ([]string, error) {
	t.Helper()
	roll, _, err := merge(c, found, known, own)
	if err != nil {
		return nil, err
	}
	var got []string
	for _, x := range roll.Credentials {
		got = append(got, fmt.Sprintf("%d %s: %s", x.Wave, roll.Waves[x.Wave].Name, x.Name))
	}
	slices.Sort(got)
	return got, nil
}

func TestTheDevicesLoginsToVaultGoFirstWhateverTheFileSays(t *testing.T) {
	alice, bob, role := person("alice").Name, person("bob").Name, "approle/esg"
	found := []Candidate{from(t, "a alice -"), from(t, "b bob -"), from(t, "b approle/esg -")}
	for name, row := range map[string]struct {
		waves []config.Wave
		want  []string
	}{
		"no waves":                  {nil, []string{"0 logins-to-vault: " + role, "1 the rest: " + alice, "1 the rest: " + bob}},
		"waves that name no logins": {[]config.Wave{{Name: "b", Source: "b"}}, []string{"0 logins-to-vault: " + role, "1 b: " + bob, "2 the rest: " + alice}},
		"a wave of logins, first":   {[]config.Wave{{Name: "mine", Kind: credential.AppRoleSecretID}, {Name: "b", Source: "b"}}, []string{"0 mine: " + role, "1 b: " + bob, "2 the rest: " + alice}},
		"a wave of some logins": {[]config.Wave{{Name: "mine", Kind: credential.AppRoleSecretID, Account: "other"}, {Name: "b", Source: "b"}},
			[]string{"1 logins-to-vault: " + role, "2 b: " + bob, "3 the rest: " + alice}},
		"by its authority": {[]config.Wave{{Name: "vault", Directory: "vault"}}, []string{"0 vault: " + role, "1 the rest: " + alice, "1 the rest: " + bob}},
	} {
		t.Run(name, func(t *testing.T) {
			c := campaign()
			c.Waves = row.waves
			got, err := ordered(t, c, found, people(), nil)
			require.NoError(t, err)
			require.Equal(t, row.want, got)
		})
	}
}

func TestAccountsThatCanResetOthersGoBeforeThoseTheyCouldReset(t *testing.T) {
	known := people()
	known[reference{"corp", "boss"}] = []Account{protected("boss")}
	boss, alice := person("boss").Name, person("alice").Name
	found := []Candidate{from(t, "a alice -"), from(t, "b boss -"), from(t, "b approle/esg -")}
	c := campaign()
	got, err := ordered(t, c, found, known, nil)
	require.NoError(t, err)
	require.Equal(t, []string{"0 logins-to-vault: approle/esg", "1 may-reset-others: " + boss, "2 the rest: " + alice}, got)

	c.Waves = []config.Wave{{Name: "admins", Account: "*boss*"}}
	got, err = ordered(t, c, found, known, nil)
	require.NoError(t, err)
	require.Equal(t, []string{"0 logins-to-vault: approle/esg", "1 admins: " + boss, "2 the rest: " + alice}, got)

	for _, waves := range [][]config.Wave{
		{{Name: "some", Account: "*alice*"}, {Name: "admins", Account: "*boss*"}},
		{{Name: "all", Directory: "corp"}},
	} {
		c.Waves = waves
		_, err = ordered(t, c, found, known, nil)
		require.ErrorContains(t, err, "can reset other accounts")
		require.ErrorContains(t, err, waves[0].Name)
	}
}

func TestRollcallsOwnGoBehindTheWavesThatNoFileNames(t *testing.T) {
	found := []Candidate{from(t, "a alice -"), from(t, "b bob -"), from(t, "b approle/esg -"), from(t, "b carol -")}
	got, err := ordered(t, campaign(), found, people(), ownIdentities{"corp/" + uuidOf("alice"): 1, "corp/" + uuidOf("bob"): 0})
	require.NoError(t, err)
	require.Equal(t, []string{
		"0 logins-to-vault: approle/esg", "1 the rest: " + person("carol").Name,
		"2 Rollcall's own, alone: " + person("bob").Name, "3 Rollcall's own, alone: " + person("alice").Name,
	}, got)
}

// The new secret-id of the workers opens every secret of the campaign.
func TestTheWorkersOwnRoleGetsNoPathFromTheDevice(t *testing.T) {
	mount, name, _ := cutRole(vault.WorkerRole)
	a, place := roleAccount(mount, name), vault.OwnSecretID("rollcall")
	planted := from(t, "a "+vault.WorkerRole+" kv/apps/esg-01/cache#secret_id")
	planted.Kind, planted.Authority, planted.Found, planted.Reason.Type = credential.AppRoleSecretID, credential.VaultAuthority, &a, config.VaultKV
	own := Candidate{
		Kind: credential.AppRoleSecretID, Authority: credential.VaultAuthority, Account: a.Subject, Found: &a, Path: &place,
		Reason: credential.Reason{Source: "rollcall", Type: ownSource},
	}
	for _, found := range [][]Candidate{{planted, own}, {own, planted}} {
		roll, _, err := merge(campaign(), found, people(), ownIdentities{"vault/" + vault.WorkerRole: 0})
		require.NoError(t, err)
		require.Len(t, roll.Credentials, 1)
		require.Equal(t, []credential.Path{place}, roll.Credentials[0].Paths)
		require.Nil(t, roll.Credentials[0].Spare)
		require.True(t, roll.Credentials[0].Own)
	}
}
