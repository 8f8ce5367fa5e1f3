package inventory

import (
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
)

// paired is a campaign on two directories; alice and bob are the pair of corp.
func paired() *config.Campaign {
	c := campaign()
	place := func(name string) credential.Path {
		return credential.Path{Mount: "kv", Path: "bind/" + name, Field: "password"}
	}
	c.Directories["corp"] = config.Directory{
		Driver: config.OpenLDAP, Base: base,
		Bind:    config.Bind{DN: person("bob").Name, Password: place("bob")},
		Partner: config.Bind{DN: person("alice").Name, Password: place("alice")},
	}
	c.Directories["plant"] = config.Directory{Driver: config.OpenLDAP, Base: base, Bind: config.Bind{DN: "cn=single," + base, Password: place("single")}}
	c.Waves = []config.Wave{{Name: "everything", Directory: "corp"}}
	return c
}

// listed is what List makes of candidates, without any server.
func listed(t *testing.T, c *config.Campaign, found []Candidate, known accounts) (*credential.Roll, []Warning) {
	t.Helper()
	l := &lister{c: c, candidates: found}
	require.NoError(t, l.addOwn(t.Context()))
	own, err := l.findOwnIdentities(t.Context(), known)
	require.NoError(t, err)
	roll, warnings, err := merge(c, l.candidates, known, own)
	require.NoError(t, err)
	return roll, warnings
}

func TestABindPairIsOnTheRollByItselfAndEachGoesLastAndAlone(t *testing.T) {
	found := []Candidate{from(t, "a carol kv/apps/carol#password"), from(t, "a alice kv/apps/alice#password")}
	roll, warnings := listed(t, paired(), found, people())
	require.Empty(t, warnings)
	require.Len(t, roll.Credentials, 3)
	carol, bob, alice := roll.Credentials[0], roll.Credentials[1], roll.Credentials[2]
	require.Equal(t, person("carol").Name, carol.Name)
	require.Zero(t, carol.Wave)

	require.Equal(t, person("bob").Name, bob.Name, "the first of the pair goes first")
	require.Equal(t, 2, bob.Wave, "after the wave of the file and the rest")
	require.Equal(t, []credential.Path{{Mount: "kv", Path: "bind/bob", Field: "password"}}, bob.Paths)
	require.Equal(t, []credential.Reason{{Source: "rollcall", Type: "own", Detail: "Rollcall's own bind identity A"}}, bob.Reasons)

	require.Equal(t, person("alice").Name, alice.Name)
	require.Equal(t, 3, alice.Wave, "with nothing beside it")
	require.Equal(t, []credential.Path{{Mount: "kv", Path: "bind/alice", Field: "password"}}, alice.Paths, "whatever another source says: its new value opens the directory")
	require.Equal(t, credential.FindingPlace, roll.Findings[alice.ID][0].Code)
	require.Len(t, alice.Reasons, 2)
	for _, c := range roll.Credentials {
		require.Empty(t, c.Problem)
	}
}

func TestASingleBindIdentityIsListedOnlyIfASourceFindsItAndStaysOpen(t *testing.T) {
	c := paired()
	single := Account{Subject: uuidOf("single"), Name: "cn=single," + base, Short: "single"}
	known := people()
	known[reference{"plant", accountKey(single.Name)}] = []Account{single}
	roll, _ := listed(t, c, nil, known)
	require.Len(t, roll.Credentials, 2)

	x := from(t, "a "+"-"+" kv/bind/single#password")
	x.Authority, x.Account = "plant", single.Name
	roll, warnings := listed(t, c, []Candidate{x}, known)
	require.Len(t, roll.Credentials, 3)
	require.Equal(t, credential.OwnIdentity, roll.Credentials[0].Problem)
	require.Equal(t, 1, roll.Credentials[0].Wave)
	require.Len(t, warnings, 1)
	require.Contains(t, warnings[0].Detail, "name a pair under directories.plant.bind")
}

func TestABindPairThatTheDirectoryDoesNotShowStaysOpenAndIsNotDropped(t *testing.T) {
	known := people()
	delete(known, reference{"corp", accountKey(person("bob").Name)})
	roll, _ := listed(t, paired(), nil, known)
	require.Len(t, roll.Credentials, 2)
	require.Equal(t, credential.NoAccount, roll.Credentials[0].Problem)
	require.Equal(t, person("bob").Name, roll.Credentials[0].Name)
	require.Empty(t, roll.Credentials[1].Problem)
}
