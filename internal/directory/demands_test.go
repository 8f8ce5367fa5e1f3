package directory

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/lab"
)

func values(of ...string) (out []credential.Secret) {
	for _, v := range of {
		out = append(out, credential.NewSecret(v))
	}
	return out
}

func TestWhatAPolicyWouldRefuseIsToldByCountsAlone(t *testing.T) {
	d := demand{length: 10, classes: 3, of: map[string]int{digits: 2, uppers: 1}}
	for value, why := range map[string]string{
		"aB3-cdefg7":   "",
		"aB3-c":        "they have 5 characters, and it asks for 10",
		"abcdefghijkl": "some have 1 class of characters, and it asks for 3",
		"aB-cdefghij7": "some have 1 digits, and it asks for 2",
		"a3-cdefghij7": "some have 0 capital letters, and it asks for 1",
	} {
		require.Equal(t, why, d.refuses(credential.NewSecret(value)), value)
		require.Empty(t, demand{}.refuses(credential.NewSecret(value)))
	}
}

func TestNewValuesThatAPolicyOfTheServerWouldRefuseAreToldBefore(t *testing.T) {
	t.Parallel()
	sample := values(strings.Repeat("aB3-", 6), strings.Repeat("aB3-", 8))
	t.Run("OpenLDAP", func(t *testing.T) {
		s := startSlapd(t, lab.SlapdOptions{Policy: lab.SlapdPolicy{MinLength: 30}})
		c := open(t, configOf(s), s.BinderPassword)
		got := c.CheckValues(t.Context(), sample)
		require.Len(t, got, 1)
		require.True(t, got[0].OK, "with manage it takes them")
		require.True(t, IsNote(got[0].What))
		require.Contains(t, got[0].Detail, "cn=default,ou=policies,dc=example,dc=org would refuse new values: they have 24 characters, and it asks for 30")
		require.Contains(t, got[0].Detail, "manage")
		require.Empty(t, c.CheckValues(t.Context(), sample[1:]))
	})
	t.Run("389 Directory Server", func(t *testing.T) {
		s := startDS389(t, lab.DS389Options{Policy: lab.DS389Policy{MinLength: 30}})
		put389(t, s, "cn=config", "passwordMinCategories", "4")
		d := configOf389(s)
		d.Bind.DN = s.AdminDN
		for set, exempt := range map[string]bool{"replace": true, "exop": false} {
			d.Set = set
			c := open(t, d, s.AdminPassword)
			got := c.CheckValues(t.Context(), sample)
			require.Len(t, got, 1)
			require.Equal(t, exempt, got[0].OK, set)
			require.Contains(t, got[0].Detail, "(cn=config) would refuse new values: they have 24 characters, and it asks for 30")
			require.Equal(t, exempt, got[0].Do == "")
			require.Empty(t, c.CheckValues(t.Context(), sample[1:]))
			require.Len(t, c.CheckValues(t.Context(), values(strings.Repeat("aB3", 12))), 1)
		}
	})
}

// In a domain length and complexity bind resets too.
func newValuesThatTheDomainRefuses(t *testing.T, s *lab.Samba) {
	c := open(t, domainOf(s), s.BinderPassword)
	got := c.CheckValues(t.Context(), values("aB3-cdefghij", "aB3-c"))
	require.Len(t, got, 1)
	require.False(t, got[0].OK)
	require.Contains(t, got[0].Detail, "the domain's password policy would refuse new values: they have 5 characters, and it asks for 7")
	require.Empty(t, c.CheckValues(t.Context(), values("aB3-cdefghij")))
}
