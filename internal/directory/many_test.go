package directory

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/lab"
)

func TestManyEntriesAreReadInFewSearchesAsEachOneIs(t *testing.T) {
	const n = 2*accountsChunk + 7
	s := startSlapd(t, lab.SlapdOptions{Accounts: lab.SeedAccounts("user", n)})
	c := open(t, configOf(s), s.BinderPassword)
	var ids []string
	names := map[string]string{}
	require.NoError(t, c.Search(t.Context(), s.LDAPS(), "", "(objectClass=inetOrgPerson)", nil, func(e Entry) error {
		ids, names[e.ID] = append(ids, e.ID), e.DN
		return nil
	}))
	require.Len(t, ids, n)
	nobody := "00000000-0000-4000-8000-000000000000"
	found := c.ManyByID(t.Context(), s.LDAPS(), append([]string{nobody, "no id"}, ids...))
	require.Len(t, found, n)
	for _, id := range []string{ids[0], ids[accountsChunk], ids[n-1]} {
		one, ok, err := c.ByID(t.Context(), s.LDAPS(), id, names[id])
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, one, found[id])
	}

	t.Run("a bind identity is left out", func(t *testing.T) {
		var own string
		require.NoError(t, c.Search(t.Context(), s.LDAPS(), s.BinderDN, "(objectClass=*)", nil, func(e Entry) error {
			own = e.ID
			return nil
		}))
		found := c.ManyByID(t.Context(), s.LDAPS(), []string{own, ids[0]})
		require.Len(t, found, 1)
		require.Contains(t, found, ids[0])
	})

	t.Run("after a failed search the rest is left out", func(t *testing.T) {
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		require.Empty(t, c.ManyByID(ended, s.LDAPS(), ids))
	})
}

func TestAFilterForManyFindsEachByItsID(t *testing.T) {
	id := "01020304-0506-0708-090a-0b0c0d0e0f10"
	for driver, f := range drivers {
		require.Equal(t, fmt.Sprintf("(|%s%s)", f.idFilter(id), f.idFilter(id)), anyID(f, []string{id, id}), driver)
	}
}
