package directory

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/lab"
)

func TestSearchPagesThroughMoreThanOnePage(t *testing.T) {
	s := startSlapd(t, lab.SlapdOptions{Accounts: lab.SeedAccounts("user", 1201)})
	c := open(t, configOf(s), s.BinderPassword)
	seen := map[string]Entry{}
	err := c.Search(t.Context(), s.LDAPS(), "", "(objectClass=inetOrgPerson)", []string{"uid", "description"}, func(e Entry) error {
		seen[e.ID] = e
		return nil
	})
	require.NoError(t, err)
	require.Len(t, seen, 1201)
	for uuid, e := range seen {
		require.Len(t, uuid, 36)
		require.Equal(t, s.AccountDN(e.First("uid")), e.DN)
		require.Empty(t, e.First("description"))
	}

	t.Run("an error of the callback ends it, and the next search works", func(t *testing.T) {
		enough, n := errors.New("enough"), 0
		err := c.Search(t.Context(), s.LDAPS(), "", "(uid=*)", nil, func(Entry) error {
			if n++; n == 3 {
				return enough
			}
			return nil
		})
		require.ErrorIs(t, err, enough)
		require.Equal(t, 3, n)
		require.NoError(t, c.Search(t.Context(), s.LDAPS(), "", "(uid=user0001)", nil, func(Entry) error { return nil }))
	})

	t.Run("an incomplete list is an error", func(t *testing.T) {
		d := configOf(s)
		d.Bind.DN = s.AccountDN("user0001") // bound by slapd's sizelimit of 500
		other := open(t, d, s.SeededPassword("user0001"))
		err := other.Search(t.Context(), s.LDAPS(), "", "(uid=*)", nil, func(Entry) error { return nil })
		require.ErrorContains(t, err, "incomplete")
	})

	for name, row := range map[string]struct{ base, filter, words string }{
		"bad filter":   {"", "(uid=*", "not an LDAP filter"},
		"base missing": {"ou=nowhere," + s.BaseDN(), "(uid=*)", "is not at"},
	} {
		t.Run(name+" is said to be so", func(t *testing.T) {
			err := c.Search(t.Context(), s.LDAPS(), row.base, row.filter, nil, func(Entry) error { return nil })
			require.ErrorContains(t, err, row.words)
		})
	}
}

func TestByUUIDFindsARenamedEntryAndNoOther(t *testing.T) {
	s := startSlapd(t, lab.SlapdOptions{Accounts: lab.SeedAccounts("user", 2)})
	c := open(t, configOf(s), s.BinderPassword)
	var first Entry
	require.NoError(t, c.Search(t.Context(), s.LDAPS(), "", "(uid=user0001)", nil, func(e Entry) error {
		first = e
		return nil
	}))
	e, found, err := c.ByID(t.Context(), s.LDAPS(), first.ID, "")
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, first.DN, e.DN)
	require.NotEmpty(t, e.First("pwdChangedTime"))
	require.NotEmpty(t, e.First("entryCSN"))

	_, found, err = c.ByID(t.Context(), s.LDAPS(), "00000000-0000-0000-0000-000000000000", "")
	require.NoError(t, err)
	require.False(t, found)

	_, _, err = c.ByID(t.Context(), s.LDAPS(), "*)(uid=user0001", "")
	require.ErrorContains(t, err, "is no entryUUID")
	_, _, err = c.ByID(t.Context(), "ldaps://elsewhere", first.ID, "")
	require.ErrorContains(t, err, "no server")
}

func TestRateLimitHoldsForTheDirectoryAsAWhole(t *testing.T) {
	s := startSlapd(t, lab.SlapdOptions{})
	d := configOf(s)
	d.RatePerSecond = 20
	c := open(t, d, s.BinderPassword)
	began := time.Now()
	for range 40 {
		_, _, err := c.ByID(t.Context(), s.LDAPS(), "00000000-0000-0000-0000-000000000000", "")
		require.NoError(t, err)
	}
	// One bind and 40 reads, 20 of them from the first second's allowance.
	require.GreaterOrEqual(t, time.Since(began), time.Second)

	// Whoever has no time to wait for it is told. A machine that was busy may
	// have left some of the allowance.
	var err error
	for n := 0; n <= 20 && err == nil; n++ {
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		_, _, err = c.ByID(ctx, s.LDAPS(), "00000000-0000-0000-0000-000000000000", "")
		cancel()
	}
	require.Error(t, err)
}
