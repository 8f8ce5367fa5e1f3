package inventory

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestAnIndexOfWhatVaultWorksWithFindsWhatAskingEachFinds(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		word := rapid.SampledFrom([]string{"a", "B", "a b", "A  B", "c@x", `D\c`, `D\c@x`, "cn=c", "cn=a,dc=x", "CN=A, DC=X", "uid=b,dc=x", `cn=a\,b,dc=x`, ""})
		words := rapid.SliceOfN(word, 0, 3)
		attr := rapid.SampledFrom([]string{"", "mail", "uid"})
		asked := map[string][]string{"corp": nil}
		all := make([]vaultUse, rapid.IntRange(0, 6).Draw(r, "uses"))
		for i := range all {
			all[i] = vaultUse{at: fmt.Sprint(i), attr: attr.Draw(r, "attr"), in: asked}
			if rapid.Bool().Draw(r, "keeps") {
				all[i].rotate = "by hand"
			}
			for _, name := range words.Draw(r, "names") {
				if name != "" {
					all[i].names = append(all[i].names, name)
				}
			}
		}
		a := Account{Name: word.Draw(r, "name"), facts: &facts{
			domains: rapid.Bool().Draw(r, "domains"), login: words.Draw(r, "login"), principal: word.Draw(r, "principal"),
			named: map[string][]string{"mail": words.Draw(r, "mail"), "uid": words.Draw(r, "uid")},
		}}
		var want []string
		for _, k := range all {
			if k.is("corp", a) {
				want = append(want, k.at)
			}
		}
		var got []string
		for _, k := range indexUses(all).of("corp", a) {
			got = append(got, k.at)
		}
		require.Equal(r, want, got)
		require.Empty(r, indexUses(all).of("other", a))
	})
}

func TestAPasswordThatVaultKeepsIsFoundByANameWithACommaInIt(t *testing.T) {
	kept := func(name string) vaultUse {
		return vaultUse{at: "ldap/static-role/x", names: []string{name}, rotate: "by hand", in: map[string][]string{"corp": nil}}
	}
	for dn, names := range map[string][]string{
		`cn=Meier\, Anna,ou=people,dc=x`:     {"Meier, Anna", "meier, anna"},
		`cn=Meier\2C Anna,ou=people,dc=x`:    {"Meier, Anna"},
		`cn=Anna+uid=anna,ou=people,dc=x`:    {"Anna", "anna"},
		`cn=C\+\+ builds,ou=services,dc=x`:   {"C++ builds"},
		`cn=plain,ou=a\, b,ou=services,dc=x`: {"plain"},
	} {
		a := Account{Name: dn, facts: &facts{}}
		for _, name := range names {
			require.True(t, kept(name).is("corp", a), "%s: %s", dn, name)
			require.Len(t, indexUses([]vaultUse{kept(name)}).of("corp", a), 1, "%s: %s", dn, name)
		}
		require.False(t, kept(`Meier\`).is("corp", a))
	}
}
