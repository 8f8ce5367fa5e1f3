package inventory

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/directory"
)

// listedIn merges accounts of corp, where by account may reset whom.
func listedIn(t *testing.T, waves []config.Wave, all []Account, resets ...directory.Alike) (map[string]credential.Credential, *credential.Roll, error) {
	c := campaign()
	c.Waves = waves
	var found []Candidate
	for _, a := range all {
		cand := from(t, "a "+a.Short+" -")
		cand.Found = &a
		found = append(found, cand)
	}
	for i := range resets {
		resets[i] = directory.Alike{Accounts: uuids(resets[i].Accounts), By: uuids(resets[i].By)}
	}
	roll, _, err := mergeAll(c, found, accounts{}, nil, unfound{resets: map[string]directory.Resets{"corp": {Alike: resets}}})
	if err != nil {
		return nil, nil, err
	}
	return byName(roll), roll, nil
}

func uuids(names []string) (out []string) {
	for _, n := range names {
		out = append(out, uuidOf(n))
	}
	return out
}

func TestWhoMayResetWhomMakesWavesOneBehindTheOther(t *testing.T) {
	all := []Account{person("alice"), person("bob"), person("carol"), person("dan"), person("eve"), protected("boss")}
	wave := func(of map[string]credential.Credential, name string) int { return of[person(name).Name].Wave }
	got, roll, err := listedIn(t, nil, all,
		directory.Alike{Accounts: []string{"alice", "bob"}, By: []string{"carol", "alice"}},
		directory.Alike{Accounts: []string{"carol"}, By: []string{"dan"}}, directory.Alike{Accounts: []string{"dan"}, By: []string{"carol", "dan"}},
		directory.Alike{Accounts: []string{"eve"}, By: []string{"eve"}})
	require.NoError(t, err)
	require.Equal(t, []credential.Wave{{Name: "may-reset-others"}, {Name: "may-reset-others-2"}, {Name: "may-reset-others-3"}, {Name: "the rest"}}, roll.Waves)
	require.Equal(t, []int{0, 1, 1, 2, 3, 3}, []int{wave(got, "boss"), wave(got, "carol"), wave(got, "dan"), wave(got, "alice"), wave(got, "bob"), wave(got, "eve")},
		"carol and dan reset each other and go together; eve may reset but herself")
	require.Contains(t, details(roll, got[person("carol").Name].ID, credential.FindingResetsOthers), "other accounts of the roll (3)")
	require.Empty(t, details(roll, got[person("eve").Name].ID, credential.FindingResetsOthers))

	// The file may say more, and not otherwise.
	chain := []directory.Alike{{Accounts: []string{"bob"}, By: []string{"alice"}}, {Accounts: []string{"carol"}, By: []string{"bob"}}}
	three := []Account{person("alice"), person("bob"), person("carol")}
	got, _, err = listedIn(t, []config.Wave{{Name: "one", Account: "*alice*"}}, three, slices.Clone(chain)...)
	require.NoError(t, err)
	require.Equal(t, []int{0, 1, 2}, []int{wave(got, "alice"), wave(got, "bob"), wave(got, "carol")}, "bob right behind the wave of who can reset him")
	for _, waves := range [][]config.Wave{
		{{Name: "early", Account: "*carol*"}, {Name: "late", Account: "*alice*"}},
		{{Name: "early", Account: "*bob*"}, {Name: "late", Account: "*alice*"}},
		{{Name: "all", Directory: "corp"}},
	} {
		_, _, err = listedIn(t, waves, three, slices.Clone(chain)...)
		require.ErrorContains(t, err, "can reset other accounts")
		require.ErrorContains(t, err, waves[0].Name)
	}
}

// A login to Vault goes first all the same, and of whoever may reset it that is
// said.
func TestWhoMayResetALoginToVaultIsTold(t *testing.T) {
	var found []Candidate
	for _, name := range []string{"alice", "bob"} {
		cand, a := from(t, "a "+name+" -"), person(name)
		cand.Found = &a
		found = append(found, cand)
	}
	roll, _, err := mergeAll(campaign(), found, accounts{}, nil, unfound{
		resets: map[string]directory.Resets{"corp": {Alike: []directory.Alike{{Accounts: uuids([]string{"alice", "bob"}), By: uuids([]string{"alice"})}}}},
		logins: map[string][]credential.VaultLogin{"corp/" + uuidOf("bob"): {{Mount: "ldap", Names: []string{"bob"}}}},
	})
	require.NoError(t, err)
	got := byName(roll)
	alice, bob := got[person("alice").Name], got[person("bob").Name]
	require.Equal(t, []string{"logins-to-vault", "may-reset-others"}, []string{roll.Waves[bob.Wave].Name, roll.Waves[alice.Wave].Name})
	require.Contains(t, details(roll, alice.ID, credential.FindingResetsOthers), "1 of them log in to Vault and go first all the same")
	require.Empty(t, details(roll, bob.ID, credential.FindingResetsOthers))
}

// No account goes before one that could reset it, nor with it, unless each of
// them can reset the other.
func TestNoAccountGoesBeforeOneThatCouldResetIt(t *testing.T) {
	names := []string{"a", "b", "c", "d", "e", "f"}
	rapid.Check(t, func(r *rapid.T) {
		name := rapid.SampledFrom(names)
		var accounts []Account
		may := map[[2]string]bool{} // who, whom
		shield := map[string]bool{}
		for _, n := range names {
			if rapid.IntRange(0, 5).Draw(r, "protected") == 0 {
				accounts, shield[n] = append(accounts, protected(n)), true
			} else {
				accounts = append(accounts, person(n))
			}
		}
		var resets []directory.Alike
		left := slices.Clone(names)
		for len(left) > 0 {
			n := rapid.IntRange(1, len(left)).Draw(r, "alike")
			resets = append(resets, directory.Alike{Accounts: slices.Clone(left[:n]), By: rapid.SliceOfNDistinct(name, 0, 3, rapid.ID[string]).Draw(r, "by")})
			left = left[n:]
		}
		for _, x := range resets {
			for _, by := range x.By {
				for _, whom := range x.Accounts {
					may[[2]string{by, whom}] = true
				}
			}
		}
		for by := range shield {
			for _, whom := range names {
				if !shield[whom] {
					may[[2]string{by, whom}] = true
				}
			}
		}
		var waves []config.Wave
		for i := range rapid.IntRange(0, 3).Draw(r, "waves") {
			waves = append(waves, config.Wave{Name: fmt.Sprint("w", i), Account: "uid=" + name.Draw(r, "of wave") + ",*"})
		}
		reaches := map[[2]string]bool{}
		for k := range may {
			reaches[k] = true
		}
		for _, via := range names {
			for _, a := range names {
				for _, b := range names {
					if reaches[[2]string{a, via}] && reaches[[2]string{via, b}] {
						reaches[[2]string{a, b}] = true
					}
				}
			}
		}
		got, _, err := listedIn(t, waves, accounts, resets...)
		if err != nil {
			require.NotEmpty(r, waves, "without a file's waves there is always an order: %v", err)
			return
		}
		wave := func(n string) int { return got[person(n).Name].Wave }
		for k := range may {
			by, whom := k[0], k[1]
			switch {
			case by == whom:
			case reaches[[2]string{whom, by}]:
				if len(waves) == 0 {
					require.Equal(r, wave(by), wave(whom), "%s and %s reset each other", by, whom)
				}
			default:
				require.Less(r, wave(by), wave(whom), "%s can reset %s", by, whom)
			}
		}
	})
}
