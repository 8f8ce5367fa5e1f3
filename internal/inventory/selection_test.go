package inventory

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"rollcall/config"
	"rollcall/internal/credential"
)

func pickable() *credential.Roll {
	at := func(path string) []credential.Path {
		return []credential.Path{{Mount: "kv", Path: path, Field: "password"}}
	}
	by := func(source string) []credential.Reason { return []credential.Reason{{Source: source}} }
	return &credential.Roll{
		Waves: []credential.Wave{{Name: "logins-to-vault"}, {Name: "the rest"}, {Name: "what servers replicate by", Alone: true}},
		Credentials: []credential.Credential{
			{ID: "vault/approle/esg-01", Kind: credential.AppRoleSecretID, Name: "approle/esg-01", Paths: at("esg/role"), Reasons: by("tags")},
			{ID: "corp/1", Wave: 1, Kind: credential.LDAPPassword, Name: "uid=svc-mail,ou=people,dc=example,dc=org", Paths: at("esg/mail"), Reasons: by("vault")},
			{ID: "corp/2", Wave: 1, Kind: credential.LDAPPassword, Name: "uid=svc-scan,ou=people,dc=example,dc=org", Paths: at("esg/scan"), Reasons: by("list")},
			{ID: "person/radius", Wave: 1, Name: "radius", Task: &credential.Task{}, Reasons: by("list")},
			{ID: "corp/3", Wave: 2, Kind: credential.LDAPPassword, Name: "cn=replicator,dc=example,dc=org", Reasons: by("list")},
			{ID: "corp/4", Wave: 2, Kind: credential.LDAPPassword, Name: "cn=rollcall-a,dc=example,dc=org", Own: true, Reasons: by("list")},
		},
	}
}

func TestWhatIsPickedIsCalledByEachNameThatPeopleKnow(t *testing.T) {
	for _, c := range []struct {
		by   config.Selection
		want []int
	}{
		{config.Selection{Only: []string{"svc-mail"}}, []int{1}},
		{config.Selection{Only: []string{"SVC-*"}}, []int{1, 2}},
		{config.Selection{Only: []string{"uid=svc-scan,ou=people,dc=example,dc=org"}}, []int{2}},
		{config.Selection{Only: []string{"kv/esg/mail"}}, []int{1}},
		{config.Selection{Only: []string{"kv/esg/*#password"}}, []int{0, 1, 2}},
		{config.Selection{Only: []string{"esg-01", "radius"}}, []int{0, 3}},
		{config.Selection{Wave: "the rest", Limit: 2}, []int{1, 2}},
		{config.Selection{Wave: "2"}, []int{1, 2, 3}},
		{config.Selection{Source: "list", Wave: "the rest"}, []int{2, 3}},
		{config.Selection{Limit: 99}, []int{0, 1, 2, 3, 4, 5}},
	} {
		got, err := Select(pickable(), c.by)
		require.NoError(t, err)
		require.Equal(t, c.want, got, "%+v", c.by)
	}
}

func TestAPartThatPicksNothingIsAnErrorThatSaysSo(t *testing.T) {
	for want, by := range map[string]config.Selection{
		`no credential of the roll is called "svc-mial"`:                    {Only: []string{"svc-mail", "svc-mial"}},
		"stands for any text); like it: svc-mail: rollcall list":            {Only: []string{"SVC_mial"}},
		"stands for any text); like it: kv/esg/scan: rollcall list":         {Only: []string{"kv/esg/scans"}},
		"stands for any text): rollcall list shows them":                    {Only: []string{"mai*l"}},
		"it has 1 logins-to-vault, 2 the rest, 3 what servers replicate by": {Wave: "rest"},
		"the roll has no wave \"4\"":                                        {Wave: "4"},
		`nothing on the roll was found by a source called "vualt"`:          {Source: "vualt"},
		"no credential of the roll is what all of --only, --wave":           {Only: []string{"svc-mail"}, Source: "list"},
	} {
		_, err := Select(pickable(), by)
		require.ErrorContains(t, err, want)
	}
}

func TestWhatHasAReasonToGoLastIsNotTriedFirst(t *testing.T) {
	for name, why := range map[string]string{"radius": "a person does it", "replicator": "servers replicate by it", "rollcall-a": "Rollcall itself works with it"} {
		roll := pickable()
		require.ErrorContains(t, goFirst(roll, config.Selection{Only: []string{name}}), why)
		require.Equal(t, pickable(), roll, "nothing was changed")
	}
	require.ErrorContains(t, goFirst(pickable(), config.Selection{Wave: "what servers replicate by"}), "nothing of what was to be tried first")
	roll := pickable()
	require.NoError(t, goFirst(roll, config.Selection{Source: "list"}))
	require.Equal(t, []string{"corp/2", "vault/approle/esg-01", "corp/1", "person/radius", "corp/3", "corp/4"}, idsOf(roll), "of a source those that can")
}

func idsOf(roll *credential.Roll) (ids []string) {
	for _, c := range roll.Credentials {
		ids = append(ids, c.ID)
	}
	return ids
}

func TestTryingSomeFirstLosesNobodyAndKeepsTheOrderOfTheRest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		roll := pickable()
		limit := rapid.IntRange(1, 6).Draw(t, "limit")
		source := rapid.SampledFrom([]string{"", "list", "vault", "tags"}).Draw(t, "source")
		require.NoError(t, goFirst(roll, config.Selection{Limit: limit, Source: source}))
		require.ElementsMatch(t, idsOf(pickable()), idsOf(roll))
		require.True(t, roll.Waves[0].Hold)
		require.True(t, slices.IsSortedFunc(roll.Credentials, func(a, b credential.Credential) int { return a.Wave - b.Wave }))
		var rest []string
		for _, c := range roll.Credentials {
			if c.Wave > 0 {
				rest = append(rest, c.ID)
				require.Equal(t, waveNameOf(pickable(), c.ID), roll.Waves[c.Wave].Name)
			}
		}
		require.Equal(t, slices.DeleteFunc(idsOf(pickable()), func(id string) bool { return !slices.Contains(rest, id) }), rest)
	})
}

func waveNameOf(roll *credential.Roll, id string) string {
	for _, c := range roll.Credentials {
		if c.ID == id {
			return roll.Waves[c.Wave].Name
		}
	}
	return ""
}
